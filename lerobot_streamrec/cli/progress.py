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
"""Progress bars, texts, and options and arguments that the commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, ExitStack
from functools import partial, wraps
from itertools import count
import json
from pathlib import Path
import re
from tempfile import TemporaryDirectory
import time
from typing import Any, cast, TypeVar

import click
from lerobot_streamrec.dataset.check.check import Watcher
from lerobot_streamrec.dataset.rebuild.assemble import Progress
from lerobot_streamrec.dataset.rebuild.plan import Change, Measure, Plan
from lerobot_streamrec.errors import ConfigError, count_text, RemoteError, StreamrecError
from lerobot_streamrec.fleet.sync.mirror import (
    appended,
    mirrored,
    name_of,
    publish,
    refuse_present,
)
from lerobot_streamrec.fleet.sync.store import checked_url, Store
from lerobot_streamrec.installed import EXIT_CONFIG, missing_package
from lerobot_streamrec.remote_files import registered, shown
from lerobot_streamrec.report.summary import size_text
from lerobot_streamrec.video.codecs.scheduling import usable_cores
from lerobot_streamrec.workers import InProcess, Processes, Workers
from rich import progress
from rich.console import Console

F = TypeVar('F', bound=Callable[..., Any])
# More than a cluster has cores, so that all of them have something to do.
_MANY = 10_000

DatasetPath = click.Path(exists=True, file_okay=False, path_type=Path)
"""An existing folder on the command line."""

VideoPath = click.Path(exists=True, dir_okay=False, path_type=Path)
"""An existing file on the command line."""



class Url(str):
    """The URL of a place in an object store, as ``checked_url`` returns it."""


class _OrUrl(click.Path):
    """A path, or the URL of a place in an object store."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        if isinstance(value, str) and '://' in value:
            url = checked_url(value)
            if '://' in url:
                return Url(url)
            value = url
        return super().convert(value, param, ctx)


DatasetPlace = _OrUrl(exists=True, file_okay=False, path_type=Path)
"""An existing folder, or a URL; ``reading_places`` turns it into a folder."""

AnyPlace = _OrUrl(path_type=Path)
"""A folder that may be missing, or a URL."""

NewPath = click.Path(path_type=Path)
"""A path that a command creates."""

shown_option = partial(click.option, show_default=True)
"""An option whose help shows its default."""

dry_run_option = click.option(
    '--dry-run', is_flag=True, help='Show what would be done, and change nothing.'
)
overwrite_option = click.option(
    '--overwrite', is_flag=True, help='Replace the output file if it exists.'
)
cameras_option = click.option(
    '--camera',
    'cameras',
    multiple=True,
    help='With a dataset: camera, such as front; all by default.',
)
address_option = click.option(
    '--address',
    default='',
    help='With --engine ray: the cluster, such as auto.  [default: one on this machine]',
)


def workers_options(*engines: str) -> Callable[[F], F]:
    """
    Return the decorator of the options that say who does the work of a command.

    The command gets ``workers``, which are closed when it returns.

    :param engines: values of ``--engine``, the default first
    """

    def decorate(command: F) -> F:
        @shown_option(
            '--engine',
            type=click.Choice(engines),
            default=engines[0],
            help='Who does the work; the result is the same.',
        )
        @click.option(
            '--jobs',
            type=click.IntRange(1, 1024),
            help='Number of tasks at once.  [default: the cores here, or those of the cluster]',
        )
        @address_option
        @wraps(command)
        def run(*args: Any, engine: str, jobs: int | None, address: str, **given: Any) -> Any:
            with workers_of(engine, jobs, address) as workers:
                return command(*args, workers=workers, **given)

        return cast(F, run)

    return decorate


def workers_of(engine: str, jobs: int | None, address: str) -> Workers:
    """
    Return who does tasks, which the caller closes; see ``workers_options``.

    :raise click.UsageError: if the options do not belong together
    """
    if address and engine != 'ray':
        raise click.UsageError('--address only applies together with --engine ray')
    num_tasks = jobs or usable_cores()
    if engine == 'ray':
        with importing('--engine ray needs Ray'):
            from lerobot_streamrec.fleet.ray_workers import RayWorkers
        return RayWorkers(address, jobs or (_MANY if address else num_tasks))
    if engine == 'threads' or num_tasks == 1:
        return InProcess(num_tasks)
    return Processes(num_tasks)


class _MissingPackageError(click.ClickException):
    exit_code = EXIT_CONFIG


@contextmanager
def importing(purpose: str) -> Iterator[None]:
    """
    Import what only one command needs; the other commands work without it.

    :param purpose: beginning of the sentence that names a missing package
    :raise click.ClickException: if a package is missing, with the exit status of a wrong
        configuration
    """
    try:
        yield
    except ImportError as error:
        raise _MissingPackageError(f'{purpose}: {missing_package(error)}') from error


def reading_places(*fetched: str) -> Callable[[F], F]:
    """
    Return the decorator of a command whose ``root`` or ``roots`` may be URLs; it gets folders.

    Errors name the URLs in place of these folders, which are removed at the end.

    :param fetched: begins of the paths of the files that the command reads as a whole
    """

    def decorate(command: F) -> F:
        @wraps(command)
        def run(**options: Any) -> Any:
            with ExitStack() as stack:
                folders: dict[str, Path] = {}

                def folder_of(root: Path | Url) -> Path:
                    if not isinstance(root, Url):
                        return root
                    if root not in folders:
                        bar = progress_bar(f'reading {name_of(root)}', is_bytes=False)
                        with bar as note:
                            mirror = mirrored(Store(root), fetched, note)
                            folders[root] = stack.enter_context(mirror)
                    return folders[root]

                with _naming_places():
                    if 'roots' in options:
                        options['roots'] = tuple(map(folder_of, options['roots']))
                    else:
                        options['root'] = folder_of(options['root'])
                    return command(**options)

        return cast(F, run)

    return decorate


@contextmanager
def _naming_places() -> Iterator[None]:
    """Let errors name the URLs in place of the folders that stand for them."""
    try:
        yield
    except (StreamrecError, OSError, click.UsageError) as error:
        told = error.message if isinstance(error, click.UsageError) else str(error)
        if told == shown(told):
            raise
        raise RemoteError(shown(told)) from error


@contextmanager
def growing_place(root: Path | Url | None) -> Iterator[Path | None]:
    """
    Yield the folder of a dataset that grows, and upload what is new after the block to a URL.

    :raise RemoteError: if the place cannot be read
    :raise SyncError: if it cannot be written
    """
    if not isinstance(root, Url):
        yield root
        return
    with progress_bar(f'reading {name_of(root)}', is_bytes=False) as note, ExitStack() as stack:
        place = appended(Store(root), note, partial(click.echo, err=True))
        folder = stack.enter_context(place)
        with _naming_places():
            yield folder


@contextmanager
def new_place(out: Path | Url) -> Iterator[Path]:
    """
    Yield the folder in which a new dataset is made, and upload it after the block to a URL.

    :param out: the folder, or an empty place
    :raise DatasetExistsError: if the place is not empty
    :raise ConfigError: if it lies in a place that is read
    :raise RemoteError: if the place cannot be read
    :raise SyncError: if it cannot be written
    """
    if not isinstance(out, Url):
        yield out
        return
    for url in registered().values():
        if f'{out.partition("?")[0]}/'.startswith(f'{url.partition("?")[0]}/'):
            raise ConfigError('out', out, f'it must not be in the dataset {url}')
    store = Store(out)
    refuse_present(store)
    with TemporaryDirectory(prefix='lerobot_streamrec-') as parent:
        folder = Path(parent) / name_of(out)
        yield folder
        if folder.exists():
            publish(folder, store, partial(click.echo, err=True))


_RANGE = re.compile(r'(\d{1,6})(?:-(\d{1,6}))?')


def episode_numbers(
    _: click.Context, option: click.Parameter, value: str | None
) -> frozenset[int]:
    """Parse a list of episode numbers and ranges such as ``3,7,10-14``; empty if there is none."""
    found: set[int] = set()
    for part in value.split(',') if value is not None else ():
        match = _RANGE.fullmatch(part.strip())
        first = int(match[1]) if match else 0
        last = int(match[2] or first) if match else -1
        if last < first:
            text = f'{part!r} is neither a number nor a range; write for example 3,7,10-14'
            raise click.BadParameter(text, param=option)
        found.update(range(first, last + 1))
    return frozenset(found)


@contextmanager
def _bar(
    *columns: progress.ProgressColumn, total: float | None = None
) -> Iterator[Callable[..., None]]:
    """Show a bar on a terminal, and nothing elsewhere; yield the function that updates it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        # Older releases of rich end even a disabled bar with an empty line.
        yield lambda **_: None
        return
    with progress.Progress(*columns, console=console, transient=True) as bars:
        yield partial(bars.update, bars.add_task('', total=total))


@contextmanager
def progress_bar(text: str, *, is_bytes: bool = True) -> Iterator[Progress]:
    """
    Show a progress bar on a terminal, and yield the function that moves it.

    :param text: name of the activity
    :param is_bytes: True if the progress counts bytes, False if it counts frames
    """
    amount = progress.DownloadColumn() if is_bytes else progress.MofNCompleteColumn()
    left = progress.TimeRemainingColumn()
    with _bar(progress.TextColumn(text), progress.BarColumn(), amount, left) as update:
        yield lambda done, total: update(completed=done, total=total)


@contextmanager
def bag_bar(text: str, total_s: float) -> Iterator[Callable[[float, int], None]]:
    """
    Show on a terminal how far an import of bags is, and yield the function that moves the bar.

    It gets the seconds of the bags and the bytes of their messages that have been read.

    :param text: name of the activity
    :param total_s: length of all bags
    """
    begin_s, told = time.monotonic(), progress.TextColumn('{task.description}')
    left = progress.TimeRemainingColumn()
    columns = (progress.TextColumn(text), progress.BarColumn(), told, left)
    with _bar(*columns, total=total_s) as update:

        def show(done_s: float, num_bytes: int) -> None:
            speed = done_s / max(time.monotonic() - begin_s, 1e-3)
            read = f'{done_s:.0f} of {total_s:.0f} s, {size_text(num_bytes)} read'
            update(description=f'{read}, {speed:.1f} x real time', completed=done_s)

        yield show


Steps = Callable[[str], None]
"""A function that is called with a description when a step begins."""


@contextmanager
def steps_bar(num_steps: int) -> Iterator[Steps]:
    """Show the current step and the number of steps on a terminal, and nothing elsewhere."""
    text, begun = progress.TextColumn('{task.description}'), count()
    with _bar(
        progress.BarColumn(), progress.MofNCompleteColumn(), text, total=num_steps
    ) as update:
        yield lambda step: update(description=step, completed=next(begun))


@contextmanager
def check_bar() -> Iterator[Watcher]:
    """Show the progress of a check on a terminal, and nothing elsewhere."""
    text = progress.TextColumn('{task.description:10}')
    with _bar(text, progress.BarColumn(), progress.MofNCompleteColumn()) as update:
        yield lambda now: update(description=now.step, completed=now.done, total=now.total)


def measure_text(measure: Measure) -> str:
    """Return the number of files of a dataset and their size."""
    return f'{count_text(measure.num_files, "file")} of {size_text(measure.size_bytes)}'


def change_text(change: Change) -> str:
    """Return the sizes of a dataset before and after a change, and how long the change took."""
    before, after = measure_text(change.before), measure_text(change.after)
    return f'{before} became {after} in {change.seconds:.1f} s'


def show_json(content: Any) -> None:
    """Print a value as JSON that people can read."""
    click.echo(shown(json.dumps(content, indent=2, ensure_ascii=False)))


def show_remarks(remarks: Iterable[str]) -> None:
    """Print on stderr what stayed as it was, with the reason."""
    for remark in remarks:
        click.echo(shown(f'note: {remark}'), err=True)


def show_plan(plan: Plan) -> None:
    """Print how many files of each kind a plan would leave."""
    for kind, groups in plan.kinds.items():
        before = len({piece.path for group in groups for piece in group})
        click.echo(f'  {kind}: {count_text(before, "file")} -> {len(groups)}')
