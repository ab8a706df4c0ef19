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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lerobot_streamrec.dataset.check.compare_statistics import Moments
from lerobot_streamrec.dataset.check.episode_order import TOLERANCE_S
from lerobot_streamrec.dataset.check.episodes import EpisodeTable
from lerobot_streamrec.dataset.check.finding_codes import (
    BROKEN_FRAMES,
    FRAME_COUNT,
    FRAMES_OFF_GRID,
    MISSING_FILE,
    SURPLUS_FRAMES,
    TRUNCATED_VIDEO,
    UNREADABLE_VIDEO,
    VIDEO_TOO_LONG,
    WRONG_FRAME_RATE,
    WRONG_PICTURE_SIZE,
    WRONG_VIDEO_INFO,
)
from lerobot_streamrec.dataset.check.findings import Findings, Kind
from lerobot_streamrec.dataset.check.info import CheckedInfo
from lerobot_streamrec.dataset.check.pictures import put_histogram
from lerobot_streamrec.dataset.check.reading import Floats
from lerobot_streamrec.dataset.format.histograms import DecodedCamera, Histogram
from lerobot_streamrec.dataset.format.layout import INFO
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

    :param root: the dataset's folder
    :param info: the usable part of info.json
    :param table: the episodes
    :param findings: the collection to which faults are added
    :param decode: True to decode all frames, False to count packets
    """

    def __init__(
        self,
        root: Path,
        info: CheckedInfo,
        table: EpisodeTable,
        findings: Findings,
        *,
        decode: bool,
    ) -> None:
        self._root = root
        self._info = info
        self._table = table
        self._findings = findings
        self._decode = decode
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

    def run(self, done: Callable[[int, int], None]) -> VideoFindings:
        """
        Check all files.

        :param done: called with the number of files read so far and the number of all files
        """
        files: dict[tuple[str, str], list[int]] = {}
        for key in self._info.video_keys:
            for row, path in enumerate(self._table.videos[key].files):
                # Episodes that name no file have a finding already.
                if path:
                    files.setdefault((key, path), []).append(row)
        for number, ((key, path), rows) in enumerate(files.items()):
            done(number, len(files))
            self._check_file(key, path, rows)
        return self._result

    def _add(
        self, kind: Kind, key: str, path: str, what: str, found: object, expected: object = ''
    ) -> None:
        self._findings.add(kind, path, what, found=found, expected=expected, feature=key)

    def _check_file(self, key: str, path: str, rows: list[int]) -> None:
        spans = self._table.videos[key]
        num_rows = len(rows)
        rows = sorted(
            (row for row in rows if np.isfinite(spans.begin[row])), key=lambda r: spans.begin[r]
        )
        full = self._root / path
        is_known = len(rows) == num_rows
        if not full.is_file():
            self._add(MISSING_FILE, key, path, 'The video is missing', '', 'an MP4 file')
            return
        try:
            facts = video_facts(full)
            frames = _Frames(full, facts, self._info.fps, spans.begin[rows], self._lengths(rows))
            if self._decode:
                camera = self._cameras[key]
                histograms = frames.decode(camera if camera.is_known else None)
            else:
                frames.count()
                histograms = {}
        except DatasetCorruptError as error:
            self._add(UNREADABLE_VIDEO, key, path, 'The video cannot be read', error)
            return
        missing_bytes = bytes_missing(full)
        if missing_bytes:
            what = 'The file ends before its last part is complete'
            self._add(TRUNCATED_VIDEO, key, path, what, f'{missing_bytes} bytes missing')
        self._check_facts(key, path, facts, len(frames.times))
        self._check_frames(key, path, rows, frames)
        # Unknown spans or missing frames would make frames of other rows look surplus.
        if is_known and self._result.present[key][rows].all():
            self._check_surplus(key, path, rows, frames)
        for number, histogram in histograms.items():
            if self._result.present[key][rows[number]]:
                put_histogram(self._result.moments[key], rows[number], histogram)

    def _lengths(self, rows: list[int]) -> list[int]:
        return [int(self._table.length[row]) for row in rows]

    def _check_facts(self, key: str, path: str, facts: VideoFacts, num_frames: int) -> None:
        spec, fps = self._info.features[key], self._info.fps
        assert spec.picture_shape is not None
        size = (facts.height, facts.width)
        if size != spec.picture_shape[:2]:
            self._add(
                WRONG_PICTURE_SIZE,
                key,
                path,
                'Frames do not have the size that info.json states',
                f'{facts.width}x{facts.height}',
                f'{spec.picture_shape[1]}x{spec.picture_shape[0]}',
            )
        # A single frame does not define a rate.
        if num_frames > 1 and abs(facts.fps - fps) > 1e-3 * fps:
            what = 'The frame rate of the video is not that of the dataset'
            self._add(WRONG_FRAME_RATE, key, path, what, f'{facts.fps:g}', f'{fps:g}')
        self._check_described(key, path, facts)

    def _check_described(self, key: str, path: str, facts: VideoFacts) -> None:
        """Compare with the feature's info, which describes all files of the camera."""
        said = self._info.features[key].info
        real = facts.as_info()
        wrong = [name for name, value in real.items() if said.get(name, value) != value]
        if wrong and key not in self._described:
            self._described.add(key)
            self._add(
                WRONG_VIDEO_INFO,
                key,
                str(INFO),
                f'The info of {key} does not describe {path}',
                ', '.join(f'{name} {said[name]}' for name in wrong),
                ', '.join(f'{name} {real[name]}' for name in wrong),
            )

    def _check_frames(self, key: str, path: str, rows: list[int], frames: _Frames) -> None:
        if frames.num_broken:
            what, found = 'Frames cannot be decoded', f'{frames.num_broken} broken packets'
            self._add(BROKEN_FRAMES, key, path, what, found, 'none')
        if len(frames.times) and frames.times[-1] > _MAX_DURATION_S:
            what = 'The video is longer than some readers can handle'
            self._add(
                VIDEO_TOO_LONG, key, path, what, f'{frames.times[-1]:.0f} s', 'at most 1024 s'
            )
        for row, (begin, end) in zip(rows, frames.bounds, strict=True):
            length = int(self._table.length[row])
            if end - begin != length:
                self._findings.add(
                    FRAME_COUNT,
                    path,
                    f'The episode does not have one frame of {key} for each row',
                    found=end - begin,
                    expected=length,
                    episode=int(self._table.index[row]),
                    feature=key,
                )
                continue
            self._result.present[key][row] = True
            expected = self._table.videos[key].begin[row] + np.arange(length) / self._info.fps
            off = np.abs(frames.times[begin:end] - expected)
            if length and off.max() > TOLERANCE_S:
                first = int(np.argmax(off > TOLERANCE_S))
                self._findings.add(
                    FRAMES_OFF_GRID,
                    path,
                    f'Frames of {key} are not at from_timestamp + frame_index / fps',
                    found=f'{frames.times[begin + first]:.6f} s',
                    expected=f'{expected[first]:.6f} s',
                    episode=int(self._table.index[row]),
                    feature=key,
                )

    def _check_surplus(self, key: str, path: str, rows: list[int], frames: _Frames) -> None:
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
                self._findings.add(
                    SURPLUS_FRAMES,
                    path,
                    f'There are more frames of {key} than rows',
                    found=f'{num_surplus} frames from {frames.times[end]:.3f} s on',
                    expected='a row for each frame',
                    episode=int(self._table.index[row]),
                    feature=key,
                )


class _Frames:
    """
    The frames of one file, and the episode to which each belongs.

    :param path: the file
    :param facts: the properties that the file states
    :param fps: the frame rate of the dataset
    :param begins: the start of each episode in the file, in seconds, ascending
    :param lengths: the length of each episode, in rows
    """

    def __init__(
        self, path: Path, facts: VideoFacts, fps: float, begins: Floats, lengths: Sequence[int]
    ) -> None:
        self._path = path
        self._stride = lattice_stride(facts.height, facts.width)
        self._fps = fps
        # Half a period earlier, so that rounding never moves a frame to the previous episode.
        self._begins = begins - 0.5 / fps
        self._lengths = lengths
        self._sampled = [_sampled(length) for length in lengths]
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
        self.times = packet_times(self._path)

    def decode(self, camera: DecodedCamera | None) -> dict[int, Histogram]:
        """
        Find the frames by decoding them.

        :param camera: the camera that interprets the pixels; None if their meaning is unknown
        :return: per position of an episode in the file, the histogram of its sampled frames
        :raise DatasetCorruptError: if the file cannot be read as a video
        """
        times = []
        histograms: dict[int, Histogram] = {}
        for frame in inspect_frames(self._path):
            if frame.frame is None:
                self.num_broken += 1
                continue
            times.append(frame.time_s)
            if camera is not None:
                self._count_levels(frame, camera, histograms)
        self.times = np.sort(np.array(times, dtype=np.float64))
        return histograms

    def _count_levels(
        self, frame: InspectedFrame, camera: DecodedCamera, histograms: dict[int, Histogram]
    ) -> None:
        place = int(np.searchsorted(self._begins, frame.time_s, side='right')) - 1
        if place >= 0:
            number = int((frame.time_s - self._begins[place]) * self._fps)
            if number in self._sampled[place]:
                if place not in histograms:
                    histograms[place] = camera.histogram()
                histograms[place].push(camera.pixels(frame, self._stride))


def _sampled(length: int) -> frozenset[int]:
    """Choose frames that are spread evenly over an episode."""
    if length <= 0:
        return frozenset()
    chosen = np.linspace(0, length - 1, min(length, _SAMPLED_FRAMES)).round()
    return frozenset(chosen.astype(np.int64).tolist())
