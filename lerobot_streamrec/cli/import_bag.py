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

from pathlib import Path
import time
from typing import Any, TYPE_CHECKING

import click
from lerobot_streamrec.cli.progress import importing, NewPath, progress_bar, show_remarks

if TYPE_CHECKING:
    from lerobot_streamrec.fleet.bag_reader import Bag

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
@click.option('--task', default='', help='What the robot does.  [default: task in --params]')
@click.option(
    '--namespace', default='/', show_default=True, help='Namespace of the recorder in --params.'
)
def import_bags(
    bags: tuple[Path, ...], params: Path, root: Path | None, task: str, namespace: str
) -> int:
    """
    Make one episode of each BAG, with the rows that a live recording would have had.

    A BAG is the folder of a rosbag2 bag, or one .mcap or .db3 file. ROS is not needed. The episode
    begins as soon as every stream of --params has a sample. A bag that the dataset already has is
    skipped. Interrupted, the same command goes on with the bag that was being read.
    """
    with importing('import needs rosbags'):
        from lerobot_streamrec.fleet.bag_import import (
            bag_settings,
            bag_text,
            BagImport,
            IMPORT_OPTIONS,
            missing_spans,
            whole_span,
        )
        from lerobot_streamrec.fleet.bag_reader import open_bag
    replaced: dict[str, Any] = dict(IMPORT_OPTIONS)
    replaced |= {'root': str(root)} if root is not None else {}
    replaced |= {'task': task} if task else {}
    num_failed = 0
    for number, path in enumerate(bags, start=1):
        bag = open_bag(path)
        settings = bag_settings(bag, params, namespace, replaced)
        with progress_bar(f'hashing {path.name}') as hashing:
            text = bag_text(bag, hashing)
        spans = [whole_span(bag)]
        if not missing_spans(settings.recorder.root, bag, text, spans):
            click.echo(f'{path}: {settings.recorder.root} has it already')
            continue
        begin_s, begin_ns = time.monotonic(), bag.begin_ns or 0
        with progress_bar(f'importing {path.name}', is_bytes=False) as update:
            done = BagImport(bag, settings, namespace, text, spans).run(
                lambda now_ns, bag=bag, begin_ns=begin_ns, update=update: update(  # type: ignore[misc]
                    (now_ns - begin_ns) // _NS_PER_S, _seconds(bag)
                ),
                is_last=number == len(bags),
            )
        speed = _seconds(bag) / max(time.monotonic() - begin_s, 1e-3)
        for summary in done.summaries:
            click.echo(f'{path}: {summary}; {speed:.1f} x real time')
        show_remarks(done.remarks)
        for failure in done.failures:
            click.echo(f'streamrec: {failure}', err=True)
        num_failed += len(done.failures)
    return int(num_failed > 0)


def _seconds(bag: Bag) -> int:
    return ((bag.end_ns or 0) - (bag.begin_ns or 0)) // _NS_PER_S
