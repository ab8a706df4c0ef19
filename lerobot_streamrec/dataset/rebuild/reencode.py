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
Re-encoding of a dataset's cameras with other settings; everything else stays.

Each episode is encoded by itself, then the episodes of a file are joined.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from fractions import Fraction
from functools import partial
from pathlib import Path, PurePosixPath
import threading
import time
from typing import Any

from lerobot_streamrec.dataset.format.catalog import Catalog, read_catalog
from lerobot_streamrec.dataset.format.layout import FileIndex, INFO, VIDEO_PATH
from lerobot_streamrec.dataset.rebuild.assemble import assemble_same, NewVideos
from lerobot_streamrec.dataset.rebuild.exchange import rebuilding
from lerobot_streamrec.dataset.rebuild.new_files import (
    make_files,
    NewFile,
    one_after_another,
    Places,
)
from lerobot_streamrec.dataset.rebuild.new_tree import DISK, Disk, NewTree
from lerobot_streamrec.dataset.rebuild.pieces import Kept, kept_episodes, Piece, small_pieces
from lerobot_streamrec.dataset.rebuild.plan import Change, changing, make_plan, measured, Plan
from lerobot_streamrec.dataset.rebuild.played_episode import video_key_of
from lerobot_streamrec.errors import ConfigError, UnusableDatasetError, VideoError
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.codecs.depth_config import is_depth, IS_DEPTH_MAP, keeps_codes
from lerobot_streamrec.video.codecs.scheduling import give_way
from lerobot_streamrec.video.codecs.settings_check import COLOUR_CHANNELS, DEPTH_CHANNELS
from lerobot_streamrec.video.mp4.concat import concatenate, Segment
from lerobot_streamrec.video.mp4.damage_scan import video_facts
from lerobot_streamrec.video.mp4.packet_index import survey_video
from lerobot_streamrec.video.mp4.video_info import probe_video
from lerobot_streamrec.video.tools.encoding_jobs import (
    num_workers,
    Progress,
    run_encoding_jobs,
    with_shared_cores,
    WorkCounter,
)
from lerobot_streamrec.video.tools.reencode import encode_span, unsuitable
from lerobot_streamrec.video.trials.auto_select import check_at_size
from lerobot_streamrec.video.trials.software_probe import check_picture_size
from lerobot_streamrec.workers import InProcess, Workers

_RECORD_KEY = 'encoded_again'
# The settings that the record keeps, to tell how the frames were encoded before.
_TOLD = ('video.codec', 'video.pix_fmt', 'video.g', 'video.crf', 'video.preset')


@dataclass(frozen=True, slots=True)
class EncodingPlan:
    """
    The plan of a re-encoding.

    :param files: files of the dataset, none of which are joined
    :param cameras: video keys of the cameras to encode again
    :param config: encoder settings
    :param left_alone: sentences on the cameras that are not encoded, with the reasons
    """

    files: Plan
    cameras: tuple[str, ...]
    config: EncoderConfig
    left_alone: tuple[str, ...] = ()

    @property
    def catalog(self) -> Catalog:
        """The dataset to encode again."""
        return self.files.kept[0].catalog

    @property
    def num_frames(self) -> int:
        """The number of frames to encode, over all cameras."""
        return len(self.cameras) * self.catalog.info.total_frames

    def jobs(self) -> Iterator[EncodingJob]:
        """Yield the encoding job of each new file."""
        for key in self.cameras:
            for file, (piece,) in self.files.videos[key].items():
                yield EncodingJob(key, piece, file)


def plan_encoding(
    catalog: Catalog, config: EncoderConfig, cameras: Collection[str] = ()
) -> EncodingPlan:
    """
    Plan a re-encoding: try the encoder, but change nothing.

    A camera that the encoder would spoil, such as a depth camera, is left alone unless named.

    :param cameras: video keys, or their last parts; empty: all cameras
    :raise ConfigError: if a camera does not exist, nothing can be encoded, or the encoder would
        spoil a camera that is named
    :raise DatasetCorruptError: if a file is missing
    """
    if not catalog.episodes:
        raise ConfigError('root', str(catalog.root), 'it has no episode')
    named = [video_key_of(catalog.info, one, catalog.root) for one in cameras]
    keys = named or catalog.info.video_keys
    chosen: list[str] = []
    left_alone: list[str] = []
    for key in dict.fromkeys(keys):
        spec = catalog.info.features[key]
        problem = unsuitable(config, is_depth=is_depth(spec.info))
        if problem and cameras:
            raise ConfigError('camera', key, problem)
        if problem:
            left_alone.append(f'{key} is left as it is: {problem}')
            continue
        chosen.append(key)
    if not chosen:
        reason = '; '.join(left_alone) or 'it has no camera'
        raise ConfigError('root', str(catalog.root), f'there is nothing to encode: {reason}')
    channels = DEPTH_CHANNELS if keeps_codes(config) else COLOUR_CHANNELS
    for key in chosen:
        height, width = _size(catalog, key)
        check_picture_size(key, config, height=height, width=width)
        check_at_size(config, VideoSpec(width, height, catalog.info.fps), channels=channels)
    plan = make_plan(kept_episodes((catalog, one) for one in catalog.episodes), pack=False)
    return EncodingPlan(plan, tuple(chosen), config, tuple(left_alone))


def reencode_dataset(
    root: Path,
    config: EncoderConfig,
    *,
    cameras: Collection[str] = (),
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    disk: Disk = DISK,
    workers: Workers | None = None,
) -> Change:
    """
    Encode cameras of a dataset again, under its lock; an interruption leaves the dataset whole.

    Rows, tasks and the position of every frame in its episode stay. Statistics stay too: they
    describe the original images before any codec, and policies normalise their input by them.
    Statistics of decoded frames would include the errors of both codecs.

    Several files are encoded at once; each episode begins with a key frame.

    :param root: the dataset's folder
    :param config: encoder settings
    :param cameras: video keys, or their last parts; empty: all cameras that suit the encoder
    :param progress: receives the number of frames done and the total, on any thread
    :param cancel: an event that another thread sets to stop the work
    :param disk: file operations, which tests replace
    :param workers: they encode one file each, and ``cancel`` does not reach other processes; None:
        threads on all cores
    :raise WorkerError: if a process dies again and again; the dataset is unchanged then
    :raise ConfigError: if a setting or a camera cannot be used
    :raise InterruptedWorkError: if ``cancel`` was set; the dataset is unchanged then
    :raise DatasetError: if the dataset cannot be re-encoded; it is unchanged then
    :raise VideoError: if a video cannot be read or written; the dataset is unchanged then
    :raise EncoderError: if the codec fails; the dataset is unchanged then
    """
    begin_s = time.monotonic()
    # This runs before the lock is taken, so that nothing changes in a dataset that is refused.
    plan_encoding(read_catalog(root), config, cameras)
    with changing(root, disk) as locked:
        plan = plan_encoding(read_catalog(locked), config, cameras)
        before = measured(locked)
        with rebuilding(locked, disk) as tree:
            jobs = list(plan.jobs())
            places = write_encoded_files(
                jobs,
                tree,
                config,
                progress=progress,
                cancel=cancel or threading.Event(),
                workers=workers or InProcess(num_workers(len(jobs))),
            )
            first_files = {one.video_key: tree.folder / one.relative for one in reversed(jobs)}
            infos = {key: _info_of(plan, key, first_files[key]) for key in plan.cameras}
            new = NewVideos(places, _raw_info(plan, infos), _records(plan, infos))
            assemble_same(plan.files, tree, new_videos=new)
        return Change.since(begin_s, before, locked, len(plan.files.kept), plan.left_alone)


def _size(catalog: Catalog, key: str) -> tuple[int, int]:
    """
    Return the height and width of a camera's frames.

    :raise UnusableDatasetError: if the first video has another size than info.json states, so
        that the encoder would be tried with a wrong size
    """
    spec = catalog.info.features[key]
    path = catalog.video_path(key, catalog.episodes[0].videos[key].file)
    facts = video_facts(path)
    if not spec.has_size(facts.height, facts.width):
        problem = (
            f'the shape of {key} is {list(spec.shape or ())}, but the frames in {path} have a '
            f'height of {facts.height} and a width of {facts.width} pixels'
        )
        raise UnusableDatasetError(catalog.root, INFO, problem)
    return facts.height, facts.width


def _old_info(catalog: Catalog, key: str) -> dict[str, Any]:
    entry = catalog.raw_info['features'][key]
    # Older datasets name this entry video_info.
    return {**(entry.get('video_info') or {}), **(entry.get('info') or {})}


def _info_of(plan: EncodingPlan, key: str, path: Path) -> dict[str, Any]:
    """Return the new entry of a camera in info.json: facts of its new video, and its settings."""
    old = _old_info(plan.catalog, key)
    # The new files have no sound. They do not state depth settings, so the old ones are kept.
    kept = {name: value for name, value in old.items() if not name.startswith('audio.')}
    found = probe_video(path)
    found[IS_DEPTH_MAP] = is_depth(old)
    return {**kept, **found, **plan.config.as_info()}


def _raw_info(plan: EncodingPlan, infos: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    features = dict(plan.catalog.raw_info['features'])
    for key, info in infos.items():
        entry = {name: value for name, value in features[key].items() if name != 'video_info'}
        features[key] = {**entry, 'info': dict(info)}
    return {**plan.catalog.raw_info, 'features': features}


def _records(
    plan: EncodingPlan, infos: Mapping[str, Mapping[str, Any]]
) -> dict[Kept, Mapping[str, object]]:
    """Return new record entries with the time of the change, and the old and new settings."""
    change = {
        'at': datetime.now(timezone.utc).isoformat(timespec='milliseconds'),
        'cameras': {
            key: {'before': _told(_old_info(plan.catalog, key)), 'now': _told(info)}
            for key, info in infos.items()
        },
    }
    found: dict[Kept, Mapping[str, object]] = {}
    for one in plan.files.kept:
        found[one] = {_RECORD_KEY: [*(one.record or {}).get(_RECORD_KEY, ()), change]}
    return found


def _told(info: Mapping[str, Any]) -> dict[str, object]:
    return {name.removeprefix('video.'): info.get(name) for name in _TOLD}


@dataclass(frozen=True, slots=True)
class EncodingJob:
    """
    The encoding of one new video file.

    :param video_key: video key of the camera
    :param piece: the old file, with its episodes
    :param file: chunk and file number of the new file
    """

    video_key: str
    piece: Piece
    file: FileIndex

    def small(self) -> EncodingJob:
        """Return a job that is small when it is pickled."""
        return replace(self, piece=small_pieces([self.piece])[0])

    @property
    def relative(self) -> PurePosixPath:
        """The path of the new file below the root."""
        return self.file.path(VIDEO_PATH, self.video_key)


def write_encoded_files(
    jobs: Sequence[EncodingJob],
    tree: NewTree,
    config: EncoderConfig,
    *,
    progress: Progress | None,
    cancel: threading.Event,
    workers: Workers,
) -> dict[str, Places]:
    """
    Encode videos of a dataset into a new tree, several of them at once.

    :param config: encoder settings that passed ``check_encoder``
    :param progress: receives the number of frames done and the total
    :param cancel: an event that another thread sets to stop the work
    :param workers: they encode one file each
    :return: the place of each episode, per video key
    :raise InterruptedWorkError: if ``cancel`` was set
    :raise RebuildError: if a file cannot be written
    :raise VideoError: if a video cannot be read or written
    """
    lengths = [one.source.length for job in jobs for one in job.piece.episodes]
    counter = WorkCounter(sum(lengths), progress)
    settings = with_shared_cores(config, len(jobs))
    if isinstance(workers, InProcess):
        targets = [tree.place(job.relative) for job in jobs]
        write = [
            partial(_write_file, job, target, settings, counter.add, cancel)
            for job, target in zip(jobs, targets, strict=True)
        ]
        run_encoding_jobs(write, cancel, workers.num_threads)
        for target in targets:
            tree.settle(target)
    else:
        files = [
            NewFile(one.relative, partial(_write_alone, one.small(), settings), 0) for one in jobs
        ]
        for num_frames in make_files(tree, files, workers):
            counter.add(num_frames or 0)
    places: dict[str, Places] = {}
    for job in jobs:
        places.setdefault(job.video_key, {}).update(one_after_another([job.piece], job.file))
    return places


def _write_alone(job: EncodingJob, config: EncoderConfig, target: Path) -> int:
    """Encode the episodes of a file in a process of its own; return the number of frames."""
    give_way()
    _write_file(job, target, config, lambda: None, threading.Event())
    return sum(one.source.length for one in job.piece.episodes)


def _write_file(
    job: EncodingJob,
    target: Path,
    config: EncoderConfig,
    on_frame: Callable[[], None],
    cancel: threading.Event,
) -> None:
    """Encode the episodes of a file; after a failure, its remains are removed with the tree."""
    episodes = job.piece.episodes
    if len(episodes) == 1:
        _encode(job, episodes[0], target, config, on_frame, cancel)
        return
    # The parts lie beside the file, and are removed before the tree takes the dataset's place.
    parts = [target.with_name(f'.{target.stem}.{number}.mp4') for number in range(len(episodes))]
    for episode, part in zip(episodes, parts, strict=True):
        _encode(job, episode, part, config, on_frame, cancel)
    fps = job.piece.catalog.info.fps
    surveys = [survey_video(part, fps) for part in parts]
    concatenate([Segment(one, 0, one.num_frames) for one in surveys], target)
    for part in parts:
        part.unlink()


def _encode(
    job: EncodingJob,
    episode: Kept,
    target: Path,
    config: EncoderConfig,
    on_frame: Callable[[], None],
    cancel: threading.Event,
) -> None:
    fps, length = episode.catalog.info.fps, episode.source.length
    begin_s = Fraction(episode.source.videos[job.video_key].from_timestamp)
    made = encode_span(
        job.piece.path,
        target,
        config,
        fps=fps,
        start_s=begin_s,
        end_s=begin_s + Fraction(length, fps),
        on_frame=on_frame,
        cancel=cancel,
    )
    if made.num_frames != length:
        raise VideoError(
            f'{job.piece.path} has {made.num_frames} frames of episode '
            f'{episode.source.episode_index}, which has {length} rows; '
            f'`{streamrec_command("check", "ROOT")}` shows more'
        )
