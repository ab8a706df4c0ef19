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
"""Making the report: which episodes it shows, their findings, pictures and series."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
import os
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.about.derived_columns import DERIVED
from lerobot_streamrec.dataset.format.catalog import Catalog, read_catalog
from lerobot_streamrec.dataset.format.data_rows import EpisodeValues, image_files
from lerobot_streamrec.dataset.format.episode_table import EpisodeRow
from lerobot_streamrec.dataset.format.features import ACTION, STATE
from lerobot_streamrec.errors import ConfigError, DatasetCorruptError, VideoError
from lerobot_streamrec.report.episode_facts import episode_facts, EpisodeFacts
from lerobot_streamrec.report.findings import (
    Finding,
    length_findings,
    picture_findings,
    record_findings,
    Rule,
    set_up_findings,
)
from lerobot_streamrec.report.motion_findings import duplicate_findings, motion_findings, moves
from lerobot_streamrec.report.motion_survey import finite, MotionSurvey
from lerobot_streamrec.report.series import decimated, packed, Values
from lerobot_streamrec.report.summary import picture_keys, short_name, summarize, Summary
from lerobot_streamrec.video.tools.contact_sheet import (
    contact_sheet,
    ContactSheet,
    sheet_of_files,
)
from lerobot_streamrec.video.tools.extract import Episode
from lerobot_streamrec.workers import InProcess, Task, Workers
import numpy as np

MAX_EPISODES = 1000
"""Number of episodes in a report; of more, it takes evenly spaced ones."""
MAX_ELEMENTS = 32
"""Number of elements of a feature that are plotted."""
FINE_EPISODES = 100
"""Number of episodes up to which the contact sheets are fine."""
FINE_SHEET, COARSE_SHEET = (6, 192), (6, 144)
"""Number of frames of a contact sheet and their width in pixels, if it is fine and otherwise."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Sheet:
    """
    The contact sheet of one camera of an episode.

    :param key: feature of the camera
    :param jpeg: the frames side by side
    :param times_s: instants of the frames in the episode, in seconds
    """

    key: str
    jpeg: bytes
    times_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """
    The series of one feature of an episode.

    :param key: the feature
    :param names: names of the plotted elements
    :param series: their values, as ``series.packed`` returns them
    :param num_left_out: number of elements that are not plotted
    """

    key: str
    names: tuple[str, ...]
    series: Mapping[str, Any]
    num_left_out: int


@dataclass(frozen=True, slots=True)
class EpisodeReport:
    """
    Everything that the page shows of an episode.

    :param facts: its length, its task and what its recorder noted
    :param findings: what looks wrong, the serious findings first
    :param sheets: one per camera whose video can be decoded
    :param plots: one per feature with numbers, state and action first
    """

    facts: EpisodeFacts
    findings: tuple[Finding, ...]
    sheets: tuple[Sheet, ...]
    plots: tuple[Plot, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """
    Everything that the page shows.

    :param summary: the dataset as a whole
    :param lengths_s: duration of every episode of the dataset, in seconds
    :param episodes: the episodes that the report shows, in order
    """

    summary: Summary
    lengths_s: tuple[float, ...]
    episodes: tuple[EpisodeReport, ...]


def build_report(
    root: Path,
    episodes: Collection[int] = (),
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> Report:
    """
    Read a dataset, and find what looks wrong in it; nothing below the root is changed.

    :param root: the dataset's folder
    :param episodes: indices of the episodes to show; empty: all, or ``MAX_EPISODES`` of more
    :param progress: called with the number of steps done and in all
    :param workers: they decode the pictures; None: threads on all cores
    :raise WorkerError: if a process dies again and again
    :raise ConfigError: if there is no such episode
    :raise DatasetError: if the metadata of the dataset cannot be read
    """
    catalog = read_catalog(root)
    summary = summarize(catalog)
    chosen = [
        episode_facts(catalog.root, catalog.info.fps, catalog.episodes[index])
        for index in _chosen(catalog, episodes)
    ]
    total = 2 * len(chosen)
    tell = progress or (lambda *_: None)
    reader = _Reader(catalog, summary)
    for done, facts in enumerate(chosen):
        reader.look_at(facts)
        tell(done, total)
    found = [*reader.comparisons(chosen), set_up_findings(catalog.episodes)]
    shown = []
    for done, one in enumerate(_pictured(reader, chosen, workers)):
        facts, sheets, in_pictures = one
        plots, in_motion = reader.motion(facts)
        findings = [*in_pictures, *record_findings(facts), *in_motion]
        findings += [group[facts.index] for group in found if facts.index in group]
        findings.sort(key=lambda finding: not finding.rule.is_serious)
        shown.append(EpisodeReport(facts, tuple(findings), sheets, plots))
        tell(len(chosen) + done + 1, total)
    lengths_s = tuple(one.length / catalog.info.fps for one in catalog.episodes)
    return Report(summary, lengths_s, tuple(shown))


def _chosen(catalog: Catalog, wanted: Collection[int]) -> list[int]:
    number = len(catalog.episodes)
    wrong = sorted(one for one in wanted if not 0 <= one < number)
    if wrong:
        allowed = f'{catalog.root} has the episodes 0 to {number - 1}'
        none = f'{catalog.root} has no episode yet'
        raise ConfigError('episodes', wrong[0], allowed if number else none)
    all_of_them = sorted(wanted) or list(range(number))
    if len(all_of_them) <= MAX_EPISODES:
        return all_of_them
    places = np.linspace(0, len(all_of_them) - 1, MAX_EPISODES).round().astype(int)
    return [all_of_them[at] for at in places]


Pictured = tuple[EpisodeFacts, tuple[Sheet, ...], list[Finding]]


def _pictured(
    reader: _Reader, chosen: Sequence[EpisodeFacts], workers: Workers | None
) -> Iterator[Pictured]:
    """Yield the contact sheets of the episodes in order."""
    kind = FINE_SHEET if len(chosen) <= FINE_EPISODES else COARSE_SHEET
    tasks = [
        Task(f'the pictures of episode {one.index}', reader.pictures(one, *kind)) for one in chosen
    ]
    results = (workers or InProcess(os.cpu_count() or 1)).run(tasks)
    for facts, (sheets, found) in zip(chosen, results, strict=True):
        yield facts, sheets, found


class _Reader:
    """
    Reads episodes, and keeps what their comparison needs.

    Its thread owns it; the functions that ``pictures`` returns may run anywhere.
    """

    def __init__(self, catalog: Catalog, summary: Summary) -> None:
        self._catalog = catalog
        self._small = catalog.without_episodes()
        self._names = {one.key: one.names for one in summary.vectors}
        first = [key for key in (STATE, ACTION) if key in self._names]
        # A line is no way to show what is true in one row, nor the numbers of subtasks.
        others = [key for key in self._names if key not in DERIVED]
        self._keys = list(dict.fromkeys([*first, *others]))
        self._values = EpisodeValues(catalog.root, catalog.info, self._keys)
        self._survey = MotionSurvey(self._names)
        self._unreadable: dict[int, Finding] = {}

    def look_at(self, facts: EpisodeFacts) -> None:
        """Add an episode to the survey, or note that its rows cannot be read."""
        try:
            values = self._read(facts)
        except DatasetCorruptError as error:
            self._unreadable[facts.index] = Finding(Rule.UNREADABLE, 'rows', str(error))
            return
        if self._survey.names:
            self._survey.add(facts.index, _finite(values))

    def comparisons(self, chosen: Sequence[EpisodeFacts]) -> list[dict[int, Finding]]:
        """Return the findings that come from comparing all episodes, by episode index."""
        lengths = {one.index: one.row.length for one in chosen}
        duplicates = duplicate_findings(self._survey, lengths)
        return [self._unreadable, length_findings(chosen), duplicates]

    def motion(self, facts: EpisodeFacts) -> tuple[tuple[Plot, ...], list[Finding]]:
        """Return the plots of an episode, and what looks wrong in its motion."""
        if facts.index in self._unreadable:
            return (), []
        values = self._read(facts)
        plots = tuple(self._plot(key, values[key]) for key in self._keys)
        if not self._survey.names:
            return plots, []
        fps = self._catalog.info.fps
        return plots, motion_findings(self._survey, facts.index, _finite(values), fps)

    def pictures(
        self, facts: EpisodeFacts, num_frames: int, width: int
    ) -> Callable[[], tuple[tuple[Sheet, ...], list[Finding]]]:
        """Return the function that returns the contact sheets, and what looks wrong in them."""
        number = self._survey.numbers.get(facts.index)
        is_moving = number is None or moves(self._survey, number)
        return partial(_pictures, self._small, facts.row, num_frames, width, moves=is_moving)

    def _read(self, facts: EpisodeFacts) -> dict[str, Values]:
        return {
            key: values.astype(np.float64) for key, values in self._values.of(facts.row).items()
        }

    def _plot(self, key: str, values: Values) -> Plot:
        names = self._names[key]
        shown = values[:, :MAX_ELEMENTS]
        left_out = len(names) - shown.shape[1]
        return Plot(key, names[:MAX_ELEMENTS], packed(decimated(shown)), left_out)


def _finite(values: Mapping[str, Values]) -> dict[str, Values]:
    return {key: finite(values[key]) for key in (STATE, ACTION) if key in values}


def _pictures(
    catalog: Catalog, row: EpisodeRow, num_frames: int, width: int, *, moves: bool
) -> tuple[tuple[Sheet, ...], list[Finding]]:
    """Return the contact sheets of an episode, and what looks wrong in its pictures."""
    sheets, found = [], []
    for key in picture_keys(catalog.info):
        try:
            sheet = _sheet(catalog, row, key, num_frames, width)
        except (DatasetCorruptError, VideoError) as error:
            found.append(Finding(Rule.UNREADABLE, short_name(key), str(error)))
            continue
        sheets.append(Sheet(key, sheet.jpeg(), sheet.times_s))
        found += picture_findings(key, sheet.frames, is_depth=sheet.is_depth, moves=moves)
    return tuple(sheets), found


def _sheet(
    catalog: Catalog, row: EpisodeRow, key: str, num_frames: int, width: int
) -> ContactSheet:
    fps = catalog.info.fps
    if key in row.videos:
        place = row.videos[key]
        episode = Episode(catalog.video_path(key, place.file), Fraction(place.from_timestamp))
        return contact_sheet(episode, Fraction(row.length, fps), num_frames, width)
    rows = [(2 * place + 1) * row.length // (2 * num_frames) for place in range(num_frames)]
    files = image_files(catalog.root, row, key, rows)
    return sheet_of_files(files, [number / fps for number in rows], width)
