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

Then kill syncs, their store and their network beside a recorder: ``[--sync-kills 50]``.

It prints tables for docs/reliability.md. The exit status is 1 if a promise was broken.
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
from s3_server import CREDENTIALS
from sync_kills import print_table as print_sync_table
from sync_kills import strike_often
from weed_server import WEED

# New datasets are frequent because a first episode is a special case, and checks stay quick.
KILLS_PER_DATASET = 10


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--kills', type=int, default=200)
    parser.add_argument('--sync-kills', type=int, default=50)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--vcodec', default='h264', choices=('h264', 'hevc', 'libsvtav1'))
    parser.add_argument('--encode', default='streaming', choices=('streaming', 'deferred'))
    options = parser.parse_args()
    if options.sync_kills and WEED is None:
        parser.error('SeaweedFS is missing (requirements/dev.txt): --sync-kills 0 leaves it out')
    num_problems = kill_recorders(options) if options.kills else 0
    if options.sync_kills:
        num_problems += kill_syncs(options.sync_kills, options.seed)
    return int(bool(num_problems))


def kill_syncs(num_kills, seed):
    """Kill syncs, stores and networks; return the number of problems."""
    # They stand in the environment before pyarrow looks for them.
    os.environ.update(CREDENTIALS)
    python, copies = os.environ.get('STREAMREC_CONFORMANCE_PYTHON'), {}
    with tempfile.TemporaryDirectory(prefix='streamrec-soak-') as folder:
        struck, changes = strike_often(
            Path(folder), num_kills, seed, copies, lambda line: print(line, file=sys.stderr)
        )
        problems = [f'kill {at}: {text}' for at, one in enumerate(struck) for text in one.problems]
        if python:
            problems += unlike(copies, read_with_lerobot(python, copies))
    print_sync_table(struck, changes, seed)
    shown = f'{len(copies)} different copies' if python else 'none (no environment with LeRobot)'
    print(f'Read whole by LeRobot before the sync went on: {shown}.')
    print(f'Objects lost or wrong, and copies that cannot be loaded: {len(problems)}.')
    print('\n'.join(problems))
    return len(problems)


def unlike(copies, found):
    """Return sentences on copies that LeRobot does not read as they are."""
    lengths = {folder: len(one) if isinstance(one, list) else one for folder, one in found.items()}
    return [
        f'{folder.name}: LeRobot reads {lengths[folder]} episodes, not {number}'
        for folder, number in copies.items()
        if lengths[folder] != number
    ]


def kill_recorders(options):
    """Kill recorders, and print what was lost; return the number of problems."""
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
    return len(problems)


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
