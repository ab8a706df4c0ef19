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
"""The version of LeRobot's format that this package writes, and the refusal of other versions."""

from __future__ import annotations

from lerobot_streamrec.dataset.format.info_rules import shown_value
from lerobot_streamrec.errors import DatasetUnsupportedError

CODEBASE_VERSION = 'v3.0'

_FROM_V21 = (
    '`python -m lerobot.scripts.convert_dataset_v21_to_v30 --repo-id=OWNER/NAME --root={} '
    '--push-to-hub=false` (in LeRobot 0.4 the module is '
    'lerobot.datasets.v30.convert_dataset_v21_to_v30)'
)
_FROM_V20 = '`python -m lerobot.datasets.v21.convert_dataset_v20_to_v21 --repo-id=OWNER/NAME`'


def version_advice(version: object, root: object) -> str:
    """
    Say in a sentence how to convert a dataset of another version to v3.0.

    :param version: codebase_version of its info.json
    :param root: the dataset's folder
    """
    convert = _FROM_V21.format(root)
    if version == 'v2.1':
        return f'LeRobot converts it: {convert}.'
    if version == 'v2.0':
        return f'LeRobot 0.3 converts it to v2.1: {_FROM_V20}; newer ones to v3.0: {convert}.'
    if str(version).startswith(('v1', 'v2')):
        return 'Convert it to v2.0 with an old release of LeRobot, then to v3.0 with newer ones.'
    return 'Install a newer lerobot_streamrec, or correct codebase_version in meta/info.json.'


def refuse_other_version(version: object, root: object) -> None:
    """
    Refuse a dataset that is not v3.0.

    :param version: codebase_version of info.json
    :param root: the dataset's folder
    :raise DatasetUnsupportedError: with LeRobot's command that converts it, if there is one
    """
    if version != CODEBASE_VERSION:
        raise DatasetUnsupportedError(
            f'{root} is a dataset with codebase_version {shown_value(version)}, and '
            f'{CODEBASE_VERSION} is needed. {version_advice(version, root)}'
        )
