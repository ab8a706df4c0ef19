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
"""The commands ``streamrec import`` and ``export``: bags become episodes, and episodes bags."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
import time
from typing import Any, TYPE_CHECKING

import click
from lerobot_streamrec.cli.progress import (
    address_option,
    AnyPlace,
    bag_bar,
    DatasetPath,
    episode_numbers,
    growing_place,
    importing,
    NewPath,
    overwrite_option,
    progress_bar,
    show_remarks,
    shown_option,
    Url,
    workers_of,
)
from lerobot_streamrec.durable import written_beside
from lerobot_streamrec.errors import ConfigError, count_text
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.remote_files import shown
from lerobot_streamrec.report.summary import size_text
from lerobot_streamrec.video.codecs.scheduling import usable_cores

if TYPE_CHECKING:
    from lerobot_streamrec.fleet.bag_workers import Request
    from lerobot_streamrec.workers import Workers


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
@click.option(
    '--root',
    type=AnyPlace,
    help='Folder of the dataset, or a URL such as s3://lab/arm.  [default: root in --params]',
)
@click.option('--task', default='', help='What the robot does.  [default: task in --params]')
@click.option(
    '--episodes',
    metavar='WHICH',
    help='The episodes of a BAG: all of it (bag), each of its files (files), those that the '
    'recorder saved (events), those that its commands, triggers and gamepad give (commands), or '
    'those of a CSV file with the columns start and end.  [default: bag]',
)
@click.option(
    '--trigger',
    'triggers',
    multiple=True,
    metavar="'TOPIC [CONDITION]: COMMAND'",
    help="A topic that gives commands, such as '/pedal/pressed: toggle', in place of "
    'teleop.triggers in --params; may be repeated. Needs no --episodes.',
)
@shown_option('--namespace', default='/', help='Namespace of the recorder in --params.')
@click.option(
    '--jobs',
    type=click.IntRange(1),
    help='Bags that are imported at once.  [default: 1; with --engine ray: all]',
)
@shown_option(
    '--engine',
    type=click.Choice(('processes', 'ray')),
    default='processes',
    help='Who imports several bags at once; the result is the same.',
)
@address_option
def import_bags(
    bags: tuple[Path, ...],
    params: Path,
    root: Path | Url | None,
    task: str,
    episodes: str | None,
    triggers: tuple[str, ...],
    namespace: str,
    jobs: int | None,
    engine: str,
    address: str,
) -> int:
    """
    Make episodes of each BAG, with the rows that a live recording would have had.

    A BAG is the folder of a rosbag2 bag, or one .mcap or .db3 file. ROS is not needed. An episode
    begins as soon as every stream of --params has a sample. What the dataset already has is
    skipped. Interrupted, the same command goes on with the episode that was being read.

    With --jobs or --engine ray, the episodes appear together at the end, and a bag that cannot be
    imported does not stop the others.
    """
    with importing('import needs rosbags'):
        from lerobot_streamrec.fleet.bag_import import IMPORT_OPTIONS
        from lerobot_streamrec.fleet.bag_workers import Request
        from lerobot_streamrec.fleet.planning.bag_episodes import episodes_choice
        from lerobot_streamrec.settings.teleop_settings import parse_triggers
    on_ray = engine == 'ray'
    num_jobs = min(jobs or (len(bags) if on_ray else 1), len(bags))
    is_together = on_ray or num_jobs > 1
    if isinstance(root, Url) and is_together:
        allowed = f'1 is allowed with --root {root}, where nothing can be joined'
        raise ConfigError('--engine' if on_ray else '--jobs', engine if on_ray else jobs, allowed)
    rules = parse_triggers('--trigger', triggers)
    choice = episodes_choice(episodes, has_triggers=bool(rules))
    replaced: dict[str, Any] = dict(IMPORT_OPTIONS)
    replaced |= {'task': task} if task else {}
    with growing_place(root) as folder, workers_of(engine, num_jobs, address) as workers:
        replaced |= {'root': str(folder)} if folder is not None else {}
        request = Request(
            params,
            namespace,
            replaced,
            num_recorders=usable_cores() if on_ray else num_jobs,
            choice=choice,
            triggers=tuple(rules),
            has_others=len(bags) > 1,
        )
        if is_together:
            return _import_together(bags, request, workers if on_ray else None)
        return _import_in_turn(bags, request)


def _import_in_turn(bags: Sequence[Path], request: Request) -> int:
    from lerobot_streamrec.fleet.bag_import import finalize

    num_failed, is_finalized = 0, True
    for number, path in enumerate(bags, start=1):
        with progress_bar(f'hashing {path.name}') as hashing:
            opened = request.open(path, hashing)
        config, is_last = opened.settings.recorder, number == len(bags)
        if not opened.missing:
            click.echo(shown(f'{path}: {config.root} has it already'))
            if is_last and not is_finalized:
                finalize(config)
            continue
        begin_s, seconds = time.monotonic(), opened.bag.seconds
        with bag_bar(f'importing {path.name}', seconds) as show:
            done = opened.run(show, is_last=is_last)
        is_finalized = is_finalized and not done.summaries
        speed = _speed(seconds, begin_s)
        for summary in done.summaries:
            click.echo(shown(f'{path}: {summary}; {speed}'))
        show_remarks(done.remarks)
        num_failed += _show_failures(done.failures)
    return int(num_failed > 0)


def _import_together(bags: Sequence[Path], request: Request, cluster: Workers | None) -> int:
    from lerobot_streamrec.fleet.bag_jobs import import_together, plan_jobs

    with progress_bar('hashing') as hashing:
        jobs = plan_jobs(bags, request, hashing)
    begin_s, seconds = time.monotonic(), sum(one.seconds for one in jobs.todo)
    num = count_text(len(jobs.todo), 'bag')
    if jobs.todo or jobs.is_interrupted:
        bar = partial(bag_bar, f'importing {num}', seconds)
        import_together(jobs, bar, partial(progress_bar, 'joining'), cluster)
    for path in dict.fromkeys(bags):
        if path in jobs.failures:
            click.echo(f'{path}: not imported: {jobs.failures[path]}', err=True)
        else:
            for sentence in jobs.sentences[path]:
                click.echo(f'{path}: {sentence}')
    show_remarks(jobs.remarks)
    num_lost = _show_failures(jobs.lost)
    if jobs.todo:
        click.echo(f'{num}: {seconds:.1f} s, {_speed(seconds, begin_s)}')
    return int(bool(jobs.failures) or num_lost > 0)


def _show_failures(failures: Sequence[str]) -> int:
    for failure in failures:
        click.echo(shown(f'streamrec: {failure}'), err=True)
    return len(failures)


def _speed(seconds: float, begin_s: float) -> str:
    return f'{seconds / max(time.monotonic() - begin_s, 1e-3):.1f} x real time'


@click.command('export', short_help='Write episodes to a bag that ROS, Foxglove and RViz open.')
@click.argument('root', type=DatasetPath)
@click.argument('out', type=NewPath)
@click.option(
    '--episodes',
    callback=episode_numbers,
    help='Episodes to write, such as 3,7,10-14.  [default: all]',
)
@click.option(
    '--pictures',
    type=click.Choice(('raw', 'jpeg', 'packets')),
    help='Image, CompressedImage, or the packets of the videos as CompressedVideo, which costs '
    'nothing and loses nothing.  [default: as the cameras published them]',
)
@click.option(
    '--params',
    type=NewPath,
    metavar='FILE',
    help="Also write the recorder's parameter file with which the bag is imported again.",
)
@overwrite_option
def export_bag(
    root: Path,
    out: Path,
    episodes: frozenset[int],
    pictures: str | None,
    params: Path | None,
    overwrite: bool,
) -> None:
    """
    Write episodes of the dataset ROOT to OUT, an .mcap file or the folder of a rosbag2 bag.

    Pictures and numbers have the topics and message types from which they were recorded, as far as
    the dataset knows them, and the instants of their rows as stamps. What was said about the
    episodes is on /episode/events. ROS is not needed, and nothing in ROOT is changed.
    """
    with importing('export needs rosbags'):
        from lerobot_streamrec.fleet.exporting.bag_export import BagExport
        from lerobot_streamrec.fleet.exporting.export_parameters import parameters_text
        from lerobot_streamrec.fleet.exporting.export_plan import ExportPlan
    for path, name in ((out, 'OUT'), (params, '--params')):
        if path is not None and path.resolve().is_relative_to(root.resolve()):
            allowed = f'it must not be below {root}, whose files belong to the dataset'
            raise ConfigError(name, str(path), allowed)
    with ExitStack() as stack:
        part = None
        if params is not None:
            part = stack.enter_context(written_beside(params, overwrite=overwrite))
        plan = ExportPlan(root, episodes, pictures or '')
        if part is not None:
            part.write_text(parameters_text(plan), 'utf-8')
        with progress_bar(f'exporting {out.name}', is_bytes=False) as progress:
            bag = BagExport(plan)
            bag.run(out, overwrite=overwrite, progress=progress)
    size_bytes = sum(one.stat().st_size for one in ([out] if out.is_file() else out.iterdir()))
    click.echo(
        f'{out}: {count_text(len(plan.order), "episode")}, {count_text(plan.num_rows, "row")}, '
        f'{count_text(bag.num_messages, "message")} on {count_text(len(bag.topics), "topic")}, '
        f'{size_text(size_bytes)}'
    )
    show_remarks(plan.remarks)
    known = params or next(iter(bag.words.parameter_files), None)
    if known is None:
        click.echo('note: --params FILE writes a parameter file that fits the bag', err=True)
    else:
        given = ('--params', known, '--root', 'NEW', '--episodes', 'events')
        again = streamrec_command('import', out, *given)
        what = 'an episode' if len(plan.order) == 1 else 'episodes'
        click.echo(f'`{again}` makes {what} of it again')
