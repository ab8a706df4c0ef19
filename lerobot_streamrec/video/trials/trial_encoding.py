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
"""Pictures of a trial, encoded as an episode would, in a child process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
import math
from pathlib import Path
import resource
import threading
import time
from typing import Protocol

import av
from lerobot_streamrec.errors import EncoderError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.config import EncoderConfig, PYAV
from lerobot_streamrec.video.codecs.real_time import renounce_real_time
from lerobot_streamrec.video.codecs.settings_check import opened, refuse_unknown_options
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo
from lerobot_streamrec.video.mp4.decode_prefix import decode_rgb
from lerobot_streamrec.video.trials.trial import TrialReport, TrialTask
import numpy as np
import numpy.typing as npt

Pictures = Callable[[int], npt.NDArray[np.uint8]]
"""Picture k of a sample: ``(height, width, 3)`` uint8 RGB."""

STORED_MARGIN_BYTES = 4096
"""At the end of a file of raw pictures: libav's scaler reads on a little behind a picture."""

_PERIOD = 256
# So far that each picture is unlike the one before, and as far as things move in a camera's.
_STEP = 40
_USUAL_STEP = 4
_SEED = 5
_FINE = 8
_TEXTURE = 48
_NOISE = 5


def moving_pictures(width: int, height: int, step: int = _STEP) -> Pictures:
    """
    Make colours that move with each picture, with some texture.

    Any encoder shows the colours well, so that one that shows something else is found out; without
    texture, software would seem two times as fast as it is. Views of one array: making a picture
    costs nothing.

    :param width: in pixels
    :param height: in pixels
    :param step: how far each picture moves, in pixels
    """
    ramp = np.abs(np.arange(-_PERIOD // 2, _PERIOD // 2)) * 255 // (_PERIOD // 2)
    x = np.arange(width + _PERIOD)
    y = np.arange(height)[:, None]
    colours = np.empty((height, width + _PERIOD, 3), np.int16)
    colours[..., 0] = ramp[x % _PERIOD]
    colours[..., 1] = ramp[(y + x) % _PERIOD]
    colours[..., 2] = ramp[(2 * y - x) % _PERIOD]
    random = np.random.default_rng(_SEED)
    texture = random.integers(-_FINE, _FINE + 1, (height, width + _PERIOD, 1), np.int16)
    painted = np.clip(colours * 7 // 8 + 16 + texture, 0, 255)
    canvas: npt.NDArray[np.uint8] = painted.astype(np.uint8)

    def picture(index: int) -> npt.NDArray[np.uint8]:
        first = index * step % _PERIOD
        return canvas[:, first : first + width]

    return picture


def textured_pictures(width: int, height: int) -> Pictures:
    """
    Make pictures that cost about as much as a camera's: edges, texture and a sensor's noise.

    :param width: in pixels
    :param height: in pixels
    """
    colours = moving_pictures(width, height, _USUAL_STEP)
    random = np.random.default_rng(_SEED)
    blocks = random.integers(-_TEXTURE, _TEXTURE, (height // 12 + 1, width // 12 + 1, 1))
    still = blocks.repeat(12, axis=0).repeat(12, axis=1)[:height, :width]

    def picture(index: int) -> npt.NDArray[np.uint8]:
        noise = random.integers(-_NOISE, _NOISE + 1, (height, width, 3))
        moving = colours(index).astype(np.int64) * 3 // 4 + 32
        return np.clip(moving + still + noise, 0, 255).astype(np.uint8)

    return picture


def stored_pictures(path: Path, num_frames: int, width: int, height: int) -> Pictures:
    """
    Read raw pictures that stand one after the other in a file.

    :param path: the file, with a margin of ``STORED_MARGIN_BYTES``
    :param num_frames: in it
    :param width: in pixels
    :param height: in pixels
    """
    mapped: npt.NDArray[np.uint8] = np.memmap(path, np.uint8, mode='r')
    stored = mapped[: num_frames * height * width * 3].reshape(num_frames, height, width, 3)
    return stored.__getitem__


WORST_PSNR_DB = 16.0
"""A frame that is farther from its picture than this shows something else."""

_MAX_WARM_UP = 5
# Every n-th pixel in both directions tells as much.
_STRIDE = 4


class TriedEncoder(Protocol):
    """What is tried."""

    def encode(self, picture: Frame, /) -> None:
        """Encode a picture as the next frame."""

    def finish(self) -> EncodedVideo:
        """Close the file and say what is in it."""

    def abort(self) -> None:
        """Give up; never raises."""


class Opener(Protocol):
    """What begins a video, as ``open_file_encoder`` does."""

    def __call__(
        self, path: Path, config: EncoderConfig, *, fps: int, width: int, height: int
    ) -> TriedEncoder:
        """Begin a video."""


def carry_out(task: TrialTask, open_encoder: Opener) -> TrialReport:
    """
    Encode all streams at once, and compare what is decoded with what was encoded.

    :param task: pictures to encode, and how
    :param open_encoder: function with which recordings open their videos
    :return: with the problem, if any of it went wrong
    """
    pictures = (
        stored_pictures(task.sample, task.num_frames, task.width, task.height)
        if task.sample
        else moving_pictures(task.width, task.height)
    )
    run = _Run(task, pictures, open_encoder)
    try:
        run.encode()
        for stream in range(task.num_streams):
            num_frames = run.num_frames[stream]
            check_video(task.video(stream), task, pictures, num_frames, is_whole=stream == 0)
        _refuse_unread_options(task)
    # Whatever an encoder does is what the trial is to find out.
    except Exception as error:  # noqa: BLE001
        return TrialReport(problem=_words(error, task.folder))
    return TrialReport('', run.frames_per_s, run.cpu_ms, task.video(0).stat().st_size)


class _Run:
    """One thread for each stream; what follows the first frames is measured."""

    def __init__(self, task: TrialTask, pictures: Pictures, open_encoder: Opener) -> None:
        self._task = task
        self._pictures = pictures
        self._open_encoder = open_encoder
        self._num_first = min(_MAX_WARM_UP, task.num_frames // 2)
        self._barrier = threading.Barrier(task.num_streams, action=self._note_begin)
        self._begin_s = self._begin_cpu_s = 0.0
        # Of each stream: frames given to its encoder.
        self.num_frames = [0] * task.num_streams
        self.frames_per_s = 0.0
        self.cpu_ms = 0.0

    def encode(self) -> None:
        num_streams = self._task.num_streams
        with ThreadPoolExecutor(num_streams, initializer=renounce_real_time) as pool:
            running = [pool.submit(self._encode_stream, index) for index in range(num_streams)]
        errors = [error for one in running if (error := one.exception())]
        # Those that waited for one that failed have nothing to say.
        for error in sorted(errors, key=lambda one: isinstance(one, threading.BrokenBarrierError)):
            raise error
        seconds = time.perf_counter() - self._begin_s
        num_all = sum(self.num_frames)
        num_frames = num_all - num_streams * self._num_first
        self.frames_per_s = num_frames / seconds
        own_s = _cpu_s(resource.RUSAGE_SELF) - self._begin_cpu_s
        # Of a process that encodes, nothing is known before it ends.
        children_s = _cpu_s(resource.RUSAGE_CHILDREN) / num_all
        self.cpu_ms = 1000 * (own_s / num_frames + children_s)

    def _note_begin(self) -> None:
        self._begin_s = time.perf_counter()
        self._begin_cpu_s = _cpu_s(resource.RUSAGE_SELF)

    def _encode_stream(self, stream: int) -> None:
        task = self._task
        try:
            encoder = self._open_encoder(
                task.video(stream), task.config, fps=task.fps, width=task.width, height=task.height
            )
            try:
                for index in range(task.num_frames):
                    if index == self._num_first:
                        self._barrier.wait()
                    elif index > self._num_first and self._is_enough():
                        break
                    encoder.encode(Frame(self._pictures(index), 'rgb24'))
                    self.num_frames[stream] += 1
                encoder.finish()
            except BaseException:
                encoder.abort()
                raise
        except BaseException:
            self._barrier.abort()
            raise

    def _is_enough(self) -> bool:
        enough_s = self._task.enough_s
        return bool(enough_s) and time.perf_counter() - self._begin_s > enough_s


def _cpu_s(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def check_video(
    path: Path, task: TrialTask, pictures: Pictures, num_given: int, *, is_whole: bool
) -> None:
    """
    Refuse a video that is not what was encoded.

    :param path: the video
    :param task: task that was encoded
    :param pictures: its pictures
    :param num_given: how many of them were given to the encoder
    :param is_whole: True if every frame is compared; False: only the last one
    :raise EncoderError: saying what is wrong
    """
    size = (task.height, task.width)
    num_frames = 0
    wrong = ''
    for index, shown in enumerate(decode_rgb(path)):
        num_frames += 1
        if shown.shape[:2] != size:
            raise EncoderError(
                f'it made pictures of {shown.shape[1]}x{shown.shape[0]} pixels instead of '
                f'{task.width}x{task.height}'
            )
        is_last = index == num_given - 1
        if not wrong and index < num_given and (is_whole or is_last):
            psnr_db = _psnr_db(shown, pictures(index))
            if psnr_db < WORST_PSNR_DB:
                wrong = f'frame {index} shows something else (PSNR {psnr_db:.1f} dB)'
    if num_frames != num_given:
        raise EncoderError(f'{num_frames} of {num_given} frames can be decoded')
    if wrong:
        raise EncoderError(wrong)


def _psnr_db(shown: npt.NDArray[np.uint8], given: npt.NDArray[np.uint8]) -> float:
    apart = shown[::_STRIDE, ::_STRIDE].astype(np.float64) - given[::_STRIDE, ::_STRIDE]
    mean = float((apart**2).mean())
    return 10 * math.log10(255**2 / mean) if mean else math.inf


def _refuse_unread_options(task: TrialTask) -> None:
    """FFmpeg says nothing of options that an encoder does not know."""
    config = task.config
    if config.backend == PYAV and (config.extra_options or config.preset is not None):
        context = opened(config, task.fps, task.width, task.height)
        refuse_unknown_options(config, context.options)


def _words(error: BaseException, folder: Path) -> str:
    """Say what went wrong; the codec's own words stand on stderr."""
    while isinstance(error, EncoderError) and error.__cause__ is not None:
        error = error.__cause__
    text = str(error) or type(error).__name__
    if isinstance(error, av.FFmpegError):
        text = error.strerror or text
    return text.replace(f'{folder}/', '')
