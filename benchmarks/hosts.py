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
What arrives of a camera on another host: raw pictures, JPEGs, and packets of `camera_packets`.

``python -m benchmarks.hosts`` measures all three over the cable of two_hosts.py, each with the
settings of Fast DDS and with the profiles of config/ for other hosts. Needs root.
"""

from __future__ import annotations

import argparse
import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
import json
import os
from pathlib import Path
import statistics
import subprocess
import sys
import time
from typing import Any

from builtin_interfaces.msg import Time
from examples.demo.settings import CHECKOUT
from lerobot_streamrec.conversions.cdr import first_time
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.nodes.graph.distributions import subscribe_to_take, take_bytes
from lerobot_streamrec.nodes.graph.topic_types import class_to_take
from lerobot_streamrec.settings.transports import COMPRESSED_TYPE, RAW_TYPE, VIDEO_TYPE
from lerobot_streamrec.video.tools.thumbnail import jpeg_of
from lerobot_streamrec.video.trials.trial_encoding import textured_pictures
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from benchmarks.machine import this_machine
from benchmarks.two_hosts import CAMERA, RECORDER, TwoHosts, why_not

NETWORK = CHECKOUT / 'config' / 'fastdds_network.xml'
# Kilted's rclpy is 9, and its Fast DDS is 3.
_FAST_DDS = 3 if int(version('rclpy').partition('.')[0]) >= 9 else 2
PROFILE = CHECKOUT / 'config' / f'fastdds_hosts_{_FAST_DDS}.xml'
"""The profile for other hosts that the installed Fast DDS reads."""
BASE = '/front/image_raw'
TOPICS = {
    'raw': (BASE, RAW_TYPE),
    'jpeg': (f'{BASE}/compressed', COMPRESSED_TYPE),
    'packets': (f'{BASE}/foxglove', VIDEO_TYPE),
}
WIDTH, HEIGHT, FPS = 640, 480, 30
_NUM_PICTURES = 60
_NS_PER_S = 10**9
_DISCOVERY_S = 30.0
_SETTLE_NS = 2 * _NS_PER_S
# What is still under way arrives within this time, or never.
_LATE_S = 3.0
_DOMAIN_ID = '77'
PACKETS = 'lerobot_streamrec.nodes.packets.camera_packets_main'


def environment(profile: Path | None) -> dict[str, str]:
    """Return the environment of programs on the hosts, which see each other and nobody else."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(('ROS_', 'FASTDDS_', 'FASTRTPS_', 'RMW_'))
    }
    kept |= {'ROS_DOMAIN_ID': _DOMAIN_ID, 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'}
    for name in ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'):
        kept |= {} if profile is None else {name: str(profile)}
    return kept


def camera(kind: str, seconds: float, *, is_reliable: bool) -> None:
    """Publish pictures once somebody subscribes; print how many."""
    pictures = textured_pictures(WIDTH, HEIGHT)
    shown = [pictures(number) for number in range(_NUM_PICTURES)]
    topic, _ = TOPICS['jpeg' if kind == 'jpeg' else 'raw']
    message: Any
    if kind == 'jpeg':
        buffers = [array.array('B', jpeg_of(Frame(one, 'rgb24'), WIDTH)) for one in shown]
        message = CompressedImage(format='rgb8; jpeg compressed bgr8')
    else:
        buffers = [array.array('B', one.tobytes()) for one in shown]
        message = Image(height=HEIGHT, width=WIDTH, encoding='rgb8', step=3 * WIDTH)
    with _ros():
        node = Node('camera', enable_rosout=False)
        level = ReliabilityPolicy.RELIABLE if is_reliable else ReliabilityPolicy.BEST_EFFORT
        publisher = node.create_publisher(
            type(message), topic, QoSProfile(depth=5, reliability=level)
        )
        _wait_for(publisher.get_subscription_count, 'a subscriber')
        due_s = time.monotonic()
        end_s, stamps_ns = due_s + seconds, []
        while time.monotonic() < end_s:
            message.data = buffers[len(stamps_ns) % _NUM_PICTURES]
            stamps_ns.append(time.time_ns())
            sec, nanosec = divmod(stamps_ns[-1], _NS_PER_S)
            message.header = Header(stamp=Time(sec=sec, nanosec=nanosec))
            publisher.publish(message)
            due_s += 1 / FPS
            time.sleep(max(0.0, due_s - time.monotonic()))
        print(json.dumps(stamps_ns), flush=True)
        time.sleep(_LATE_S)


def receive(kind: str, *, is_reliable: bool) -> None:
    """Take messages until none comes any more; print their number, delays and size."""
    topic, message_type = TOPICS[kind]
    level = ReliabilityPolicy.RELIABLE if is_reliable else ReliabilityPolicy.BEST_EFFORT
    with _ros():
        node = Node('receiver', enable_rosout=False)
        qos = QoSProfile(depth=60, reliability=level)
        handle = subscribe_to_take(
            node, class_to_take(message_type), topic, qos, on_lost=lambda _: None
        )
        came_ns, size_bytes, until_s = [], 0, time.monotonic() + _DISCOVERY_S
        while time.monotonic() < until_s:
            if (taken := take_bytes(handle)) is None:
                time.sleep(0.001)
                continue
            sec, nanosec = first_time(taken[0])
            came_ns.append((sec * _NS_PER_S + nanosec, time.time_ns()))
            size_bytes += len(taken[0])
            until_s = time.monotonic() + _LATE_S
    print(json.dumps({'came_ns': came_ns, 'size_bytes': size_bytes}), flush=True)


@contextmanager
def _ros() -> Iterator[None]:
    rclpy.init()
    try:
        yield
    finally:
        rclpy.try_shutdown()


def _wait_for(condition: Any, what: str) -> None:
    deadline_s = time.monotonic() + _DISCOVERY_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise SystemExit(f'not within {_DISCOVERY_S:g} s: {what}')
        time.sleep(0.01)


def measure(
    kind: str,
    profile: Path | None,
    seconds: float,
    *,
    is_reliable: bool,
    loss: float,
    delay_s: float,
) -> dict[str, Any]:
    """Return what arrived of the pictures of one camera."""
    around, python = environment(profile), [sys.executable, '-m', 'benchmarks.hosts']
    quality = ['--best-effort'] if not is_reliable else []
    with TwoHosts(loss=loss, delay_s=delay_s) as hosts:
        receiver = hosts.start(
            RECORDER, [*python, 'receive', kind, *quality], around, stdout=subprocess.PIPE
        )
        if kind == 'packets':
            parameters = ['-p', f'topic:={BASE}', '-p', 'encoder.profile:=light']
            hosts.start(
                CAMERA,
                [sys.executable, '-m', PACKETS, '--ros-args', *parameters],
                around,
                stderr=subprocess.DEVNULL,
            )
        begin = _sent_bytes(hosts)
        sender = hosts.start(
            CAMERA,
            [*python, 'camera', kind, '--seconds', str(seconds), *quality],
            around,
            stdout=subprocess.PIPE,
        )
        sent = json.loads(sender.communicate(timeout=_DISCOVERY_S + seconds + 30)[0])
        heard = json.loads(receiver.communicate(timeout=_DISCOVERY_S + 30)[0])
        wire = _sent_bytes(hosts) - begin
    # The first pictures are sent while programs start and the hosts discover each other.
    first_ns = sent[0] + _SETTLE_NS
    sent = [one for one in sent if one >= first_ns]
    came = [one for one in heard['came_ns'] if one[0] >= first_ns]
    delays = sorted((came_ns - stamp_ns) / 1e6 for stamp_ns, came_ns in came)
    return {
        'kind': kind,
        'arrived %': 100 * len(delays) / max(1, len(sent)),
        'kB': heard['size_bytes'] / max(1, len(heard['came_ns'])) / 1e3,
        'Mbit/s on the wire': wire * 8e-6 / seconds,
        'median ms': statistics.median(delays) if delays else 0.0,
        'p99 ms': delays[int(0.99 * (len(delays) - 1))] if delays else 0.0,
        'max ms': delays[-1] if delays else 0.0,
    }


def _sent_bytes(hosts: TwoHosts) -> int:
    path = '/proc/net/dev'
    text = subprocess.check_output(hosts.command(CAMERA, ['cat', path]), text=True, timeout=10)
    (line,) = (one for one in text.splitlines() if one.strip().startswith('eth0:'))
    return int(line.split(':')[1].split()[8])


def _row(values: Mapping[str, Any]) -> str:
    texts = (f'{one:.1f}' if isinstance(one, float) else str(one) for one in values.values())
    return f'| {" | ".join(texts)} |'


def main() -> int:
    """Measure, or be one of the programs on a host."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('role', nargs='?', choices=('camera', 'receive'))
    parser.add_argument('kind', nargs='?', choices=tuple(TOPICS))
    parser.add_argument('--seconds', type=float, default=15.0)
    parser.add_argument('--best-effort', action='store_true')
    parser.add_argument('--loss', type=float, default=0.01, help='share of the frames')
    parser.add_argument('--delay', type=float, default=0.02, help='of each frame, in seconds')
    parser.add_argument('--only', choices=tuple(TOPICS), action='append')
    options = parser.parse_args()
    is_reliable = not options.best_effort
    if options.role == 'camera':
        camera(options.kind, options.seconds, is_reliable=is_reliable)
        return 0
    if options.role == 'receive':
        receive(options.kind, is_reliable=is_reliable)
        return 0
    if trouble := why_not():
        print(f'not measured: {trouble}')
        return 1
    print(this_machine())
    is_first = True
    for profile, kind, reliable in _cases(options.only or TOPICS):
        found = measure(
            kind,
            profile,
            options.seconds,
            is_reliable=reliable,
            loss=options.loss,
            delay_s=options.delay,
        )
        name = profile.stem if profile else 'none'
        found = {'profile': name, 'reliable': 'yes' if reliable else 'no', **found}
        if is_first:
            print(_row({one: one for one in found}))
            print(_row(dict.fromkeys(found, '---')))
            is_first = False
        print(_row(found), flush=True)
    return 0


def _cases(kinds: Iterable[str]) -> Iterator[tuple[Path | None, str, bool]]:
    for one in (None, NETWORK, PROFILE):
        for kind in kinds:
            yield one, kind, True
            if kind != 'packets':
                yield one, kind, False


if __name__ == '__main__':
    sys.exit(main())
