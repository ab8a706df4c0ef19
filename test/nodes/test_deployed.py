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
The commands of the systemd unit and of the containers, in a folder that stands for both.

Neither systemd nor Docker is there. What they would run is run: the same command lines, scripts
and health check, with a signal to the one process that they know.
"""

from __future__ import annotations

from collections import defaultdict
from configparser import RawConfigParser
from contextlib import suppress
import os
from pathlib import Path
import re
import shlex
import socket
import subprocess
import sys

import pytest
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from recorder_rig.datasets import total_episodes
from recorder_rig.fake_humble import python_module
from recorder_rig.parameters import COMMON, SMALL
from recorder_rig.process import RecorderProcess
from recorder_rig.surroundings import NODE_OPTIONS, wait_until
from sensor_msgs.msg import Image
import yaml

from benchmarks.hosts import PROFILE as HOSTS

pytestmark = [pytest.mark.ros]

CHECKOUT = Path(__file__).resolve().parents[2]
COMPOSE = CHECKOUT / 'docker' / 'compose.yaml'
UNIT = CHECKOUT / 'systemd' / 'streamrec@.service'
ENTRYPOINT = CHECKOUT / 'docker' / 'entrypoint.sh'
PROGRAMS = {
    'record': 'lerobot_streamrec.nodes.record_main',
    'console': 'lerobot_streamrec.console.console_main',
}
PROFILES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
UP_TIMEOUT_S = 90.0
# Writes the size of the largest segment of Fast DDS that a process with one node has, in bytes.
LARGEST_SEGMENT = """
import os, re, rclpy
rclpy.init()
node = rclpy.create_node('segment')
paths = re.findall(r'/dev/shm/fast\\w+_[0-9a-f]{16}\\b', open('/proc/self/maps').read())
print(max(os.stat(path).st_size for path in paths))
node.destroy_node()
rclpy.shutdown()
"""
# Publishes raw pictures until its input ends.
CAMERA = """
import select, sys, rclpy
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node('camera')
publisher = node.create_publisher(Image, 'far_picture', 5)
picture = Image(width=640, height=480, step=1920, encoding='rgb8', data=bytes(921600))
while not select.select([sys.stdin], [], [], 0.1)[0]:
    publisher.publish(picture)
node.destroy_node()
rclpy.shutdown()
"""
NUM_BYTES = 640 * 480 * 3
IPV4 = 0x0800
# The headers of IP and UDP, in bytes.
HEADERS = 28


class Deployed(RecorderProcess):
    """A process that a service manager has started."""

    def __init__(self, command, log_path, folder, variables):
        self._wanted = command
        self._variables = variables
        super().__init__([], log_path, folder, None)

    def _start(self, command, folder, environment):
        return super()._start(self._wanted, folder, {**environment, **self._variables})


@pytest.fixture
def workspace(tmp_path):
    """A workspace whose setup file brings `ros2` and the programs, as an installed one does."""
    prefix = tmp_path / 'install'
    programs = prefix / 'lib' / 'lerobot_streamrec'
    scripts = {programs / name: shlex.join(python_module(PROGRAMS[name])) for name in PROGRAMS}
    scripts = {path: f'exec {command} "$@"' for path, command in scripts.items()}
    said = f'[ "$*" = "pkg prefix lerobot_streamrec" ] && echo {shlex.quote(str(prefix))}'
    scripts[prefix / 'bin' / 'ros2'] = said
    for path, line in scripts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\n{line}\n')
        path.chmod(0o755)
    (prefix / 'setup.bash').write_text(f'PATH={shlex.quote(str(prefix / "bin"))}:$PATH\n')
    (prefix / 'local_setup.bash').write_text(f'PATH={shlex.quote(str(programs))}:$PATH\n')
    return prefix


@pytest.fixture
def params(rig):
    """The parameter file of a recorder, as an operator has written it."""
    values = {**COMMON, **SMALL, 'root': str(rig.root)}
    path = rig.folder / 'record.yaml'
    path.write_text(yaml.safe_dump({'/**/episode': {'ros__parameters': values}}))
    return path


@pytest.fixture
def start(rig):
    def start_process(command, **variables):
        path = rig.folder / f'deployed-{len(rig.recorders)}.log'
        process = Deployed(command, path, rig.folder, variables)
        rig.recorders.append(process)
        return process

    return start_process


def record_until_stopped(rig, recorder, name='/episode'):
    """Record an episode that only the end of the recorder saves."""
    operator = rig.operator(recorder=name)
    operator.start()
    operator.wait_for_rows(3)
    assert recorder.end() == 0
    assert total_episodes(rig.root) == 1


@pytest.mark.slow
def test_the_unit_starts_a_recorder_whose_episode_its_stop_saves(rig, workspace, params, start):
    parser = RawConfigParser(delimiters='=', strict=False)
    parser.optionxform = str
    parser.read_string(UNIT.read_text('utf-8'))
    line = parser['Service']['ExecStart'].replace('$$', '$')
    command = shlex.split(line.replace('/etc/streamrec/%i.yaml', str(params)))
    assert str(params) in command[-1]
    rig.small_robot()
    # As systemd passes on what /etc/streamrec/left.env says.
    one_of_two = {'STREAMREC_ARGUMENTS': '-r __ns:=/left'}
    recorder = start(command, STREAMREC_SETUP=str(workspace / 'setup.bash'), **one_of_two)
    recorder.wait_until_ready()
    record_until_stopped(rig, recorder, '/left/episode')


@pytest.mark.slow
def test_containers_record_and_show_it_and_their_health_is_true(rig, workspace, params, start):
    with socket.socket() as other:
        other.bind(('127.0.0.1', 0))
        port = other.getsockname()[1]
    text = COMPOSE.read_text('utf-8').replace('/config/record.yaml', str(params))
    given = {'STREAMREC_CONSOLE_PORT': str(port)}
    text = re.sub(
        r'\$\{(\w+)[:?-]*([^}]*)\}', lambda found: given.get(found[1], found[2]), text
    )
    services = yaml.safe_load(text)['services']
    setups = [workspace / 'setup.bash', workspace / 'local_setup.bash']
    setup = {'STREAMREC_SETUP': ':'.join(map(str, setups))}
    health = [sys.executable, *services['console']['healthcheck']['test'][2:]]
    assert subprocess.run(health, capture_output=True, check=False).returncode != 0
    rig.small_robot()
    recorder = start([str(ENTRYPOINT), *services['recorder']['command']], **setup)
    console = start([str(ENTRYPOINT), *services['console']['command']], **setup)
    wait_until(
        lambda: f'http://127.0.0.1:{port}/' in console.log or not console.is_running,
        UP_TIMEOUT_S,
        lambda: f'the console has printed its link; its log:\n{console.log}',
    )
    assert subprocess.run(health, check=False).returncode == 0
    recorder.wait_until_ready()
    record_until_stopped(rig, recorder)
    assert console.end() == 0


@pytest.mark.parametrize(
    ('setup', 'said'),
    [('/nowhere/setup.bash', '/nowhere/setup.bash, and there is no such file'), ('', 'names no')],
)
def test_a_setup_file_that_is_missing_is_named(setup, said):
    environment = {**os.environ, 'STREAMREC_SETUP': setup}
    command = [str(ENTRYPOINT), 'echo', 'started']
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert said in run.stderr
    assert not run.stdout


@pytest.mark.parametrize('name', ['fastdds_images.xml', 'fastdds_network.xml', HOSTS.name])
def test_fast_dds_accepts_the_profiles(name, ros_surroundings):
    path = CHECKOUT / 'config' / name
    size_bytes = int(re.search(r'<segment_size>(\d+)<', path.read_text('utf-8'))[1])
    run = subprocess.run(
        [sys.executable, '-c', LARGEST_SEGMENT],
        env={**os.environ, **dict.fromkeys(PROFILES, str(path))},
        capture_output=True,
        text=True,
        timeout=UP_TIMEOUT_S,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert 'XMLPARSER' not in run.stderr
    assert int(run.stdout) >= size_bytes


class Datagrams:
    """The sizes of the datagrams of DDS on all networks of this machine, by their sender."""

    def __init__(self):
        self.sizes = defaultdict(list)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(IPV4))
        self._socket.setblocking(False)

    def read(self):
        with suppress(BlockingIOError):
            while packet := self._socket.recv(65536):
                datagram = packet[HEADERS:]
                if datagram.startswith(b'RTPS'):
                    self.sizes[datagram[8:20]].append(len(datagram))

    def close(self):
        self._socket.close()


@pytest.fixture
def datagrams():
    try:
        found = Datagrams()
    except PermissionError:
        pytest.skip('the datagrams on the network are not looked at: CAP_NET_RAW is needed')
    yield found
    found.close()


@pytest.mark.parametrize(
    ('name', 'most_bytes'), [('fastdds_network.xml', 1400), ('fastdds_images.xml', 65500)]
)
def test_pictures_to_other_hosts_go_in_small_datagrams(
    name, most_bytes, datagrams, ros_context, tmp_path
):
    text = (CHECKOUT / 'config' / name).read_text('utf-8')
    # On one host, they would go through shared memory; and they must not leave this one.
    text = text.replace('<transport_id>shared_memory</transport_id>\n          <', '<')
    only_here = '<interfaceWhiteList><address>127.0.0.1</address></interfaceWhiteList>'
    text = text.replace('<type>UDPv4</type>', f'<type>UDPv4</type>{only_here}')
    far = tmp_path / name
    far.write_text(text)
    camera = subprocess.Popen(
        [sys.executable, '-c', CAMERA],
        # With LOCALHOST, ROS adds shared memory of its own.
        env={
            **os.environ,
            **dict.fromkeys(PROFILES, str(far)),
            'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET',
            'ROS_LOCALHOST_ONLY': '0',
        },
        stdin=subprocess.PIPE,
    )
    node = Node('far_recorder', context=ros_context, **NODE_OPTIONS)
    executor = SingleThreadedExecutor(context=ros_context)
    executor.add_node(node)
    pictures = []
    node.create_subscription(Image, 'far_picture', pictures.append, 5)

    def sizes():
        executor.spin_once(timeout_sec=0)
        datagrams.read()
        senders = node.get_publishers_info_by_topic('far_picture') if pictures else []
        return [size for one in senders for size in datagrams.sizes[bytes(one.endpoint_gid[:12])]]

    try:
        # The system drops some before they are read, so it may take several pictures.
        wait_until(lambda: sum(sizes()) > NUM_BYTES, UP_TIMEOUT_S, 'a whole picture is sent')
        largest = max(sizes())
    finally:
        camera.communicate(timeout=UP_TIMEOUT_S)
        executor.shutdown()
        node.destroy_node()
    assert most_bytes * 0.9 < largest <= most_bytes
    assert len(pictures[0].data) == NUM_BYTES
