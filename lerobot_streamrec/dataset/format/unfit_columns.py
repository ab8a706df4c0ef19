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
"""The error of a column that cannot be used, which tools refuse and the check reports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum


class Unfit(Enum):
    """The way in which a column cannot be used."""

    COLUMN = 'column'
    TYPE = 'type'
    SHAPE = 'shape'
    VALUE = 'value'
    RANGE = 'range'


class UnfitError(Exception):
    """
    A column that cannot be used.

    :param reason: the kind of fault
    :param found: the type or value in the file, as a noun
    :param allowed: the types or values that are allowed, as a noun
    :param place: the column or the episode; empty if the caller names it
    """

    def __init__(self, reason: Unfit, found: object, allowed: object, place: str = '') -> None:
        values = f'found {found}, expected {allowed}'
        super().__init__(f'{place}: {values}' if place else values)
        self.reason = reason
        self.found = found
        self.allowed = allowed


@contextmanager
def naming(column: str) -> Iterator[None]:
    """Put the name of a column before an ``UnfitError``."""
    try:
        yield
    except UnfitError as error:
        place = f'column {column}'
        raise UnfitError(error.reason, error.found, error.allowed, place) from error
