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
"""The command `streamrec encode`, which encodes episodes that a recorder left for later."""

from __future__ import annotations

from pathlib import Path

import click
from lerobot_streamrec.cli.progress import count_text, DatasetPath, progress_bar, size_text
from lerobot_streamrec.dataset.takes.deferred import DeferredTake, DeferredTakes, encode_take
from lerobot_streamrec.dataset.takes.open_dataset import open_as_it_is
from lerobot_streamrec.errors import StreamrecError
from lerobot_streamrec.video.codecs.real_time import renounce_real_time


@click.command()
@click.argument('root', type=DatasetPath)
def encode(root: Path) -> None:
    """
    Encode the saved episodes that wait in the dataset ROOT, and add them to it.

    Episodes wait if they were saved with `encode: deferred`, if the recorder ended before an
    encoder had time for them, or if a crash interrupted them. Nothing is lost if the command is
    interrupted: the episodes that are not yet encoded keep waiting.
    """
    renounce_real_time()
    writer, said = open_as_it_is(root)
    try:
        for sentence in said:
            click.echo(sentence)
        takes = DeferredTakes(writer)
        if not takes.takes:
            click.echo(f'no episode of {root} waits to be encoded')
        failed = [one for one in takes.takes if not _encode_one(takes, one)]
    finally:
        writer.close()
    if failed:
        num_left = sum(one.folder.exists() for one in failed)
        raise click.ClickException(
            f'{count_text(len(failed), "episode")} could not be encoded'
            + (f'; {num_left} still wait{"s" if num_left == 1 else ""}' if num_left else '')
        )


def _encode_one(takes: DeferredTakes, take: DeferredTake) -> bool:
    saved = take.saved
    what = f'{saved.num_rows} rows, {saved.seconds:.1f} s of {saved.task!r}'
    total = saved.num_rows * take.num_videos
    try:
        with progress_bar(f'encoding {what}', is_bytes=False) as progress:
            tell = (lambda done: progress(done, total)) if progress else (lambda _: None)
            encoded = encode_take(take.folder, saved.num_rows, tell)
        episode = takes.commit(take, encoded)
    except StreamrecError as error:
        click.echo(f'{what}: {error}. {takes.fail(take, error)}', err=True)
        return False
    size = size_text(episode.size_bytes)
    click.echo(f'encoded episode {episode.episode_index}: {what}, {size}{take.loss(encoded)}')
    return True
