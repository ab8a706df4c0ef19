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
"""Kills of recorders, and the comparison of the remaining files with the recorders' reports."""

from __future__ import annotations

from dataclasses import dataclass, field
import json
import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import threading

import av
from lerobot_streamrec.dataset.takes.deferred import DeferredTakes, encode_take
from lerobot_streamrec.dataset.takes.open_dataset import open_dataset
import pandas as pd
import victim

ROOT = Path(__file__).parents[2]
READER = Path(__file__).with_name('lerobot_reader.py')
READ_TIMEOUT_S = 1800
AIMS = {
    'any time': ('save', (0.3, 2.5)),
    'starting': ('save', (0.0, 0.02)),
    'saving': ('save', (0.0, 0.06)),
    'discarding': ('discard', (0.0, 0.01)),
    'undoing': ('undo', (0.0, 0.03)),
    'finalizing': ('finalize', (0.0, 0.15)),
}
"""The target of a kill: the verb that becomes more frequent for it, and the delay in seconds."""
START_S = 120.0
"""The time in which a recorder is ready even on a busy machine."""
END_S = 5.0
OFTEN = ('saving', 'starting')
MAX_LOST_ROWS = victim.FPS
"""The number of rows in one second."""


@dataclass
class Account:
    """
    The answers of a recorder since the dataset was empty.

    :ivar lengths: number of rows of every saved episode
    :ivar saving: True while a save is not answered; the number of its rows is unknown
    :ivar running: last reported number of rows of the running episode; None if none runs
    :ivar doing: verb that was requested but not answered; empty if none
    """

    lengths: list[int] = field(default_factory=list)
    saving: bool = False
    running: int | None = None
    doing: str = ''

    def hear(self, line):
        word, _, rest = line.partition(' ')
        if word == 'saving':
            self.saving, self.running = True, None
        elif word == 'saved':
            self.saving = False
            self.lengths.append(int(rest))
        elif word == 'started':
            self.running = 0
        elif word == 'rows' and self.running is not None:
            self.running = int(rest)
        elif word in ('undoing', 'discarding', 'finalizing'):
            self.doing = word
        elif word in ('done', 'refused'):
            self.doing = ''
            if line == 'done undo':
                self.lengths.pop()
            if line == 'done discard':
                self.running = None

    def allows(self, seen, *, is_deferred):
        """
        Return True if readers may see episodes of these lengths.

        :param is_deferred: True if saved episodes may still wait to be encoded
        """
        for allowed in self._allowed_lengths():
            is_number_right = len(seen) == len(allowed) or (
                is_deferred and len(seen) < len(allowed)
            )
            # The number of rows of an unanswered save is unknown.
            pairs = zip(seen, allowed, strict=False)
            if is_number_right and all(one is None or length == one for length, one in pairs):
                return True
        return False

    def _allowed_lengths(self):
        """Return the allowed lengths: those without and with the effect of unanswered verbs."""
        allowed = [self.lengths]
        if self.doing == 'undoing':
            allowed.append(self.lengths[:-1])
        if self.saving:
            allowed.append([*self.lengths, None])
        return allowed


@dataclass
class Killed:
    """
    One kill.

    :ivar aim: operation that the kill should interrupt
    :ivar at: last report of the recorder
    :ivar lost_rows: lost rows of the running episode; None if none was running
    :ivar problems: violations of the promises
    """

    aim: str
    at: str
    lost_rows: int | None = None
    problems: list[str] = field(default_factory=list)


def live_and_die(root, seed, number, account, aim, delay_s, after_times, *settings):
    """
    Start a recorder, and kill it at the n-th start of the operation that the kill aims at.

    :param after_times: the n of the n-th start
    :param settings: vcodec and encode
    :return: last report of the recorder, and the first message number of the next life
    """
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    command = [sys.executable, str(Path(victim.__file__)), str(root), str(seed), str(number)]
    command += [AIMS[aim][0], *settings]
    last, num_times, num_rows = 'opening', 0, 0
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        give_up = threading.Timer(START_S, process.kill)
        give_up.start()
        kill = None
        try:
            for line in process.stdout:
                if not line.endswith('\n'):
                    # The kill came in the middle of a word.
                    break
                account.hear(line.strip())
                num_rows += line.startswith('rows')
                if not line.startswith('rows'):
                    last = line.split()[0]
                if last == 'ready' and give_up.interval == START_S:
                    give_up.cancel()
                    give_up = threading.Timer(END_S, process.kill)
                    give_up.start()
                is_due = line.split()[0] == ('ready' if aim == 'any time' else aim)
                num_times += is_due
                if is_due and num_times == after_times and kill is None:
                    kill = threading.Timer(delay_s, process.kill)
                    kill.start()
        finally:
            process.kill()
            give_up.cancel()
            if kill is not None:
                kill.join()
        said = process.stderr.read()
    if process.returncode != -signal.SIGKILL:
        raise AssertionError(f'the recorder ended by itself: {process.returncode}\n{said}')
    return last, number + num_rows + 1


def readers_view(root):
    """
    Read the episodes that info.json announces, as LeRobot does.

    :return: lengths of the episodes, and problems as sentences
    """
    if not (root / 'meta/info.json').is_file():
        return [], []
    info = pd.read_json(root / 'meta/info.json', typ='series')
    total, num_rows = info['total_episodes'], info['total_frames']
    episodes = pd.concat(map(pd.read_parquet, sorted(root.glob('meta/episodes/*/*.parquet'))))
    rows = pd.concat(map(pd.read_parquet, sorted(root.glob('data/*/*.parquet'))))[:num_rows]
    problems = []
    if rows['index'].tolist() != list(range(num_rows)):
        problems.append(f'rows are not 0 to {num_rows - 1}')
    episodes = episodes[:total]
    if episodes['episode_index'].tolist() != list(range(total)):
        problems.append(f'episodes are not 0 to {total - 1}')
    for _, episode in episodes.iterrows():
        problems += _episode_problems(root, info, episode, rows)
    return episodes['length'].tolist(), problems


def _episode_problems(root, info, episode, rows):
    index, key = episode['episode_index'], victim.FRONT
    own = rows[rows['episode_index'] == index]
    numbers = [int(value) for value in own[victim.STATE]]
    if len(numbers) != episode['length']:
        return [f'episode {index} has {len(numbers)} of {episode["length"]} rows']
    path = root / info['video_path'].format(
        video_key=key,
        chunk_index=episode[f'videos/{key}/chunk_index'],
        file_index=episode[f'videos/{key}/file_index'],
    )
    first = round(episode[f'videos/{key}/from_timestamp'] * victim.FPS)
    shown = _numbers_shown(path)[first : first + len(numbers)]
    problems = []
    if shown != [number % 4096 for number in numbers]:
        problems.append(f'episode {index} shows {shown}, its rows are {numbers}')
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        problems.append(f'episode {index} has rows that are not one after the other: {numbers}')
    return problems


def _numbers_shown(path):
    half, block = victim.BLOCK // 2, victim.BLOCK
    with av.open(str(path)) as container:
        return [
            sum(
                1 << bit
                for bit, level in enumerate(
                    frame.to_ndarray(format='gray')[half : 3 * block : block, half::block].ravel()
                )
                if level > 127
            )
            for frame in container.decode(video=0)
        ]


def recover(root):
    """
    Open the dataset as the next recorder does, and encode the waiting episodes.

    :return: remarks on interrupted takes
    """
    settings = victim.config(root, 'h264')
    writer, said = open_dataset(
        root, fps=settings.fps, robot_type=None, features=settings.features(), resume=True
    )
    takes = DeferredTakes(writer)
    for take in takes.takes:
        takes.commit(take, encode_take(take.folder, take.saved.num_rows))
    writer.close()
    return said


def kill_once(root, random, number, account, copy_to=None, vcodec='h264', encode='streaming'):
    """
    Let a recorder live for some seconds, kill it, and check the remaining files.

    :param account: account of the earlier lives; updated to the state after recovery
    :param copy_to: folder for a copy of the dataset as the kill left it; None for no copy
    :param vcodec: codec of the recorder's videos
    :param encode: streaming or deferred
    :return: the kill, and the first message number of the next life
    """
    aim = random.choice(list(AIMS))
    delay_s = random.uniform(*AIMS[aim][1])
    seed = random.randrange(1 << 30)
    times = random.randint(1, 1 + (aim in OFTEN))
    last, number = live_and_die(
        root, seed, number, account, aim, delay_s, times, vcodec, encode
    )
    killed = Killed(aim, last)
    if copy_to is not None:
        shutil.copytree(root, copy_to)
    seen, problems = readers_view(root)
    killed.problems += [f'before recovery: {problem}' for problem in problems]
    is_deferred = encode == 'deferred'
    if not account.allows(seen, is_deferred=is_deferred):
        killed.problems.append(
            f'readers see episodes of {seen} rows before recovery, answered were {account}'
        )
    recover(root)
    after, problems = readers_view(root)
    killed.problems += [f'after recovery: {problem}' for problem in problems]
    _judge_recovery(killed, account, seen, after)
    account.lengths[:] = after
    account.saving, account.running, account.doing = False, None, ''
    return killed, number


def _judge_recovery(killed, account, seen, after):
    if after[: len(seen)] != seen:
        killed.problems.append(f'recovery made {after} of {seen}')
    num_answered = len(account.lengths) - (account.doing == 'undoing')
    if after[:num_answered] != account.lengths[:num_answered]:
        killed.problems.append(f'saved were {account.lengths}, and after recovery {after}')
    added = after[max(len(seen), num_answered) :]
    is_saved = len(seen) > len(account.lengths)
    if account.saving and not is_saved:
        if not added:
            killed.problems.append('the episode that was being saved is lost')
        added = added[1:]
    if account.running is None or account.doing == 'discarding':
        return
    killed.lost_rows = max(0, account.running - sum(added))
    if killed.lost_rows > MAX_LOST_ROWS:
        killed.problems.append(f'{killed.lost_rows} rows of the running episode are lost')


def read_with_lerobot(python, roots):
    """
    Open datasets with LeRobot's own loader, and read every item.

    :param python: Python of an environment with the real LeRobot
    :param roots: folders of the datasets
    :return: by root, the lengths of its episodes in the loader, or the loader's error
    """
    done = subprocess.run(
        [python, str(READER), *map(str, roots)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=READ_TIMEOUT_S,
        check=True,
    )
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{')]
    return {Path(one['root']): one['lengths'] or one['error'] for one in found}
