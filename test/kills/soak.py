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
Kill many recorders: ``soak.py [--kills 200] [--seed 1] [--vcodec h264] [--encode streaming]``.

It prints a table for docs/reliability.md. The exit status is 1 if a promise was broken.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
import os
from pathlib import Path
import random
import sys
import tempfile
import time

from killing import Account, AIMS, kill_once, read_with_lerobot, readers_view

# New datasets are frequent because a first episode is a special case, and checks stay quick.
KILLS_PER_DATASET = 10


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--kills', type=int, default=200)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--vcodec', default='h264', choices=('h264', 'hevc', 'libsvtav1'))
    parser.add_argument('--encode', default='streaming', choices=('streaming', 'deferred'))
    options = parser.parse_args()
    python = os.environ.get('STREAMREC_CONFORMANCE_PYTHON')
    begin_s, chance = time.monotonic(), random.Random(options.seed)
    kills, copies, problems, num_saved = [], {}, [], 0
    with tempfile.TemporaryDirectory(prefix='streamrec-soak-') as folder:
        for kill in range(options.kills):
            if kill % KILLS_PER_DATASET == 0:
                account, number = Account(), 0
                root = Path(folder, f'dataset_{kill // KILLS_PER_DATASET}')
            copy = Path(folder, f'killed_{kill}')
            num_before = len(account.lengths)
            killed, number = kill_once(
                root, chance, number, account, copy, options.vcodec, options.encode
            )
            num_saved += max(0, len(account.lengths) - num_before)
            kills.append(killed)
            problems += [f'kill {kill}, while {killed.at}: {one}' for one in killed.problems]
            if lengths := readers_view(copy)[0]:
                copies[copy] = lengths
            print(f'{kill + 1}/{options.kills} {killed}', file=sys.stderr, flush=True)
        if python:
            for copy, found in read_with_lerobot(python, copies).items():
                if found != copies[copy]:
                    problems.append(f'{copy.name}: LeRobot reads {found}, not {copies[copy]}')
    print(f'{options.vcodec}, {options.encode}, ', end='')
    print_table(kills, options.seed)
    print(f'\n{num_saved} episodes saved in {(time.monotonic() - begin_s) / 60:.0f} min.')
    shown = f'{len(copies)} killed datasets' if python else 'none (no environment with LeRobot)'
    print(f'Read whole by LeRobot before any recovery: {shown}.')
    print(f'Lost: {len(problems)} of {len(kills)}.')
    print('\n'.join(problems))
    return int(bool(problems))


def print_table(kills, seed):
    """Print the number of kills for each aim, the interrupted operations, and the loss."""
    groups = defaultdict(list)
    for kill in kills:
        groups[kill.aim].append(kill)
    print(f'{len(kills)} kills, seed {seed}\n')
    print('| aimed at | kills | last report | problems | rows lost of a running episode |')
    print('|---|---|---|---|---|')
    for aim in AIMS:
        group = groups[aim]
        lost = [kill.lost_rows for kill in group if kill.lost_rows is not None]
        said = ', '.join(f'{at} {n}' for at, n in Counter(kill.at for kill in group).most_common())
        cost = f'{max(lost)} at most, of {len(lost)}' if lost else 'none ran'
        bad = sum(bool(kill.problems) for kill in group)
        print(f'| {aim} | {len(group)} | {said} | {bad} | {cost} |')


if __name__ == '__main__':
    sys.exit(main())
