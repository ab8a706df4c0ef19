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
"""From ROS parameters to what a depth camera's pictures become."""

from __future__ import annotations

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.parameters.parameter_reader import defaults_of, ParameterReader, Spec
from lerobot_streamrec.video.codecs.depth_config import DepthConfig

_DEPTH = defaults_of(DepthConfig)
_FARTHEST_M = 10_000.0

_NAMES = {
    'depth_min': 'depth_min',
    'depth_max': 'depth_max',
    'shift': 'depth_shift',
    'use_log': 'depth_use_log',
}


def read_depth(reader: ParameterReader, prefix: str) -> DepthConfig | None:
    """
    Read the parameters of a camera's depth.

    :param prefix: of the camera's parameters
    :return: None if its pictures are colours
    :raise ConfigError: naming the first that cannot be used
    """
    is_depth = reader.read(
        Spec(f'{prefix}.depth', False, 'Pictures are depth: 16UC1, mono16 or 32FC1')
    )
    values = {name: reader.read(spec) for name, spec in _options(prefix).items()}
    if not is_depth:
        return None
    try:
        return DepthConfig(**values)
    except ConfigError as error:
        # It names its own fields, and the user knows parameters.
        name = f'{prefix}.{_NAMES[error.name]}'
        raise ConfigError(name, error.value, error.allowed) from error


def _options(prefix: str) -> dict[str, Spec]:
    """Return the parameters, by the field of the configuration."""
    described: dict[str, tuple[str, float | None, float | None]] = {
        'depth_min': ('Depth of the first of 4096 codes, metres', 0.0, _FARTHEST_M),
        'depth_max': ('Depth of the last of 4096 codes, metres', 0.0, _FARTHEST_M),
        'shift': ('Added to depth before the logarithm, metres', -_FARTHEST_M, _FARTHEST_M),
        'use_log': ('Steps between codes grow with depth; false: all are equal', None, None),
    }
    return {
        field: Spec(f'{prefix}.{_NAMES[field]}', _DEPTH[field], *texts_and_limits)
        for field, texts_and_limits in described.items()
    }
