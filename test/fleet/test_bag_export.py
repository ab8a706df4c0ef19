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
Episodes become bags with the topics, types, numbers and instants that they came from.

Guards against a bag that only its writer can read, against numbers that change on the way, and
against packets that no decoder takes one by one.
"""

from __future__ import annotations

from io import BytesIO
import json
import shutil
import subprocess
import sys

from arm_dataset import Plan, write_dataset
from arm_dataset import STATE as ARM_STATE
import av
from lerobot_streamrec.cli.main import main
from lerobot_streamrec.conversions.cdr import Transform
from lerobot_streamrec.conversions.robot_yaml import calibration_yaml, transforms_yaml
from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.fleet.bag_import import bag_settings
from lerobot_streamrec.fleet.exporting.bag_messages import message_class
from lerobot_streamrec.fleet.planning.bag_episodes import plan_episodes
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.mp4.access_units import packet_codec
from lerobot_streamrec.video.mp4.packet_index import survey_video
from numbered_pictures import numbered_frame
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from rosbags.highlevel import AnyReader
from round_trip import (
    ACTION,
    ARM,
    CAMERA,
    DEPTH,
    export,
    FORCE,
    FRONT,
    import_back,
    instants_of,
    JOINTS,
    messages_on,
    record,
    recording,
    stamps_of,
    STATE,
    STREAMS,
    WRIST,
)
import yaml

pytestmark = [pytest.mark.usefixtures('no_thread_left')]

IMAGE = 'sensor_msgs/msg/Image'
TYPES = {
    '/front/image_raw': IMAGE,
    '/wrist/image_raw/compressed': 'sensor_msgs/msg/CompressedImage',
    '/depth/image_raw': IMAGE,
    '/joint_states': 'sensor_msgs/msg/JointState',
    '/gripper': 'std_msgs/msg/Float32',
    '/policy': 'sensor_msgs/msg/JointState',
    '/leader': 'sensor_msgs/msg/JointState',
    '/force': 'geometry_msgs/msg/WrenchStamped',
}


def pixels_in(message):
    return message.data.reshape(message.height, message.width, -1)


def jpeg_pixels(data):
    with av.open(BytesIO(bytes(data)), format='mjpeg') as container:
        return next(container.decode(video=0)).to_ndarray(format='rgb24')


def events_in(bag):
    return [json.loads(one.data) for *_, one in messages_on(bag, '/episode/events')]


def merge_with_itself(root, target):
    copy = shutil.copytree(root, target.with_name('copy'))
    assert main(['merge', str(target), str(root), str(copy)]) == 0


@pytest.fixture
def root(tmp_path):
    return tmp_path / 'dataset'


def test_topics_types_numbers_and_instants_are_those_of_the_recording(
    root, tmp_path, read_dataset
):
    record(root, is_hil=True)
    dataset, instants = read_dataset(root, is_kept=False), instants_of(root, 0)
    bag = export(root, tmp_path / 'out.mcap')
    found = {one.name: one for one in bag.topics if not one.name.startswith('/episode/')}
    assert {name: one.type_name for name, one in found.items()} == TYPES
    assert {one.num_messages for one in found.values()} == {len(instants)}
    for topic in TYPES:
        delay_ns = 20_000_000 if topic == '/gripper' else 0
        received = [receive_ns for _, receive_ns, _ in messages_on(bag, topic)]
        assert received == [one + delay_ns for one in instants]
        if topic != '/gripper':
            offset_ns = -30_000_000 if 'wrist' in topic else 0
            assert stamps_of(bag, topic) == [one - offset_ns for one in instants]
    state, force = (dataset.vectors(key, 0) for key in (STATE, FORCE))
    action = dataset.vectors(ACTION, 0)
    for topic, names, values in (
        ('/joint_states', 'ab', state[:, :2]),
        ('/policy', 'ab', action),
        ('/leader', 'xy', action),
    ):
        found = [one for *_, one in messages_on(bag, topic)]
        assert {tuple(one.name) for one in found} == {tuple(names)}
        assert np.array_equal([one.position for one in found], values.astype(float))
        assert not any(one.velocity.size or one.effort.size for one in found)
    assert [one.data for *_, one in messages_on(bag, '/gripper')] == state[:, 2].tolist()
    wrenches = [one.wrench for *_, one in messages_on(bag, '/force')]
    assert [[one.force.x, one.torque.y] for one in wrenches] == force.tolist()
    assert {one.force.y for one in wrenches} == {0.0}


def test_pictures_are_those_that_the_videos_show(root, tmp_path, read_dataset):
    record(root, is_hil=True)
    dataset = read_dataset(root, is_kept=False)
    bag = export(root, tmp_path / 'out.mcap')
    found = [one for *_, one in messages_on(bag, '/front/image_raw')]
    assert {one.encoding for one in found} == {'rgb8'}
    assert np.array_equal([pixels_in(one) for one in found], dataset.pictures(FRONT, 0))
    jpegs = [one for *_, one in messages_on(bag, '/wrist/image_raw/compressed')]
    assert {one.format for one in jpegs} == {'rgb8; jpeg compressed bgr8'}
    for one, shown in zip(jpegs, dataset.pictures(WRIST, 0), strict=True):
        assert np.abs(jpeg_pixels(one.data).astype(int) - shown).mean() < 3
    depths = [one for *_, one in messages_on(bag, '/depth/image_raw')]
    assert {one.encoding for one in depths} == {'16UC1'}
    levels = np.array([one.data.view('<u2').reshape(48, 64) for one in depths])
    assert not levels[:, :4].any()
    # The codes of depth are about a millimetre apart.
    rows = np.arange(len(depths))[:, None, None]
    assert np.abs(levels[:, 4:] - (502 + rows)).max() <= 2


def test_compressed_depth_stays_compressed(root, tmp_path, read_dataset):
    depth = next(one for one in STREAMS if one.key == DEPTH)
    compressed = StreamConfig(DEPTH, f'{depth.topic}/compressedDepth', depth=depth.depth)
    record(root, (compressed, ARM))
    params, again = tmp_path / 'robot.yaml', tmp_path / 'again'
    bag = export(root, tmp_path / 'out.mcap', '--params', params)
    ((kind, _, message), *_) = messages_on(bag, '/depth/image_raw/compressedDepth')
    assert (kind, message.format) == (
        'sensor_msgs/msg/CompressedImage',
        '16UC1; compressedDepth png',
    )
    import_back(bag.path, params, again)
    shown = [read_dataset(one, is_kept=False).pictures(DEPTH, 0) for one in (root, again)]
    assert np.array_equal(*shown)


@pytest.mark.parametrize('codec', ['h264', 'hevc', 'libsvtav1'])
def test_packets_are_those_of_the_video_and_come_back_unchanged(
    codec, root, tmp_path, read_dataset
):
    preset = {'libsvtav1': 12}.get(codec, 'ultrafast')
    encoder = EncoderConfig(vcodec=codec, preset=preset, g=5, encoder_threads=1)
    record(root, (CAMERA, ARM), encoder=encoder)
    merge_with_itself(root, tmp_path / 'two')
    params, again = tmp_path / 'robot.yaml', tmp_path / 'again'
    dataset = read_dataset(tmp_path / 'two', is_kept=False)
    # The second episode is in the middle of a file.
    options = ('--pictures', 'packets', '--episodes', '1', '--params', params)
    bag = export(tmp_path / 'two', tmp_path / 'out.mcap', *options)
    found = messages_on(bag, '/front/image_raw/foxglove')
    assert {kind for kind, *_ in found} == {'foxglove_msgs/msg/CompressedVideo'}
    name = {'hevc': 'h265', 'libsvtav1': 'av1'}.get(codec, codec)
    assert {one.format for *_, one in found} == {name}
    shown = dataset.pictures(FRONT, 1)
    decoder = av.CodecContext.create({'h265': 'hevc', 'av1': 'libdav1d'}.get(name, name), 'r')
    decoder.thread_count = 1
    decoder.flags |= av.codec.context.Flags.low_delay
    for (*_, message), expected in zip(found, shown, strict=True):
        (frame,) = decoder.decode(av.Packet(bytes(message.data)))
        assert np.array_equal(frame.to_ndarray(format='rgb24'), expected)
    with av.open(str(dataset.video_path(FRONT, 1))) as container:
        sizes = [one.size for one in container.demux(video=0) if one.size][len(shown) :]
    # Start codes are as long as lengths; AV1 gets a delimiter, and key frames their parameters.
    more = [len(one.data) - size for (*_, one), size in zip(found, sizes, strict=True)]
    least = 2 if name == 'av1' else 0
    assert [place for place, one in enumerate(more) if one != least] in ([], [0, 5, 10])
    import_back(bag.path, params, again)
    copied = read_dataset(again, is_kept=False)
    assert np.array_equal(copied.pictures(FRONT, 0), shown)
    assert np.array_equal(copied.vectors(STATE, 0), dataset.vectors(STATE, 1))


@pytest.mark.parametrize('pictures', ['raw', 'jpeg'])
def test_an_import_of_an_export_gives_the_same_rows(pictures, root, tmp_path, read_dataset):
    record(root, is_hil=True)
    params, again = tmp_path / 'robot.yaml', tmp_path / 'again'
    bag = export(root, tmp_path / 'out', '--pictures', pictures, '--params', params)
    import_back(bag.path, params, again)
    first, second = (read_dataset(one, is_kept=False) for one in (root, again))
    assert first.info['features'].keys() == second.info['features'].keys()
    for key in (STATE, ACTION, FORCE):
        assert np.array_equal(first.vectors(key, 0), second.vectors(key, 0))
    assert np.array_equal(first.pictures(DEPTH, 0), second.pictures(DEPTH, 0))
    front = zip(first.pictures(FRONT, 0), second.pictures(FRONT, 0), strict=True)
    assert all(np.abs(one.astype(int) - other).mean() < 3 for one, other in front)


def test_rosbags_reads_the_folder_and_latched_topics_are_latched(root, tmp_path):
    info = message_class('sensor_msgs/msg/CameraInfo')()
    info.width, info.distortion_model, info.k[0] = 64, 'plumb_bob', 525.5
    info.d.extend([0.1, -0.2])
    info.roi.x_offset = 3
    info.header.frame_id = 'optical'
    moved = Transform('base', 'camera', (1.0, 2.0, 3.0), (0.0, 0.0, 0.6, 0.8))
    with recording(root, (CAMERA, ARM)) as robot:
        told = robot.recorder.robot
        told.put('calibration', 'front', calibration_yaml('front', info))
        told.put('tf_static', '', transforms_yaml([moved]))
        told.put('robot_description', '', b'<robot name="arm"/>')
        robot.recorder.start()
        robot.go_on(6)
        robot.recorder.save().result(60.0)
    bag = export(root, tmp_path / 'out')
    assert sorted(one.name for one in (tmp_path / 'out').iterdir()) == [
        'metadata.yaml',
        'out.mcap',
    ]
    with AnyReader([tmp_path / 'out']) as reader:
        found = {
            connection.topic: reader.deserialize(data, connection.msgtype)
            for connection, _, data in reader.messages()
        }
    read = found['/front/camera_info']
    assert (read.width, read.k[0], read.roi.x_offset) == (64, 525.5, 3)
    assert read.d.tolist() == [0.1, -0.2]
    assert (read.distortion_model, read.header.frame_id) == ('plumb_bob', 'optical')
    (transform,) = found['/tf_static'].transforms
    assert (transform.header.frame_id, transform.child_frame_id) == ('base', 'camera')
    assert (transform.transform.translation.z, transform.transform.rotation.w) == (3.0, 0.8)
    assert found['/robot_description'].data == '<robot name="arm"/>'
    assert found['/episode/task'].data == 'push the cube'
    assert {one.name for one in bag.topics if one.is_latched} == {
        '/front/camera_info',
        '/tf_static',
        '/robot_description',
        '/episode/task',
    }


def test_events_tell_what_was_said_while_episodes_were_recorded(root, tmp_path):
    about = {'operator': 'Ada', 'metadata': {'shape': 'cube'}}
    with recording(root, is_hil=True, subtasks='index', **about) as robot:
        recorder = robot.recorder
        recorder.start()
        recorder.begin_subtask('reach')
        robot.go_on(5)
        recorder.begin_subtask('grasp')
        robot.go_on(3)
        recorder.pause()
        robot.go_on(3)
        recorder.resume()
        robot.go_on(3)
        recorder.intervene(is_human=True)
        robot.go_on(3)
        recorder.annotate('verdict', 'success')
        recorder.annotate('notes', 'the cube "fell"')
        saving = recorder.rotate('pull').saving
        robot.go_on(5)
        saving.result(60.0)
        recorder.save().result(60.0)
    params = tmp_path / 'robot.yaml'
    bag = export(root, tmp_path / 'out.mcap', '--params', params)
    first, second = instants_of(root, 0), instants_of(root, 1)
    events = events_in(bag)
    assert all(one['success'] and one['source'] == 'export' for one in events)
    keys = ('episode', 'verb', 'message', 'first_row_ns', 'last_row_ns')
    told = [tuple(one[key] for key in keys) for one in events]
    assert told == [
        (0, 'start', 'recording episode 0: push the cube', first[0], None),
        (0, 'subtask', "subtask 'reach'", first[0], None),
        (0, 'intervene', 'the policy drives', first[0], None),
        (0, 'subtask', "subtask 'grasp'", first[5], None),
        (0, 'pause', 'paused after 8 rows, 0.8 s', None, first[7]),
        (0, 'resume', 'recording continues after 8 rows, 0.8 s', first[8], None),
        (0, 'intervene', 'a human drives', first[11], None),
        (0, 'verdict', "verdict of episode 0: 'success'", None, None),
        (0, 'note', 'notes of episode 0: \'the cube "fell"\'', None, None),
        (0, 'save', 'saving episode 0 (14 rows, 1.4 s)', None, first[-1]),
        (0, 'saved', 'episode 0: 14 rows, 1.4 s', None, None),
        (1, 'start', 'recording episode 1: pull', second[0], None),
        (1, 'intervene', 'a human drives', second[0], None),
        (1, 'save', 'saving episode 1 (5 rows, 0.5 s)', None, second[-1]),
        (1, 'saved', 'episode 1: 5 rows, 0.5 s', None, None),
    ]
    always = {'operator': 'Ada', 'shape': 'cube'}
    texts = {**always, 'verdict': 'success', 'notes': 'the cube "fell"'}
    carried = [one['texts'] for one in events if one['verb'] == 'save']
    assert carried == [texts, always]
    assert [one['task'] for one in events if one['verb'] == 'start'] == ['push the cube', 'pull']
    # What holds from a row on is said between the messages of the row before and its own.
    first_seven = messages_on(bag, '/episode/events')[:7]
    received = {json.loads(one.data)['verb']: at for _, at, one in first_seven}
    assert first[4] < received['subtask'] < first[5]
    assert first[10] < received['intervene'] < first[11]
    assert first[7] < received['pause'] < first[8] < received['resume'] < first[9]
    stamps = stamps_of(bag, '/joint_states')
    assert stamps == [*first, *second]
    settings = bag_settings(bag, params, '', {'root': str(root)})
    spans = plan_episodes(bag, 'events', settings, '')
    assert not bag.remarks
    assert [(one.task, one.first_row_ns, one.last_row_ns) for one in spans] == [
        ('push the cube', first[0], first[-1]),
        ('pull', second[0], second[-1]),
    ]
    assert [one.texts for one in spans] == [texts, always]
    assert [str(one.command) for one in spans[0].marks] == [
        'subtask reach',
        'intervene off',
        'subtask grasp',
        'pause',
        'resume',
        'intervene on',
    ]


def test_a_dataset_of_another_recorder_gets_topics_and_parameters(
    root, tmp_path, read_dataset, capsys
):
    write_dataset(root, [Plan(1.5), Plan(1.0)])
    for path in sorted(root.glob('.streamrec/**/*'), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    bag = export(root, tmp_path / 'out.mcap')
    told = capsys.readouterr().err
    assert 'it is published on /state as sensor_msgs/msg/JointState' in told
    assert '--params FILE writes a parameter file that fits the bag' in told
    received = [at for _, at, _ in messages_on(bag, '/state')]
    assert len(received) == 25
    assert received == sorted(set(received))
    params, again = tmp_path / 'robot.yaml', tmp_path / 'again'
    one = export(root, tmp_path / 'one.mcap', '--episodes', '1', '--params', params)
    import_back(one.path, params, again)
    first, second = (read_dataset(path, is_kept=False) for path in (root, again))
    for key in (ARM_STATE, ACTION):
        assert np.array_equal(first.vectors(key, 1), second.vectors(key, 0))


def test_an_unknown_type_and_one_that_changes_become_joint_states(root, tmp_path, capsys):
    """A topic has one type in all episodes, or no player could publish it."""
    whole = StreamConfig(
        ACTION, '/grip', ('g',), message_type='std_msgs/msg/Int16', selectors=('data',)
    )
    odd = StreamConfig(
        'next.reward', '/reward', ('r',), message_type='nobody_msgs/msg/Has', selectors=('r',)
    )
    with recording(root, (CAMERA, ARM, whole, odd)) as robot:
        for rows in (2, 2):
            robot.recorder.start()
            for _ in range(rows):
                robot.go_on(1)
            robot.recorder.save().result(60.0)
    path = root / '.streamrec/episodes/episode-000001.json'
    record = json.loads(path.read_text())
    record['streams'][ACTION]['type'] = 'std_msgs/msg/Float64'
    path.write_text(json.dumps(record))
    bag = export(root, tmp_path / 'out.mcap')
    assert {one.type_name for one in bag.topics if one.name in ('/grip', '/reward')} == {
        'sensor_msgs/msg/JointState'
    }
    told = capsys.readouterr().err
    assert '/reward is published as sensor_msgs/msg/JointState, not as the recorded nobody' in told


def test_two_cameras_of_one_topic_are_not_mixed(root, tmp_path, capsys):
    record(root, (CAMERA, StreamConfig(WRIST, f'{CAMERA.topic}/compressed'), ARM))
    bag = export(root, tmp_path / 'out.mcap')
    assert len(messages_on(bag, f'{CAMERA.topic}/compressed')) == len(instants_of(root, 0))
    bag = export(root, tmp_path / 'raw.mcap', '--pictures', 'raw')
    assert len(messages_on(bag, CAMERA.topic)) == len(instants_of(root, 0))
    assert f'{WRIST} is left out: {CAMERA.topic} has other messages' in capsys.readouterr().err


def test_what_cannot_be_sent_as_packets_is_written_as_pictures(root, tmp_path, capsys):
    """An episode of a foreign dataset may begin where no decoder can begin."""
    record(root, (CAMERA, ARM), rows=20, encoder=EncoderConfig(vcodec='h264', g=50, crf=10.0))
    (path,) = root.glob('meta/episodes/*/*.parquet')
    table, name = pq.read_table(path), f'videos/{FRONT}/from_timestamp'
    place, length = table.column_names.index(name), table['length'][0].as_py()
    table = table.set_column(place, name, [[0.3]])
    for column in ('length', 'dataset_to_index'):
        table = table.set_column(table.column_names.index(column), column, [[length - 3]])
    pq.write_table(table, path)
    (path,) = root.glob('data/*/*.parquet')
    pq.write_table(pq.read_table(path).slice(0, length - 3), path)
    bag = export(root, tmp_path / 'out.mcap', '--pictures', 'packets')
    assert bag.types_of('/front/image_raw') == {IMAGE}
    assert 'cannot be cut before frame 3: it is no key frame' in capsys.readouterr().err


def test_packets_in_another_order_than_their_frames_are_refused(tmp_path):
    path = tmp_path / 'video.mp4'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=10, options={'bf': '2', 'b-adapt': '0'})
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(numbered_frame(number).pixels, 'rgb24')
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(VideoError, match=r'has B-frames, so its packets are not in order'):
        packet_codec(survey_video(path, 10), 0, 12)


def test_the_parameter_file_of_the_recording_reads_the_bag(
    root, tmp_path, read_dataset, capsys
):
    """Its rows are on a grid between the pictures, and the events say where."""
    values = {
        'fps': 10,
        'task': 'push',
        'cameras': ['front'],
        'camera': {'front': {'topic': '/front/image_raw'}},
        'state': {'topic': '/joint_states', 'type': JOINTS, 'names': ['a', 'b']},
    }
    content = yaml.safe_dump({'/**/episode': {'ros__parameters': values}}).encode()
    with recording(root, (CAMERA, ARM)) as robot:
        robot.recorder.robot.put('parameters', '0', content)
        robot.recorder.start()
        robot.go_on(6)
        robot.recorder.save().result(60.0)
    bag, again = export(root, tmp_path / 'out.mcap'), tmp_path / 'again'
    (params,) = root.glob('meta/robot/parameters-0-*.yaml')
    assert f'--params {params} --root NEW' in capsys.readouterr().out
    import_back(bag.path, params, again)
    first, second = (read_dataset(one, is_kept=False).vectors(STATE, 0) for one in (root, again))
    assert np.array_equal(first, second)


def test_several_episodes_come_back_with_what_was_said_about_them(root, tmp_path, read_dataset):
    with recording(root, (CAMERA, ARM), subtasks='index') as robot:
        recorder = robot.recorder
        recorder.start('pull the cube')
        robot.go_on(5)
        recorder.begin_subtask('reach')
        robot.go_on(4)
        recorder.pause()
        robot.go_on(7)
        recorder.resume()
        robot.go_on(3)
        recorder.annotate('verdict', 'failure')
        recorder.rotate('push the cube')
        robot.go_on(6)
        recorder.annotate('notes', 'it is wet')
        recorder.save().result(60.0)
    bag = export(root, tmp_path / 'out.mcap', '--params', tmp_path / 'out.yaml')
    again = import_back(bag.path, tmp_path / 'out.yaml', tmp_path / 'again')
    first, second = (read_dataset(one, is_kept=False) for one in (root, again))
    # Only the instants at which episodes were saved differ, and the second has a bag.
    rows = [one.rows.reset_index(drop=True) for one in (first, second)]
    pd.testing.assert_frame_equal(*rows)
    pd.testing.assert_frame_equal(first.tasks, second.tasks)
    for name in ('verdict', 'notes', 'length', 'tasks'):
        assert first.episodes[name].tolist() == second.episodes[name].tolist(), name
    assert [instants_of(root, index) for index in range(2)] == [
        instants_of(again, index) for index in range(2)
    ]


def test_episodes_are_in_the_order_of_their_times_and_do_not_overlap(root, tmp_path, capsys):
    record(root, (CAMERA, ARM))
    merge_with_itself(root, tmp_path / 'two')
    bag = export(tmp_path / 'two', tmp_path / 'out.mcap')
    instants = instants_of(root, 0)
    stamps = stamps_of(bag, '/joint_states')
    assert stamps[: len(instants)] == instants
    assert stamps == sorted(set(stamps))
    assert 'moved behind it, such as episode 1 by 2.' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('out', 'options', 'told'),
    [
        ('there.mcap', (), 'there.mcap already exists; name another file, or allow overwriting'),
        ('full', (), 'full already holds files'),
        ('other.db3', (), 'name a file that ends in .mcap, or a folder without a suffix'),
        ('no/where.mcap', (), 'no does not exist'),
        ('dataset/out.mcap', (), 'whose files belong to the dataset'),
        ('new.mcap', ('--episodes', '0,4'), 'episode is 4: '),
        ('new.mcap', ('--params', 'there.mcap'), 'there.mcap already exists'),
    ],
)
def test_what_cannot_be_written_is_told_and_nothing_is_lost(
    out, options, told, root, tmp_path, capsys, monkeypatch
):
    record(root, (CAMERA, ARM), rows=3)
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'there.mcap').write_bytes(b'mine')
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full/mine').write_bytes(b'mine')
    before = sorted(tmp_path.rglob('*'))
    assert main(['export', str(root), out, *options]) == 1
    assert told in capsys.readouterr().err
    assert sorted(tmp_path.rglob('*')) == before
    assert (tmp_path / 'there.mcap').read_bytes() == b'mine'


def test_overwrite_replaces_a_file(root, tmp_path):
    record(root, (CAMERA, ARM), rows=3)
    out = tmp_path / 'out.mcap'
    out.write_bytes(b'old')
    assert export(root, out, '--overwrite').num_messages > 9


KILLED = """
import os, signal, sys
from pathlib import Path
from lerobot_streamrec.fleet.exporting.bag_export import BagExport
from lerobot_streamrec.fleet.exporting.export_plan import ExportPlan

def progress(done, total):
    if done == 5:
        os.kill(os.getpid(), signal.SIGKILL)

BagExport(ExportPlan(Path(sys.argv[1]), (), '')).run(Path(sys.argv[2]), progress=progress)
"""


@pytest.mark.parametrize('name', ['out.mcap', 'out'])
def test_a_killed_export_leaves_nothing_at_its_path(name, root, tmp_path):
    record(root, (CAMERA, ARM))
    out = tmp_path / name
    command = [sys.executable, '-c', KILLED, str(root), str(out)]
    assert subprocess.run(command, timeout=120, check=False).returncode == -9
    assert not out.exists()
    assert export(root, out).num_messages > 20
