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

from contextlib import suppress
from dataclasses import asdict, dataclass, replace
import json
import os
from pathlib import Path
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time

from lerobot_streamrec.errors import CodecError
from lerobot_streamrec.video.codecs.config import (
    EncoderConfig,
    FFMPEG,
    parse_config_record,
    VideoSpec,
)
from lerobot_streamrec.video.codecs.settings_check import check_before_trial


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
    :param is_cost: True to find out the cost of images like a camera's, without a look at the
        videos; False to find out whether the encoder works
    """

    config: EncoderConfig
    spec: VideoSpec
    num_streams: int
    num_frames: int
    enough_s: float = 0.0
    sample: Path | None = None
    folder: Path = Path()
    is_cost: bool = False

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
    :param num_frames: number of frames of that video
    """

    problem: str = ''
    frames_per_s: float = 0.0
    cpu_ms: float = 0.0
    size_bytes: int = 0
    num_frames: int = 0

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

OPENER = 'lerobot_streamrec.video.encode.ffmpeg_encoder:open_file_encoder'
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
    :param cpu_ms: CPU time of one core per frame, including conversion, in milliseconds
    :param frame_bytes: mean size of an encoded frame
    """

    config: EncoderConfig
    spec: VideoSpec
    num_streams: int
    frames_per_s: float = 0.0
    problem: str = ''
    cpu_ms: float = 0.0
    frame_bytes: float = 0.0

    def with_report(self, report: TrialReport) -> Trial:
        """Return the outcome that a report describes."""
        if report.problem:
            # Messages of this package have only one line.
            return replace(self, problem=_LINE_END.join(report.problem.splitlines()))
        return replace(
            self,
            frames_per_s=report.frames_per_s,
            cpu_ms=report.cpu_ms,
            frame_bytes=report.size_bytes / max(1, report.num_frames),
        )

    @property
    def cores(self) -> float:
        """The number of cores that all encoders together keep busy."""
        return self.num_streams * self.spec.fps * self.cpu_ms / 1000

    @property
    def works(self) -> bool:
        """True if the encoder made a video that shows its images."""
        return not self.problem

    @property
    def headroom(self) -> float:
        """Encoded frames per needed frame; with less than 1, the encoder falls behind."""
        return self.frames_per_s / (self.spec.fps * self.num_streams)

    @property
    def keeps_up(self) -> bool:
        """True if the encoder works and is as fast as the streams need."""
        return self.works and self.headroom >= 1

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
        return trial.with_report(TrialReport(str(error)))
    task = TrialTask(config, spec, num_streams, NUM_FRAMES, enough_s)
    with (
        tempfile.TemporaryDirectory(prefix='streamrec-trial-') as folder,
        TrialChild(opener) as child,
    ):
        report = child.carry_out(replace(task, folder=Path(folder)), deadline_s, stop)
    return trial.with_report(report)


class TrialChild:
    """
    A child process that carries out tasks one after the other, and may crash or hang.

    It starts with the first task, and again after a crash. Belongs to one thread.

    :param opener: function that opens a video, as ``module:function``
    """

    def __init__(self, opener: str = OPENER) -> None:
        self._opener = opener
        self._folder = tempfile.TemporaryDirectory(prefix='streamrec-child-')
        self._stderr = Path(self._folder.name) / 'stderr'
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> TrialChild:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        self._folder.cleanup()

    def carry_out(
        self,
        task: TrialTask,
        deadline_s: float = DEADLINE_S,
        stop: threading.Event | None = None,
    ) -> TrialReport:
        """
        Carry out a task.

        :param task: task with its folder
        :param deadline_s: longest time that the task may take, in seconds
        :param stop: event that cancels the task
        :return: the child's report, or a report of how the child ended
        :raise TrialCancelledError: if the task was cancelled
        """
        end_s = time.monotonic() + deadline_s
        if self._child is None:
            self._child = self._started()
        child, problem = self._child, ''
        try:
            answer = _answer(child, task.as_json(), end_s, stop)
        except TimeoutError:
            problem = f'it did not encode {task.num_frames} frames within {deadline_s:g} s'
        else:
            with suppress(ValueError):
                report = TrialReport.from_json(answer)
                if not report.problem:
                    return report
                problem = report.problem
                if task.config.backend == FFMPEG:
                    # The error already quotes what the program printed.
                    return TrialReport(_ADDRESS.sub('', problem))
            if not problem:
                child.wait()
                problem = _ending(child.returncode)
        # The next task must not be blamed for words that this one printed.
        self._kill()
        return TrialReport(problem + _tail(self._stderr))

    def _started(self) -> subprocess.Popen[bytes]:
        """Start the child in a process group of its own, so that all of it can be killed."""
        with self._stderr.open('wb') as stderr:
            return subprocess.Popen(
                [sys.executable, '-m', _CHILD, self._opener],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                # Python looks for modules in its working directory; this one has none.
                cwd=self._folder.name,
                env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
                start_new_session=True,
            )

    def _kill(self) -> None:
        if self._child is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        # Closing the pipe may try to write what a dead child has not read.
        with suppress(BrokenPipeError), self._child:
            pass
        self._child = None


def _answer(
    child: subprocess.Popen[bytes], text: str, end_s: float, stop: threading.Event | None
) -> str:
    """
    Give the child its task and return its answer; a part of one if the child has ended.

    :raise TimeoutError: if there is no answer in time
    :raise TrialCancelledError: if the task was cancelled
    """
    assert child.stdin is not None
    assert child.stdout is not None
    with suppress(BrokenPipeError):
        child.stdin.write(f'{text}\n'.encode())
        child.stdin.flush()
    answer = b''
    while not answer.endswith(b'\n'):
        if stop is not None and stop.is_set():
            raise TrialCancelledError
        if time.monotonic() > end_s:
            raise TimeoutError
        if not select.select([child.stdout], [], [], _POLL_S)[0]:
            continue
        if not (part := os.read(child.stdout.fileno(), 1 << 16)):
            break
        answer += part
    return answer.decode(errors='replace')


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
