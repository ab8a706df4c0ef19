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
GR00T's meta/modality.json: which elements of state and action belong together.

Source: the class ``LeRobotModalityMetadata`` of Isaac-GR00T (``gr00t/data/schema.py``), and the
names in its examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import PurePosixPath
import re
from typing import Any

from lerobot_streamrec.dataset.format.data_rows import vector_keys
from lerobot_streamrec.dataset.format.features import (
    ACTION,
    FeatureSpec,
    IMAGES,
    STATE,
)
from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.dataset.format.info_rules import json_bytes
from lerobot_streamrec.video.codecs.depth_config import is_depth

MODALITY = PurePosixPath('meta/modality.json')

_OBSERVATION = 'observation.'

_GRIPPER = re.compile(r'gripper|finger|hand|jaw', re.IGNORECASE)
_ARM, _HAND = 'single_arm', 'gripper'


def write_modality(files: Files, info: DatasetInfo) -> bool:
    """
    Write meta/modality.json, unless there is one: somebody may have named the groups.

    :param files: the access to the disk
    :param info: the dataset's info.json
    :return: False if there is one already
    :raise DatasetError: if it cannot be written
    """
    if files.content(MODALITY) is not None:
        return False
    files.replace(MODALITY, json_bytes(modality_of(info), indent=4))
    return True


def modality_of(info: DatasetInfo) -> dict[str, Any]:
    """
    Return the content of meta/modality.json.

    State and action are divided by their parts, as those of two arms, and into arm and gripper by
    the names of their elements. Other observations with numbers are groups of the state.
    """
    state: dict[str, Any] = {}
    action: dict[str, Any] = {}
    for key in vector_keys(info):
        spec = info.features[key]
        if key == STATE:
            state.update(_groups(spec))
        elif key == ACTION:
            action.update(_groups(spec))
        elif key.startswith(_OBSERVATION) and len(spec.shape or ()) == 1:
            end = (spec.shape or (1,))[0]
            own = {'start': 0, 'end': end, 'dtype': spec.dtype, 'original_key': key}
            state[key.removeprefix(_OBSERVATION).replace('.', '_')] = own
    cameras = [key for key in info.video_keys if not is_depth(info.features[key].info)]
    return {
        'state': state,
        'action': action,
        'video': {key.removeprefix(IMAGES): {'original_key': key} for key in cameras},
        'annotation': {'human.task_description': {'original_key': 'task_index'}},
    }


def _groups(spec: FeatureSpec) -> dict[str, Any]:
    """Return the runs of elements that belong together, by a name that no other run has."""
    size = (spec.shape or (0,))[0]
    names = [str(one) for one in spec.names or range(size)]
    found: dict[str, Any] = {}
    begin = 0
    for group, members in groupby(_group_names(names)):
        end = begin + len([*members])
        name, number = group, 2
        while name in found:
            name, number = f'{group}_{number}', number + 1
        found[name] = {'start': begin, 'end': end, 'dtype': spec.dtype}
        begin = end
    return found


def _group_names(names: Sequence[str]) -> list[str]:
    """Return the group of each element: its part, as in ``left.elbow``, and arm or gripper."""
    parts = [name.rpartition('.')[0] for name in names]
    has_parts = all(parts) and len({*parts}) > 1
    found = []
    for name, part in zip(names, parts, strict=True):
        is_hand = bool(_GRIPPER.search(name.rpartition('.')[2] if has_parts else name))
        if has_parts:
            part = part.replace('.', '_')
            found.append(f'{part}_{_HAND}' if is_hand else part)
        else:
            found.append(_HAND if is_hand else _ARM)
    return found
