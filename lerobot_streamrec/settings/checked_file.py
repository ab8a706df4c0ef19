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
"""Files that a command writes for the user: checked before they get their name, and durable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import errno
import os
from pathlib import Path
import tempfile

from lerobot_streamrec.durable import replace_durably, sync_file, sync_folder
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.installed import streamrec_command

OUTPUT = 'OUTPUT'

# The errors of file systems without hard links, such as those of memory cards.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)


def refuse_existing(path: Path, *, force: bool, name: str = OUTPUT) -> None:
    """
    Refuse a path that cannot be written, or that holds a file to be kept.

    :param force: True to allow replacing an existing file
    :param name: name of the argument with the path, for the error
    :raise ConfigError: if the path is refused
    """
    if path.is_dir():
        raise ConfigError(name, str(path), 'it is a folder; name a file')
    if path.exists() and not force:
        raise ConfigError(name, str(path), 'it exists already; add --force to replace it')
    if not path.parent.is_dir():
        raise ConfigError(name, str(path), f'there is no folder {path.parent}; make it first')


def refuse_missing(path: Path, bag: Path | None = None) -> None:
    """
    Refuse a parameter file that does not exist, and name the command that makes one.

    :param bag: bag for which the file is; None for the running graph
    :raise ConfigError: if it does not exist
    """
    if not path.is_file():
        make = streamrec_command('init', *(() if bag is None else ('--bag', bag)), path)
        raise ConfigError('PARAMS', str(path), f'the file does not exist; `{make}` makes one')


def write_checked(
    path: Path, text: str, check: Callable[[Path], None], *, force: bool, name: str = OUTPUT
) -> None:
    """
    Write a temporary file, check it, and move it to its path.

    :param check: function that raises an error if the file cannot be used
    :param force: True to replace an existing file
    :param name: name of the argument with the path, for the error
    :raise ConfigError: if the file cannot be written; errors of the check pass through
    """
    refuse_existing(path, force=force, name=name)
    try:
        with _file_beside(path) as aside:
            aside.write_text(text, 'utf-8')
            check(aside)
            _move(aside, path, force=force, name=name)
    except OSError as error:
        raise ConfigError(name, str(path), f'{error.strerror or error}') from error


@contextmanager
def _file_beside(path: Path) -> Iterator[Path]:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.stem}-', suffix='.yaml')
    aside = Path(temporary)
    try:
        # mkstemp makes the file private; give it the usual permissions of a new file.
        umask = os.umask(0)
        os.umask(umask)
        os.fchmod(handle, 0o666 & ~umask)
        os.close(handle)
        yield aside
    finally:
        aside.unlink(missing_ok=True)


def _move(aside: Path, path: Path, *, force: bool, name: str) -> None:
    if not force:
        try:
            sync_file(aside)
            # Unlike a rename, a hard link never replaces a file that was created meanwhile.
            path.hardlink_to(aside)
        except FileExistsError:
            refuse_existing(path, force=False, name=name)
            raise
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
        else:
            sync_folder(path.parent)
            return
    replace_durably(aside, path)
