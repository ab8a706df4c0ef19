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
The report as one HTML file, made from ``page/report.html``. The only importer of jinja2.

The template engine escapes every text of a dataset where it enters the page.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
import hashlib
from importlib.resources import files
import math
from typing import Any, NamedTuple

from jinja2 import Environment, FunctionLoader, StrictUndefined
from lerobot_streamrec.report.build import EpisodeReport, Report
from lerobot_streamrec.report.findings import Finding, REPEATED_SHARE, Rule
from lerobot_streamrec.report.summary import (
    length_bins,
    seconds_text,
    short_name,
    size_text,
)

_MAX_BARS = 24
_NARROWEST_S = 1e-3
_MAX_LINKS = 40


def page_of(report: Report) -> str:
    """Return the page, which needs no other file and no network."""
    engine = Environment(
        loader=FunctionLoader(_asset), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    engine.filters |= {
        'base64': lambda content: base64.b64encode(content).decode('ascii'),
        'seconds': seconds_text,
        'short': short_name,
        'size': size_text,
    }
    scripts = (_asset('vendor/uPlot.iife.min.js'), _asset('page/report.js'))
    return engine.get_template('page/report.html').render(
        report=report,
        summary=report.summary,
        made_at=datetime.now(timezone.utc).strftime('%Y-%m-%d %H:%M UTC'),
        style=_asset('vendor/uPlot.min.css') + _asset('page/report.css'),
        scripts=scripts,
        sources=' '.join(map(_source_of, scripts)),
        verdicts=Counter(one.facts.verdict for one in report.episodes),
        num_findings=sum(len(one.findings) for one in report.episodes),
        groups=_groups(report.episodes),
        max_links=_MAX_LINKS,
        bars=_bars(report.lengths_s),
        tasks={task: number for number, task in enumerate(report.summary.tasks)},
        repeated_share=REPEATED_SHARE,
        series_of=lambda episode: _series(episode, report.summary.fps),
    )


def _asset(name: str) -> str:
    return files('lerobot_streamrec.report').joinpath(name).read_text(encoding='utf-8')


def _source_of(script: str) -> str:
    """Return, in the words of a content security policy, the source that is this script."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


class _Group(NamedTuple):
    """Findings of one kind with one subject, each with the index of its episode."""

    rule: Rule
    subject: str
    found: list[tuple[int, Finding]]


def _groups(episodes: Sequence[EpisodeReport]) -> list[_Group]:
    found: dict[tuple[Rule, str], list[tuple[int, Finding]]] = {}
    for one in episodes:
        for finding in one.findings:
            of_kind = found.setdefault((finding.rule, finding.subject), [])
            of_kind.append((one.facts.index, finding))
    order = list(Rule)
    groups = [_Group(*kind, of_kind) for kind, of_kind in found.items()]
    return sorted(groups, key=lambda one: (order.index(one.rule), -len(one.found), one.subject))


def _series(one: EpisodeReport, fps: int) -> dict[str, Any]:
    return {
        'fps': fps,
        'rows': one.facts.row.length,
        'marks': [finding.rows for finding in one.findings if finding.rows],
        'plots': [
            {
                'title': short_name(plot.key),
                'names': plot.names,
                'left_out': plot.num_left_out,
                **plot.series,
            }
            for plot in one.plots
        ],
    }


class _Bar(NamedTuple):
    """A bar of a histogram: its bounds in seconds, its episodes, and its share of the highest."""

    begin: str
    end: str
    num_episodes: int
    share: float


def _bars(lengths_s: Sequence[float]) -> list[_Bar]:
    """Return a histogram of durations, whose bounds are round numbers."""
    if not lengths_s:
        return []
    high = max(lengths_s)
    # Episodes of one length get one bar that is not too narrow for its length.
    narrowest_s = _NARROWEST_S if min(lengths_s) < high else high / _MAX_BARS
    edges, counts = length_bins(lengths_s, _MAX_BARS, narrowest_s)
    digits = max(0, -math.floor(math.log10(edges[1] - edges[0]) + 1e-6))
    bounds = [f'{one:.{digits}f}' for one in edges]
    most = max(counts)
    return [
        _Bar(begin, end, number, number / most)
        for begin, end, number in zip(bounds, bounds[1:], counts, strict=False)
    ]
