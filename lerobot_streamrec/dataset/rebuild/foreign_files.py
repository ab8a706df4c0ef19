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
"""
What is done with files below a root that are no part of a dataset.

A tool that changes a dataset keeps them where they are. A merge takes them over from each
dataset, and puts those whose names are taken into a folder of that dataset's name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
import filecmp
from pathlib import Path, PurePosixPath
import re

from lerobot_streamrec.dataset.format.catalog import Catalog
from lerobot_streamrec.dataset.format.layout import is_left_by_recording
from lerobot_streamrec.dataset.rebuild.index_tables import index_tables
from lerobot_streamrec.dataset.rebuild.new_tree import foreign_files, NewTree

MERGED_FROM = 'merged_from'
"""The folder for files whose names are taken, with one folder for each dataset."""

_READ_BY_ALL = re.compile(r'(data|meta/episodes)/[^/]+/[^/]+\.parquet')
_SHOWN = 5


def named(paths: Iterable[str]) -> str:
    """Name files in a sentence; of many, the first ones."""
    listed = list(paths)
    text = ', '.join(listed[:_SHOWN])
    return text if len(listed) <= _SHOWN else f'{text} and {len(listed) - _SHOWN} more'


@dataclass(frozen=True, slots=True)
class ForeignFiles:
    """
    Files that a merge takes over.

    :param copies: each file, and its place below the new root
    :param remarks: a sentence for each file that moves elsewhere or is left out
    """

    copies: tuple[tuple[Path, str], ...]
    remarks: tuple[str, ...]

    def copy(self, tree: NewTree) -> None:
        """
        Make copies of all of them, since their owners edit them, in either place.

        :raise RebuildError: if one cannot be read or written
        """
        for source, relative in self.copies:
            tree.copy(source, relative)


def find_foreign_files(catalogs: Sequence[Catalog], united: Collection[str]) -> ForeignFiles:
    """
    Decide on every file of datasets that are merged. Reads those whose names are taken.

    :param catalogs: the datasets, in their order
    :param united: files that the caller makes one of
    """
    taken: dict[str, Path] = {}
    copies: list[tuple[Path, str]] = []
    remarks: list[str] = []
    for catalog, folder in zip(catalogs, _folders(catalogs), strict=True):
        moved, left = [], set()
        for relative in foreign_files(catalog.root):
            source = catalog.root / relative
            if relative in united:
                continue
            if reason := _why_left(catalog.root, relative):
                left.add(reason)
            elif not _is_taken(relative, taken):
                taken[relative] = source
                copies.append((source, relative))
            elif relative not in taken or not filecmp.cmp(taken[relative], source, shallow=False):
                moved.append(relative)
                copies.append((source, f'{MERGED_FROM}/{folder}/{relative}'))
        if moved:
            remarks.append(
                f'{catalog.root} has different files with the names of files copied before; they '
                f'are in {MERGED_FROM}/{folder}: {named(sorted(moved))}'
            )
        if left:
            remarks.append(f'not copied from {catalog.root}: {named(sorted(left))}')
    return ForeignFiles(tuple(copies), tuple(remarks))


def numbered_meta_files(catalog: Catalog) -> list[str]:
    """Name files of other writers in meta, which may hold episode numbers; a sentence or none."""
    tables = set(index_tables(catalog.root, catalog.info.features).values())
    found = sorted(
        one
        for one in foreign_files(catalog.root)
        if one.startswith('meta/') and one not in tables
    )
    if not found:
        return []
    return [f'{named(found)}: kept as they are; episode numbers in them are the old ones']


def _folders(catalogs: Sequence[Catalog]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for catalog in catalogs:
        name = catalog.root.name or 'root'
        seen[name] = seen.get(name, 0) + 1
        yield name if seen[name] == 1 else f'{name}.{seen[name]}'


def _is_taken(relative: str, taken: Collection[str]) -> bool:
    """Whether a file, or a folder where a file is to be, or the reverse, is there already."""
    above = {str(one) for one in PurePosixPath(relative).parents}
    return relative in taken or any(
        one in above or one.startswith(f'{relative}/') for one in taken
    )


def _why_left(root: Path, relative: str) -> str:
    """Name a file that a merge leaves where it is, with the reason; empty if it is copied."""
    top, _, below = relative.partition('/')
    if below and top.startswith('.'):
        # Version control and caches are about the folder that they stand in.
        return f'{top}/'
    if not (root / relative).is_file():
        return f'{relative} (a link)'
    if _READ_BY_ALL.fullmatch(relative):
        return f'{relative} (readers would take it for episodes)'
    if is_left_by_recording(relative):
        return f'{top} (left over from a recording)'
    return ''
