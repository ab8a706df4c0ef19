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
"""The command `streamrec view`, which shows an episode in Rerun."""

from __future__ import annotations

from pathlib import Path

import click
from lerobot_streamrec.cli.progress import DatasetPath, importing, NewPath, overwrite_option
from lerobot_streamrec.durable import written_beside
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.report.summary import size_text


@click.command(short_help='Show an episode in Rerun, or save it for Rerun.')
@click.argument('root', type=DatasetPath)
@click.option(
    '--episode', type=int, required=True, help='Number of the episode; -1 is the last one.'
)
@click.option('--save', type=NewPath, metavar='FILE.rrd', help='Save instead of showing.')
@overwrite_option
def view(root: Path, episode: int, save: Path | None, overwrite: bool) -> None:
    """
    Show an episode of the dataset ROOT in Rerun, with videos and series on one time line.

    This needs the package rerun-sdk. With --save it writes a file that `rerun FILE.rrd` shows on
    any machine. Nothing in ROOT is changed. Exit status: 2 if Rerun is not installed.
    """
    with importing('view needs Rerun'):
        from lerobot_streamrec.report.rerun_log import show_episode
    if save is None:
        try:
            name = show_episode(root, episode, None)
        except RuntimeError as error:
            raise click.ClickException(
                f"Rerun's viewer does not start: {error}. --save FILE.rrd saves the episode for a "
                'machine with a screen'
            ) from error
        click.echo(f'{name} is open in Rerun')
        return
    if save.resolve().is_relative_to(root.resolve()):
        allowed = f'it must not be below {root}, whose files belong to the dataset'
        raise ConfigError('--save', str(save), allowed)
    with written_beside(save, overwrite=overwrite) as part:
        name = show_episode(root, episode, part)
    click.echo(f'{save}: {name}, {size_text(save.stat().st_size)}')
