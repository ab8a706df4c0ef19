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
"""Bags of a robot with a camera and two joints, whose messages bear numbers."""

from __future__ import annotations

from functools import partial
import json

from bags import header, IMAGE, JAZZY, JOINTS, write_bag
from numbered_pictures import number_in, numbered_frame
import numpy as np

SECOND_NS = 10**9
BEGIN_NS = 1_800_000_000 * SECOND_NS
FPS = 10


def stamped(stamp_ns):
    types = JAZZY.types
    made = header(0)
    made.stamp = types['builtin_interfaces/msg/Time'](
        sec=stamp_ns // SECOND_NS, nanosec=stamp_ns % SECOND_NS
    )
    return made


def joints_at(stamp_ns, number):
    message = JAZZY.types[JOINTS](
        header=stamped(stamp_ns),
        name=['b', 'a'],
        position=np.array([-number, number], float),
        velocity=np.empty(0),
        effort=np.empty(0),
    )
    return bytes(JAZZY.serialize_cdr(message, JOINTS))


def picture_at(stamp_ns, number, scale=1):
    pixels = numbered_frame(number).pixels.repeat(scale, 0).repeat(scale, 1)
    height, width, _ = pixels.shape
    message = JAZZY.types[IMAGE](
        header=stamped(stamp_ns),
        height=height,
        width=width,
        encoding='rgb8',
        is_bigendian=0,
        step=3 * width,
        data=np.ascontiguousarray(pixels).reshape(-1),
    )
    return bytes(JAZZY.serialize_cdr(message, IMAGE))


def trains(seconds=3.0):
    """Return the messages of a robot that wakes up, with the delay of their way to the bag."""
    sent = []
    for number in range(round(seconds * FPS)):
        stamp_ns = BEGIN_NS + 300_000_000 + number * SECOND_NS // FPS
        sent.append(('/front/image_raw', IMAGE, stamp_ns + 30_000_000, stamp_ns, number))
    for number in range(round(seconds * 50)):
        stamp_ns = BEGIN_NS + 7_000_000 + number * SECOND_NS // 50
        sent.append(('/joint_states', JOINTS, stamp_ns + 1_000_000, stamp_ns, number))
    return sorted(sent, key=lambda one: one[2])


def make_bag(path, sent, *format_of, others=(), scale=1):
    """
    Write a bag, and return its folder.

    :param sent: messages from ``trains``
    :param others: further messages (topic, type, receive time, data)
    :param scale: factor by which the pictures are larger
    """
    content = {IMAGE: partial(picture_at, scale=scale), JOINTS: joints_at}
    messages = [
        (topic, kind, received_ns, content[kind](stamp_ns, number))
        for topic, kind, received_ns, stamp_ns, number in sent
    ]
    in_order = sorted([*messages, *others], key=lambda one: one[2])
    return write_bag(path, in_order, *format_of)


def expected_rows(root, sent, index=0):
    """Return the numbers of state and picture that each row has to show."""
    record = json.loads((root / f'.streamrec/episodes/episode-{index:06d}.json').read_text())
    found = []
    for row in range(record['length']):
        at = record['start_stamp_ns'] + row * SECOND_NS // FPS
        found.append(
            tuple(
                max(number for _, kind, _, stamp, number in sent if kind == one and stamp <= at)
                for one in (JOINTS, IMAGE)
            )
        )
    return found


def rows_of(root, read_dataset, index=0):
    dataset = read_dataset(root, is_kept=False)
    state = dataset.vectors('observation.state', index)
    assert (state[:, 1] == -state[:, 0]).all()
    pictures = dataset.pictures('observation.images.front', index)
    numbers = [number_in(pixels) for pixels in pictures]
    return list(zip(state[:, 0].astype(int).tolist(), numbers, strict=True))
