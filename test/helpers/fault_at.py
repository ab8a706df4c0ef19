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
"""Faults at one step of those that a writer takes, before or after the effect of that step."""

from __future__ import annotations

from collections import Counter
import errno
from itertools import count
import os
import shutil

from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.rebuild.new_tree import Disk
from thoroughness import THOROUGH

_OF_DISK = (
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
# Many files are linked or written one after the other, and one of five stands for its neighbours.
ALIKE = ('link', 'make_folder', 'write')


def chosen_steps(steps):
    """
    Choose the steps at which a test lets the disk fail; all of them in ``make soak``.

    :param steps: names of all steps, in their order
    :return: numbers of the chosen ones, the first and the last of each kind among them
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
    """Ends a program as a SIGKILL would: nothing is done after it."""


class FaultAt:
    """
    Lets one step fail of all that are taken, and keeps the names of the steps.

    :param step: number of the step, or a function that recognises it by its name and arguments;
        None: no step fails
    :param error: raised at that step
    :param is_after: True: the step has its effect before it fails
    :param is_lasting: True: every later step fails as well, without any effect
    """

    def __init__(self, step=None, error=None, *, is_after=False, is_lasting=False):
        self.arm(step, error, is_after=is_after, is_lasting=is_lasting)

    def arm(self, step=None, error=None, *, is_after=False, is_lasting=False):
        """Count steps from here on, and let another one fail; by default none."""
        self.step, self.error = step, error
        self.is_after, self.is_lasting = is_after, is_lasting
        self.steps, self.has_failed = [], False

    def take(self, name, effect, *arguments, **options):
        """Take one step."""
        if callable(self.step):
            is_due = self.step(name, arguments)
        else:
            is_due = len(self.steps) == self.step
        self.steps.append(name)
        if self.has_failed and self.is_lasting:
            raise self.error
        if is_due and not self.is_after:
            self.has_failed = True
            if name == 'remove_tree':
                _remove_half(arguments[0])
            raise self.error
        result = effect(*arguments, **options)
        if is_due:
            self.has_failed = True
            raise self.error
        return result

    def class_of(self, base, methods):
        """Make a subclass whose methods of these names are the steps."""

        def step(name):
            def method(this, *arguments, **options):
                effect = getattr(super(faulty, this), name)
                return self.take(name, effect, *arguments, **options)

            return method

        faulty = type(f'Faulty{base.__name__}', (base,), {name: step(name) for name in methods})
        return faulty

    @property
    def disk(self):
        """A disk for rebuilds and repairs whose methods are the steps."""
        return self.class_of(Disk, _OF_DISK)()

    def under_writers(self, monkeypatch, *methods):
        """Put files whose methods are the steps under all writers that are opened from now on."""
        faulty = self.class_of(Files, methods)
        monkeypatch.setattr('lerobot_streamrec.dataset.takes.open_dataset.Files', faulty)
        return self

    def under_fsync(self, monkeypatch):
        """Make every sync of a file or folder a step."""
        fsync = os.fsync
        monkeypatch.setattr(
            'os.fsync', lambda descriptor: self.take('fsync', fsync, descriptor)
        )
        return self


def io_error():
    """Make the error of a broken disk."""
    return OSError(errno.EIO, 'Input/output error')


def killed_at_each_replacement(root, module, change, monkeypatch):
    """
    Kill a change of a dataset at the first file it replaces, at the second, and so on.

    :param root: the dataset, which is the same before each try
    :param module: module of the change, whose ``Files`` die
    :param change: function that makes the change
    :return: yields after each kill, up to the first try that ends by itself
    """
    kept = shutil.copytree(root, root.with_name(f'{root.name}-kept'))
    for step in count():
        shutil.rmtree(root)
        shutil.copytree(kept, root)
        dying = FaultAt(step, Killed(), is_lasting=True).class_of(Files, ['replace'])
        with monkeypatch.context() as patch:
            patch.setattr(module, 'Files', dying)
            try:
                change()
            except Killed:
                pass
            else:
                return
        yield step


def _remove_half(folder):
    """Leave a tree as a removal that is interrupted does."""
    if folder.is_dir():
        for path in sorted(folder.rglob('*'))[::2]:
            if path.is_file():
                path.unlink()
