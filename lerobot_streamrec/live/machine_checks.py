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
"""What else a recording needs of this machine: an encoder, a root, and room."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from lerobot_streamrec.dataset.format.info import DatasetInfo, with_defaults
from lerobot_streamrec.dataset.takes.preview_open import look_at_root
from lerobot_streamrec.errors import DatasetLockedError, StreamrecError
from lerobot_streamrec.live.remarks import Level, Remark
from lerobot_streamrec.live.shared_memory import left_over
from lerobot_streamrec.recording.config import MIB, RecorderConfig
from lerobot_streamrec.recording.disk_watch import free_bytes
from lerobot_streamrec.recording.encoder_selection import EncoderChoices


@dataclass(frozen=True, slots=True)
class Check:
    """
    Something that was checked beside the topics.

    :param name: what
    :param remark: how it is
    """

    name: str
    remark: Remark


def try_encoder(config: RecorderConfig) -> Future[Check]:
    """Try the encoder in a thread of its own: a codec that hangs must not keep the command."""
    pool = ThreadPoolExecutor(1, 'check-encoder')
    future = pool.submit(_encoder, config)
    pool.shutdown(wait=False)
    return future


def _encoder(config: RecorderConfig) -> Check:
    if not config.cameras:
        return Check('encoder', Remark(Level.OK, 'no camera, nothing to encode'))
    try:
        choices = EncoderChoices(config)
    except StreamrecError as error:
        return Check('encoder', Remark(Level.PROBLEM, str(error)))
    works = {
        f'{choices.encoder(camera.key).vcodec}{" for depth" if camera.depth else ""}'
        for camera in config.cameras
    }
    names = ' and '.join(sorted(works))
    text = f'encodes here with {names}, at {config.fps} frames per second'
    text = '; '.join([text, *choices.sentences])
    return Check('encoder', Remark(Level.OK, text))


def check_root(config: RecorderConfig, *, is_recorder_there: bool) -> tuple[Check, DatasetInfo]:
    """
    Check the dataset's folder; nothing on disk is changed.

    :param is_recorder_there: whether a recorder runs, which may be the one that has it open
    :return: and what the dataset is, or will be
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
        text = f'{config.root} will be made'
    else:
        info = outlook.info
        text = f'{config.root} holds {info.total_episodes} episodes, and will be appended to'
    if outlook.num_takes:
        text += (
            f'; {outlook.num_takes} takes are there that a crash interrupted '
            f'({config.recovery} at start) or that wait to be encoded'
        )
    return Check('dataset', Remark(Level.OK, text)), info


def check_disk(config: RecorderConfig) -> Check:
    """Check whether there is room for an episode."""
    try:
        free = free_bytes(config.root)
    except OSError as error:
        return Check('disk', Remark(Level.WARNING, f'does not say how much is free: {error}'))
    text = f'{free / 1e9:.1f} GB free'
    if free < config.disk.reserve_mib * MIB:
        text += (
            f', less than disk.reserve_mib ({config.disk.reserve_mib} MiB): no episode would '
            'start; make room'
        )
        return Check('disk', Remark(Level.PROBLEM, text))
    return Check('disk', Remark(Level.OK, text))


def check_shared_memory() -> Check:
    """Look for what ended processes have left in shared memory."""
    left = left_over()
    if not left.num_segments:
        return Check('shared memory', Remark(Level.OK, 'nothing was left behind'))
    text = (
        f'{left.num_segments} segments of processes that were killed take '
        f'{left.size_bytes / 1e6:.1f} MB in /dev/shm; `fastdds shm clean` removes them'
    )
    return Check('shared memory', Remark(Level.NOTE, text))


def check_clock(is_sim_time: bool, num_clocks: int) -> list[Check]:
    """
    Check whether a simulation's clock is used if there is one.

    :param is_sim_time: whether it is to be used
    :param num_clocks: publishers of /clock
    """
    if is_sim_time and not num_clocks:
        text = 'use_sim_time is true, and nobody publishes /clock: start the simulation'
        return [Check('clock', Remark(Level.PROBLEM, text))]
    if num_clocks and not is_sim_time:
        text = '/clock is published: of a simulation, set use_sim_time: true'
        return [Check('clock', Remark(Level.NOTE, text))]
    return []


def check_namesakes(name: str, num_recorders: int) -> list[Check]:
    """
    Check whether one call would reach several recorders.

    :param name: full name of their nodes
    :param num_recorders: with this name
    """
    if num_recorders < 2:
        return []
    text = (
        f'{num_recorders} recorders are called {name}, and none starts an episode while the '
        'others run: end all but one, or give them namespaces'
    )
    return [Check('recorders', Remark(Level.PROBLEM, text))]


def check_task(config: RecorderConfig, placeholder: str) -> Check:
    """Check whether a task is set, without which no episode starts."""
    if not config.task:
        text = 'none is set: no episode can start until one is published on the topic ~/task'
        return Check('task', Remark(Level.NOTE, text))
    if config.task == placeholder:
        return Check('task', Remark(Level.WARNING, f'is still {placeholder!r}: set task'))
    return Check('task', Remark(Level.OK, config.task))
