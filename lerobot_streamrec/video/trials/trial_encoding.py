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
"""The images of a trial, and their encoding in the child process as in an episode."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
import math
from pathlib import Path
import resource
import threading
import time

import av
from lerobot_streamrec.errors import EncoderError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.config import EncoderConfig, PYAV, VideoSpec
from lerobot_streamrec.video.codecs.scheduling import give_way
from lerobot_streamrec.video.codecs.settings_check import opened, refuse_unknown_options
from lerobot_streamrec.video.encode.mp4_encoder import VideoEncoder
from lerobot_streamrec.video.mp4.frame_decoder import decode_rgb
from lerobot_streamrec.video.trials.trial import TrialReport, TrialTask
import numpy as np
import numpy.typing as npt

Pictures = Callable[[int], npt.NDArray[np.uint8]]
"""A function that returns image k of a sample as ``(height, width, 3)`` uint8 RGB."""

STORED_MARGIN_BYTES = 4096
"""Bytes at the end of a file of raw images, as libav's scaler reads a little past an image."""

_PERIOD = 256
# Pixels per image: so many that each image is unlike the one before, and as in a usual camera.
_STEP = 40
_USUAL_STEP = 4
_SEED = 5
_FINE = 8
_TEXTURE = 48
_NOISE = 5
_NOISE_SHIFT = 64


def moving_pictures(width: int, height: int, step: int = _STEP) -> Pictures:
    """
    Return images of colours that move with each image, with some texture.

    Any encoder shows these colours well, so an encoder that shows something else is detected.
    Without texture, software would seem twice as fast as it is. All images are views of one array,
    so making an image costs nothing.

    :param width: width of the images, in pixels
    :param height: height of the images, in pixels
    :param step: distance that the colours move per image, in pixels
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
    Return images with edges, texture and noise, about as hard to encode as a camera's.

    :param width: width of the images, in pixels
    :param height: height of the images, in pixels
    """
    colours = moving_pictures(width, height, _USUAL_STEP)
    random = np.random.default_rng(_SEED)
    blocks = random.integers(-_TEXTURE, _TEXTURE, (height // 12 + 1, width // 12 + 1, 1), np.int16)
    still = blocks.repeat(12, axis=0).repeat(12, axis=1)[:height, :width] + 32
    # Making noise takes longer than encoding a picture, so all pictures show parts of one canvas.
    noise_size = height + _NOISE_SHIFT, width + _NOISE_SHIFT, 3
    noise = random.integers(-_NOISE, _NOISE + 1, noise_size, np.int16)

    def picture(index: int) -> npt.NDArray[np.uint8]:
        x, y = 7 * index % _NOISE_SHIFT, 13 * index % _NOISE_SHIFT
        shown = (colours(index).astype(np.int16) >> 2) * 3 + still
        shown += noise[y : y + height, x : x + width]
        clipped: npt.NDArray[np.uint8] = np.clip(shown, 0, 255, out=shown).astype(np.uint8)
        return clipped

    return picture


def stored_pictures(path: Path, num_frames: int, width: int, height: int) -> Pictures:
    """
    Return the raw images that are stored one after the other in a file.

    :param path: path of the file, which ends with a margin of ``STORED_MARGIN_BYTES``
    :param num_frames: number of images in the file
    :param width: width of the images, in pixels
    :param height: height of the images, in pixels
    """
    mapped: npt.NDArray[np.uint8] = np.memmap(path, np.uint8, mode='r')
    stored = mapped[: num_frames * height * width * 3].reshape(num_frames, height, width, 3)
    return stored.__getitem__


WORST_PSNR_DB = 16.0
"""A frame with a lower PSNR than this against its image shows something else."""

_MAX_WARM_UP = 5
# Comparing every n-th pixel in both directions tells as much.
_STRIDE = 4


Opener = Callable[[Path, EncoderConfig, VideoSpec], VideoEncoder]
"""A function that opens a video, like ``open_file_encoder``."""


def carry_out(task: TrialTask, open_encoder: Opener) -> TrialReport:
    """
    Encode all streams at once, and compare the decoded videos with the images.

    :param task: task of the trial
    :param open_encoder: function with which recordings open their videos
    :return: report of the trial, with the problem if anything went wrong
    """
    pictures = _pictures(task)
    run = _Run(task, pictures, open_encoder)
    try:
        run.encode()
        for stream in range(0 if task.is_cost else task.num_streams):
            num_frames = run.num_frames[stream]
            check_video(task.video(stream), task, pictures, num_frames, is_whole=stream == 0)
        _refuse_unread_options(task)
    # The trial is to find out anything that an encoder may do.
    except Exception as error:  # noqa: BLE001
        return TrialReport(problem=_words(error, task.folder))
    size_bytes = task.video(0).stat().st_size
    return TrialReport('', run.frames_per_s, run.cpu_ms, size_bytes, run.num_frames[0])


def _pictures(task: TrialTask) -> Pictures:
    width, height = task.spec.width, task.spec.height
    if task.sample:
        return stored_pictures(task.sample, task.num_frames, width, height)
    if not task.is_cost:
        return moving_pictures(width, height)
    # They are made in advance, so that only their encoding is measured.
    return list(map(textured_pictures(width, height), range(task.num_frames))).__getitem__


class _Run:
    """Encodes each stream in its own thread, and measures the speed after the first frames."""

    def __init__(self, task: TrialTask, pictures: Pictures, open_encoder: Opener) -> None:
        self._task = task
        self._pictures = pictures
        self._open_encoder = open_encoder
        self._num_first = min(_MAX_WARM_UP, task.num_frames // 2)
        self._barrier = threading.Barrier(task.num_streams, action=self._note_begin)
        self._begin_s = self._begin_cpu_s = 0.0
        self._children_cpu_s = _cpu_s(resource.RUSAGE_CHILDREN)
        # Number of frames given to the encoder of each stream.
        self.num_frames = [0] * task.num_streams
        self.frames_per_s = 0.0
        self.cpu_ms = 0.0

    def encode(self) -> None:
        num_streams = self._task.num_streams
        with ThreadPoolExecutor(num_streams, initializer=give_way) as pool:
            running = [pool.submit(self._encode_stream, index) for index in range(num_streams)]
        errors = [error for one in running if (error := one.exception())]
        # Threads that only waited for a failed one have the least telling error.
        for error in sorted(errors, key=lambda one: isinstance(one, threading.BrokenBarrierError)):
            raise error
        seconds = time.perf_counter() - self._begin_s
        num_all = sum(self.num_frames)
        num_frames = num_all - num_streams * self._num_first
        self.frames_per_s = num_frames / seconds
        own_s = _cpu_s(resource.RUSAGE_SELF) - self._begin_cpu_s
        # The CPU time of an encoding program is only known at its end, and so for all frames.
        children_s = (_cpu_s(resource.RUSAGE_CHILDREN) - self._children_cpu_s) / num_all
        self.cpu_ms = 1000 * (own_s / num_frames + children_s)

    def _note_begin(self) -> None:
        self._begin_s = time.perf_counter()
        self._begin_cpu_s = _cpu_s(resource.RUSAGE_SELF)

    def _encode_stream(self, stream: int) -> None:
        task = self._task
        try:
            encoder = self._open_encoder(task.video(stream), task.config, task.spec)
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
    Raise an error if a video does not show the images that were encoded.

    :param path: path of the video
    :param task: task that was encoded
    :param pictures: images of the task
    :param num_given: number of images that were given to the encoder
    :param is_whole: True to compare every frame, False to compare only the last one
    :raise EncoderError: if the video is wrong, with the problem
    """
    size = (task.spec.height, task.spec.width)
    num_frames = 0
    wrong = ''
    for index, shown in enumerate(decode_rgb(path)):
        num_frames += 1
        if shown.shape[:2] != size:
            raise EncoderError(
                f'it made pictures of {shown.shape[1]}x{shown.shape[0]} pixels instead of '
                f'{task.spec.width}x{task.spec.height}'
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
    """Raise an error for options that the encoder does not know, which FFmpeg ignores silently."""
    config = task.config
    if config.backend == PYAV and (config.extra_options or config.preset is not None):
        context = opened(config, task.spec.fps, task.spec.width, task.spec.height)
        refuse_unknown_options(config, context.options)


def _words(error: BaseException, folder: Path) -> str:
    """Return the cause of an error in words; the codec's own log is on stderr."""
    while isinstance(error, EncoderError) and error.__cause__ is not None:
        error = error.__cause__
    text = str(error) or type(error).__name__
    if isinstance(error, av.FFmpegError):
        text = error.strerror or text
    return text.replace(f'{folder}/', '')
