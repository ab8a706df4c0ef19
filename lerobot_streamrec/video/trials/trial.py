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
Trials of encoders in a child process, with their tasks and reports.

Hardware encoders are listed wherever they were compiled in, but fail, hang or crash if their
device or driver is missing. So an encoder only works if its video can be decoded again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
import json
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

from lerobot_streamrec.errors import CodecError
from lerobot_streamrec.video.codecs.codecs import ffmpeg_encoder
from lerobot_streamrec.video.codecs.config import (
    EncoderConfig,
    FFMPEG,
    parse_config_record,
    VideoSpec,
)
from lerobot_streamrec.video.codecs.ffmpeg_listing import encoders_of, unknown_options
from lerobot_streamrec.video.codecs.settings_check import check_settings, refuse_unknown_options


@dataclass(frozen=True, slots=True)
class TrialTask:
    """
    The task of the child process.

    :param config: settings of the encoder, not ``auto``
    :param spec: size and rate of the video
    :param num_streams: number of encoders that are open at once
    :param num_frames: number of frames for each encoder
    :param enough_s: seconds of encoding, without the first frames, after which a stream gets no
        more frames; 0 for no limit
    :param sample: file of raw images, ``(num_frames, height, width, 3)`` uint8 RGB; None for
        generated images
    :param folder: folder for the videos
    """

    config: EncoderConfig
    spec: VideoSpec
    num_streams: int
    num_frames: int
    enough_s: float = 0.0
    sample: Path | None = None
    folder: Path = Path()

    def in_folder(self, folder: Path) -> TrialTask:
        """Return the same task in another folder."""
        return replace(self, folder=folder)

    def video(self, stream: int) -> Path:
        """Return the path of one encoder's video."""
        return self.folder / f'stream-{stream}.mp4'

    def as_json(self) -> str:
        """Return the task as text; equal tasks give equal texts."""
        return json.dumps(asdict(self), default=str, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> TrialTask:
        """Return the task that a text describes."""
        values = json.loads(text)
        sample = values.pop('sample')
        return cls(
            config=parse_config_record(values.pop('config')),
            spec=VideoSpec(**values.pop('spec')),
            sample=Path(sample) if sample else None,
            folder=Path(values.pop('folder')),
            **values,
        )


@dataclass(frozen=True, slots=True)
class TrialReport:
    """
    The report of the child process.

    :param problem: why the encoder cannot be used; empty if it can
    :param frames_per_s: frames per second of all encoders together, without the first frames
    :param cpu_ms: CPU time of one core per frame, including conversion, in milliseconds
    :param size_bytes: size of the first encoder's video
    """

    problem: str = ''
    frames_per_s: float = 0.0
    cpu_ms: float = 0.0
    size_bytes: int = 0

    def as_json(self) -> str:
        """Return the report as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> TrialReport:
        """
        Return the report that a text describes.

        :raise ValueError: if the text is not a report
        """
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(str(error)) from error


DEADLINE_S = 15.0
"""Longest time of a trial in seconds, from the start of its process to its report."""

OPENER = 'lerobot_streamrec.video.encode.open_encoder:open_file_encoder'
"""The function with which recordings open their videos, as ``module:function``."""

NUM_FRAMES = 30
ENOUGH_S = 5.0
"""A trial encodes this many frames per stream, or as many as it can in this many seconds."""

_CHILD = 'lerobot_streamrec.video.trials.trial_child'
_POLL_S = 0.05
_MAX_TAIL = 300
_LINE_END = ' | '
# Errors of an ffmpeg program have these words before the program's own ones.
_SAID = 'it said: '
# The address that libav puts before its log lines, which says nothing to the user.
_ADDRESS = re.compile(' @ 0x[0-9a-f]+')


@dataclass(frozen=True, slots=True)
class Trial:
    """
    The outcome of trying an encoder.

    :param config: settings of the encoder
    :param spec: size and rate of the video
    :param num_streams: number of encoders that were open at once
    :param frames_per_s: frames per second of all encoders together
    :param problem: why the encoder cannot be used; empty if it works
    """

    config: EncoderConfig
    spec: VideoSpec
    num_streams: int
    frames_per_s: float = 0.0
    problem: str = ''

    @property
    def works(self) -> bool:
        """True if the encoder made a video that shows its images."""
        return not self.problem

    @property
    def headroom(self) -> float:
        """Encoded frames per needed frame; with less than 1, the encoder falls behind."""
        return self.frames_per_s / (self.spec.fps * self.num_streams)

    @property
    def brief(self) -> str:
        """The problem in one line; for an ffmpeg program, the first line that it printed."""
        said = self.problem.partition(_SAID)[2] or self.problem
        return said.partition(_LINE_END)[0]

    def __str__(self) -> str:
        """Return the outcome as the end of a sentence."""
        if self.problem:
            return self.brief
        return (
            f'{self.frames_per_s:.0f} frames per second at {self.spec.width}x{self.spec.height} '
            f'(cameras at once: {self.num_streams}), {self.headroom:.1f} times the rate needed'
        )


class TrialCancelledError(Exception):
    """The trial was cancelled before it had an outcome."""


def try_encoder(
    config: EncoderConfig,
    spec: VideoSpec,
    *,
    num_streams: int = 1,
    deadline_s: float = DEADLINE_S,
    enough_s: float = ENOUGH_S,
    opener: str = OPENER,
    stop: threading.Event | None = None,
) -> Trial:
    """
    Encode frames in a child process as a recording would, and compare the decoded video.

    :param config: settings of the encoder, not ``auto``
    :param spec: size and rate of the video
    :param num_streams: number of encoders that will be open at once
    :param deadline_s: time after which the child counts as hanging and is killed, in seconds
    :param enough_s: time after which no further frame is encoded, in seconds
    :param opener: function that opens a video, as ``module:function``
    :param stop: event that cancels the trial
    :raise TrialCancelledError: if the trial was cancelled
    """
    trial = Trial(config, spec, num_streams)
    try:
        check_before_trial(config)
    except CodecError as error:
        return _failed(trial, str(error))
    task = TrialTask(config, spec, num_streams, NUM_FRAMES, enough_s)
    with tempfile.TemporaryDirectory(prefix='streamrec-trial-') as folder:
        report = run_child(task.in_folder(Path(folder)), deadline_s, opener, stop)
    if report.problem:
        return _failed(trial, report.problem)
    return replace(trial, frames_per_s=report.frames_per_s)


def check_before_trial(config: EncoderConfig) -> None:
    """
    Raise an error for settings that are known to be wrong without a trial.

    An ffmpeg program would not report some of them, or only at length.

    :param config: settings of the encoder, not ``auto``
    :raise CodecError: if a setting is wrong, naming what is allowed
    """
    check_settings(config)
    if config.backend != FFMPEG:
        return
    name, program = ffmpeg_encoder(config), config.ffmpeg.executable
    if name not in encoders_of(config.ffmpeg):
        allowed = f'{program} was built without {name}; `{program} -encoders` lists its encoders'
        raise CodecError('encoder.vcodec', config.vcodec, allowed)
    refuse_unknown_options(
        config, {one: config.extra_options[one] for one in unknown_options(config)}
    )


def _failed(trial: Trial, problem: str) -> Trial:
    # Messages of this package have only one line.
    return replace(trial, problem=_LINE_END.join(problem.splitlines()))


def run_child(
    task: TrialTask,
    deadline_s: float = DEADLINE_S,
    opener: str = OPENER,
    stop: threading.Event | None = None,
) -> TrialReport:
    """
    Carry out a task in a child process, which may crash or hang.

    :param task: task with its folder
    :param deadline_s: longest time that the task may take, in seconds
    :param opener: function that opens a video, as ``module:function``
    :param stop: event that cancels the task
    :return: the child's report, or a report of how the child ended
    :raise TrialCancelledError: if the task was cancelled
    """
    with (task.folder / 'stderr').open('w+b') as stderr:
        with _started(opener, task, stderr.fileno()) as child:
            answer = _answer(child, task.as_json(), deadline_s, stop)
        problem = f'it did not encode {task.num_frames} frames within {deadline_s:g} s'
        if answer is not None:
            problem = _ending(child.returncode)
            with suppress(ValueError):
                report = TrialReport.from_json(answer)
                if not report.problem:
                    return report
                problem = report.problem
                if task.config.backend == FFMPEG:
                    # The error already quotes what the program printed.
                    return TrialReport(_ADDRESS.sub('', problem))
        return TrialReport(problem + _tail(task.folder / 'stderr'))


@contextmanager
def _started(opener: str, task: TrialTask, stderr: int) -> Iterator[subprocess.Popen[str]]:
    """Start the child in a process group of its own, and kill the whole group at the end."""
    child = subprocess.Popen(
        [sys.executable, '-m', _CHILD, opener],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        # Python looks for modules in its working directory; this one has none.
        cwd=task.folder,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,
    )
    with child:
        try:
            yield child
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _answer(
    child: subprocess.Popen[str], text: str, deadline_s: float, stop: threading.Event | None
) -> str | None:
    """Give the child its task and return its answer; None if there is none in time."""
    end_s = time.monotonic() + deadline_s
    given: str | None = text
    while time.monotonic() < end_s:
        if stop is not None and stop.is_set():
            raise TrialCancelledError
        try:
            return child.communicate(given, timeout=_POLL_S)[0]
        except subprocess.TimeoutExpired:
            given = None
    return None


def _ending(returncode: int) -> str:
    if returncode >= 0:
        return f'its process ended with status {returncode} and no report'
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f'signal {-returncode}'
    return f'it crashed ({name})'


def _tail(path: Path) -> str:
    """Return the last line that the child printed on stderr, to be appended to a problem."""
    lines = path.read_text(encoding='utf-8', errors='replace').strip().splitlines()
    return f' ({_ADDRESS.sub("", lines[-1]).strip()[-_MAX_TAIL:]})' if lines else ''
