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
"""The doctor's report: the remarks on each topic, and their presentation."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
import json
import os
import sys
from typing import Any

from lerobot_streamrec.errors import some_of
from lerobot_streamrec.inspection.arrivals import Heard, span_text
from lerobot_streamrec.inspection.diagnosis import Level, Remark, worst
from lerobot_streamrec.inspection.machine_checks import Check
from lerobot_streamrec.inspection.observation import Observation
from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True)
class TopicReport:
    """
    A topic, and the remarks on it.

    :param seen: observation of the topic
    :param remarks: faults; none if the topic is fit to record
    """

    seen: Observation
    remarks: tuple[Remark, ...]

    @property
    def level(self) -> Level:
        """The verdict on the topic."""
        return worst(self.remarks)


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """
    The whole report.

    :param file: path of the checked file
    :param seconds: time of listening, in seconds
    :param topics: a report for each topic that the file names
    :param checks: checks of the machine and the recorder
    :param purpose: use for which the topics have to be fit: record, or import
    """

    file: str
    seconds: float
    topics: tuple[TopicReport, ...]
    checks: tuple[Check, ...]
    purpose: str = 'record'

    @property
    def remarks(self) -> list[Remark]:
        """The remarks on all topics and checks."""
        return [
            *(remark for topic in self.topics for remark in topic.remarks),
            *(check.remark for check in self.checks),
        ]

    @property
    def level(self) -> Level:
        """The verdict on everything together."""
        return worst(self.remarks)

    def as_json(self) -> dict[str, Any]:
        """Return the report as values for JSON."""
        return {
            'file': self.file,
            'seconds': self.seconds,
            'verdict': self.level.word,
            'topics': [_topic_json(topic) for topic in self.topics],
            'checks': [
                {'name': check.name, **_remark_json(check.remark)} for check in self.checks
            ],
        }


def _topic_json(topic: TopicReport) -> dict[str, Any]:
    seen = topic.seen
    return {
        'verdict': topic.level.word,
        **asdict(seen),
        'heard': {**asdict(seen.heard), 'stamps': seen.heard.stamps.value},
        'remarks': [_remark_json(remark) for remark in topic.remarks],
    }


def _remark_json(remark: Remark) -> dict[str, str]:
    return {'level': remark.level.word, 'text': remark.text}


_STYLES = {
    Level.OK: 'green',
    Level.NOTE: 'cyan',
    Level.WARNING: 'yellow',
    Level.PROBLEM: 'bold red',
}
_VALUES_SHOWN = 12
_MAX_NAME_WIDTH = 24
_MIN_CONTENT_WIDTH = 20
_PIPE_WIDTH = 100


def report_console() -> Console:
    """Return the console for reports, with a fixed width for a pipe, which has none."""
    if sys.stdout.isatty() or 'COLUMNS' in os.environ:
        return Console()
    return Console(width=_PIPE_WIDTH)


def show(report: DoctorReport, *, as_json: bool) -> int:
    """
    Print a report to standard output.

    :param as_json: True to print it as JSON, False for people
    :return: exit status 0 if all is fit, 1 if not
    """
    if as_json:
        print(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        render(report, report_console())
    return int(report.level is Level.PROBLEM)


def render(report: DoctorReport, console: Console) -> None:
    """
    Print a report.

    :param console: output; it shows colours only if it is a terminal
    """
    console.print(_topics(report))
    console.print()
    console.print(_remarks(report))
    console.print()
    console.print(Text(verdict(report), _STYLES[report.level]), soft_wrap=True)


def verdict(report: DoctorReport) -> str:
    """Sum up a report in a sentence."""
    levels = Counter(remark.level for remark in report.remarks)
    counts = [
        f'{levels[level]} {level.word}{"" if levels[level] == 1 else "s"}'
        for level in (Level.PROBLEM, Level.WARNING)
        if levels[level]
    ]
    found = f': {", ".join(counts)}' if counts else ''
    is_fit = 'is not fit' if report.level is Level.PROBLEM else 'is fit'
    return f'{report.file} {is_fit} to {report.purpose}{found}'


def _topics(report: DoctorReport) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column('', no_wrap=True)
    table.add_column('topic', overflow='fold')
    table.add_column('rate', no_wrap=True)
    table.add_column('stamp delay', no_wrap=True)
    table.add_column('QoS', no_wrap=True)
    table.add_column('content', overflow='fold', min_width=_MIN_CONTENT_WIDTH)
    for number, topic in enumerate(report.topics):
        seen = topic.seen
        if number:
            table.add_row()
        # Text objects keep rich from reading the content of messages as markup.
        table.add_row(
            _word(topic.level),
            Text('\n'.join(filter(None, (seen.parameter, seen.topic, seen.message_type)))),
            _rate(seen.heard),
            _delay(seen),
            Text(_qos(seen)),
            Text(_content(seen)),
        )
    return table


def _remarks(report: DoctorReport) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow='fold', max_width=_MAX_NAME_WIDTH)
    table.add_column(overflow='fold', ratio=1)
    for topic in report.topics:
        for number, remark in enumerate(topic.remarks):
            name = '' if number else topic.seen.parameter
            table.add_row(_word(remark.level), name, Text(remark.text))
    for topic in report.topics:
        if topic.seen.picture_file:
            table.add_row('picture', topic.seen.parameter, Text(topic.seen.picture_file))
    for check in report.checks:
        table.add_row(_word(check.remark.level), check.name, Text(check.remark.text))
    return table


def _word(level: Level) -> Text:
    return Text(level.word, _STYLES[level])


def _rate(heard: Heard) -> str:
    is_known = heard.rate_hz and not heard.is_lossy
    return f'{heard.rate_hz:.1f} Hz' if is_known else '-'


def _delay(seen: Observation) -> str:
    heard = seen.heard
    if heard.num_zero:
        return heard.stamps.value
    if heard.delay_s is None or heard.max_delay_s is None:
        return heard.stamps.value if heard.num_messages else '-'
    return f'{span_text(heard.delay_s)}\nmax {span_text(heard.max_delay_s)}'


def _content(seen: Observation) -> str:
    if not seen.heard.num_messages:
        return '-'
    if seen.is_camera:
        size = f'{seen.width}x{seen.height} ' if seen.width else ''
        return f'{size}{seen.encoding}\n{seen.size_bytes / 1e3:,.0f} kB'
    pairs = [f'{name}={value:.4g}' for name, value in seen.values.items()]
    return some_of(pairs, _VALUES_SHOWN)


def _qos(seen: Observation) -> str:
    if not seen.offered:
        return '-'
    offers = sorted({offer.partition(': ')[2] for offer in seen.offered})
    lines = [f'offers {_short(offer)}' for offer in offers if offer]
    return '\n'.join([*lines, f'asks {_short(seen.asked)}'] if seen.asked else lines)


def _short(profile: str) -> str:
    """Return a QoS profile without its default durability."""
    return profile.lower().replace(', volatile', '').replace(', transient_local', ', latched')
