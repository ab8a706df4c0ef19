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
"""Encoding of a new dataset's videos: each episode is encoded by itself, then they are joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path, PurePosixPath
import threading

from lerobot_streamrec.dataset.format.layout import FileIndex, VIDEO_PATH
from lerobot_streamrec.dataset.rebuild.new_files import one_after_another, Places
from lerobot_streamrec.dataset.rebuild.new_tree import NewTree
from lerobot_streamrec.dataset.rebuild.pieces import Kept, Piece
from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.mp4.concat import concatenate, Segment
from lerobot_streamrec.video.mp4.packet_index import survey_video
from lerobot_streamrec.video.tools.encoding_jobs import (
    FrameCounter,
    Progress,
    run_encoding_jobs,
    with_shared_cores,
)
from lerobot_streamrec.video.tools.reencode import encode_span


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
) -> dict[str, Places]:
    """
    Encode videos of a dataset into a new tree, several of them at once.

    :param config: encoder settings that passed ``check_encoder``
    :param progress: receives the number of frames done and the total
    :param cancel: an event that another thread sets to stop the work
    :return: the place of each episode, per video key
    :raise InterruptedWorkError: if ``cancel`` was set
    :raise RebuildError: if a file cannot be written
    :raise VideoError: if a video cannot be read or written
    """
    lengths = [one.source.length for job in jobs for one in job.piece.episodes]
    counter = FrameCounter(sum(lengths), progress)
    settings = with_shared_cores(config, len(jobs))
    targets = [tree.place(job.relative) for job in jobs]
    run_encoding_jobs(
        [
            partial(_write_file, job, target, settings, counter.add, cancel)
            for job, target in zip(jobs, targets, strict=True)
        ],
        cancel,
    )
    places: dict[str, Places] = {}
    for job, target in zip(jobs, targets, strict=True):
        tree.settle(target)
        places.setdefault(job.video_key, {}).update(one_after_another([job.piece], job.file))
    return places


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
