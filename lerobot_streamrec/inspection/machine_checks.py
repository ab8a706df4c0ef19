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
"""The doctor's look at the machine: disk, processor, shared memory and time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
import fcntl
from operator import itemgetter
import os
from pathlib import Path
import re
import shutil
import subprocess

from lerobot_streamrec.dataset.format.info import DatasetInfo, with_defaults
from lerobot_streamrec.dataset.takes.open_dataset import look_at_root
from lerobot_streamrec.errors import DatasetLockedError, StreamrecError
from lerobot_streamrec.inspection.arrivals import span_text
from lerobot_streamrec.inspection.diagnosis import Level, Remark
from lerobot_streamrec.inspection.observation import Observation
from lerobot_streamrec.recording.config import MIB, RecorderConfig
from lerobot_streamrec.recording.disk_watch import free_bytes
from lerobot_streamrec.recording.encoder_selection import EncoderChoices
from lerobot_streamrec.settings.transports import FFMPEG_TYPE, RAW_TYPE, VIDEO_TYPE

SHARED_MEMORY = Path('/dev/shm')

# Segments hold messages and have random names. The pattern leaves out ports, which are small:
# Fast DDS reuses their names and repairs them itself.
_SEGMENT = re.compile(r'fast(rtps|dds)_[0-9a-f]{16}')


def left_over(folder: Path = SHARED_MEMORY) -> tuple[int, int]:
    """
    Count the shared memory segments whose processes are gone, without changing anything.

    :return: number of segments, and the memory that they occupy together in bytes
    """
    num_segments = size_bytes = 0
    try:
        found = sorted(folder.iterdir())
    except OSError:
        # Other systems keep shared memory elsewhere.
        found = []
    for segment in found:
        if not _SEGMENT.fullmatch(segment.name) or _is_owned(segment):
            continue
        try:
            # Blocks that were never written occupy no memory, so st_size would be too large.
            size_bytes += segment.stat().st_blocks * 512
        except OSError:
            continue
        num_segments += 1
    return num_segments, size_bytes


def _is_owned(segment: Path) -> bool:
    """Return True if the lock file beside a segment is locked, or another user's."""
    try:
        with segment.with_name(f'{segment.name}_el').open('rb') as file:
            # Closing the file releases this lock.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


@dataclass(frozen=True, slots=True)
class Check:
    """
    The result of a check of something other than a topic.

    :param name: name of the checked thing
    :param remark: result
    """

    name: str
    remark: Remark


TRIAL_TIMEOUT_S = 60.0
"""The longest time to wait for ``try_encoder``; the trial has its own limit, which is shorter."""


def try_encoder(config: RecorderConfig) -> Future[Check]:
    """Try the encoder in its own thread, so that a hanging codec cannot block the command."""
    pool = ThreadPoolExecutor(1, 'check-encoder')
    future = pool.submit(_encoder, config)
    pool.shutdown(wait=False)
    return future


def _encoder(config: RecorderConfig) -> Check:
    if not config.cameras:
        return Check('encoder', Remark(Level.OK, 'no camera, nothing to encode'))
    try:
        choices = EncoderChoices(config)
        choice = choices.choose_now()
    except StreamrecError as error:
        return Check('encoder', Remark(Level.PROBLEM, str(error)))
    chosen = choice.level.encoders if choice is not None else {}
    works = {
        f'{chosen.get(camera.key, choices.encoder(camera.key)).vcodec}'
        f'{" for depth" if camera.depth else ""}'
        for camera in config.cameras
    }
    names = ' and '.join(sorted(works))
    text = f'encodes here with {names}, at {config.fps} frames per second'
    told = [text, *([str(choice)] if choice is not None else []), choices.summary]
    is_slow = choice is not None and not choice.fits
    level = Level.WARNING if is_slow else Level.OK
    return Check('encoder', Remark(level, '; '.join(filter(None, told))))


def check_root(config: RecorderConfig, *, is_recorder_there: bool) -> tuple[Check, DatasetInfo]:
    """
    Check the dataset's folder without changing anything on disk.

    :param is_recorder_there: True if a recorder runs, which may be the one that holds the lock
    :return: the check, and the description of the existing or future dataset
    """
    features = config.features()
    info = DatasetInfo(config.fps, config.robot_type, with_defaults(features))
    try:
        outlook = look_at_root(
            config.root,
            fps=config.fps,
            robot_type=config.robot_type,
            features=features,
            resume=config.resume,
        )
    except DatasetLockedError as error:
        level = Level.NOTE if is_recorder_there else Level.PROBLEM
        return Check('dataset', Remark(level, str(error))), info
    except StreamrecError as error:
        return Check('dataset', Remark(Level.PROBLEM, str(error))), info
    if outlook.is_new:
        text = f'{config.root} will be created'
    else:
        info = outlook.info
        text = f'{config.root} holds {info.total_episodes} episodes, and will be appended to'
    if outlook.num_takes:
        text += (
            f'; it holds {outlook.num_takes} takes that a crash interrupted (the recorder will '
            f'{config.recovery} them when it starts) or that wait to be encoded'
        )
    return Check('dataset', Remark(Level.OK, text)), info


def check_recording(
    config: RecorderConfig, trial: Future[Check], placeholder: str, *, is_recorder_there: bool
) -> tuple[list[Check], DatasetInfo]:
    """
    Check the encoder, the dataset's folder, the disk and the task.

    :param trial: trial of the encoder, which had ``TRIAL_TIMEOUT_S`` to end
    :param placeholder: text of a task that was not set yet
    :param is_recorder_there: True if a recorder runs, which may be the one that holds the lock
    :return: the checks, and the description of the existing or future dataset
    """
    root, info = check_root(config, is_recorder_there=is_recorder_there)
    return [_tried(trial), root, check_disk(config), check_task(config, placeholder)], info


def _tried(trial: Future[Check]) -> Check:
    if not trial.done():
        text = f'it did not encode two frames within {TRIAL_TIMEOUT_S:g} s'
        return Check('encoder', Remark(Level.PROBLEM, text))
    return trial.result()


def check_disk(config: RecorderConfig) -> Check:
    """Check whether the disk has space for an episode."""
    try:
        free = free_bytes(config.root)
    except OSError as error:
        return Check('disk', Remark(Level.WARNING, f'the free space cannot be read: {error}'))
    text = f'{free / 1e9:.1f} GB free'
    if free < config.disk.reserve_mib * MIB:
        text += (
            f', less than disk.reserve_mib ({config.disk.reserve_mib} MiB): no episode would '
            'start; make room'
        )
        return Check('disk', Remark(Level.PROBLEM, text))
    return Check('disk', Remark(Level.OK, text))


def check_shared_memory() -> Check:
    """Look for shared memory that killed processes have left behind."""
    num_segments, size_bytes = left_over()
    if not num_segments:
        return Check('shared memory', Remark(Level.OK, 'no segments were left behind'))
    text = (
        f'{num_segments} segments of processes that were killed take '
        f'{size_bytes / 1e6:.1f} MB in /dev/shm; `fastdds shm clean` removes them'
    )
    return Check('shared memory', Remark(Level.NOTE, text))


def check_clock(is_sim_time: bool, num_clocks: int) -> list[Check]:
    """
    Check that the recorder uses the clock of a simulation if there is one.

    :param is_sim_time: True if the settings say to use simulated time
    :param num_clocks: number of publishers of /clock
    """
    if is_sim_time and not num_clocks:
        text = 'use_sim_time is true, but nobody publishes /clock: start the simulation'
        return [Check('clock', Remark(Level.PROBLEM, text))]
    if num_clocks and not is_sim_time:
        text = '/clock is published: if it comes from a simulation, set use_sim_time: true'
        return [Check('clock', Remark(Level.NOTE, text))]
    return []


def check_namesakes(name: str, num_recorders: int) -> list[Check]:
    """
    Check that no two recorders share a name, since one service call would reach both.

    :param name: full name of their nodes
    :param num_recorders: number of recorders with this name
    """
    if num_recorders < 2:
        return []
    text = (
        f'{num_recorders} recorders are called {name}, and none starts an episode while the '
        'others run: end all but one, or give them namespaces'
    )
    return [Check('recorders', Remark(Level.PROBLEM, text))]


def check_task(config: RecorderConfig, placeholder: str) -> Check:
    """Check that a task is set, because no episode starts without one."""
    if not config.task:
        text = 'none is set: no episode can start until one is published on the topic ~/task'
        return Check('task', Remark(Level.NOTE, text))
    if config.task == placeholder:
        return Check('task', Remark(Level.WARNING, f'is still {placeholder!r}: set task'))
    return Check('task', Remark(Level.OK, config.task))


_COMMAND = ('chronyc', 'tracking')
_NAME = 'time'
_TIMEOUT_S = 3.0
# The clocks of two synchronised computers differ by less than this.
_OFF_S = 0.05
_SYSTEM_TIME = re.compile(r'([\d.]+(?:e[-+]?\d+)?) seconds (slow|fast) of NTP time')


def check_time(timeout_s: float = _TIMEOUT_S, *, is_alone: bool = True) -> list[Check]:
    """
    Ask chrony, or else systemd, whether the clock of this computer is synchronised.

    :param timeout_s: longest time to wait for an answer, in seconds
    :param is_alone: True if no publisher is known to be on another host, so only chrony is asked
    :return: one check; empty if nobody knows
    """
    program = shutil.which(_COMMAND[0])
    if program is None:
        return [] if is_alone else _systemd_time(timeout_s)
    try:
        answer = subprocess.run(
            [program, *_COMMAND[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            env={**os.environ, 'LC_ALL': 'C'},
            text=True,
            errors='replace',
            check=True,
        ).stdout
    except subprocess.TimeoutExpired:
        return [_note(f'did not answer within {timeout_s:g} s')]
    except subprocess.CalledProcessError as error:
        last = (error.stdout + error.stderr).strip().splitlines()[-1:]
        return [_note(f'failed: {"".join(last) or f"status {error.returncode}"}')]
    except OSError as error:
        return [_note(f'cannot be run: {error.strerror or error}')]
    return [_judged(answer)]


def _systemd_time(timeout_s: float) -> list[Check]:
    command = ['timedatectl', 'show', '--property=NTPSynchronized', '--value']
    try:
        run = subprocess.run(
            command, capture_output=True, timeout=timeout_s, text=True, check=False
        )
        answer = run.stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        answer = ''
    how = 'install chrony on all hosts (docs/hosts.md)'
    if answer == 'yes':
        text = f'timedatectl says that the clock is synchronised, but not how well: {how}'
        return [Check(_NAME, Remark(Level.NOTE, text))]
    text = 'timedatectl says that it is not' if answer == 'no' else 'nothing here tells'
    text = f'is the clock of this computer synchronised with those of other hosts? {text}: {how}'
    return [Check(_NAME, Remark(Level.WARNING if answer == 'no' else Level.NOTE, text))]


_LINKS = Path('/sys/class/net')
# What DDS and repetitions add, and bursts, do not fit in beyond this share of a link.
_FULL_SHARE = 0.7


def check_packets(seen: Sequence[Observation]) -> list[Check]:
    """Name the topics with packets of video, which are not always encoded here."""
    topics = [one.topic for one in seen if one.message_type in (FFMPEG_TYPE, VIDEO_TYPE)]
    text = f'packets of {", ".join(topics)} are copied as long as rows show one after the other, '
    text += 'as those of the camera of sync.clock do, and encoded here otherwise'
    return [Check('packets', Remark(Level.OK, text))] if topics else []


def check_network(seen: Sequence[Observation], links: Path = _LINKS) -> list[Check]:
    """
    Compare what the pictures from other hosts need with the speed of the network.

    :param seen: facts of all topics
    :param links: folder of the network interfaces
    :return: one check; empty if no pictures are known to come from another host
    """
    cameras = [one for one in seen if one.is_elsewhere and one.is_camera and one.bits_per_s]
    if not cameras:
        return []
    raw = [one for one in cameras if one.message_type == RAW_TYPE]
    needed = sum(one.bits_per_s for one in cameras) / 1e6
    shares = ', '.join(f'{one.topic} {one.bits_per_s / 1e6:.0f}' for one in cameras)
    text = f'pictures from other hosts need {needed:.0f} Mbit/s ({shares})'
    speeds = dict(_speeds(links))
    level = Level.NOTE if raw else Level.OK
    if speeds:
        name, slowest = min(speeds.items(), key=itemgetter(1))
        text += f' of {slowest} Mbit/s ({name}{", the slowest link" if len(speeds) > 1 else ""})'
        if needed > slowest:
            level = Level.PROBLEM
        elif needed > _FULL_SHARE * slowest:
            level = Level.WARNING
    else:
        text += '; no network interface here tells its speed: compare it with the switch'
    if raw:
        text += (
            f'. {", ".join(one.topic for one in raw)}: as packets, raw pictures need about a '
            'fifteenth: on the host of the camera, run `ros2 run lerobot_streamrec camera_packets '
            f'--ros-args -p topic:={raw[0].topic}`, or publish JPEGs (image_transport)'
        )
    return [Check('network', Remark(level, text))]


def _speeds(links: Path) -> Iterator[tuple[str, int]]:
    """Yield the name and the speed in Mbit/s of each link that is up and knows it."""
    for link in sorted(links.glob('*')):
        try:
            # Only real devices have this folder; bridges and tunnels pass on what others carry.
            is_real = (link / 'device').exists()
            speed = int((link / 'speed').read_text('ascii'))
            is_up = (link / 'operstate').read_text('ascii').strip() == 'up'
        except (OSError, ValueError):
            continue
        if is_real and is_up and speed > 0:
            yield link.name, speed


def _judged(answer: str) -> Check:
    lines = (line.partition(':') for line in answer.splitlines())
    fields = {name.strip(): value.strip() for name, _, value in lines}
    found = _SYSTEM_TIME.fullmatch(fields.get('System time', ''))
    if found is None:
        return _note(f'printed {answer[:80]!r}, which has no line "System time"')
    off_s, side = float(found[1]), found[2]
    text = f'the clock of this computer is {span_text(off_s)} {side} of NTP time'
    if fields.get('Leap status') == 'Not synchronised':
        text = (
            'the clock of this computer is not synchronised (chronyc tracking: Leap status), and '
            'may jump in the middle of an episode; see `chronyc sources`'
        )
        return Check(_NAME, Remark(Level.WARNING, text))
    if off_s > _OFF_S:
        text += ': stamps do not match those of other computers; wait, or run `chronyc makestep`'
        return Check(_NAME, Remark(Level.WARNING, text))
    return Check(_NAME, Remark(Level.OK, text))


def _note(what: str) -> Check:
    return Check(_NAME, Remark(Level.NOTE, f'{" ".join(_COMMAND)} {what}'))
