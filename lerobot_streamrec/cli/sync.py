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
"""The commands ``streamrec sync`` and ``push``: copies of a dataset elsewhere."""

from __future__ import annotations

from functools import partial
import os
from pathlib import Path
import signal
import threading

import click
from lerobot_streamrec.cli.progress import DatasetPath, importing
from lerobot_streamrec.errors import count_text
from lerobot_streamrec.fleet.sync.run import forget as forget_copies
from lerobot_streamrec.fleet.sync.run import Sync
from lerobot_streamrec.fleet.sync.store import checked_url, Store

_NICENESS = 10


@click.command(short_help='Copy a dataset to an object store or a folder, while it is recorded.')
@click.argument('root', type=DatasetPath)
@click.argument('url')
@click.option('--watch', is_flag=True, help='Go on, and copy each episode after its save.')
@click.option(
    '--bandwidth',
    type=click.FloatRange(min=0.0, min_open=True),
    metavar='MIB_S',
    help='Largest number of MiB per second.',
)
@click.option('--verify', is_flag=True, help='Read every file back, and compare its SHA-256.')
@click.option(
    '--keep-days',
    type=click.FloatRange(min=0.0),
    metavar='N',
    help='Delete ROOT N days after its last change, once every file was read back from URL.',
)
@click.option(
    '--forget', is_flag=True, help='Forget what was copied, and copy nothing: see docs/fleet.md.'
)
def sync(
    root: Path,
    url: str,
    watch: bool,
    bandwidth: float | None,
    verify: bool,
    keep_days: float | None,
    forget: bool,
) -> int:
    """
    Copy the dataset ROOT to URL: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or the path of a folder.

    The copy is a dataset that can be loaded at any instant: meta/info.json comes last. A recorder
    may go on meanwhile; undo and label are carried over. The same command goes on after an
    interruption. Credentials are found where the tools of the provider look. For a compatible
    store: 's3://BUCKET/PREFIX?endpoint_override=HOST:PORT&scheme=http'.
    """
    url = checked_url(url, root)
    if forget:
        is_known = forget_copies(root, url)
        said = 'is forgotten; the files there stay' if is_known else 'was not synced to'
        click.echo(f'{root}: {url} {said}')
        return 0
    os.nice(_NICENESS)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # One that is ignored, as by nohup, stays so.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: _end(number, stop))
    say = partial(click.echo, err=True)
    work = Sync(
        root, Store(url), stop, bandwidth_mib_s=bandwidth, keep_days=keep_days, say=say
    )
    num_waiting = work.run(is_watching=watch, is_verifying=verify)
    if num_waiting:
        click.echo(f'{count_text(num_waiting, "file")} left: run the same command again', err=True)
    return 1 if num_waiting else 0


def _end(number: int, stop: threading.Event) -> None:
    """End soon; a second signal ends the process as a kill would, which no copy minds."""
    if stop.is_set():
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    stop.set()


@click.command(short_help='Upload a dataset to the Hugging Face Hub.')
@click.argument('root', type=DatasetPath)
@click.option(
    '--repo-id',
    default='',
    metavar='OWNER/NAME',
    help="The repository.  [default: your name on the Hub, and the folder's name]",
)
@click.option('--private/--public', default=None, help='For a new repository.')
@click.option('--branch', default='', help='Made if it is missing.  [default: main]')
@click.option('--force', is_flag=True, help='Upload a dataset that is not whole.')
def push(root: Path, repo_id: str, private: bool | None, branch: str, force: bool) -> None:
    """
    Upload the dataset ROOT to the Hugging Face Hub, with its card and the tag v3.0.

    Run `hf auth login` before, or set HF_TOKEN. Only files that the Hub lacks are uploaded, and
    the same command goes on after an interruption. A dataset that `streamrec check` calls broken
    is refused. LeRobot reads the tag, which is moved last.
    """
    with importing('push needs huggingface_hub: pip install lerobot_streamrec[hub]'):
        from lerobot_streamrec.fleet.sync.push import push as push_dataset
    address = push_dataset(
        root,
        repo_id,
        is_private=private,
        branch=branch,
        is_forced=force,
        say=partial(click.echo, err=True),
    )
    click.echo(f'{address} has the dataset, tagged v3.0')
