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
The measured cost of software encoders on this machine, which is kept for the next start.

A cost depends on the processor, the codec's library, the settings and the size of the pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
import json
import logging
from pathlib import Path
import platform
import tempfile
import threading
import time
from typing import Any

import av
from lerobot_streamrec.durable import written_beside
from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.installed import cache_folder
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.codecs.scheduling import usable_cores
from lerobot_streamrec.video.trials.trial import Trial, TrialChild, TrialTask

NUM_FRAMES = 16
"""Frames per camera of a measurement."""

BUDGET_S = 2.0
"""Longest time of all measurements of a start together, in seconds."""

# A slow encoder gets fewer frames, so that others can be measured too.
_ENOUGH_S = 0.3
_MAX_KEPT = 500
_CPUINFO = Path('/proc/cpuinfo')
_FIELDS = ('frames_per_s', 'cpu_ms', 'frame_bytes')

_log = logging.getLogger(__name__)


class OutOfTimeError(Exception):
    """The measurements of a start have used up their time."""


class CostMeter:
    """
    Measures encoders in one child process until the time is used up. Belongs to one thread.

    :param stop: event that cancels the measurements
    :param budget_s: time from the first measurement to the end of the last one, in seconds
    :param kept: file of earlier measurements; None: there is none
    :param is_fresh: True to measure anew what was measured earlier
    """

    def __init__(
        self,
        stop: threading.Event | None = None,
        *,
        budget_s: float = BUDGET_S,
        kept: Path | None = None,
        is_fresh: bool = False,
    ) -> None:
        self._stop = stop
        self._budget_s = budget_s
        # Trials of hardware that come before must not use up the time.
        self._end_s: float | None = None
        self._path = kept
        self._kept = _read(kept) if kept is not None and not is_fresh else {}
        self._child = TrialChild()
        self._folder = tempfile.TemporaryDirectory(prefix='streamrec-cost-')

    def __enter__(self) -> CostMeter:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.__exit__()
        self._folder.cleanup()

    def measure(self, config: EncoderConfig, spec: VideoSpec, num_streams: int) -> Trial:
        """
        Encode pictures like a camera's with as many encoders at once as there are cameras.

        :param config: settings of a software encoder
        :param spec: size and rate of the video
        :param num_streams: number of cameras
        :return: the cost, or the problem of an encoder that does not work
        :raise OutOfTimeError: if the time is used up, now or before
        :raise TrialCancelledError: if the measurements were cancelled
        """
        task = TrialTask(config, spec, num_streams, NUM_FRAMES, _ENOUGH_S, is_cost=True)
        trial, name = Trial(config, spec, num_streams), f'{_machine()} {task.as_json()}'
        with suppress(KeyError, TypeError, ValueError):
            known = self._kept[name]
            values: dict[str, Any] = {one: float(known[one]) for one in _FIELDS}
            return replace(trial, **values)
        if self._end_s is None:
            self._end_s = time.monotonic() + self._budget_s
        left_s = self._end_s - time.monotonic()
        if left_s <= 0:
            raise OutOfTimeError
        report = self._child.carry_out(
            replace(task, folder=Path(self._folder.name)), left_s, self._stop
        )
        if report.problem and time.monotonic() >= self._end_s:
            raise OutOfTimeError
        return self._keep(name, trial.with_report(report))

    def _keep(self, name: str, trial: Trial) -> Trial:
        if trial.works:
            self._kept[name] = {one: round(getattr(trial, one), 3) for one in _FIELDS}
            if self._path is not None:
                _write(self._path, self._kept)
        return trial


def costs_path() -> Path | None:
    """Return the file of measured costs in the user's cache; None if there is no home folder."""
    with suppress(RuntimeError):
        return cache_folder() / 'encoder_costs.json'
    return None


def _read(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        kept = json.loads(path.read_text(encoding='utf-8'))
        if isinstance(kept, dict):
            return kept
    return {}


def _write(path: Path, kept: Mapping[str, Any]) -> None:
    newest = dict(list({**_read(path), **kept}.items())[-_MAX_KEPT:])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_beside(path, overwrite=True) as beside:
            beside.write_text(json.dumps(newest, indent=1), encoding='utf-8')
    except (OSError, VideoError) as error:
        # The next start measures again.
        _log.info('the measured costs of encoders cannot be kept in %s: %s', path, error)


@cache
def _machine() -> str:
    """Return what a cost depends on beside the task: processor, cores and codec libraries."""
    model = platform.processor() or platform.machine()
    with suppress(OSError), _CPUINFO.open(encoding='utf-8', errors='replace') as file:
        names = (line.partition(':')[2] for line in file if line.startswith('model name'))
        model = next(names, model)
    version = '.'.join(map(str, av.library_versions['libavcodec']))
    return f'{model.strip()}, {usable_cores()} cores, libavcodec {version}, PyAV {av.__version__}:'
