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
"""The delays of the cameras of a bag, in which the robot moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lerobot_streamrec.dataset.format.features import STATE
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.fleet.bag_samples import BagSamples
from lerobot_streamrec.fleet.reading.bag_reader import Bag
from lerobot_streamrec.recording.camera_latency import (
    camera_latencies,
    CameraLatency,
    MotionSink,
    NEEDS_CAMERA,
    NEEDS_STATE,
)
from lerobot_streamrec.settings.recorder_settings import Settings
from lerobot_streamrec.sync.row_clock import NS_PER_S

NUM_STRETCHES, STRETCH_S = 20, 10
"""Number and length in seconds of the stretches that are read of a bag that is longer."""


def bag_latencies(
    bag: Bag,
    settings: Settings,
    namespace: str,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> list[CameraLatency]:
    """
    Measure the delays of the cameras of a bag.

    :param bag: the bag, whole or in ``NUM_STRETCHES`` evenly spaced stretches
    :param settings: from ``bag_settings``
    :param namespace: namespace of the recorder, in which its relative topics are
    :param progress: called with the seconds that were read and that will be
    :raise ConfigError: if there is no camera or no state, or the bag lacks one of their topics
    """
    sources = [
        one for one in settings.sources if one.stream.is_camera or one.stream.feature == STATE
    ]
    streams = {one.parameter: one.stream for one in sources}
    for is_camera, parameter, needed in (
        (True, 'cameras', f'the parameter file {NEEDS_CAMERA}'),
        (False, 'state.topic', NEEDS_STATE),
    ):
        if not any(one.is_camera is is_camera for one in streams.values()):
            raise ConfigError(parameter, '', needed)
    samples = BagSamples(bag, sources, namespace)
    stretches = list(_stretches(bag))
    sinks = []
    for number, (begin_ns, end_ns) in enumerate(stretches):
        sink = MotionSink(streams.values())
        sinks.append(sink)
        for message in bag.messages(samples.topics, begin_ns, end_ns):
            samples.push(message, message.receive_ns, sink)
            done_s = number * STRETCH_S + (message.receive_ns - begin_ns) // NS_PER_S
            progress(done_s, sum(end - begin for begin, end in stretches) // NS_PER_S)
    return camera_latencies(streams, sinks, 'the bag has none that can be read')


def _stretches(bag: Bag) -> Iterator[tuple[int, int]]:
    """Yield the begin and the end of each stretch, in nanoseconds of receive time."""
    begin_ns, end_ns = bag.begin_ns or 0, (bag.end_ns or 0) + 1
    length_ns, stretch_ns = end_ns - begin_ns, STRETCH_S * NS_PER_S
    if length_ns <= NUM_STRETCHES * stretch_ns:
        yield begin_ns, end_ns
        return
    for number in range(NUM_STRETCHES):
        at_ns = begin_ns + (length_ns - stretch_ns) * number // (NUM_STRETCHES - 1)
        yield at_ns, at_ns + stretch_ns
