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
"""The command ``streamrec import``: bags become episodes, by the recorder's own engine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
import time
from typing import Any, TYPE_CHECKING

import click
from lerobot_streamrec.cli.progress import (
    bag_bar,
    count_text,
    importing,
    NewPath,
    progress_bar,
    show_remarks,
    shown_option,
)

if TYPE_CHECKING:
    from lerobot_streamrec.fleet.bag_workers import Request


@click.command(
    'import', short_help='Make episodes of rosbag2 bags, as the recorder would have made them.'
)
@click.argument(
    'bags', nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar='BAG...'
)
@click.option(
    '--params',
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The recorder's parameter file.",
)
@click.option('--root', type=NewPath, help='Folder of the dataset.  [default: root in --params]')
@click.option('--task', default='', help='What the robot does.  [default: task in --params]')
# They are planned, but BagImport takes only whole bags so far.
@click.option(
    '--episodes',
    hidden=True,
    metavar='WHICH',
    help='The episodes of a BAG: all of it (bag), each of its files (files), those that the '
    'recorder saved (events), those that its commands, triggers and gamepad give (commands), or '
    'those of a CSV file with the columns start and end.  [default: bag]',
)
@click.option(
    '--trigger',
    'triggers',
    hidden=True,
    multiple=True,
    metavar="'TOPIC [CONDITION]: COMMAND'",
    help="A topic that gives commands, such as '/pedal/pressed: toggle', in place of "
    'teleop.triggers in --params; may be repeated. Needs no --episodes.',
)
@shown_option('--namespace', default='/', help='Namespace of the recorder in --params.')
@shown_option('--jobs', default=1, type=click.IntRange(1), help='Bags that are imported at once.')
def import_bags(
    bags: tuple[Path, ...],
    params: Path,
    root: Path | None,
    task: str,
    episodes: str | None,
    triggers: tuple[str, ...],
    namespace: str,
    jobs: int,
) -> int:
    """
    Make one episode of each BAG, with the rows that a live recording would have had.

    A BAG is the folder of a rosbag2 bag, or one .mcap or .db3 file. ROS is not needed. The episode
    begins as soon as every stream of --params has a sample. A bag that the dataset already has is
    skipped. Interrupted, the same command goes on with the bag that was being read.

    With --jobs, the episodes appear together at the end, and a bag that cannot be imported does
    not stop the others.
    """
    with importing('import needs rosbags'):
        from lerobot_streamrec.fleet.bag_import import IMPORT_OPTIONS
        from lerobot_streamrec.fleet.bag_workers import Request
        from lerobot_streamrec.fleet.planning.bag_episodes import episodes_choice
        from lerobot_streamrec.settings.teleop_settings import parse_triggers
    rules = parse_triggers('--trigger', triggers)
    choice = episodes_choice(episodes, has_triggers=bool(rules))
    replaced: dict[str, Any] = dict(IMPORT_OPTIONS)
    replaced |= {'root': str(root)} if root is not None else {}
    replaced |= {'task': task} if task else {}
    request = Request(
        params,
        namespace,
        replaced,
        num_recorders=min(jobs, len(bags)),
        choice=choice,
        triggers=tuple(rules),
        has_others=len(bags) > 1,
    )
    if request.num_recorders > 1:
        return _import_together(bags, request)
    for number, path in enumerate(bags, start=1):
        with progress_bar(f'hashing {path.name}') as hashing:
            opened = request.open(path, hashing)
        if opened.is_there:
            click.echo(f'{path}: {opened.settings.recorder.root} has it already')
            continue
        begin_s, seconds = time.monotonic(), opened.bag.seconds
        with bag_bar(f'importing {path.name}', seconds) as show:
            done = opened.run(show, is_last=number == len(bags))
        click.echo(f'{path}: {done.summary}; {_speed(seconds, begin_s)}')
        show_remarks(done.remarks)
    return 0


def _import_together(bags: Sequence[Path], request: Request) -> int:
    from lerobot_streamrec.fleet.bag_jobs import import_together, plan_jobs

    with progress_bar('hashing') as hashing:
        jobs = plan_jobs(bags, request, hashing)
    begin_s, seconds = time.monotonic(), sum(one.seconds for one in jobs.todo)
    num = count_text(len(jobs.todo), 'bag')
    if jobs.todo or jobs.is_interrupted:
        bar = partial(bag_bar, f'importing {num}', seconds)
        import_together(jobs, bar, partial(progress_bar, 'joining'))
    for path in dict.fromkeys(bags):
        if path in jobs.failures:
            click.echo(f'{path}: not imported: {jobs.failures[path]}', err=True)
        else:
            click.echo(f'{path}: {jobs.sentences[path]}')
    show_remarks(jobs.remarks)
    if jobs.todo:
        click.echo(f'{num}: {seconds:.1f} s, {_speed(seconds, begin_s)}')
    return int(bool(jobs.failures))


def _speed(seconds: float, begin_s: float) -> str:
    return f'{seconds / max(time.monotonic() - begin_s, 1e-3):.1f} x real time'
