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
Whether an encoder works here, tried in a child process: the task, and its answer.

Hardware encoders are listed wherever they were compiled in, and fail, hang or crash where their
device or driver is missing: only a video that was encoded and decoded again counts.
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
from lerobot_streamrec.video.codecs.config import EncoderConfig, FFMPEG, parse_config_record
from lerobot_streamrec.video.codecs.ffmpeg_listing import encoders_of, unknown_options
from lerobot_streamrec.video.codecs.settings_check import check_settings, refuse_unknown_options


@dataclass(frozen=True, slots=True)
class TrialTask:
    """
    What to encode.

    :param config: encoder settings, not of ``auto``
    :param width: width of every picture, in pixels
    :param height: height of every picture, in pixels
    :param fps: frames per second of the video
    :param num_streams: encoders that are open at once
    :param num_frames: of each of them
    :param enough_s: a stream that has encoded so long, the first frames left out, takes no more
        frames; 0: it takes all
    :param sample: raw pictures, ``(num_frames, height, width, 3)`` uint8 RGB one after the other;
        None: pictures made for it
    :param folder: where the videos are made
    """

    config: EncoderConfig
    width: int
    height: int
    fps: int
    num_streams: int
    num_frames: int
    enough_s: float = 0.0
    sample: Path | None = None
    folder: Path = Path()

    def in_folder(self, folder: Path) -> TrialTask:
        """Return the same task, done in a folder."""
        return replace(self, folder=folder)

    def video(self, stream: int) -> Path:
        """Return the video of one of the encoders."""
        return self.folder / f'stream-{stream}.mp4'

    def as_json(self) -> str:
        """Return it as text; equal tasks are equal texts."""
        return json.dumps(asdict(self), default=str, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> TrialTask:
        """Make it of its text."""
        values = json.loads(text)
        sample = values.pop('sample')
        return cls(
            config=parse_config_record(values.pop('config')),
            sample=Path(sample) if sample else None,
            folder=Path(values.pop('folder')),
            **values,
        )


@dataclass(frozen=True, slots=True)
class TrialReport:
    """
    What came of it.

    :param problem: why the encoder cannot be used; empty: it can
    :param frames_per_s: frames per second of all encoders together, the first frames left out
    :param cpu_ms: time on one core that a frame took, its conversion included, milliseconds
    :param size_bytes: size of the first encoder's video
    """

    problem: str = ''
    frames_per_s: float = 0.0
    cpu_ms: float = 0.0
    size_bytes: int = 0

    def as_json(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> TrialReport:
        """
        Make it of its text.

        :raise ValueError: if the text is none of these
        """
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(str(error)) from error


DEADLINE_S = 15.0
"""How long a trial may take, from the start of its process to its report."""

OPENER = 'lerobot_streamrec.video.encode.open_encoder:open_file_encoder'
"""What recordings begin their videos with."""

NUM_FRAMES = 30
ENOUGH_S = 5.0
"""A trial has so many frames for each stream, or as many as go into so many seconds."""

_CHILD = 'lerobot_streamrec.video.trials.trial_child'
_POLL_S = 0.05
_MAX_TAIL = 300
_LINE_END = ' | '
# What stands before the words of an ffmpeg program in errors of it.
_SAID = 'it said: '
# Of libav's object that says something.
_ADDRESS = re.compile(' @ 0x[0-9a-f]+')


@dataclass(frozen=True, slots=True)
class Trial:
    """
    How an encoder did.

    :param config: its settings
    :param width: width of the pictures, in pixels
    :param height: height of the pictures, in pixels
    :param fps: frames per second that a stream needs
    :param num_streams: encoders that were open at once
    :param frames_per_s: frames per second of all encoders together
    :param problem: why it cannot be used; empty: it works
    """

    config: EncoderConfig
    width: int
    height: int
    fps: int
    num_streams: int
    frames_per_s: float = 0.0
    problem: str = ''

    @property
    def works(self) -> bool:
        """Whether frames became a video that shows them."""
        return not self.problem

    @property
    def headroom(self) -> float:
        """How many times more frames it encodes than are needed; below 1 it falls behind."""
        return self.frames_per_s / (self.fps * self.num_streams)

    @property
    def brief(self) -> str:
        """What is wrong in a line: of an ffmpeg program, the first that it said."""
        said = self.problem.partition(_SAID)[2] or self.problem
        return said.partition(_LINE_END)[0]

    def __str__(self) -> str:
        """Return what is to be known of it, as the end of a sentence."""
        if self.problem:
            return self.brief
        return (
            f'{self.frames_per_s:.0f} frames per second at {self.width}x{self.height} with '
            f'{self.num_streams} at once, {self.headroom:.1f} times what is needed'
        )


class TrialCancelledError(Exception):
    """The trial was given up before it told anything."""


def try_encoder(
    config: EncoderConfig,
    *,
    width: int,
    height: int,
    fps: int,
    num_streams: int = 1,
    deadline_s: float = DEADLINE_S,
    enough_s: float = ENOUGH_S,
    opener: str = OPENER,
    stop: threading.Event | None = None,
) -> Trial:
    """
    Encode some frames in a child process, as a recording would, and compare what comes out.

    :param config: settings, not of ``auto``
    :param width: width of the pictures to come, in pixels
    :param height: height of the pictures to come, in pixels
    :param fps: frames per second of the videos to come
    :param num_streams: encoders that will be open at once
    :param deadline_s: after that the child counts as hanging, and is killed
    :param enough_s: no further frames are encoded after this time
    :param opener: ``module:function`` that begins a video
    :param stop: gives the trial up when it is set
    :raise TrialCancelledError: if it was given up
    """
    trial = Trial(config, width, height, fps, num_streams)
    try:
        check_before_trial(config)
    except CodecError as error:
        return _failed(trial, str(error))
    task = TrialTask(config, width, height, fps, num_streams, NUM_FRAMES, enough_s)
    with tempfile.TemporaryDirectory(prefix='streamrec-trial-') as folder:
        report = run_child(task.in_folder(Path(folder)), deadline_s, opener, stop)
    if report.problem:
        return _failed(trial, report.problem)
    return replace(trial, frames_per_s=report.frames_per_s)


def check_before_trial(config: EncoderConfig) -> None:
    """
    Refuse what is known to be wrong, and what an ffmpeg program would not say, or at length.

    :param config: settings, not of ``auto``
    :raise CodecError: naming the setting and what is allowed
    """
    check_settings(config)
    if config.backend != FFMPEG:
        return
    name, program = ffmpeg_encoder(config), config.ffmpeg.executable
    if name not in encoders_of(config.ffmpeg):
        allowed = f'{program} was built without {name}; `{program} -encoders` lists what it has'
        raise CodecError('encoder.vcodec', config.vcodec, allowed)
    refuse_unknown_options(
        config, {one: config.extra_options[one] for one in unknown_options(config)}
    )


def _failed(trial: Trial, problem: str) -> Trial:
    # Messages of this package are single lines.
    return replace(trial, problem=_LINE_END.join(problem.splitlines()))


def run_child(
    task: TrialTask,
    deadline_s: float = DEADLINE_S,
    opener: str = OPENER,
    stop: threading.Event | None = None,
) -> TrialReport:
    """
    Carry out a task in a child process, whatever becomes of that.

    :param task: with its folder
    :param deadline_s: how long it may take, seconds
    :param opener: ``module:function`` that begins a video
    :param stop: gives it up when it is set
    :return: the child's report, or one that says how the child ended
    :raise TrialCancelledError: if it was given up
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
                    # The program's own words are in the error.
                    return TrialReport(_ADDRESS.sub('', problem))
        return TrialReport(problem + _tail(task.folder / 'stderr'))


@contextmanager
def _started(opener: str, task: TrialTask, stderr: int) -> Iterator[subprocess.Popen[str]]:
    """Start the child in a group of its own, and leave nothing of that behind."""
    child = subprocess.Popen(
        [sys.executable, '-m', _CHILD, opener],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        # Python looks for modules where it is started: there are none.
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
    """Give the child its task; None if it said nothing in time."""
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
    """Return the last that the child printed, to be appended."""
    lines = path.read_text(encoding='utf-8', errors='replace').strip().splitlines()
    return f' ({_ADDRESS.sub("", lines[-1]).strip()[-_MAX_TAIL:]})' if lines else ''
