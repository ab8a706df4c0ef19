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
"""The command `streamrec report`, which writes a page on what was recorded."""

from __future__ import annotations

from pathlib import Path
import time

import click
from lerobot_streamrec.cli.progress import (
    DatasetPlace,
    episode_numbers,
    importing,
    NewPath,
    overwrite_option,
    progress_bar,
    reading_places,
    workers_options,
)
from lerobot_streamrec.durable import written_beside
from lerobot_streamrec.errors import ConfigError, count_text
from lerobot_streamrec.remote_files import shown
from lerobot_streamrec.report.build import build_report, MAX_EPISODES
from lerobot_streamrec.report.summary import size_text
from lerobot_streamrec.workers import Workers

_MARK = b'<meta name="generator" content="lerobot_streamrec report">'
_HEAD_BYTES = 1000


@click.command(short_help='Write a page that shows what was recorded, and what looks wrong.')
@click.argument('root', type=DatasetPlace)
@click.option(
    '--output', type=NewPath, help='File to write.  [default: NAME_OF_ROOT-report.html, here]'
)
@click.option(
    '--episodes',
    callback=episode_numbers,
    help='Episodes to show, such as 3,7,10-14; all by default.',
)
@overwrite_option
@reading_places('meta/')
@workers_options('threads', 'processes', 'ray')
def report(
    root: Path, output: Path | None, episodes: frozenset[int], overwrite: bool, workers: Workers
) -> None:
    """
    Write one HTML file on the dataset ROOT, a folder or a URL; to read it needs no network.

    It shows the dataset as a whole, and of each episode a contact sheet of every camera, the
    series of state and action, rates, skew, repeats, verdict and note. It lists what looks wrong,
    such as a dark camera, a frozen joint or a long idle time. Nothing in ROOT is changed. An older
    report at the same place is replaced. Of more than 1,000 episodes, it shows 1,000 evenly spaced
    ones.
    """
    with importing('report needs Jinja'):
        from lerobot_streamrec.report.page import page_of
    output = output or Path(f'{root.resolve().name}-report.html')
    if output.resolve().is_relative_to(root.resolve()):
        allowed = f'it must not be below {root}, whose files belong to the dataset'
        raise ConfigError('--output', str(output), allowed)
    begin_s = time.monotonic()
    with written_beside(output, overwrite=overwrite or _is_report(output)) as part:
        with progress_bar('reading', is_bytes=False) as progress:
            made = build_report(root, episodes, progress, workers)
        part.write_text(shown(page_of(made)), encoding='utf-8')
        size = part.stat().st_size
    num_findings = sum(len(one.findings) for one in made.episodes)
    click.echo(
        f'{output}: {count_text(len(made.episodes), "episode")}, '
        f'{count_text(num_findings, "finding")}, {size_text(size)} '
        f'in {time.monotonic() - begin_s:.1f} s'
    )
    num_all = len(episodes) or made.summary.num_episodes
    if len(made.episodes) < num_all:
        click.echo(
            f'note: a report shows {MAX_EPISODES} episodes, so these are evenly spaced ones of '
            f'{num_all}; choose others with --episodes',
            err=True,
        )


def _is_report(path: Path) -> bool:
    """Return True for an older report, which may be replaced without asking."""
    try:
        with path.open('rb') as opened:
            return _MARK in opened.read(_HEAD_BYTES)
    except OSError:
        return False
