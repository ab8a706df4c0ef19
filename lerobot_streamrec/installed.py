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
"""Command lines that work on this machine, and advice on missing packages."""

from __future__ import annotations

from itertools import chain
import os
from pathlib import Path
import shlex
import shutil
import sys
import sysconfig

PACKAGE = 'lerobot_streamrec'

EXIT_CONFIG = 2
"""Exit status of a program that cannot start because of its configuration or environment."""

PROFILE_VARIABLES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
"""Environment variables that name a profile file, for Fast DDS 2 and for Fast DDS 3."""
_WITH_FAST_DDS_2 = ('humble', 'iron', 'jazzy')

# Maps an imported module to its name in pip if that differs, and to its package in Ubuntu's apt.
_PIP = {'jinja2': 'Jinja2', 'ray': 'ray', 'rerun': 'rerun-sdk', 'yaml': 'PyYAML'}
_APT = {
    'click': 'python3-click',
    'evdev': 'python3-evdev',
    'filelock': 'python3-filelock',
    'jinja2': 'python3-jinja2',
    'numpy': 'python3-numpy',
    'rich': 'python3-rich',
    'yaml': 'python3-yaml',
}
# Usually all of a group are missing, and pip skips a package that is already installed.
_FROM_PIP = (('av', 'pyarrow'), ('rosbags',), ('starlette', 'uvicorn', 'websockets', 'segno'))


def streamrec_command(*arguments: object) -> str:
    """
    Return a `streamrec` command line that works on this machine.

    :param arguments: subcommand and its arguments; placeholders in capitals are kept as they are
    """
    return _command('streamrec', f'{PACKAGE}.cli', arguments)


def record_command(params_file: object) -> str:
    """Return the command line that starts the recorder with a parameter file on this machine."""
    if _is_in_workspace('record'):
        file = shlex.quote(str(params_file))
        return f'ros2 launch {PACKAGE} record.launch.py params_file:={file}'
    arguments = ('--ros-args', '--params-file', params_file)
    return _command('record', f'{PACKAGE}.nodes.record_main', arguments)


def _command(script: str, module: str, arguments: tuple[object, ...]) -> str:
    if _is_in_workspace(script):
        begin = f'ros2 run {PACKAGE} {script}'
    elif shutil.which(script):
        begin = script
    else:
        begin = f'{shlex.quote(sys.executable)} -m {module}'
    return ' '.join([begin, *(shlex.quote(str(one)) for one in arguments)])


def _is_in_workspace(script: str) -> bool:
    """Return True if ``ros2 run`` finds a script of this package."""
    prefixes = os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
    return bool(shutil.which('ros2')) and any(
        Path(prefix, 'lib', PACKAGE, script).is_file() for prefix in prefixes if prefix
    )


def images_profile() -> Path:
    """Return the path of the installed Fast DDS profile that makes room for camera images."""
    name = Path('config', 'fastdds_images.xml')
    module = Path(__file__).resolve()
    places = [
        # A checkout has it here; colcon and pip install it under a prefix somewhere above.
        module.parents[1] / name,
        *(parent / 'share' / PACKAGE / name for parent in module.parents),
    ]
    return next((path for path in places if path.is_file()), places[0])


def images_profile_advice() -> str:
    """Return advice to load that profile, with the variable that this ROS distribution reads."""
    old, new = PROFILE_VARIABLES
    distribution = os.environ.get('ROS_DISTRO', '')
    if distribution in _WITH_FAST_DDS_2:
        variables = f'{old}={images_profile()}'
    elif distribution:
        variables = f'{new}={images_profile()}'
    else:
        variables = f'{old}={images_profile()} ({new} from Kilted on)'
    return f"export {variables} in the shell that starts the camera's driver"


def missing_package(error: ImportError) -> str:
    """
    Return a sentence with the missing package and the command that installs it.

    :param error: error of an import; the package may be missing, or installed but broken
    """
    name = (error.name or '').partition('.')[0]
    is_missing = isinstance(error, ModuleNotFoundError)
    said = 'is not installed' if is_missing else f'cannot be loaded ({error})'
    if name in (*_PIP, *_APT, *chain.from_iterable(_FROM_PIP)):
        return (
            f'the Python package {_PIP.get(name, name)} {said} for {sys.executable}; '
            f'install it with: {_install_command(name)}'
        )
    if not is_missing:
        return f'a Python package {said}, for {sys.executable}'
    return (
        f'the Python package {name} {said} for {sys.executable}: it comes with ROS 2; source your '
        'ROS setup, such as /opt/ros/jazzy/setup.bash, and your workspace, or install its package'
    )


def _install_command(name: str) -> str:
    alone = (_PIP.get(name, name),)
    wanted = next((group for group in _FROM_PIP if name in group), alone)
    pip = f'{shlex.quote(sys.executable)} -m pip install'
    if sys.prefix != sys.base_prefix or not _is_externally_managed():
        return f'{pip} {" ".join(wanted)}'
    if name in _APT:
        return f'sudo apt install {_APT[name]}'
    return f'{pip} --user --break-system-packages {" ".join(wanted)}'


def _is_externally_managed() -> bool:
    """Return True if pip refuses to install into the system's Python (PEP 668)."""
    return Path(sysconfig.get_path('stdlib'), 'EXTERNALLY-MANAGED').is_file()


def cache_folder() -> Path:
    """
    Return the folder for what can be made again, which may be missing.

    :raise RuntimeError: if the user has no home folder
    """
    home = Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser()
    return home / 'lerobot_streamrec'
