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
Holds a recorded dataset against what the simulated arm says it published.

For every row and camera the number in the decoded picture must be that of the newest picture
taken at or before the row's instant, and state and action must be the newest samples, exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examples.demo.comparison import (
    count_steps,
    wrong_bookkeeping,
    wrong_pictures,
    wrong_vectors,
)
from examples.demo.dataset_files import DatasetFiles, read_instants
from examples.demo.numbered_video import MISSING, NumberedVideo, off_grid, read_numbers
from examples.demo.truth import read_truth, TopicTruth


@dataclass(frozen=True)
class VectorVerdict:
    """What was found in one episode's column of numbers."""

    key: str
    rows: int
    wrong: int
    """Rows that hold something else than the newest sample at their instant."""


@dataclass(frozen=True)
class CameraVerdict:
    """What was found in one episode's pictures of one camera."""

    key: str
    frames: int
    repeated: int
    """Frames that show the same picture as the frame before."""
    skipped: int
    """Published pictures between the first and the last one that no frame shows."""
    wrong: int
    """Rows whose frame is missing, unreadable or not the newest picture at their instant."""
    size_bytes: int


@dataclass(frozen=True)
class EpisodeVerdict:
    """What was found in one episode."""

    episode_index: int
    task: str
    rows: int
    duration_s: float
    cameras: tuple[CameraVerdict, ...]
    vectors: tuple[VectorVerdict, ...]


@dataclass(frozen=True)
class Verdict:
    """What was found in a dataset."""

    episodes: tuple[EpisodeVerdict, ...]
    problems: tuple[str, ...]
    """One sentence for each place and kind of fault, with the first case as an example."""

    @property
    def ok(self) -> bool:
        """Whether there is something, and nothing is wrong with it."""
        return bool(self.episodes) and not self.problems


def judge(root: Path, truth_path: Path, *, topics: Mapping[str, str]) -> Verdict:
    """
    Compare a dataset with the truth.

    :param root: the dataset's folder
    :param truth_path: what the simulated arm wrote
    :param topics: the topic that each feature of the dataset was recorded from
    :raises OSError: if a file of the dataset is missing or cannot be decoded
    """
    return _Judge(DatasetFiles(root), read_truth(truth_path), topics).judge()


class _Judge:
    """The state of one comparison."""

    def __init__(
        self, files: DatasetFiles, truth: Mapping[str, TopicTruth], topics: Mapping[str, str]
    ) -> None:
        self._files = files
        self._truth = truth
        self._topics = topics
        self._problems: list[str] = []
        self._videos: dict[Path, NumberedVideo] = {}

    def judge(self) -> Verdict:
        for key, topic in self._topics.items():
            if key not in self._files.info['features']:
                self._complain('dataset', [f'it has no feature {key}'])
            if topic not in self._truth:
                self._complain('truth', [f'it has nothing of {topic}'])
        episodes = [self._judge_episode(episode) for episode in self._files.episodes]
        self._judge_totals(episodes)
        self._judge_video_lengths()
        return Verdict(tuple(episodes), tuple(self._problems))

    def _judge_episode(self, episode: Mapping[str, Any]) -> EpisodeVerdict:
        index = episode['episode_index']
        rows = self._files.rows(episode)
        columns = rows.to_pydict()
        bookkeeping = wrong_bookkeeping(episode, columns, self._files.fps)
        self._complain(f'episode {index}', bookkeeping)
        instants = self._instants(index, rows.num_rows)
        cameras = []
        vectors = []
        for key in self._topics:
            if key in self._files.video_keys:
                cameras.append(self._judge_camera(episode, key, instants))
            elif key in columns:
                cases = wrong_vectors(columns[key], self._expected(key, instants))
                self._complain(f'episode {index}, {key}', cases)
                vectors.append(VectorVerdict(key, rows.num_rows, len(cases)))
        return EpisodeVerdict(
            episode_index=index,
            task=self._files.task(rows),
            rows=rows.num_rows,
            duration_s=rows.num_rows / self._files.fps,
            cameras=tuple(cameras),
            vectors=tuple(vectors),
        )

    def _judge_camera(
        self, episode: Mapping[str, Any], key: str, instants: Sequence[int]
    ) -> CameraVerdict:
        where = f'episode {episode["episode_index"]}, {key}'
        clip = self._files.clip(episode, key)
        if off_grid(clip.from_timestamp_s, self._files.fps):
            self._complain(where, [f'from_timestamp {clip.from_timestamp_s} is between frames'])
        video = self._video(clip.path)
        numbers = [video.numbers.get(position, MISSING) for position in clip.positions]
        wrong = wrong_pictures(numbers, self._expected(key, instants))
        steps = count_steps(numbers)
        self._complain(where, wrong)
        self._complain(where, steps.backwards)
        return CameraVerdict(
            key=key,
            frames=sum(number != MISSING for number in numbers),
            repeated=steps.repeated,
            skipped=steps.skipped,
            wrong=len(wrong),
            size_bytes=sum(video.sizes_bytes.get(position, 0) for position in clip.positions),
        )

    def _judge_totals(self, episodes: Sequence[EpisodeVerdict]) -> None:
        totals = {
            'total_episodes': len(episodes),
            'total_frames': sum(episode.rows for episode in episodes),
        }
        for key, count in totals.items():
            said = self._files.info[key]
            if said != count:
                self._complain('dataset', [f'info.json says {key} {said}, there are {count}'])

    def _judge_video_lengths(self) -> None:
        clips = [
            self._files.clip(episode, key)
            for episode in self._files.episodes
            for key in self._topics
            if key in self._files.video_keys
        ]
        rows = Counter[Path]()
        for clip in clips:
            rows[clip.path] += len(clip.positions)
        for path, count in rows.items():
            frames = len(self._video(path).numbers)
            if frames != count:
                name = str(path.relative_to(self._files.root))
                self._complain(name, [f'{frames} frames for {count} rows'])

    def _instants(self, index: int, rows: int) -> list[int]:
        where = f'episode {index}'
        try:
            instants = read_instants(self._files.root, index)
        except FileNotFoundError as error:
            self._complain(where, [f'no record of its instants: {error.filename}'])
            return []
        if len(instants) != rows:
            self._complain(where, [f'{rows} rows, but {len(instants)} in its record'])
        return instants

    def _expected(self, key: str, instants: Sequence[int]) -> list[int | list[float] | None]:
        topic_truth = self._truth.get(self._topics[key], TopicTruth())
        return [topic_truth.newest_at(instant_ns) for instant_ns in instants]

    def _video(self, path: Path) -> NumberedVideo:
        if path not in self._videos:
            self._videos[path] = read_numbers(path, self._files.fps)
            where = str(path.relative_to(self._files.root))
            self._complain(where, self._videos[path].misplaced)
        return self._videos[path]

    def _complain(self, where: str, cases: Sequence[str]) -> None:
        if cases:
            more = f' (and {len(cases) - 1} more)' if len(cases) > 1 else ''
            self._problems.append(f'{where}: {cases[0]}{more}')
