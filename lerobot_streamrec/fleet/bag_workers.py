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
Processes of this machine or of a Ray cluster that import bags, each into a dataset of its own.

A process of this machine tells its progress and its result through a pipe. As soon as nobody reads
the pipe any more, because the command was interrupted or killed, it discards its episode and ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
import signal
import time
from typing import Any

from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.format.files import Files, lock_holder
from lerobot_streamrec.dataset.format.info import info_content, parse_raw_info
from lerobot_streamrec.dataset.format.info_rules import json_bytes
from lerobot_streamrec.dataset.format.layout import INFO
from lerobot_streamrec.errors import StreamrecError
from lerobot_streamrec.fleet.bag_import import (
    bag_settings,
    bag_text,
    BagImport,
    Imported,
    known_text,
    known_texts,
    missing_spans,
    Progress,
)
from lerobot_streamrec.fleet.planning.bag_episodes import plan_episodes, WHOLE
from lerobot_streamrec.fleet.planning.bag_spans import Span
from lerobot_streamrec.fleet.reading.bag_reader import Bag, open_bag
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.settings.recorder_settings import Settings
from lerobot_streamrec.settings.teleop_settings import TriggerRule
from lerobot_streamrec.video.codecs.config import AUTO
from lerobot_streamrec.workers import interrupts_held_back, Task, Workers

_POLL_S = 0.5
_TELL_EVERY_S = 0.2
# Longer than a process needs to discard its episode when it is told to end.
_END_S = 15.0


@dataclass(frozen=True, slots=True)
class Request:
    """
    The options with which bags are imported.

    :param params: the parameter file
    :param namespace: namespace of the recorder, such as ``/left``
    :param replaced: values that replace those of the file, by parameter
    :param num_recorders: number of bags that are imported at once
    :param choice: episodes of each bag, from ``episodes_choice``
    :param triggers: triggers that replace those of the file
    :param has_others: True if there are several bags
    """

    params: Path
    namespace: str
    replaced: Mapping[str, Any]
    num_recorders: int = 1
    choice: str = WHOLE
    triggers: tuple[TriggerRule, ...] = ()
    has_others: bool = False

    def open(
        self, path: Path, hashing: Callable[[int, int], None] | None = None, text: str = ''
    ) -> OpenBag:
        """
        Open a bag, and find out which of its episodes the dataset lacks.

        :param hashing: called with the number of bytes that are hashed and in all
        :param text: text from ``bag_text``; empty: it has to be found out
        :raise StreamrecError: if the bag cannot be imported with these options
        """
        bag = open_bag(path)
        settings = bag_settings(bag, self.params, self.namespace, self.replaced)
        config = replace(settings.recorder, num_recorders=self.num_recorders)
        text = text or bag_text(bag, hashing)
        known = known_texts(config.root)
        text = known_text(known, text, partial(bag_text, bag, hashing, is_whole=True))
        settings = replace(settings, recorder=config)
        spans = plan_episodes(
            bag,
            self.choice,
            settings,
            self.namespace,
            self.triggers,
            has_others=self.has_others,
        )
        missing = missing_spans(known, bag, text, spans)
        return OpenBag(self, bag, settings, text, spans, missing)


@dataclass(frozen=True, slots=True)
class OpenBag:
    """
    A bag that is to be imported.

    :param request: the options
    :param bag: the bag
    :param settings: settings of the recorder for this bag
    :param text: text from ``known_text``
    :param spans: its episodes
    :param missing: those that the dataset lacks
    """

    request: Request
    bag: Bag
    settings: Settings
    text: str
    spans: Sequence[Span]
    missing: Sequence[Span]

    def run(
        self, progress: Progress, *, is_last: bool, wanted: Sequence[Span] | None = None
    ) -> Imported:
        """Import the bag; see ``BagImport``."""
        parameters = self.request.params.read_bytes()
        namespace = self.request.namespace
        source = (self.bag, self.settings, namespace, self.text, parameters, self.spans, wanted)
        return BagImport(*source).run(progress, is_last=is_last)


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """
    The import of a bag into a dataset of its own.

    :param path: the bag
    :param text: text from ``known_text``
    :param spans: its episodes that are wanted
    :param seconds: length of the bag
    :param folder: folder of the dataset
    :param request: the options, with this folder as the root
    """

    path: Path
    text: str
    spans: Sequence[Span]
    seconds: float
    folder: Path
    request: Request


Result = Imported | str | None
"""The result of a job: its episodes, the reason for a failure, or None if it was done before."""


class Crew:
    """
    The processes that import bags. Owned by one thread.

    :param config: settings of the dataset to which the bags belong
    :param jobs: jobs to do, in order
    :param show: receives the progress of all jobs together
    :param cluster: does the jobs as tasks, and tells progress after each; None: own processes
    """

    def __init__(
        self,
        config: RecorderConfig,
        jobs: Sequence[Job],
        show: Progress,
        cluster: Workers | None = None,
    ) -> None:
        self._num_workers = config.num_recorders
        self._show = show
        self._cluster = cluster
        self._waiting = list(jobs)
        self._running: dict[Connection, tuple[Job, BaseProcess]] = {}
        self._done: dict[Job, tuple[float, int]] = {}
        self._results: dict[Job, Result] = {}
        self._is_auto = any(config.encoder_of(one).vcodec == AUTO for one in config.cameras)
        has_info = (config.root / INFO).is_file()
        self._like = config.root if has_info and read_catalog(config.root).episodes else None

    def run(self) -> dict[Job, Result]:
        """Do all jobs; the processes have ended when this returns or raises."""
        self._num_workers = min(self._num_workers, len(self._waiting))
        if self._cluster is not None:
            self._run_on(self._cluster)
            return self._results
        try:
            while self._waiting or self._running:
                while self._waiting and len(self._running) < self._limit(self._num_workers):
                    self._start(self._waiting.pop(0))
                for pipe in wait([*self._running], _POLL_S):
                    assert isinstance(pipe, Connection)
                    self._hear(pipe)
                self._tell()
        finally:
            for pipe in self._running:
                pipe.close()
            deadline_s = time.monotonic() + _END_S
            for _, process in self._running.values():
                _end(process, deadline_s)
        return self._results

    def _run_on(self, cluster: Workers) -> None:
        while self._waiting:
            jobs = self._waiting[: self._limit(len(self._waiting))]
            del self._waiting[: len(jobs)]
            tasks = [
                Task(f'the import of {one.path}', partial(_outcome, self._prepared(one)))
                for one in jobs
            ]
            for job, result in zip(jobs, cluster.run(tasks), strict=True):
                self._finish(job, result)
                self._tell()

    def _limit(self, num_jobs: int) -> int:
        """Return how many jobs may run: the first bag decides about the codec that all share."""
        return 1 if self._is_auto and self._like is None else num_jobs

    def _tell(self) -> None:
        done = self._done.values()
        self._show(sum(one for one, _ in done), sum(one for _, one in done))

    def _prepared(self, job: Job) -> Job:
        if self._like is not None and not (job.folder / INFO).exists():
            _make_alike(job.folder, self._like)
        # Other processes may have another working directory.
        params = job.request.params.absolute()
        request = replace(job.request, params=params, num_recorders=self._num_workers)
        return replace(job, path=job.path.absolute(), request=request)

    def _start(self, job: Job) -> None:
        context = get_context('spawn')
        pipe, theirs = context.Pipe(duplex=False)
        arguments = (self._prepared(job), theirs)
        process = context.Process(target=_work, args=arguments, daemon=True)
        with interrupts_held_back():
            process.start()
        theirs.close()
        self._running[pipe] = job, process

    def _hear(self, pipe: Connection) -> None:
        job, process = self._running[pipe]
        said: Any = ''
        with suppress(EOFError, OSError):
            said = pipe.recv()
        if isinstance(said, tuple):
            self._done[job] = said
            return
        _end(process, time.monotonic() + _END_S)
        del self._running[pipe]
        pipe.close()
        self._finish(job, _ending(process) if said == '' else said)

    def _finish(self, job: Job, result: Result) -> None:
        self._results[job] = result
        self._done[job] = job.seconds, self._done.get(job, (0.0, 0))[1]
        if self._is_auto and self._like is None and not isinstance(result, str):
            self._like = job.folder


def _end(process: BaseProcess, deadline_s: float) -> None:
    process.join(max(0.0, deadline_s - time.monotonic()))
    if process.is_alive():
        process.kill()
        process.join(_END_S)


def _ending(process: BaseProcess) -> str:
    status = process.exitcode or 0
    how = f'by {signal.Signals(-status).name}' if status < 0 else f'with status {status}'
    return f'its process ended {how}; the same command imports it again'


def _make_alike(folder: Path, like: Path) -> None:
    """Begin a dataset of the same kind, so that a bag that does not fit is refused at once."""
    said = parse_raw_info(info_content(like), like)
    counts = dict.fromkeys(('total_episodes', 'total_frames', 'total_tasks'), 0)
    Files(folder).replace(INFO, json_bytes({**said, **counts, 'splits': {}}))


# --- the processes themselves --------------------------------------------------------------


def _work(job: Job, pipe: Connection) -> None:
    told_s = 0.0

    def tell(*done: float) -> None:
        nonlocal told_s
        if time.monotonic() >= told_s + _TELL_EVERY_S:
            told_s = time.monotonic()
            pipe.send(done)

    with suppress(BrokenPipeError):
        pipe.send(_outcome(job, tell))


def _outcome(job: Job, tell: Progress = lambda *_: None) -> Result:
    # The process of a command that was killed ends soon.
    deadline_s = time.monotonic() + _END_S
    while lock_holder(job.folder) is not None and time.monotonic() < deadline_s:
        time.sleep(_POLL_S)
    try:
        opened = job.request.open(job.path, text=job.text)
        if not any(one in opened.missing for one in job.spans):
            return None
        # The last one of its dataset: pictures that wait for their encoding are encoded now.
        return opened.run(tell, is_last=True, wanted=job.spans)
    except BrokenPipeError:
        raise
    except (StreamrecError, OSError) as error:
        return str(error)
