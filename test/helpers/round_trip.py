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
Datasets that become bags and come back: a robot without ROS, the two commands, and bags as lists.

The robot has streams of every kind, so that a test only says what is done with it.
"""

from __future__ import annotations

from contextlib import contextmanager
import json

from lerobot_streamrec.cli.main import main
from lerobot_streamrec.fleet.reading.bag_reader import open_bag
from lerobot_streamrec.frame import DepthFrame, MILLIMETRES
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.sync.row_clock import Policy
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.codecs.depth_config import DepthConfig
from numbered_pictures import numbered_frame
import numpy as np

FPS = 10
SECOND_NS = 10**9
PERIOD_NS = SECOND_NS // FPS
BEGIN_NS = 1_800_000_000 * SECOND_NS
FRONT, WRIST, DEPTH = (f'observation.images.{name}' for name in ('front', 'wrist', 'depth'))
STATE, ACTION, FORCE = 'observation.state', 'action', 'observation.force'
JOINTS = 'sensor_msgs/msg/JointState'


def joints(key, topic, names, **more):
    selectors = tuple(f'position[{name}]' for name in names)
    names = tuple(names)
    return StreamConfig(key, topic, names, message_type=JOINTS, selectors=selectors, **more)


CAMERA = StreamConfig(FRONT, '/front/image_raw')
ARM = joints(STATE, '/joint_states', ('a', 'b'))
STREAMS = (
    CAMERA,
    StreamConfig(WRIST, '/wrist/image_raw/compressed', offset_ms=-30.0),
    StreamConfig(DEPTH, '/depth/image_raw', depth=DepthConfig()),
    joints(f'{STATE}.arm', '/joint_states', ('a', 'b'), part_of=STATE),
    # Its messages have no header, so they are stamped on arrival.
    StreamConfig(
        f'{STATE}.gripper',
        'gripper',
        ('g',),
        part_of=STATE,
        message_type='std_msgs/msg/Float32',
        selectors=('data',),
        is_stamped_here=True,
        offset_ms=-20.0,
    ),
    joints(ACTION, '/policy', ('a', 'b')),
    joints(f'{ACTION}.when_intervening', '/leader', 'xy', part_of=ACTION, is_for_human=True),
    StreamConfig(
        FORCE,
        '/force',
        ('x', 'y'),
        policy=Policy.INTERPOLATE,
        dtype='float64',
        message_type='geometry_msgs/msg/WrenchStamped',
        selectors=('wrench.force.x', 'wrench.torque.y'),
    ),
)
H264 = EncoderConfig(vcodec='h264', preset='ultrafast', crf=10.0, encoder_threads=1)


class Robot:
    """A robot whose streams have a new sample for every row, as long as it is told to go on."""

    def __init__(self, recorder, streams):
        self.recorder = recorder
        self._streams = streams
        self.now_ns = BEGIN_NS
        self._number = 0

    def go_on(self, rows):
        """Push the samples of so many rows; each number is another one."""
        for _ in range(rows):
            self._number += 1
            self.now_ns += PERIOD_NS
            for place, stream in enumerate(self._streams):
                # The recorder adds the offset to the stamp.
                stamp_ns = self.now_ns - stream.offset_ns
                if stream.is_camera:
                    self.recorder.push_image(stream.key, stamp_ns, self._picture(stream))
                else:
                    values = self._number + np.arange(len(stream.names)) / 7 + place
                    self.recorder.push_vector(stream.key, stamp_ns, values)
            self.recorder.close_rows()

    def _picture(self, stream):
        if stream.depth is None:
            return numbered_frame(self._number)
        levels = np.full((48, 64), 500 + self._number, np.uint16)
        levels[:4] = 0
        return DepthFrame(levels, MILLIMETRES)


@contextmanager
def recording(root, streams=STREAMS, **options):
    """Open a recorder of a robot, which has sent a sample of each stream."""
    config = RecorderConfig(
        root=root,
        fps=FPS,
        task='push the cube',
        streams=streams,
        encoder=options.pop('encoder', H264),
        **options,
    )
    robot = Robot(None, streams)
    robot.recorder = Recorder(config, lambda: robot.now_ns, lambda: robot.now_ns)
    try:
        robot.go_on(1)
        yield robot
    finally:
        robot.recorder.close(60.0)


def record(root, streams=STREAMS, rows=12, **options):
    """Record one episode, and return the root."""
    with recording(root, streams, **options) as robot:
        robot.recorder.start()
        robot.go_on(rows)
        robot.recorder.save().result(60.0)
    return root


def export(root, out, *options):
    """Export a dataset by the command, and return the bag."""
    assert main(['export', str(root), str(out), *map(str, options)]) == 0
    return open_bag(out)


def import_back(bag, params, root):
    """Import a bag by the command."""
    given = ['--params', str(params), '--root', str(root), '--episodes', 'events']
    assert main(['import', str(bag), *given]) == 0
    return root


def messages_on(bag, topic):
    """Return type, receive time and decoded message of each message on a topic."""
    return [
        (one.type_name, one.receive_ns, bag.decode(one.type_name, one.data))
        for one in bag.messages({topic})
    ]


def stamps_of(bag, topic):
    """Return the stamps in the headers of a topic."""
    headers = [message.header.stamp for *_, message in messages_on(bag, topic)]
    return [one.sec * SECOND_NS + one.nanosec for one in headers]


def instants_of(root, episode):
    """Return the instants of an episode's rows, as the recorder's own record has them."""
    path = root / f'.streamrec/episodes/episode-{episode:06d}.json'
    record = json.loads(path.read_text('utf-8'))
    found = [record['start_stamp_ns'] + k * SECOND_NS // FPS for k in range(record['length'])]
    for cut in record['cuts']:
        found[cut['row'] :] = [
            cut['to_ns'] + k * SECOND_NS // FPS for k in range(record['length'] - cut['row'])
        ]
    return found
