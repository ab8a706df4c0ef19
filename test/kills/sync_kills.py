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
Kills of a sync, of its store and of its network, while a recorder goes on.

As a script, ``sync_kills.py ROOT SEED`` is the recorder: it saves, labels and takes back episodes.
It obeys the lines ``pause`` and ``go``, answers the first one with the number of each change that
it has made, and ends with its input.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
import hashlib
import json
import os
from pathlib import Path
import random
import select
import shutil
import signal
import subprocess
import sys
import time

from cell import Cell, fetched, files_below, numbers_in, shared_files, status_of
from command_line import STREAMREC
from lerobot_streamrec.fleet.sync.store import Store
from weed_server import Network, WeedServer

TARGETS = ('sync', 'store', 'network')
CATCH_UP_S = 240.0
MAX_EPISODES = 10
# Slow enough that most instants fall into an upload.
BANDWIDTH_MIB_S = '0.05'


@dataclass
class Struck:
    """
    One kill.

    :ivar target: what was killed
    :ivar state: what the sync had told last
    :ivar num_objects: number of objects that were compared with the root's files afterwards
    :ivar problems: violations of the promises
    """

    target: str
    state: str = ''
    num_objects: int = 0
    problems: list[str] = field(default_factory=list)


class Range:
    """
    A recorder, a sync, a network and a store, all of which may be killed.

    :param folder: an existing empty folder
    :param seed: seed of the recorder's changes
    """

    def __init__(self, folder, seed):
        self.root = folder / 'cell'
        self._look_at = folder / 'look'
        (folder / 'weed').mkdir()
        self.store = WeedServer(folder / 'weed')
        self.network = Network(self.store.port)
        self.url = self.store.url('lab/cell', self.network.port)
        self._recorder = subprocess.Popen(
            [sys.executable, __file__, str(self.root), str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
        )
        assert self._recorder.stdout.readline() == 'ready\n'
        self._sync = None
        self.start_sync()

    def start_sync(self):
        options = ('--watch', '--bandwidth', BANDWIDTH_MIB_S)
        self._sync = subprocess.Popen(
            [sys.executable, *STREAMREC, 'sync', str(self.root), self.url, *options],
            stderr=subprocess.DEVNULL,
        )

    def tell(self, word):
        """Give the recorder a word; return its answer."""
        self._recorder.stdin.write(f'{word}\n')
        self._recorder.stdin.flush()
        return json.loads(self._recorder.stdout.readline())

    def strike(self, target, chance):
        """Kill one of them, and bring it back; the sync stands still until ``go_on``."""
        if target == 'sync':
            self._sync.kill()
            self._sync.wait(CATCH_UP_S)
            return
        if target == 'store':
            self.store.kill()
            time.sleep(chance.uniform(0.0, 3.0))
            self._sync.send_signal(signal.SIGSTOP)
            self.store.start()
            return
        self.network.tell(chance.choice(('silent', 'broken')))
        time.sleep(chance.uniform(0.0, 6.0))
        self._sync.send_signal(signal.SIGSTOP)
        self.network.tell('up')

    def go_on(self, target):
        """Start the sync, or let it run again."""
        if target == 'sync':
            self.start_sync()
        else:
            assert self._sync.poll() is None, f'the sync has ended: {self._sync.returncode}'
            self._sync.send_signal(signal.SIGCONT)

    def look(self):
        """Load what the store holds; return its folder, and the number of its episodes."""
        until_s = time.monotonic() + CATCH_UP_S
        while True:
            store = Store(self.store.url('lab/cell'))
            try:
                before = store.files()
                fetched(store.url, self._look_at)
                # The last request of a killed sync may still have been under way.
                if store.files() == before:
                    return self._look_at, len(numbers_in(self._look_at))
            except OSError as error:
                # A store that has just started knows all objects before it can read all.
                if isinstance(error, FileNotFoundError) or time.monotonic() > until_s:
                    raise

    def state(self):
        """Return what the sync has told last."""
        try:
            return status_of(self, self.url)['state']
        except FileNotFoundError:
            return 'starting'

    def wait_for_copying(self):
        """Wait until the sync copies; it looks for changes every few seconds only."""
        until_s = time.monotonic() + CATCH_UP_S
        while self.state() != 'copying':
            assert time.monotonic() < until_s, 'the sync does not copy'
            time.sleep(0.01)

    def compare(self):
        """
        Wait until the sync has caught up with a recorder that pauses, and compare all objects.

        :return: number of objects, and problems as sentences
        """
        here = {*shared_files(self.root)}
        until_s = time.monotonic() + CATCH_UP_S
        while True:
            assert self._sync.poll() is None, f'the sync has ended: {self._sync.returncode}'
            problems = ['the sync has not caught up']
            if self.state() == 'up to date':
                folder, _ = self.look()
                there = files_below(folder)
                problems = [f'{path} is lost' for path in here - set(there)]
                problems += [
                    f'{path} is wrong'
                    for path in there
                    if not (self.root / path).is_file()
                    or _digest(self.root / path) != _digest(folder / path)
                ]
                if not problems:
                    return len(there), []
            if time.monotonic() > until_s:
                return 0, problems
            time.sleep(0.3)

    def close(self):
        for process in (self._recorder, self._sync):
            if process is not None:
                process.kill()
                process.communicate()
        self.network.close()
        self.store.kill()


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def strike_often(folder, num_kills, seed, copies, say=lambda line: None):
    """
    Kill sync, store and network in turn at random instants, and check the copy after each kill.

    :param folder: an existing empty folder
    :param copies: receives the folder of each different state that was seen, and its number of
        episodes; such a folder lies below ``folder``
    :return: the kills, and the number of each change of the recorder
    """
    chance, struck, seen = random.Random(seed), [], set()
    place = Range(folder, seed)
    try:
        for kill in range(num_kills):
            one = Struck(TARGETS[kill % len(TARGETS)])
            struck.append(one)
            place.wait_for_copying()
            time.sleep(chance.uniform(0.0, 2.0))
            one.state = place.state()
            place.strike(one.target, chance)
            try:
                look, num_episodes = place.look()
                mark = tuple((path, _digest(look / path)) for path in sorted(files_below(look)))
                if num_episodes and mark not in seen:
                    seen.add(mark)
                    copies[shutil.copytree(look, folder / f'seen_{kill}')] = num_episodes
            # Whatever a reader says here is the finding.
            except Exception as error:  # noqa: BLE001
                one.problems.append(f'cannot be loaded: {type(error).__name__}: {error}')
            place.go_on(one.target)
            changes = place.tell('pause')
            one.num_objects, problems = place.compare()
            one.problems += problems
            say(f'{kill + 1}/{num_kills} {one}')
            place.tell('go')
        return struck, changes
    finally:
        place.close()


def print_table(struck, changes, seed):
    """Print the number of kills for each target, what they hit, and the problems."""
    print(f'{len(struck)} kills beside a sync, seed {seed}\n')
    print('| killed | kills | the sync was | objects compared | problems |')
    print('|---|---|---|---|---|')
    for target in TARGETS:
        group = [one for one in struck if one.target == target]
        states = Counter(one.state for one in group)
        said = ', '.join(f'{state} {number}' for state, number in states.most_common())
        objects = sum(one.num_objects for one in group)
        print(f'| {target} | {len(group)} | {said} | {objects} | ', end='')
        print(f'{sum(bool(one.problems) for one in group)} |')
    print(f'\nThe recorder meanwhile: {changes}')


def _record(root, seed):
    cell, chance, changes, is_paused = Cell(root), random.Random(seed), Counter(), False
    cell.save()
    print('ready', flush=True)
    while True:
        wait_s = None if is_paused else chance.uniform(0.1, 0.8)
        if select.select([sys.stdin], [], [], wait_s)[0]:
            line = sys.stdin.readline()
            if not line:
                return
            is_paused = line.strip() == 'pause'
            print(json.dumps(changes), flush=True)
            continue
        total = cell.writer.info.total_episodes
        verbs = ['save'] * (total < MAX_EPISODES) + ['undo', 'label'] * (total > 1)
        verb = chance.choice(verbs)
        changes[verb] += 1
        if verb == 'save':
            cell.save(chance.randint(2, 6))
        elif verb == 'undo':
            for _ in range(chance.randint(1, min(3, total - 1))):
                cell.undo()
        else:
            verdict = chance.choice(('success', 'failure'))
            cell.label(chance.randrange(total), verdict=verdict, colour=str(chance.random()))


if __name__ == '__main__':
    _record(Path(sys.argv[1]), int(sys.argv[2]))
