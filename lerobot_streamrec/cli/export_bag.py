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
"""The command ``streamrec export``: episodes become bags, by the messages they came from."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click
from lerobot_streamrec.cli.progress import (
    count_text,
    DatasetPath,
    episode_numbers,
    importing,
    NewPath,
    overwrite_option,
    progress_bar,
    show_remarks,
)
from lerobot_streamrec.durable import written_beside
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.report.summary import size_text


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
    if len(plan.order) > 1:
        each = 'export them to a bag each to import them as several'
        click.echo(f'note: import makes one episode of a whole bag: {each}', err=True)
    if known is None:
        click.echo('note: --params FILE writes a parameter file that fits the bag', err=True)
    elif len(plan.order) == 1:
        again = streamrec_command('import', out, '--params', known, '--root', 'NEW')
        click.echo(f'`{again}` makes an episode of it again')
