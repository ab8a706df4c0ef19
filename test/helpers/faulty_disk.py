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
"""A disk for rebuilds and repairs on which one step fails, before or after its effect."""

from __future__ import annotations

from collections import Counter

from lerobot_streamrec.dataset.rebuild.new_tree import Disk
from thoroughness import THOROUGH

METHODS = (
    'make_folder',
    'link',
    'write',
    'settle',
    'give_to_owner_of',
    'sync_folders',
    'exchange',
    'move',
    'remove',
    'remove_tree',
)


# Many files are linked or written in a row, so every fifth step represents its neighbours.
ALIKE = ('link', 'make_folder', 'write')


def chosen_steps(steps):
    """
    Choose the steps at which a test lets the disk fail; ``make soak`` uses all of them.

    :param steps: names of all steps, in their order
    :return: numbers of the chosen steps, including the first and the last of each kind
    """
    last = {name: at for at, name in enumerate(steps)}
    count = Counter()
    chosen = []
    for at, name in enumerate(steps):
        if THOROUGH or name not in ALIKE or count[name] % 5 == 0 or at == last[name]:
            chosen.append(at)
        count[name] += 1
    return chosen


class Killed(BaseException):
    """An error that ends a tool as a SIGKILL would, since no handler catches it."""


class FaultyDisk(Disk):
    """A disk on which one step fails."""

    def __init__(self, step=None, error=None, *, is_after=False):
        self.step, self.error, self.is_after = step, error, is_after
        self.steps = []

    def around(self, name, effect, arguments, options):
        is_due = len(self.steps) == self.step
        self.steps.append(name)
        if is_due and not self.is_after:
            if name == 'remove_tree' and arguments[0].is_dir():
                # The kill comes when half of the tree is removed.
                for path in sorted(arguments[0].rglob('*'))[::2]:
                    if path.is_file():
                        path.unlink()
            raise self.error
        effect(*arguments, **options)
        if is_due:
            raise self.error


def _faulty(name):
    def method(self, *arguments, **options):
        self.around(name, getattr(super(FaultyDisk, self), name), arguments, options)

    return method


for _name in METHODS:
    setattr(FaultyDisk, _name, _faulty(_name))
