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
`streamrec init --bag` and `doctor --bag`: a bag becomes a file, the file fits the bag, and what
is wrong with a bag is named before anybody imports it. None of it needs ROS.
"""

from __future__ import annotations

from functools import partial
import json

from bags import JAZZY, JOINTS, LATCHED, write_bag
from command_line import python
from lerobot_streamrec.cli.main import main
from lerobot_streamrec.dataset.format.catalog import read_catalog
from numbered_pictures import numbered_frame
import numpy as np
from picture_files import jpeg_file
from PIL import Image
import pytest
import yaml

SECOND_NS = 10**9
HOUR_NS = 3600 * SECOND_NS
BEGIN_NS = 1_800_000_000 * SECOND_NS
DELAY_NS = 3_000_000
IMAGE, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
ARRAY, TEXT = 'std_msgs/msg/Float64MultiArray', 'std_msgs/msg/String'
CLOCK = 'rosgraph_msgs/msg/Clock'
# None in place of a module is what an import finds where there is none.
WITHOUT_ROS = """
import sys
for name in ('rclpy', 'rosidl_runtime_py', 'sensor_msgs', 'std_msgs'):
    sys.modules[name] = None
from lerobot_streamrec.cli.main import run
run()
"""
streamrec_without_ros = partial(python, '-c', WITHOUT_ROS)


def time_of(stamp_ns):
    seconds, nanoseconds = divmod(stamp_ns, SECOND_NS)
    return JAZZY.types['builtin_interfaces/msg/Time'](sec=seconds, nanosec=nanoseconds)


def encoded(kind, stamp_ns, **fields):
    """Return the bytes of a message; None for a stamp is a type without a header."""
    if stamp_ns is not None:
        types = JAZZY.types
        fields['header'] = types['std_msgs/msg/Header'](stamp=time_of(stamp_ns), frame_id='base')
    return bytes(JAZZY.serialize_cdr(JAZZY.types[kind](**fields), kind))


def image(stamp_ns, number, encoding='rgb8'):
    pixels = numbered_frame(number).pixels
    height, width, _ = pixels.shape
    return encoded(
        IMAGE,
        stamp_ns,
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=3 * width,
        data=np.ascontiguousarray(pixels).reshape(-1),
    )


def jpeg(stamp_ns, number, end=None):
    content = np.frombuffer(jpeg_file(numbered_frame(number, 64, 96).pixels)[:end], np.uint8)
    return encoded(COMPRESSED, stamp_ns, format='rgb8; jpeg compressed bgr8', data=content)


def joints(stamp_ns, number):
    return encoded(
        JOINTS,
        stamp_ns,
        name=['a', 'b'],
        position=np.array([number, number + 1], float),
        velocity=np.empty(0),
        effort=np.empty(0),
    )


def array(_stamp_ns, number):
    types = JAZZY.types
    layout = types['std_msgs/msg/MultiArrayLayout'](dim=[], data_offset=0)
    return encoded(ARRAY, None, layout=layout, data=np.array([number, number + 1], float))


def text(_stamp_ns, _number):
    return encoded(TEXT, None, data='word')


def clock(stamp_ns, _number):
    return encoded(CLOCK, None, clock=time_of(stamp_ns))


def train(topic, kind, make, hz, *, seconds=3.0, begin_s=0.0, ahead_ns=0, skip=lambda _: False):
    """
    Return messages of a topic at a fixed rate.

    :param ahead_ns: lead of the stamps over the clock that received them
    :param skip: function that says of a number whether its message is lost
    """
    found = []
    for number in range(round(begin_s * hz), round(seconds * hz)):
        stamp_ns = BEGIN_NS + number * SECOND_NS // hz
        if not skip(number):
            data = make(stamp_ns + ahead_ns, number % 4096)
            found.append((topic, kind, stamp_ns + DELAY_NS, data))
    return found


def robot(seconds=3.0, prefix='', **options):
    """Return the messages of a robot with two cameras, joints, and commands to them."""
    options['seconds'] = seconds
    return [
        *train(f'{prefix}/front/image_raw', IMAGE, image, 30, **options),
        *train(f'{prefix}/wrist/image_raw/compressed', COMPRESSED, jpeg, 30, **options),
        *train(f'{prefix}/joint_states', JOINTS, joints, 50, **options),
        *train(f'{prefix}/arm_controller/commands', ARRAY, array, 50, **options),
    ]


def bag_of(path, messages, **options):
    return write_bag(path, sorted(messages, key=lambda one: one[2]), **options)


@pytest.fixture
def bag(tmp_path):
    return bag_of(tmp_path / 'drive', robot(), qos={'/joint_states': [LATCHED]})


def parameters_in(path):
    return yaml.safe_load(path.read_text())['/**/episode']['ros__parameters']


def test_from_a_bag_to_an_episode_without_ros(bag, tmp_path):
    file, root = tmp_path / 'robot.yaml', tmp_path / 'dataset'
    done = streamrec_without_ros('init', '--bag', bag, file)
    assert done.returncode == 0, done.stderr
    assert 'read all 3 s of drive\n' in done.stdout
    assert f'doctor --bag {bag} {file}' in done.stdout
    given = parameters_in(file)
    assert given['fps'] == 30
    assert given['camera'] == {
        'front': {'topic': '/front/image_raw'},
        'wrist': {'topic': '/wrist/image_raw'},
    }
    assert given['state'] == {'topic': '/joint_states', 'type': JOINTS, 'names': ['a', 'b']}
    assert given['action'] == {
        'topic': '/arm_controller/commands',
        'type': ARRAY,
        'names': ['a', 'b'],
    }
    for words in ('30.0 Hz, 64x48 rgb8', 'RELIABLE, TRANSIENT_LOCAL', 'names of the state'):
        assert words in file.read_text()

    file.write_text(file.read_text().replace('~/datasets/my_dataset', str(root)))
    pictures = tmp_path / 'pictures'
    done = streamrec_without_ros('doctor', '--bag', bag, file, '--json', '--pictures', pictures)
    report = json.loads(done.stdout)
    topics = {one['parameter']: one for one in report['topics']}
    assert [one['remarks'] for one in report['topics']] == [[], [], [], []], done.stdout
    assert done.returncode == 0
    assert topics['state']['offered'] == ['drive: RELIABLE, TRANSIENT_LOCAL']
    assert topics['state']['heard']['stamps'] == 'good'
    assert topics['state']['heard']['delay_s'] == 0.003
    assert topics['action']['heard']['stamps'] == 'no header'
    assert topics['camera.wrist']['topic'] == '/wrist/image_raw/compressed'
    with Image.open(pictures / 'wrist.png') as picture:
        assert picture.size == (96, 64)
    checks = {one['name']: one for one in report['checks']}
    assert set(checks) == {'bag', 'encoder', 'dataset', 'disk', 'task'}
    assert checks['bag']['text'] == 'read 480 messages in all 3 s of drive'
    assert not root.exists()

    done = streamrec_without_ros('import', bag, '--params', file, '--task', 'Push the cube')
    assert done.returncode == 0, done.stderr
    (episode,) = read_catalog(root).episodes
    assert 80 < episode.length <= 90


BROKEN = {
    'cameras': ['good', 'blind', 'ahead', 'zero', 'odd', 'gone', 'slow', 'gaps', 'dead', 'text'],
    'camera': {
        **{
            name: {'topic': f'/{name}/image_raw'}
            for name in ('good', 'ahead', 'zero', 'odd', 'slow', 'gaps', 'dead', 'text')
        },
        'blind': {'topic': '/blind/compressed'},
        'gone': {'topic': '/god/image_raw'},
    },
    'state': {'topic': '/joint_states', 'names': ['a']},
    'action': {'topic': '/leader/joint_states', 'type': ARRAY, 'names': ['a']},
    'features': ['observation.none', 'observation.two', 'observation.mute', 'observation.late'],
    'feature': {
        'observation': {
            'none': {'topic': '/gripper/joint_states', 'names': ['nobody']},
            'two': {'topic': '/two', 'names': ['a']},
            'mute': {'topic': '/mute', 'names': ['a']},
            'late': {'topic': '/late', 'names': ['a']},
        }
    },
}
SECONDS = 4
FAULTS = {
    'camera.blind': ['sends pictures, but none of them decodes', 'its end is missing'],
    'camera.ahead': ['1.0 h ahead of the clock', 'camera.ahead.stamp: receive'],
    'camera.zero': ['stamps are zero', 'camera.zero.stamp: receive'],
    'camera.odd': ["'8SC1' is not supported"],
    'camera.gone': ['the bag has no topic /god/image_raw', 'did you mean /good/image_raw'],
    'camera.slow': ['5.0 messages per second but fps is 30', 'repeat the picture'],
    'camera.gaps': ['12 of 120 messages are missing'],
    'camera.dead': ['its last sample came 3.0 s before the end of the first 4 s of broken'],
    'camera.text': [f'the bag has {TEXT}, not {IMAGE}', 'a topic with images'],
    'state': ['20 of 200 messages cannot be recorded', 'bytes'],
    'action': [f'the bag has {JOINTS}, not {ARRAY}', 'action.type'],
    'feature.observation.none': ['messages cannot be recorded', 'nobody'],
    'feature.observation.two': [f'is published as {JOINTS} and as {TEXT}', 'observation.two.type'],
    'feature.observation.mute': ['the bag has /mute, but no message of it'],
    'feature.observation.late': ['none of its 50 messages is in the first 4 s of broken'],
}
WARNINGS = {'camera.slow', 'camera.gaps', 'camera.dead', 'state'}


def is_in_gap(number):
    return number > 36 and 0 < number % 24 < 5


def broken_messages():
    seconds = {'seconds': float(SECONDS)}

    def some_joints(stamp_ns, number):
        return joints(stamp_ns, number)[: -12 if number % 10 == 5 else None]

    return [
        *train('/good/image_raw', IMAGE, image, 30, **seconds),
        *train('/blind/compressed', COMPRESSED, partial(jpeg, end=-60), 30, **seconds),
        *train('/ahead/image_raw', IMAGE, image, 30, ahead_ns=HOUR_NS, **seconds),
        *train('/zero/image_raw', IMAGE, lambda _, number: image(0, number), 30, **seconds),
        *train('/odd/image_raw', IMAGE, partial(image, encoding='8SC1'), 30, **seconds),
        *train('/slow/image_raw', IMAGE, image, 5, **seconds),
        *train('/gaps/image_raw', IMAGE, image, 30, skip=is_in_gap, **seconds),
        *train('/dead/image_raw', IMAGE, image, 30, seconds=1.0),
        *train('/text/image_raw', TEXT, text, 5, **seconds),
        *train('/joint_states', JOINTS, some_joints, 50, **seconds),
        *train('/leader/joint_states', JOINTS, joints, 50, **seconds),
        *train('/gripper/joint_states', JOINTS, joints, 50, **seconds),
        *train('/two', JOINTS, joints, 50, **seconds),
        *train('/two', TEXT, text, 5, **seconds),
        *train('/late', JOINTS, joints, 50, begin_s=5.0, seconds=6.0),
    ]


@pytest.fixture
def write(tmp_path):
    def write(parameters, **more):
        path = tmp_path / 'robot.yaml'
        values = {
            'root': str(tmp_path / 'dataset'),
            'task': 'push',
            'encoder': {'vcodec': 'h264'},
            **parameters,
            **more,
        }
        path.write_text(yaml.safe_dump({'/**/episode': {'ros__parameters': values}}))
        return path

    return write


def doctor(capsys, *arguments):
    status = main(['doctor', '--json', *map(str, arguments)])
    report = json.loads(capsys.readouterr().out)
    assert status == int(report['verdict'] == 'problem')
    return report, {one['parameter']: one for one in report['topics']}


def test_whatever_is_wrong_with_a_bag_is_named(tmp_path, write, capsys):
    bag = bag_of(tmp_path / 'broken', broken_messages(), silent=[('/mute', JOINTS)])
    report, topics = doctor(capsys, '--bag', bag, write(BROKEN), '--seconds', SECONDS)
    assert report['seconds'] == SECONDS
    assert topics['camera.good']['remarks'] == []
    for parameter, words in FAULTS.items():
        (remark,) = topics[parameter]['remarks']
        assert all(word in remark['text'] for word in words), (parameter, remark)
        assert remark['level'] == ('warning' if parameter in WARNINGS else 'problem'), remark
    assert set(topics) == {'camera.good', *FAULTS}
    assert not (tmp_path / 'dataset').exists()


def test_a_bag_of_one_robot_among_others(tmp_path, capsys):
    """And with messages that no proposal can use: previews, two types, another encoding."""
    messages = [
        *robot(prefix='/left'),
        *robot(prefix='/right'),
        *train('/left/episode/preview/front', COMPRESSED, jpeg, 5),
        *train('/left/both', JOINTS, joints, 5),
        *train('/left/both', TEXT, text, 5),
        *train('/left/odd/image_raw', IMAGE, partial(image, encoding='8SC1'), 5),
    ]
    bag, file = bag_of(tmp_path / 'arms', messages), tmp_path / 'left.yaml'
    assert main(['init', '--bag', str(bag), '--namespace', '/left', '--fps', '20', str(file)]) == 0
    told = capsys.readouterr().out
    assert f'left out /left/both: its messages have several types, {JOINTS} and {TEXT}' in told
    assert "left out /left/odd/image_raw: image encoding '8SC1' is not supported" in told
    given = parameters_in(file)
    assert (given['fps'], given['cameras']) == (20, ['front', 'wrist'])
    assert given['state']['topic'] == '/left/joint_states'
    assert 'QoS not recorded' in file.read_text()


def test_a_file_with_relative_topics_is_that_of_the_namespace(tmp_path, write, capsys):
    bag = bag_of(tmp_path / 'arms', train('/left/joint_states', JOINTS, joints, 50))
    file = write({'state': {'topic': 'joint_states', 'names': ['a']}})
    _, topics = doctor(capsys, '--bag', bag, file, '--namespace', '/left')
    assert topics['state']['topic'] == '/left/joint_states'
    assert topics['state']['verdict'] == 'ok'
    _, topics = doctor(capsys, '--bag', bag, file)
    (remark,) = topics['state']['remarks']
    assert 'the bag has no topic /joint_states' in remark['text']


def test_a_file_is_replaced_only_on_request(bag, tmp_path, capsys):
    file = tmp_path / 'robot.yaml'
    file.write_text('mine')
    arguments = ['init', '--bag', str(bag), str(file)]
    assert main(arguments) == 2
    assert 'add --force to replace it' in capsys.readouterr().err
    assert file.read_text() == 'mine'
    assert main([*arguments, '--force']) == 0
    assert parameters_in(file)['cameras'] == ['front', 'wrist']


def test_a_bag_with_nothing_to_record(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    bag_of(tmp_path / 'talk', [*train('/said', TEXT, text, 5, seconds=20.0)])
    assert main(['init', '--bag', 'talk']) == 1
    told = capsys.readouterr().out
    assert 'found nothing to record in the first 10 s of talk' in told
    assert 'The bag has 19.8 s: --seconds reads more of them.' in told
    assert main(['init', '--bag', 'talk', '--seconds', '60']) == 1
    assert f'Its topics: /said ({TEXT}).' in capsys.readouterr().out
    assert not (tmp_path / 'my_robot.yaml').exists()


def test_a_simulation_is_told_by_its_clock(tmp_path, write, capsys):
    """Its stamps begin at 0, and are right as long as all go by /clock."""
    early = -BEGIN_NS + SECOND_NS
    messages = [
        *train('/joint_states', JOINTS, joints, 50, ahead_ns=early),
        *train('/clock', CLOCK, lambda stamp_ns, number: clock(stamp_ns + early, number), 500),
    ]
    bag, file = bag_of(tmp_path / 'simulated', messages), tmp_path / 'robot.yaml'
    assert main(['init', '--bag', str(bag), str(file)]) == 0
    given = parameters_in(file)
    assert given['use_sim_time'] is True
    assert 'stamp' not in given['state']
    capsys.readouterr()
    _, topics = doctor(capsys, '--bag', bag, file)
    assert topics['state']['heard']['stamps'] == 'good'
    wrong, topics = doctor(capsys, '--bag', bag, write(given, use_sim_time=False))
    assert topics['state']['heard']['stamps'] == 'of another clock'
    assert 'set use_sim_time: true' in topics['state']['remarks'][0]['text']
    (told,) = (one for one in wrong['checks'] if one['name'] == 'clock')
    assert 'set use_sim_time: true' in told['text']


def test_a_damaged_bag_is_judged_by_what_is_whole(bag, tmp_path, capsys):
    (path,) = bag.glob('*.mcap')
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    file = tmp_path / 'robot.yaml'
    assert main(['init', '--bag', str(bag), str(file)]) == 0
    assert 'note: ' in capsys.readouterr().err
    report, topics = doctor(capsys, '--bag', bag, file)
    assert report['verdict'] == 'warning'
    assert 50 < topics['camera.front']['heard']['num_messages'] < 90
    assert any(one['name'] == 'bag' and one['level'] == 'warning' for one in report['checks'])


def test_two_types_on_a_topic_whose_type_is_set(tmp_path, write, capsys):
    messages = [*train('/both', JOINTS, joints, 50), *train('/both', TEXT, text, 5)]
    file = write({'fps': 50, 'state': {'topic': '/both', 'type': JOINTS, 'names': ['a']}})
    _, topics = doctor(capsys, '--bag', bag_of(tmp_path / 'both', messages), file)
    (remark,) = topics['state']['remarks']
    assert remark == {
        'level': 'note',
        'text': f'the bag also has it as {TEXT}: these messages are left out',
    }


def test_a_report_for_people_says_what_was_read(bag, write, capsys):
    file = write({'state': {'topic': '/joint_states', 'names': ['a']}})
    assert main(['doctor', '--bag', str(bag), str(file), '--seconds', '1']) == 0
    told = ' '.join(capsys.readouterr().out.split())
    assert 'read 50 messages in the first 1 s of drive' in told
    assert f'{file} is fit to import' in told


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['init', '--bag', 'BAG', '--ros-args', '-r', '__ns:=/left'], 'use --namespace with'),
        (['init', '--namespace', '/left'], '--ros-args -r __ns:=/left'),
        (['doctor', 'robot.yaml', '--namespace', '/left'], '--ros-args -r __ns:=/left'),
        (['doctor', '--bag', 'BAG', 'none.yaml'], 'init --bag'),
        (['doctor', '--bag', 'BAG', 'BAG/metadata.yaml'], 'begins with "/**/episode:"'),
        (['doctor', '--bag', 'nowhere', 'none.yaml'], "'nowhere' does not exist"),
    ],
)
def test_wrong_usage_is_told(arguments, words, bag, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([one.replace('BAG', str(bag)) for one in arguments]) == 2
    assert words in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ['drive']
