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
"""What the demo is asked to do, and where things go; from environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
import math
from pathlib import Path

from examples.demo.ros_domain import claim_domain_id

CHECKOUT = Path(__file__).resolve().parents[2]

_DEFAULT_ROOT = 'demo_dataset'
_DEFAULT_SECONDS = '8'
# glibc maps and unmaps every picture-sized buffer anew, unless these thresholds are fixed.
_MALLOC = {
    'MALLOC_MMAP_THRESHOLD_': str(256 * 2**20),
    'MALLOC_TRIM_THRESHOLD_': str(512 * 2**20),
}


class SettingsError(Exception):
    """The demo cannot do what it is asked for; the message says what to change."""


@dataclass(frozen=True)
class Settings:
    """Where the demo records to, and for how long."""

    root: Path
    """The dataset's folder, which the recorder makes."""
    episode_s: float
    """How long each episode is recorded."""

    @property
    def report(self) -> Path:
        """The folder for everything that is not part of the dataset."""
        return self.root.parent / f'{self.root.name}_report'

    @property
    def truth_path(self) -> Path:
        """What the simulated arm published."""
        return self.report / 'truth.jsonl'

    @property
    def contact_sheet_path(self) -> Path:
        """The thumbnails of what was recorded."""
        return self.report / 'contact_sheet.png'

    def log_path(self, name: str) -> Path:
        """Return where a child's output goes."""
        return self.report / f'{name}.log'


def read_settings(environment: Mapping[str, str]) -> Settings:
    """
    Read DEMO_ROOT and DEMO_SECONDS.

    :raises SettingsError: if one of them is of no use
    """
    root = Path(environment.get('DEMO_ROOT') or _DEFAULT_ROOT).expanduser().resolve()
    if root.is_file() or (root.is_dir() and any(root.iterdir())):
        raise SettingsError(
            f'{root} exists already and the demo overwrites nothing: remove it, '
            'or choose another folder with DEMO_ROOT=...'
        )
    given = environment.get('DEMO_SECONDS') or _DEFAULT_SECONDS
    try:
        episode_s = float(given)
    except ValueError:
        episode_s = math.nan
    if not 1.0 <= episode_s <= 600.0:
        raise SettingsError(f'DEMO_SECONDS must be a number from 1 to 600, got {given!r}')
    return Settings(root, episode_s)


def only_this_machine(distribution: str) -> dict[str, str]:
    """
    Return the variable that keeps ROS on this machine.

    :param distribution: ``ROS_DISTRO``; empty for rclpy from the package index
    """
    # Newer ones warn of the variable that Humble knows.
    if distribution == 'humble':
        return {'ROS_LOCALHOST_ONLY': '1'}
    return {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}


def ros_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that keep the demo apart from other robots and let pictures through."""
    profile = str(CHECKOUT / 'config' / 'fastdds_images.xml')
    wanted = {
        'ROS_DOMAIN_ID': environment.get('ROS_DOMAIN_ID') or str(_own_domain_id()),
        **only_this_machine(environment.get('ROS_DISTRO', '')),
        'FASTDDS_DEFAULT_PROFILES_FILE': profile,
        'FASTRTPS_DEFAULT_PROFILES_FILE': profile,
        **_MALLOC,
    }
    return {name: environment.get(name) or value for name, value in wanted.items()}


@cache
def _own_domain_id() -> int:
    """Return one domain for all programs that this process starts: they must hear each other."""
    return claim_domain_id()
