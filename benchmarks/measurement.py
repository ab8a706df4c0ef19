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
"""The measurement of one scenario: the whole recorder over real DDS, then the bare encoder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
import json
from pathlib import Path
import re
from statistics import median
from typing import Any

from examples.demo.settings import ros_environment

from benchmarks.child import Check, ModuleChild, running, still_running
from benchmarks.machine import cpu_seconds, peak_rss_mib, rss_mib
from benchmarks.recorder_client import RecorderClient
from benchmarks.recording_setup import FPS, Scenario

_UP_TIMEOUT_S = 60.0
_START_TIMEOUT_S = 60.0
_SAVE_TIMEOUT_S = 120.0
# After this time, pictures and joint states arrive evenly.
_SETTLE_S = 1.0
# The recorder frees the encoders of an episode within this time after its save.
_GIVE_BACK_S = 0.5
_STOP_SPARE_S = 120.0
_ENCODER_SPARE_S = 60.0
# The wait ends if the bare encoder is more than this many times slower than a camera.
_ENCODER_SLOWNESS = 20.0


@dataclass(frozen=True, slots=True)
class RecordedEpisode:
    """
    The cost of an episode, from the answer of start to the answer of save.

    :param rows: number of recorded rows
    :param repeated: number of frames that repeat the previous one, all cameras
    :param recorder_cpu_s: processor time of the recorder, in seconds
    :param publisher_cpu_s: processor time of the publisher, in seconds
    :param save_s: time from the call of save to its answer, in seconds
    :param peak_queued: largest number of frames that waited for any one encoder
    :param rss_mib: resident memory of the recorder some moments after the save, in MiB
    :param remarks: further remarks in the recorder's answer
    """

    rows: int
    repeated: int
    recorder_cpu_s: float
    publisher_cpu_s: float
    save_s: float
    peak_queued: int
    rss_mib: float
    remarks: list[str]

    @property
    def seconds(self) -> float:
        """The length of the episode, in seconds."""
        return self.rows / FPS


@dataclass(frozen=True, slots=True)
class Measurement:
    """
    All results of one scenario.

    :param scenario: the scenario
    :param episodes: episodes of the recorder
    :param peak_rss_mib: peak resident memory of the recorder, in MiB
    :param bare: rows and times of the bare encoder, for each episode
    :param left_out: number of pictures that the publisher skipped because it was late
    """

    scenario: Scenario
    episodes: list[RecordedEpisode]
    peak_rss_mib: float
    bare: list[dict[str, float]]
    left_out: int

    def summary(self) -> dict[str, float]:
        """Return the figures of the table: medians of the episodes, peaks and totals."""
        recorder = median(one.recorder_cpu_s / one.seconds for one in self.episodes)
        bare = median(one['cpu_s'] * FPS / one['rows'] for one in self.bare)
        return {
            'recorder_cpu': recorder,
            'bare_cpu': bare,
            'ratio': recorder / bare,
            'bare_fps': median(one['rows'] / one['wall_s'] for one in self.bare),
            'publisher_cpu': median(one.publisher_cpu_s / one.seconds for one in self.episodes),
            'save_ms': 1000.0 * median(one.save_s for one in self.episodes),
            'peak_queued': max(one.peak_queued for one in self.episodes),
            'peak_rss_mib': self.peak_rss_mib,
            'repeated': sum(one.repeated for one in self.episodes),
            'rows': sum(one.rows for one in self.episodes),
        }

    def remarks(self) -> list[str]:
        """Return the remarks for readers of the figures."""
        found = [
            f'episode {number}: {remark}'
            for number, episode in enumerate(self.episodes)
            for remark in episode.remarks
        ]
        # It always skips some at the start; only remarks and repeats show that it mattered.
        if self.left_out and (found or self.summary()['repeated']):
            found.append(f'pictures that the publisher skipped for lateness: {self.left_out}')
        return found

    def as_json(self) -> dict[str, Any]:
        """Return everything for a JSON file."""
        return {**asdict(self), 'summary': self.summary(), 'remarks': self.remarks()}


def measure(
    scenario: Scenario,
    ring_path: Path,
    folder: Path,
    *,
    seconds: float,
    num_episodes: int,
    check: Check,
    has_bare: bool = True,
) -> Measurement:
    """
    Record a number of episodes, then encode the same number of frames with the encoder alone.

    :param scenario: the scenario to record
    :param ring_path: file with pictures of the scenario's size
    :param folder: empty folder for the dataset and the logs
    :param seconds: length of an episode, which ends with the next diagnostics
    :param num_episodes: number of episodes
    :param check: function that is called several times a second, and raises to end everything
    :param has_bare: False to leave the encoder alone out
    :raises BenchmarkError: if the measurement fails
    """
    duration_s = num_episodes * (seconds + _SAVE_TIMEOUT_S) + _UP_TIMEOUT_S + _START_TIMEOUT_S
    arguments = ['--ring', str(ring_path), '--cameras', str(scenario.num_cameras)]
    publisher = ModuleChild(
        'benchmarks.publisher',
        [*arguments, '--fps', str(FPS), '--duration', str(duration_s)],
        folder=folder,
        environment=ros_environment({}),
    )
    with running(publisher), _fast_topics(scenario, folder):
        recorder = ModuleChild(
            'lerobot_streamrec.nodes.record_main',
            scenario.ros_arguments(folder / 'dataset'),
            folder=folder,
            environment={},
        )
        with running(recorder):
            episodes = _record(
                folder / 'dataset', publisher, recorder, seconds, num_episodes, check
            )
            peak_mib = peak_rss_mib(recorder.pid)
            recorder.interrupt()
            recorder.wait(check, _STOP_SPARE_S)
        publisher.interrupt()
        publisher.wait(check, _STOP_SPARE_S)
    rows = [one.rows for one in episodes]
    bare = encode_bare(scenario, arguments, folder, rows, check) if has_bare else []
    return Measurement(scenario, episodes, peak_mib, bare, _left_out(publisher))


@contextmanager
def _fast_topics(scenario: Scenario, folder: Path) -> Iterator[None]:
    """Publish joint states at a high rate, if the scenario has them."""
    if not scenario.is_fast:
        yield
        return
    arguments = ['publish']
    with running(
        ModuleChild('benchmarks.receipt', arguments, folder=folder, environment={})
    ):
        yield


def _record(
    root: Path,
    publisher: ModuleChild,
    recorder: ModuleChild,
    seconds: float,
    num_episodes: int,
    check: Check,
) -> list[RecordedEpisode]:
    client = RecorderClient(root, still_running(check, publisher, recorder))
    try:
        client.wait_for_recorder(_UP_TIMEOUT_S)
        client.spin(_SETTLE_S)
        return [
            _record_episode(client, publisher, recorder, seconds) for _ in range(num_episodes)
        ]
    finally:
        client.close()


def _record_episode(
    client: RecorderClient, publisher: ModuleChild, recorder: ModuleChild, seconds: float
) -> RecordedEpisode:
    client.start(_START_TIMEOUT_S)
    recorder_cpu_s, publisher_cpu_s = cpu_seconds(recorder.pid), cpu_seconds(publisher.pid)
    client.spin(seconds)
    client.spin_until_diagnostics()
    answer = client.save(_SAVE_TIMEOUT_S)
    used_s = [cpu_seconds(recorder.pid), cpu_seconds(publisher.pid)]
    client.spin(_GIVE_BACK_S)
    return RecordedEpisode(
        recorder_cpu_s=used_s[0] - recorder_cpu_s,
        publisher_cpu_s=used_s[1] - publisher_cpu_s,
        rows=answer.count('row'),
        repeated=answer.count('repeated frame'),
        save_s=answer.took_s,
        peak_queued=client.peak_queued,
        rss_mib=rss_mib(recorder.pid),
        remarks=answer.remarks,
    )


def encode_bare(
    scenario: Scenario, arguments: list[str], folder: Path, rows: list[int], check: Check
) -> list[dict[str, float]]:
    """
    Encode a number of rows for each episode with the encoder alone.

    :param scenario: the scenario
    :param arguments: options of the bare encoder for the pictures and cameras
    :param folder: folder for the log and the answer
    :param rows: number of rows of each episode
    :param check: function that is called several times a second, and raises to end everything
    :return: rows and times of each episode
    """
    out_path = folder / 'bare_encoder.json'
    encoder = ModuleChild(
        'benchmarks.bare_encoder',
        [
            *arguments,
            *('--codec', scenario.vcodec, '--out', str(out_path)),
            *('--rows', *map(str, rows)),
        ],
        folder=folder,
        environment={},
    )
    video_s = sum(rows) * scenario.num_cameras / FPS
    with running(encoder):
        encoder.wait(check, _ENCODER_SPARE_S + _ENCODER_SLOWNESS * video_s)
    return json.loads(out_path.read_text(encoding='utf-8'))


def _left_out(publisher: ModuleChild) -> int:
    found = re.search(r'left out (\d+)', publisher.log_tail())
    return int(found.group(1)) if found else 0
