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
"""Packaging for ament_python (colcon build) and for pip."""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = 'lerobot_streamrec'
SHARE = f'share/{PACKAGE}'


def shared_files(folder: str, pattern: str) -> list[tuple[str, list[str]]]:
    """
    List what of a source folder is installed below the package's share folder.

    :param folder: source folder beside this file; sub-folders keep their place
    :param pattern: shell pattern of the file names to install
    :return: one (target folder, source files) pair per folder, as data_files wants them
    """
    files_of: dict[str, list[str]] = {}
    for path in sorted(Path(folder).rglob(pattern)):
        if path.is_file():
            files_of.setdefault(f'{SHARE}/{path.parent.as_posix()}', []).append(path.as_posix())
    return list(files_of.items())


def page_files() -> list[str]:
    """List the files of the console's page, relative to the package."""
    folder = Path(PACKAGE, 'console', 'page')
    found = (path for path in sorted(folder.rglob('*')) if path.is_file())
    return [path.relative_to(PACKAGE).as_posix() for path in found]


setup(
    name=PACKAGE,
    version='0.1.0',
    description='Records LeRobot v3.0 datasets from a running ROS 2 robot',
    maintainer='lerobot_streamrec maintainers',
    maintainer_email='maintainers@example.org',
    license='Apache-2.0',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    package_data={
        PACKAGE: ['py.typed', *page_files()],
        f'{PACKAGE}.report': ['page/*', 'vendor/*'],
    },
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (SHARE, ['package.xml']),
        *shared_files('launch', '*.launch.py'),
        *shared_files('config', '*'),
    ],
    python_requires='>=3.10',
    install_requires=[
        'setuptools',
        'numpy>=1.26',
        'av>=15',
        'pyarrow>=17',
        'filelock>=3.12',
        'click>=8.1.3',
        'rich>=13',
    ],
    extras_require={
        'test': ['pytest'],
        'pedal': ['evdev>=1.4'],
        'console': ['segno>=1.5.2', 'starlette>=0.37.2', 'uvicorn>=0.27', 'websockets>=11'],
        'report': ['jinja2>=3.0'],
        'hub': ['huggingface_hub>=1.0'],
        'bags': ['pyyaml>=6.0', 'rosbags>=0.11.7'],
        'ray': ['ray>=2.40,<3'],
        'rerun': ['rerun-sdk>=0.41'],
    },
    zip_safe=True,
    entry_points={
        'console_scripts': [
            'camera_packets = lerobot_streamrec.nodes.packets.camera_packets_main:main',
            'console = lerobot_streamrec.console.console_main:main',
            'keyboard = lerobot_streamrec.nodes.clients.keyboard_main:main',
            'pedal = lerobot_streamrec.nodes.clients.pedal_main:main',
            'record = lerobot_streamrec.nodes.record_main:main',
            'record_bag = lerobot_streamrec.nodes.clients.record_bag_main:main',
            'set_up = lerobot_streamrec.live.set_up_main:main',
            'replay = lerobot_streamrec.nodes.replay.replay_main:main',
            'streamrec = lerobot_streamrec.cli.__main__:run',
        ],
        # Where there is a `ros2`, `ros2 lerobot` runs all of these. Nothing needs it.
        'ros2cli.command': ['lerobot = lerobot_streamrec.cli.ros2_plugin:LerobotCommand'],
    },
)
