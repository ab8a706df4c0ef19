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
The package as its users get it: built by colcon, run from the install tree.

What is easily forgotten shows only there: a sub-package that setup.py does not find, a launch or
configuration file that is not installed, an executable that ROS does not look for.
"""

from __future__ import annotations

from contextlib import ExitStack
import json
import os
from pathlib import Path
import shutil
import subprocess
import sys

from examples.demo.child import Child
from examples.demo.settings import ros_environment
import pytest

pytest.importorskip('rclpy', reason='the installed package needs rclpy')

from examples.demo.episode_client import EpisodeClient

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = 'lerobot_streamrec'
BUILD_TIMEOUT_S = 240
UP_TIMEOUT_S = 90.0
SAVE_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 90.0

pytestmark = [pytest.mark.slow, pytest.mark.ros, pytest.mark.timeout(300)]


def checkout_files():
    listed = subprocess.run(
        ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip(f'git does not tell what belongs to the checkout: {listed.stderr.strip()}')
    files = (Path(name) for name in sorted(set(listed.stdout.split('\0'))) if name)
    # A file that was deleted, but not yet for git, is still listed.
    return [path for path in files if (ROOT / path).is_file()]


def clean_environment():
    """Leave out what a sourced workspace or the user's own colcon settings would mix in."""
    mixing = ('AMENT_', 'CMAKE_PREFIX_PATH', 'COLCON_', 'PYTHONPATH', 'PYTHONWARNINGS')
    return {name: value for name, value in os.environ.items() if not name.startswith(mixing)}


@pytest.fixture(scope='session')
def colcon_install(tmp_path_factory):
    """Build a copy of the checkout once; return the package's prefix in the install tree."""
    colcon = Path(sys.executable).with_name('colcon')
    if not colcon.exists():
        pytest.skip(f'no colcon beside {sys.executable}: requirements/dev.txt has it')
    workspace = tmp_path_factory.mktemp('colcon')
    for path in checkout_files():
        target = workspace / 'src' / PACKAGE / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target)
    build = subprocess.run(
        [colcon, 'build', '--base-paths', 'src', '--event-handlers', 'console_cohesion+'],
        cwd=workspace,
        env={**clean_environment(), 'COLCON_HOME': str(workspace / 'home')},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
    )
    if build.returncode != 0:
        pytest.fail(f'colcon build failed:\n{build.stdout}', pytrace=False)
    return workspace / 'install' / PACKAGE


def site_packages_of(prefix):
    (site_packages,) = prefix.glob('lib/python3*/site-packages')
    return site_packages


def run_installed(prefix, *command):
    """Run a command as a shell does that has sourced the install tree."""
    return subprocess.run(
        [str(part) for part in command],
        # Not in the checkout, whose modules would be found first.
        cwd=prefix,
        env={**clean_environment(), 'PYTHONPATH': str(site_packages_of(prefix))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_module_is_installed(colcon_install):
    source = {path for path in checkout_files() if path.parts[0] == PACKAGE}
    site_packages = site_packages_of(colcon_install)
    installed = {
        path.relative_to(site_packages)
        for path in (site_packages / PACKAGE).rglob('*')
        if path.is_file() and path.suffix != '.pyc'
    }
    assert Path(PACKAGE, 'py.typed') in installed
    assert installed == source


def test_nothing_else_becomes_importable(colcon_install):
    packages = {path.name for path in site_packages_of(colcon_install).iterdir()}
    assert {name for name in packages if not name.endswith(('.egg-info', '.dist-info'))} == {
        PACKAGE
    }


def test_launch_and_configuration_files_are_installed(colcon_install):
    share = colcon_install / 'share' / PACKAGE
    assert (share / 'package.xml').is_file()
    assert (share / 'launch' / 'record.launch.py').is_file()
    wanted = {path for path in checkout_files() if path.parts[0] in ('launch', 'config')}
    assert any(path.parts[0] == 'config' for path in wanted)
    missing = sorted(str(path) for path in wanted if not (share / path).is_file())
    assert not missing


def test_ament_finds_the_package(colcon_install):
    index = colcon_install / 'share' / 'ament_index' / 'resource_index' / 'packages'
    assert (index / PACKAGE).is_file()


def test_the_modules_run_from_the_install_tree(colcon_install):
    code = f'import {PACKAGE}; print({PACKAGE}.__file__)'
    run = run_installed(colcon_install, sys.executable, '-c', code)
    assert Path(run.stdout.strip()).is_relative_to(colcon_install), run.stdout


def test_record_tells_how_it_is_used(colcon_install):
    executable = colcon_install / 'lib' / PACKAGE / 'record'
    assert os.access(executable, os.X_OK)
    run = run_installed(colcon_install, executable, '--help')
    assert run.returncode == 0, run.stdout
    assert '--ros-args' in run.stdout


def test_the_tools_tell_how_they_are_used(colcon_install):
    executable = colcon_install / 'lib' / PACKAGE / 'streamrec'
    assert os.access(executable, os.X_OK)
    run = run_installed(colcon_install, executable, '--help')
    assert run.returncode == 0, run.stdout
    assert all(name in run.stdout for name in ('check', 'compact', 'delete', 'merge')), run.stdout


def installed_environment(prefix):
    """Return what a shell has that has sourced the install tree, in a ROS domain of its own."""
    # Whoever starts the recorder by the launch file gets this profile.
    profile = str(prefix / 'share' / PACKAGE / 'config' / 'fastdds_images.xml')
    profiles = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
    return {
        **clean_environment(),
        **ros_environment(dict.fromkeys(profiles, profile)),
        'PYTHONPATH': str(site_packages_of(prefix)),
    }


def test_the_installed_recorder_records(colcon_install, tmp_path, monkeypatch):
    """With the installed parameter file, which fits the simulated arm."""
    root = tmp_path / 'dataset'
    environment = installed_environment(colcon_install)
    environment['ROS_LOG_DIR'] = str(tmp_path)
    # The operator is in this process.
    for name in (name for name in environment if name.startswith(('ROS_', 'FAST'))):
        monkeypatch.setenv(name, environment[name])
    executable = colcon_install / 'lib' / PACKAGE / 'record'
    parameters = colcon_install / 'share' / PACKAGE / 'config' / 'record.yaml'
    wanted = ['-p', f'root:={root}', '-p', 'task:=Try the installed recorder']
    # How much of the second below is recorded depends on when the first row closes.
    wanted += ['-p', 'limits.min_episode_s:=0.0']
    arm = [sys.executable, '-m', 'examples.demo.simulated_arm']
    # The least that holds a frame number.
    small = ['--cameras', 'front', '--width', '616', '--height', '64', '--duration', '90']
    commands = {
        'arm': ([*arm, *small], ROOT),
        # Not in the checkout, whose modules would be found first.
        'recorder': (
            [str(executable), '--ros-args', '--params-file', str(parameters), *wanted],
            colcon_install,
        ),
    }
    with ExitStack() as ends:
        children = {}
        for name, (command, folder) in commands.items():
            child = Child(
                name,
                command,
                log_path=tmp_path / f'{name}.log',
                folder=folder,
                environment=environment,
            )
            children[name] = child
            ends.callback(child.stop, STOP_TIMEOUT_S)

        def check():
            for child in children.values():
                assert child.is_running, child.log_tail()

        client = EpisodeClient(check, print)
        ends.callback(client.close)
        client.wait_for_recorder(UP_TIMEOUT_S)
        client.start(UP_TIMEOUT_S)
        client.spin(1.0)
        client.finish(client.call('save'), SAVE_TIMEOUT_S)
        # By SIGINT, while the arm still publishes.
        assert children['recorder'].stop(STOP_TIMEOUT_S) == 0
    assert children['arm'].exit_status == 0
    assert 'Traceback' not in children['recorder'].log_path.read_text()
    info = json.loads((root / 'meta' / 'info.json').read_text())
    assert info['total_episodes'] == 1
    assert info['total_frames'] > 15
    assert set(info['features']) > {'observation.images.front', 'observation.state', 'action'}
    assert (root / 'videos/observation.images.front/chunk-000/file-000.mp4').stat().st_size > 1000
    tools = colcon_install / 'lib' / PACKAGE / 'streamrec'
    checked = run_installed(colcon_install, tools, 'check', root)
    assert checked.returncode == 0, checked.stdout
