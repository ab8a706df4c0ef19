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
from pathlib import Path
import time
from typing import Any, TYPE_CHECKING

import click
from lerobot_streamrec.cli.progress import importing, NewPath, progress_bar, show_remarks
from lerobot_streamrec.errors import BagError

if TYPE_CHECKING:
    from lerobot_streamrec.fleet.bag_reader import Bag
    from lerobot_streamrec.fleet.bag_spans import Span

_NS_PER_S = 1_000_000_000


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
@click.option(
    '--task',
    default='',
    help='Task of the episodes for which the bag says none.  [default: task in --params]',
)
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
@click.option(
    '--namespace', default='/', show_default=True, help='Namespace of the recorder in --params.'
)
def import_bags(
    bags: tuple[Path, ...],
    params: Path,
    root: Path | None,
    task: str,
    episodes: str | None,
    triggers: tuple[str, ...],
    namespace: str,
) -> None:
    """
    Make episodes of each BAG, with the rows that a live recording would have had.

    A BAG is the folder of a rosbag2 bag, or one .mcap or .db3 file. ROS is not needed. An episode
    begins as soon as every stream of --params has a sample. A bag that the dataset already has is
    skipped. Interrupted, the same command goes on with the bag that was being read.
    """
    with importing('import needs rosbags'):
        from lerobot_streamrec.fleet.bag_episodes import episodes_choice, plan_episodes
        from lerobot_streamrec.fleet.bag_import import (
            bag_settings,
            bag_text,
            BagImport,
            IMPORT_OPTIONS,
            is_imported,
        )
        from lerobot_streamrec.fleet.bag_reader import open_bag
        from lerobot_streamrec.settings.teleop_settings import parse_triggers
    rules = parse_triggers('--trigger', triggers)
    choice = episodes_choice(episodes, has_triggers=bool(rules))
    replaced: dict[str, Any] = dict(IMPORT_OPTIONS)
    replaced |= {'root': str(root)} if root is not None else {}
    replaced |= {'task': task} if task else {}
    for number, path in enumerate(bags, start=1):
        bag = open_bag(path)
        settings = bag_settings(bag, params, namespace, replaced)
        with progress_bar(f'hashing {path.name}') as hashing:
            text = bag_text(bag, hashing)
        if is_imported(settings.recorder.root, text):
            click.echo(f'{path}: {settings.recorder.root} has it already')
            continue
        others = len(bags) > 1
        spans = plan_episodes(bag, choice, settings, namespace, rules, has_others=others)
        _refuse_parts(bag, spans)
        begin_s, begin_ns = time.monotonic(), bag.begin_ns or 0
        with progress_bar(f'importing {path.name}', is_bytes=False) as update:
            done = BagImport(bag, settings, namespace, text).run(
                lambda now_ns, bag=bag, begin_ns=begin_ns, update=update: update(  # type: ignore[misc]
                    (now_ns - begin_ns) // _NS_PER_S, _seconds(bag)
                ),
                is_last=number == len(bags),
            )
        speed = _seconds(bag) / max(time.monotonic() - begin_s, 1e-3)
        click.echo(f'{path}: {done.summary}; {speed:.1f} x real time')
        show_remarks(done.remarks)


def _refuse_parts(bag: Bag, spans: Sequence[Span]) -> None:
    """Refuse episodes that are only a part of a bag, until ``BagImport`` takes spans."""
    whole = bag.begin_ns or 0, bag.end_ns or 0
    if [(span.begin_ns, span.end_ns) for span in spans] != [whole]:
        raise BagError(
            bag.path,
            f'it has {len(spans)} episodes, and parts of a bag are not imported yet',
            '--episodes bag imports all of it',
        )


def _seconds(bag: Bag) -> int:
    return ((bag.end_ns or 0) - (bag.begin_ns or 0)) // _NS_PER_S
