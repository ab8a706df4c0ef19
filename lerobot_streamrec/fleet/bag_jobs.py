# Copyright 2026 lerobot_streamrec contributors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""
Several bags at once: a process for each makes a dataset of its own, and then they are joined.

These datasets lie in a hidden folder beside the root. Their names follow from the bags and the
options, so the same command finds those that an interrupted one has finished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
import hashlib
from pathlib import Path
import shutil

from lerobot_streamrec.dataset.format.catalog import Catalog, read_catalog
from lerobot_streamrec.dataset.format.files import DatasetLock, free_path
from lerobot_streamrec.dataset.format.layout import INFO
from lerobot_streamrec.dataset.rebuild.assemble import Progress as Bytes
from lerobot_streamrec.dataset.rebuild.exchange import refuse_unless_exchangeable
from lerobot_streamrec.dataset.rebuild.merge import add_datasets
from lerobot_streamrec.dataset.rebuild.merged_features import merged_info
from lerobot_streamrec.dataset.takes.open_dataset import open_dataset
from lerobot_streamrec.errors import ConfigError, DatasetError, RebuildError, StreamrecError
from lerobot_streamrec.fleet.bag_import import finalize, Imported, Progress
from lerobot_streamrec.fleet.bag_workers import Crew, Job, Request, Result
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.workers import Workers


@dataclass(slots=True)
class Jobs:
    """
    The imports that are to be done, and what became of each bag.

    :param config: settings of the dataset; None if no bag can be imported
    :param todo: the imports, in order
    :param sentences: a sentence on each episode of a bag, or that the dataset has all of them
    :param remarks: sentences on the damage of bags
    :param failures: the reason for each bag that cannot be imported
    :param lost: the reason for each episode that cannot be imported, of bags that otherwise can
    """

    config: RecorderConfig | None = None
    todo: list[Job] = field(default_factory=list)
    sentences: dict[Path, list[str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    failures: dict[Path, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    @property
    def is_interrupted(self) -> bool:
        """Whether an earlier command was killed, and left files that have to be removed."""
        return self.config is not None and folder_of_imports(self.config.root).exists()


def folder_of_imports(root: Path) -> Path:
    """Return the hidden folder beside a dataset in which its parts are made."""
    root = root.resolve()
    return root.parent / f'.{root.name}.streamrec-imports'


def plan_jobs(paths: Sequence[Path], request: Request, hashing: Bytes) -> Jobs:
    """
    Look at all bags, before any is imported.

    :param hashing: called with the number of bytes of a bag that are hashed and in all
    """
    jobs, parameters = Jobs(), request.params.read_bytes()
    for path in paths:
        try:
            opened = request.open(path, hashing)
            text, config = opened.text, opened.settings.recorder
            jobs.config = jobs.config or config
            if not opened.missing or _is_repeated(text, jobs.todo):
                jobs.sentences.setdefault(path, [f'{config.root} has it already'])
                continue
        except (StreamrecError, OSError) as error:
            jobs.failures[path] = str(error)
            continue
        chosen = sorted(request.replaced.items()), opened.missing
        options = text, parameters, request.namespace, *chosen
        name = hashlib.sha256(repr(options).encode()).hexdigest()[:16]
        folder = folder_of_imports(config.root) / name
        own = replace(request, replaced={**request.replaced, 'root': str(folder)})
        jobs.todo.append(Job(path, text, opened.missing, opened.bag.seconds, folder, own))
    return jobs


def _is_repeated(text: str, before: Sequence[Job]) -> bool:
    name = text.rpartition(' ')[0]
    for one in before:
        if one.text.rpartition(' ')[0] == name and one.text != text:
            why = f'{one.path} has this name and other content: rename one of the bags'
            raise ConfigError('BAG', text, why)
    return any(one.text == text for one in before)


def import_together(
    jobs: Jobs,
    importing: Callable[[], AbstractContextManager[Progress]],
    joining: Callable[[], AbstractContextManager[Bytes]],
    cluster: Workers | None = None,
) -> None:
    """
    Import bags by several processes, and add their episodes to the dataset in one step.

    What a process has finished stays, whatever becomes of the others and of this process.

    What an interrupted command has left is removed, so this may be called without a job.

    :param jobs: jobs to do; receives the results
    :param importing: opens a bar for the seconds and bytes that are read
    :param joining: opens a bar for the bytes that are joined and all of them
    :param cluster: imports the bags as tasks; None: processes of this machine
    :raise DatasetError: if the dataset cannot be used
    """
    config = jobs.config
    assert config is not None
    root, folder = config.root, folder_of_imports(config.root)
    with _kept(config):
        with importing() as show:
            results = Crew(config, jobs.todo, show, cluster).run()
        parts = _parts(jobs, root, results)
        if parts:
            with joining() as progress:
                add_datasets(root, parts, pack=config.compact_at_finalize, progress=progress)
        failed = {one.folder for one in jobs.todo if one.path in jobs.failures}
        for one in {*folder.glob('*')} - failed:
            _remove(one)
        with suppress(OSError):
            folder.rmdir()
    if parts or not jobs.todo:
        finalize(config)


@contextmanager
def _kept(config: RecorderConfig) -> Iterator[None]:
    """Check a root as a recorder does, before hours of work, and keep others out of it."""
    writer, _ = open_dataset(
        config.root,
        fps=config.fps,
        robot_type=config.robot_type,
        features=config.features(),
        resume=config.resume,
        recovery=config.recovery,
    )
    writer.close()
    lock = DatasetLock(config.root)
    try:
        try:
            refuse_unless_exchangeable(config.root)
        except RebuildError as error:
            raise RebuildError(f'{error} Without --jobs nothing is exchanged.') from error
        yield
    finally:
        lock.release()


def _remove(folder: Path) -> None:
    # A kill must not leave a part of a dataset that the next command would go on with.
    shutil.rmtree(folder.replace(free_path(folder.with_name(f'{folder.name}-removed'))))


def _parts(jobs: Jobs, root: Path, results: Mapping[Job, Result]) -> list[Catalog]:
    """Return the datasets that fit the root and each other; those that do not are failures."""
    present = [read_catalog(root)] if (root / INFO).is_file() else []
    index = sum(len(one.episodes) for one in present)
    parts: list[Catalog] = []
    for job in jobs.todo:
        result = results[job]
        if isinstance(result, str):
            jobs.failures[job.path] = result
            continue
        try:
            if result is not None and not (job.folder / INFO).is_file():
                raise DatasetError('; '.join(result.failures))
            part = read_catalog(job.folder)
            merged_info([[*present, *parts, part][0], part])
        except DatasetError as error:
            jobs.failures[job.path] = str(error)
            _remove(job.folder)
            continue
        if result is not None:
            jobs.remarks += result.remarks
            jobs.lost += result.failures
        jobs.sentences[job.path] = _sentences(part, result, index)
        index += len(part.episodes)
        parts.append(part)
    return parts


def _sentences(part: Catalog, result: Imported | None, first_index: int) -> list[str]:
    """Return a sentence on each episode of a part, by its index in the whole dataset."""
    summaries = {one.episode.episode_index: one for one in result.summaries} if result else {}
    told = []
    for index, one in enumerate(part.episodes):
        text = f'episode {first_index + index}: {one.length} rows, imported before'
        if (summary := summaries.get(index)) is not None:
            episode = replace(summary.episode, episode_index=first_index + index)
            text = str(replace(summary, episode=episode))
        told.append(text)
    return told
