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
"""The report as one HTML file, made from the templates in ``page/``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
import math

from lerobot_streamrec.report.build import EpisodeReport, Report, Sheet
from lerobot_streamrec.report.findings import Finding, REPEATED_SHARE, Rule
from lerobot_streamrec.report.markup import (
    asset,
    filled,
    Html,
    joined,
    jpeg_url,
    json_in_script,
    source_of,
    table,
    tag,
)
from lerobot_streamrec.report.summary import (
    CameraFacts,
    EpisodeFacts,
    seconds_text,
    short_name,
    size_text,
    StreamFacts,
    Summary,
)

MARK = '<meta name="generator" content="lerobot_streamrec report">'
"""Part of every report, by which its file is recognised."""

_UNKNOWN = '\u2013'
_MAX_BARS = 24
_MAX_LINKS = 40


def page_of(report: Report) -> str:
    """Return the page, which needs no other file and no network."""
    script, vendor = asset('page/report.js'), asset('vendor/uPlot.iife.min.js')
    summary = report.summary
    tasks = {task: number for number, task in enumerate(summary.tasks)}
    num_shown, num_all = len(report.episodes), summary.num_episodes
    return filled(
        'report',
        mark=Html(MARK),
        sources=Html(f'{source_of(vendor)} {source_of(script)}'),
        title=summary.root.name,
        root=summary.root,
        made_at=datetime.now(timezone.utc).strftime('%Y-%m-%d %H:%M UTC'),
        style=Html(asset('vendor/uPlot.min.css') + asset('page/report.css')),
        vendor=Html(vendor),
        script=Html(script),
        tiles=_tiles(report),
        findings=_findings(report),
        bars=_bars(report.lengths_s),
        tasks=_tasks(summary),
        features=joined((_cameras(summary.cameras), _vectors(summary))),
        shown='' if num_shown == num_all else _sampled(num_shown, num_all),
        options=joined(tag('option', task, value=tasks[task]) for task in tasks),
        episodes=joined(_episode(one, tasks, summary.fps) for one in report.episodes),
    )


def _sampled(num_shown: int, num_all: int) -> Html:
    return tag('p', f'This report shows {num_shown:,} of {num_all:,} episodes.', class_='lead')


def _tiles(report: Report) -> Html:
    summary = report.summary
    verdicts = Counter(one.facts.verdict for one in report.episodes)
    num_findings = sum(len(one.findings) for one in report.episodes)
    tiles = [
        (f'{summary.num_episodes:,}', 'episodes'),
        (seconds_text(summary.num_rows / summary.fps), 'recorded'),
        (f'{summary.fps}', 'fps'),
        (f'{len(summary.cameras)}', 'camera' if len(summary.cameras) == 1 else 'cameras'),
        (size_text(summary.size_bytes), 'on disk'),
        (summary.robot_type or _UNKNOWN, 'robot'),
    ]
    if num_judged := verdicts['success'] + verdicts['failure']:
        tiles.append((f'{verdicts["success"]:,} of {num_judged:,}', 'successful'))
    tiles.append((f'{num_findings:,}', 'finding' if num_findings == 1 else 'findings'))
    return joined(
        tag('div', tag('dt', label), tag('dd', value), class_='tile') for value, label in tiles
    )


def _findings(report: Report) -> Html:
    groups: dict[tuple[Rule, str], list[tuple[int, Finding]]] = {}
    for one in report.episodes:
        for finding in one.findings:
            groups.setdefault((finding.rule, finding.subject), []).append(
                (one.facts.index, finding)
            )
    if not groups:
        return tag('p', 'Nothing looks wrong in these episodes.', class_='nothing')
    order = list(Rule)
    ordered = sorted(groups, key=lambda one: (order.index(one[0]), -len(groups[one]), one[1]))
    return tag('ul', *(_group(*one, groups[one]) for one in ordered), class_='findings')


def _group(rule: Rule, subject: str, found: Sequence[tuple[int, Finding]]) -> Html:
    links = [_link(index, finding) for index, finding in found[:_MAX_LINKS]]
    if len(found) > _MAX_LINKS:
        links.append(tag('span', f'and {len(found) - _MAX_LINKS} more', class_='muted'))
    _, first = found[0]
    return tag(
        'li',
        tag('h3', rule.title, ' ', tag('span', subject, class_='subject')),
        tag('p', f'{first.text}. {rule.advice}'),
        tag('p', 'Episodes ' if len(found) > 1 else 'Episode ', *links, class_='links'),
        class_=_level(rule),
    )


def _link(index: int, finding: Finding) -> Html:
    return tag('a', index, href=f'#episode-{index}', title=finding.text)


def _level(rule: Rule) -> str:
    return 'serious' if rule.is_serious else 'look'


def _bars(lengths_s: Sequence[float]) -> Html:
    """Return a histogram of durations, whose bounds are round numbers."""
    if not lengths_s:
        return tag('p', 'There is no episode yet.', class_='nothing')
    low, high = min(lengths_s), max(lengths_s)
    step = _round_step((high - low) / _MAX_BARS or high / _MAX_BARS)
    first = math.floor(low / step + 1e-9)
    counts = Counter(max(first, math.floor(one / step + 1e-9)) for one in lengths_s)
    places = range(first, max(counts) + 1)
    digits = max(0, -math.floor(math.log10(step)))
    highest = max(counts.values())
    bars = [
        tag(
            'li',
            tag('span', counts[place] or '', class_='count'),
            tag('span', class_='bar', style=f'--share:{counts[place] / highest:.4f}'),
            tag('span', f'{place * step:.{digits}f}', class_='edge'),
            title=f'{place * step:.{digits}f} to {(place + 1) * step:.{digits}f} s: '
            f'{counts[place]}',
        )
        for place in places
    ]
    return tag('ol', *bars, class_='bars', aria_label='Number of episodes by their length')


def _round_step(least: float) -> float:
    power: float = 10.0 ** math.floor(math.log10(max(least, 1e-3)))
    return next(one * power for one in (1, 2, 5, 10) if one * power >= least * (1 - 1e-9))


def _tasks(summary: Summary) -> Html:
    rows = [(task, f'{count:,}') for task, count in summary.tasks.items()]
    return table(('Task', 'Episodes'), rows, 'Number of episodes of each task')


def _cameras(cameras: Sequence[CameraFacts]) -> Html:
    rows = [
        (
            one.key,
            f'{one.width} \u00d7 {one.height}',
            f'{one.codec or _UNKNOWN}{", depth" if one.is_depth else ""}',
            size_text(one.size_bytes) if one.size_bytes else _UNKNOWN,
        )
        for one in cameras
    ]
    head = ('Camera', 'Size', 'Codec', 'On disk')
    return table(head, rows, 'Cameras') if rows else Html('')


def _vectors(summary: Summary) -> Html:
    rows = [
        (one.key, one.dtype, f'{len(one.names)}', ', '.join(one.names)) for one in summary.vectors
    ]
    head = ('Feature', 'Type', 'Elements', 'Names')
    return table(head, rows, 'Features with numbers') if rows else Html('')


def _episode(one: EpisodeReport, tasks: dict[str, int], fps: int) -> Html:
    facts = one.facts
    marks = [finding.rows for finding in one.findings if finding.rows]
    plots = [
        {
            'title': short_name(plot.key),
            'names': plot.names,
            'left_out': plot.num_left_out,
            **plot.series,
        }
        for plot in one.plots
    ]
    series = {'fps': fps, 'rows': facts.row.length, 'marks': marks, 'plots': plots}
    return filled(
        'episode',
        index=facts.index,
        verdict=facts.verdict or 'none',
        level=max((_level(item.rule) for item in one.findings), default='none'),
        tasks=' '.join(str(tasks[task]) for task in facts.row.tasks),
        facts=' \u00b7 '.join(_facts(facts)),
        badge=tag('span', facts.verdict, class_=f'badge {facts.verdict}') if facts.verdict else '',
        task='; '.join(facts.row.tasks),
        note=tag('p', facts.note, class_='note') if facts.note else '',
        findings=_episode_findings(one.findings),
        sheets=joined(_sheet(facts.index, sheet) for sheet in one.sheets),
        streams=_streams(facts),
        num_plots=len(plots),
        series=json_in_script(series),
    )


def _facts(facts: EpisodeFacts) -> Iterator[str]:
    yield seconds_text(facts.seconds)
    yield f'{facts.row.length:,} rows'
    if facts.operator:
        yield facts.operator
    if facts.saved_at:
        yield facts.saved_at[:16].replace('T', ' ')


def _episode_findings(findings: Sequence[Finding]) -> Html:
    if not findings:
        return Html('')
    lines = [
        tag('li', tag('strong', one.rule.title), ' ', *_finding_text(one), class_=_level(one.rule))
        for one in findings
    ]
    return tag('ul', *lines, class_='found')


def _finding_text(finding: Finding) -> Iterator[object]:
    yield f'{finding.text}.'
    if finding.other is not None:
        yield ' '
        yield tag('a', f'Episode {finding.other}', href=f'#episode-{finding.other}')


def _sheet(index: int, sheet: Sheet) -> Html:
    name, times = short_name(sheet.key), [f'{one:.1f} s' for one in sheet.times_s]
    image = tag(
        'img',
        src=jpeg_url(sheet.jpeg),
        alt=f'Camera {name} of episode {index} at {", ".join(times)}',
        loading='lazy',
        decoding='async',
    ).removesuffix('</img>')
    return tag(
        'figure',
        tag('figcaption', name),
        tag(
            'div',
            tag('div', Html(image), class_='strip', style=f'--number:{len(times)}'),
            tag('div', *(tag('span', one) for one in times), class_='times', aria_hidden='true'),
            class_='scroll',
            tabindex=0,
        ),
        class_='sheet',
    )


def _streams(facts: EpisodeFacts) -> Html:
    if not facts.streams:
        return Html('')
    head = (
        'Stream',
        'Messages per s',
        'Skew p95, ms',
        'Skew max, ms',
        'Repeated',
        'Stale',
        'Missing',
        'Late',
        'Topic',
    )
    lines = [_stream_row(one, facts.row.length) for one in facts.streams]
    repeated = sum(one.repeated or 0 for one in facts.streams)
    skews = [one.skew_ms[1] for one in facts.streams if one.skew_ms[1] is not None]
    skew = f', skew up to {max(skews):.0f} ms' if skews else ''
    summary = f'Rates, skew and repeats: {repeated} repeated{skew}'
    return tag('details', tag('summary', summary), table(head, lines, summary))


def _stream_row(one: StreamFacts, num_rows: int) -> list[object]:
    too_many = (one.repeated or 0) > REPEATED_SHARE * num_rows
    counts = (one.repeated, one.stale, one.missing, one.late)
    cells: list[object] = [_UNKNOWN if count is None else count for count in counts]
    if too_many:
        cells[0] = tag('strong', cells[0], class_='serious')
    return [short_name(one.key), *map(_decimal, (one.rate_hz, *one.skew_ms)), *cells, one.topic]


def _decimal(value: float | None) -> str:
    return _UNKNOWN if value is None else f'{value:.1f}'
