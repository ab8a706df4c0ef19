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
Packets that `camera_packets` makes on the camera's host: the recorder stores these very packets.

Guards the rows of cameras that are encoded elsewhere: each has the stamp of its picture, and
pictures that do not fit are dropped before they are encoded, counted, and told.
"""

from __future__ import annotations

import hashlib
import signal
import threading

import av
from examples.demo.dataset_files import DatasetFiles, decode
from examples.demo.verdict import judge
from lerobot_streamrec.conversions.cdr import (
    first_time,
    read_compressed_video,
    read_ffmpeg_packet,
)
from lerobot_streamrec.conversions.compressed_image import access_unit, compressed_picture
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.nodes.graph.topic_types import class_to_take
from lerobot_streamrec.nodes.packets.packet_thread import PacketThread
from lerobot_streamrec.settings.transports import FFMPEG_TYPE, VIDEO_TYPE
from lerobot_streamrec.sync.row_clock import NS_PER_S
from lerobot_streamrec.video.codecs.config import EncoderConfig
import numpy as np
from picture_files import jpeg_file
import pytest
from recorder_rig.parameters import FRONT_KEY, FRONT_TOPIC, STATE, STATE_KEY, STATE_TOPIC
from recorder_rig.pictures import NumberedFile, NumberedPicture
from sensor_msgs.msg import CompressedImage
from waiting import wait_for

MODULE = 'lerobot_streamrec.nodes.packets.camera_packets_main'
TIMEOUT_S = 60.0
KINDS = {
    'foxglove': (VIDEO_TYPE, read_compressed_video),
    'ffmpeg': (FFMPEG_TYPE, read_ffmpeg_packet),
}


def digest(frame):
    """Return the pixels of a frame, in few bytes that a failure can print."""
    return hashlib.sha256(frame.to_ndarray(format='rgb24').tobytes()).hexdigest()[:12]


def frames_of(messages, read, codec):
    """Decode packets; return the pictures by the nanoseconds of their stamps."""
    decoder, found = av.CodecContext.create(codec, 'r'), {}
    decoder.flags |= av.codec.context.Flags.low_delay
    for data in messages:
        sec, nanosec = first_time(data)
        (frame,) = decoder.decode(av.Packet(read(data).data.tobytes()))
        found[sec * NS_PER_S + nanosec] = digest(frame)
    return found


def stop_during(node, camera, num_pictures):
    """Stop a node, as a busy host does, until a camera has published this many pictures."""
    first = camera.next_number
    node.send(signal.SIGSTOP)
    wait_for(lambda: camera.next_number >= first + num_pictures)
    node.send(signal.SIGCONT)


@pytest.mark.ros
@pytest.mark.parametrize('output', ['foxglove', 'ffmpeg'])
def test_the_recorder_stores_the_packets_of_the_cameras_host(rig, tmp_path, output, keep_dataset):
    truth_path = tmp_path / 'truth.jsonl'
    is_raw = output == 'foxglove'
    camera = FRONT_TOPIC if is_raw else f'{FRONT_TOPIC}/compressed'
    picture = NumberedPicture() if is_raw else NumberedFile(jpeg_file, 'bgr8; jpeg')
    robot = rig.robot(truth_path, is_punctual=True)
    front = robot.add_camera(camera, picture)
    robot.add_joints(STATE_TOPIC, STATE['state.names'])
    kind, read = KINDS[output]
    packets_topic = f'{FRONT_TOPIC}/{output}'
    bag = rig.bag_recorder({packets_topic: class_to_take(kind)})
    node = rig.program(
        MODULE,
        {
            'topic': FRONT_TOPIC,
            'output': output,
            'encoder.vcodec': 'h264',
            'encoder.crf': 10,
            # A busy machine may stop the node for several seconds.
            'queue': 300,
        },
    )
    robot.start()
    recorder = rig.recorder(
        {
            **STATE,
            'cameras': ['front'],
            'camera.front.topic': FRONT_TOPIC,
            'camera.front.transport': output,
            # Each row is a picture of its own, from a key frame on, so every packet is copied.
            'sync.clock': 'front',
            'provenance.per_row': True,
            'sync.start_at_key_frame': True,
        }
    )
    operator = rig.operator()
    operator.start()
    operator.wait_for_rows(15)
    stop_during(node, front, num_pictures=20)
    operator.wait_for_rows(45)
    operator.save()
    assert recorder.end() == 0
    assert node.end(signal.SIGINT) == 0, node.log
    assert 'dropped' not in node.log
    published = [data for topic, *_, data in bag.messages if topic == packets_topic]
    robot.close()

    verdict = judge(rig.root, truth_path, topics={FRONT_KEY: camera, STATE_KEY: STATE_TOPIC})
    assert verdict.problems == ()
    encoded = frames_of(published, read, 'h264')
    files = DatasetFiles(rig.root)
    clip = files.clip(files.episodes[0], FRONT_KEY)
    recorded = [digest(one.video_frame) for one in decode(clip.path)]
    assert len(recorded) >= 45
    assert 'encoded again' not in recorder.log
    shown = list(encoded.values())
    begin = shown.index(recorded[0])
    assert recorded == shown[begin : begin + len(recorded)]
    assert files.info['features'][FRONT_KEY]['info']['video.g'] == 2
    keep_dataset(rig.root)


@pytest.mark.ros
def test_what_cannot_be_used_is_refused_with_advice(rig):
    node = rig.program(MODULE, {'topic': FRONT_TOPIC, 'encoder.vcodecs': 'h264'})
    assert node.wait() == 2
    assert 'did you mean encoder.vcodec?' in node.log
    node = rig.program(MODULE, {'encoder.vcodec': 'h264'})
    assert node.wait() == 2
    assert '-p topic:=/image_raw' in node.log


@pytest.fixture
def gate():
    """Return an event that lets packets be published, which is open at the end."""
    gate = threading.Event()
    yield gate
    gate.set()


def thread_of(publish, vcodec='h264', max_pictures=2):
    config = EncoderConfig(vcodec=vcodec, crf=20, preset=10 if 'av1' in vcodec else 'ultrafast')
    return PacketThread(
        config, 'foxglove', publish, fps=30, head_room=2.0, max_pictures=max_pictures
    )


def picture(number, height=48, width=64):
    return Frame(np.full((height, width, 3), 8 * number, np.uint8), 'rgb24')


def test_pictures_beyond_the_queue_are_dropped_and_counted(gate):
    messages, at_gate = [], threading.Event()

    def publish(data):
        messages.append(data)
        at_gate.set()
        assert gate.wait(TIMEOUT_S)

    thread = thread_of(publish)
    thread.start()
    thread.push(1, 'lens', picture(1))
    assert at_gate.wait(TIMEOUT_S)
    for number in range(2, 12):
        thread.push(number, 'lens', picture(number))
    assert thread.counts.num_dropped == 8
    gate.set()
    thread.close(TIMEOUT_S)
    assert [first_time(one) for one in messages] == [(0, 1), (0, 2), (0, 3)]
    assert thread.counts.num_packets == 3


@pytest.mark.parametrize('vcodec', ['h264', 'hevc', 'libsvtav1'])
def test_another_size_begins_with_a_key_frame_of_its_own(vcodec):
    messages = []
    thread = thread_of(messages.append, vcodec, max_pictures=20)
    thread.start()
    sizes = [(96, 128)] * 3 + [(128, 160)] * 4
    for number, size in enumerate(sizes, start=1):
        thread.push(number, 'lens', picture(number, *size))
    thread.close(TIMEOUT_S)
    assert [first_time(one)[1] for one in messages] == list(range(1, 8))
    units = [access_unit(read_compressed_video(one)) for one in messages]
    # Key frames are two apart, and bring their parameter sets.
    assert [one.is_key for one in units] == [True, False, True, True, False, True, False]
    codec = units[0].codec
    for first in (0, 3):
        decoder = av.CodecContext.create('libdav1d' if codec == 'av1' else codec, 'r')
        decoder.thread_count = 1
        packet = av.Packet(units[first].data.tobytes())
        frames = [*decoder.decode(packet), *decoder.decode(None)]
        assert (frames[0].height, frames[0].width) == sizes[first]
        mean = frames[0].to_ndarray(format='rgb24').mean()
        assert mean == pytest.approx(8 * (first + 1), abs=3)


def test_no_packet_is_made_of_a_damaged_picture():
    messages = []
    thread = thread_of(messages.append, max_pictures=20)
    thread.start()
    whole = jpeg_file(np.full((48, 64, 3), 90, np.uint8))
    for number, data in enumerate([whole, whole[:-40], whole], start=1):
        message = CompressedImage(format='jpeg', data=data)
        thread.push(number, '', compressed_picture(message))
    thread.close(TIMEOUT_S)
    assert [first_time(one)[1] for one in messages] == [1, 3]
    assert thread.counts.num_undecodable == 1
