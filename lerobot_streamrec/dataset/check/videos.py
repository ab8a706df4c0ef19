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
"""The check of the video files: each row needs a frame at its time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.check.compare_statistics import Moments
from lerobot_streamrec.dataset.check.episode_order import TOLERANCE_S
from lerobot_streamrec.dataset.check.episodes import rows_of_files, Subject
from lerobot_streamrec.dataset.check.findings import Findings
from lerobot_streamrec.dataset.check.values import put_histogram
from lerobot_streamrec.dataset.format.histograms import DecodedCamera, Histogram
from lerobot_streamrec.dataset.format.layout import INFO
from lerobot_streamrec.dataset.format.table_rules import Floats
from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.stats.histograms import lattice_stride
from lerobot_streamrec.video.mp4.damage_scan import (
    bytes_missing,
    inspect_frames,
    InspectedFrame,
    packet_times,
    video_facts,
    VideoFacts,
)
from lerobot_streamrec.workers import HERE, Task, Workers
import numpy as np
import numpy.typing as npt

# Statistics are compared with at most this many frames, as many as LeRobot samples of a short
# episode.
_SAMPLED_FRAMES = 100

_MAX_DURATION_S = 1024.0


@dataclass(frozen=True, slots=True, eq=False)
class VideoFindings:
    """
    The state of the videos.

    :param present: per video key and episode, True if there is a frame for each row
    :param moments: per video key, without cameras whose pixel values have an unknown meaning; all
        values are unknown if nothing was decoded
    """

    present: dict[str, npt.NDArray[np.bool_]]
    moments: dict[str, Moments]


class VideoCheck:
    """
    The check of all videos, one camera and one file after the other.

    :param subject: the dataset
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._info, self._table = info, table = subject.info, subject.table
        self._described: set[str] = set()
        keys, count = info.video_keys, len(table)
        self._cameras = {key: DecodedCamera(info.features[key].info) for key in keys}
        self._result = VideoFindings(
            {key: np.zeros(count, np.bool_) for key in keys},
            {
                key: Moments.unknown(count, one.num_channels)
                for key, one in self._cameras.items()
                if one.is_known
            },
        )

    def run(self, done: Callable[[int, int], None], workers: Workers = HERE) -> VideoFindings:
        """
        Check all files.

        :param done: called with the number of files read so far and the number of all files
        :param workers: they read one file each
        """
        files = [
            self._file(key, path, rows)
            for key in self._info.video_keys
            for path, rows in rows_of_files(self._table.videos[key].files).items()
            # Episodes that name no file have a finding already.
            if path
        ]
        results = workers.run([one.task() for one in files])
        for number, file in enumerate(files):
            done(number, len(files))
            self._check_file(file, next(results))
        return self._result

    def _file(self, key: str, path: str, all_rows: list[int]) -> _File:
        spans = self._table.videos[key]
        rows = sorted(
            (row for row in all_rows if np.isfinite(spans.begin[row])),
            key=lambda row: spans.begin[row],
        )
        lengths = self._table.length[rows].tolist()
        frames = _Frames(self._subject.root / path, self._info.fps, spans.begin[rows], lengths)
        info = self._info.features[key].info if self._subject.decode else None
        return _File(key, path, rows, len(rows) == len(all_rows), frames, info)

    def _check_file(self, file: _File, seen: _Seen | DatasetCorruptError | None) -> None:
        key, rows = file.key, file.rows
        findings = self._subject.findings.about(file.path, feature=key)
        if seen is None:
            findings.add(kinds.MISSING_FILE, 'The video is missing', expected='an MP4 file')
            return
        if isinstance(seen, DatasetCorruptError):
            findings.add(kinds.UNREADABLE_VIDEO, 'The video cannot be read', seen)
            return
        frames = seen.frames
        if seen.missing_bytes:
            what = 'The file ends before its last part is complete'
            findings.add(kinds.TRUNCATED_VIDEO, what, f'{seen.missing_bytes} bytes missing')
        self._check_facts(key, seen.facts, len(frames.times), findings)
        self._check_frames(key, rows, frames, findings)
        # Unknown spans or missing frames would make frames of other rows look surplus.
        if file.has_all_spans and self._result.present[key][rows].all():
            self._check_surplus(key, rows, frames, findings)
        for number, histogram in seen.histograms.items():
            if self._result.present[key][rows[number]]:
                put_histogram(self._result.moments[key], rows[number], histogram)

    def _check_facts(
        self, key: str, facts: VideoFacts, num_frames: int, findings: Findings
    ) -> None:
        spec, fps = self._info.features[key], self._info.fps
        assert spec.picture_shape is not None
        if not spec.has_size(facts.height, facts.width):
            what = 'Frames do not have the size that info.json states'
            expected = f'{spec.picture_shape[1]}x{spec.picture_shape[0]}'
            findings.add(kinds.WRONG_PICTURE_SIZE, what, f'{facts.width}x{facts.height}', expected)
        # A single frame does not define a rate.
        if num_frames > 1 and abs(facts.fps - fps) > 1e-3 * fps:
            what = 'The frame rate of the video is not that of the dataset'
            findings.add(kinds.WRONG_FRAME_RATE, what, f'{facts.fps:g}', f'{fps:g}')
        self._check_described(key, facts, findings)

    def _check_described(self, key: str, facts: VideoFacts, findings: Findings) -> None:
        """Compare with the feature's info, which describes all files of the camera."""
        said = self._info.features[key].info
        real = facts.as_info()
        wrong = [name for name, value in real.items() if said.get(name, value) != value]
        if wrong and key not in self._described:
            self._described.add(key)
            findings.about(str(INFO), feature=key).add(
                kinds.WRONG_VIDEO_INFO,
                f'The info of {key} does not describe {findings.path}',
                ', '.join(f'{name} {said[name]}' for name in wrong),
                ', '.join(f'{name} {real[name]}' for name in wrong),
            )

    def _check_frames(
        self, key: str, rows: list[int], frames: _Frames, findings: Findings
    ) -> None:
        if frames.num_broken:
            what, found = 'Frames cannot be decoded', f'{frames.num_broken} broken packets'
            findings.add(kinds.BROKEN_FRAMES, what, found, 'none')
        if len(frames.times) and frames.times[-1] > _MAX_DURATION_S:
            what = 'The video is longer than some readers can handle'
            findings.add(kinds.VIDEO_TOO_LONG, what, f'{frames.times[-1]:.0f} s', 'at most 1024 s')
        for row, (begin, end) in zip(rows, frames.bounds, strict=True):
            length = int(self._table.length[row])
            of_episode = self._table.about(row, findings, findings.path, key)
            if end - begin != length:
                what = f'The episode does not have one frame of {key} for each row'
                of_episode.add(kinds.FRAME_COUNT, what, end - begin, length)
                continue
            self._result.present[key][row] = True
            expected = self._table.videos[key].begin[row] + np.arange(length) / self._info.fps
            off = np.abs(frames.times[begin:end] - expected)
            if length and off.max() > TOLERANCE_S:
                first = int(np.argmax(off > TOLERANCE_S))
                of_episode.add(
                    kinds.FRAMES_OFF_GRID,
                    f'Frames of {key} are not at from_timestamp + frame_index / fps',
                    f'{frames.times[begin + first]:.6f} s',
                    f'{expected[first]:.6f} s',
                )

    def _check_surplus(
        self, key: str, rows: list[int], frames: _Frames, findings: Findings
    ) -> None:
        """
        Find frames in an episode's span that belong to no row; they cast doubt on the episode.

        Frames outside of all spans are harmless, since no reader shows them. Tools leave them
        where a video could not be cut.
        """
        stated_s = self._table.videos[key].end[rows] - 0.5 / self._info.fps
        ends = np.searchsorted(frames.times, stated_s)
        bounds = [*frames.bounds, (len(frames.times), 0)]
        for row, (_, end), (following, _), stated in zip(
            rows, bounds, bounds[1:], ends, strict=False
        ):
            # Where spans overlap, which is a finding of its own, the next episode owns the frames.
            num_surplus = min(int(stated), following) - end
            if num_surplus > 0 and np.isfinite(self._table.videos[key].end[row]):
                self._table.about(row, findings, findings.path, key).add(
                    kinds.SURPLUS_FRAMES,
                    f'There are more frames of {key} than rows',
                    f'{num_surplus} frames from {frames.times[end]:.3f} s on',
                    'a row for each frame',
                )


class _Frames:
    """
    The frames of one file, and the episode to which each belongs.

    :param path: the file
    :param fps: the frame rate of the dataset
    :param begins: the start of each episode in the file, in seconds, ascending
    :param lengths: the length of each episode, in rows
    """

    def __init__(self, path: Path, fps: float, begins: Floats, lengths: Sequence[int]) -> None:
        self.path = path
        self._fps = fps
        # Half a period earlier, so that rounding never moves a frame to the previous episode.
        self._begins = begins - 0.5 / fps
        self._lengths = lengths
        self.times: Floats = np.zeros(0)
        self.num_broken = 0

    @property
    def bounds(self) -> list[tuple[int, int]]:
        """The number of the first frame of each episode, and of the frame after its last one."""
        ends = self._begins + np.asarray(self._lengths, dtype=np.float64) / self._fps
        first = np.searchsorted(self.times, self._begins)
        last = np.searchsorted(self.times, ends)
        return list(zip(first.tolist(), last.tolist(), strict=True))

    def count(self) -> None:
        """
        Find the frames by their packets, without decoding them.

        :raise DatasetCorruptError: if the file cannot be read as a video
        """
        self.times = packet_times(self.path)

    def decode(self, camera: DecodedCamera | None, stride: int) -> dict[int, Histogram]:
        """
        Find the frames by decoding them.

        :param camera: the camera that interprets the pixels; None if their meaning is unknown
        :param stride: distance of the pixels that are counted, in both directions
        :return: per position of an episode in the file, the histogram of its sampled frames
        :raise DatasetCorruptError: if the file cannot be read as a video
        """
        times = []
        histograms: dict[int, Histogram] = {}
        sampled = [_sampled(length) for length in self._lengths]
        for frame in inspect_frames(self.path):
            if frame.frame is None:
                self.num_broken += 1
                continue
            times.append(frame.time_s)
            if camera is not None and (place := self._place(frame, sampled)) is not None:
                if place not in histograms:
                    histograms[place] = camera.histogram()
                histograms[place].push(camera.pixels(frame, stride))
        self.times = np.sort(np.array(times, dtype=np.float64))
        return histograms

    def _place(
        self, frame: InspectedFrame, sampled: Sequence[frozenset[int]]
    ) -> int | None:
        """Return the position of the frame's episode in the file; None if it is not sampled."""
        place = int(np.searchsorted(self._begins, frame.time_s, side='right')) - 1
        if place < 0:
            return None
        number = int((frame.time_s - self._begins[place]) * self._fps)
        return place if number in sampled[place] else None


def _sampled(length: int) -> frozenset[int]:
    """Choose frames that are spread evenly over an episode."""
    if length <= 0:
        return frozenset()
    chosen = np.linspace(0, length - 1, min(length, _SAMPLED_FRAMES)).round()
    return frozenset(chosen.astype(np.int64).tolist())


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a file holds; the numbers of histograms are positions of episodes in the file."""

    facts: VideoFacts
    frames: _Frames
    histograms: dict[int, Histogram]
    missing_bytes: int


@dataclass(frozen=True, slots=True)
class _File:
    """A file to check; ``info`` describes its camera, and is None if no frame is decoded."""

    key: str
    path: str
    rows: list[int]
    has_all_spans: bool
    frames: _Frames
    info: Mapping[str, object] | None

    def task(self) -> Task[_Seen | DatasetCorruptError | None]:
        path = self.frames.path
        if not path.is_file():
            return Task(str(path), _missing)
        return Task(str(path), partial(_look, self.frames, self.info), path.stat().st_size)


def _missing() -> None:
    """Return what is seen of a missing file."""


def _look(frames: _Frames, info: Mapping[str, object] | None) -> _Seen | DatasetCorruptError:
    """Read a file; return the error if it cannot be read."""
    histograms: dict[int, Histogram] = {}
    try:
        facts = video_facts(frames.path)
        if info is None:
            frames.count()
        else:
            camera = DecodedCamera(info)
            stride = lattice_stride(facts.height, facts.width)
            histograms = frames.decode(camera if camera.is_known else None, stride)
    except DatasetCorruptError as error:
        return error
    return _Seen(facts, frames, histograms, bytes_missing(frames.path))
