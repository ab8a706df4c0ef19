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
"""What may be a feature, how it is described, and what tells two of them apart."""

from __future__ import annotations

from lerobot_streamrec.dataset.format.features import (
    camera_feature,
    check_feature_key,
    differences,
    FeatureSpec,
    vector_feature,
)
from lerobot_streamrec.errors import ConfigError
import pytest


@pytest.mark.parametrize(
    'key',
    [
        *('', '/', 'a/b', '/a', 'a/', '..', '../a', 'a..b', '.hidden', '.', '-a', 'a b', 'a\n'),
        *('a\\b', 'caméra', 'a\0', 'observation.images.{x}', '~', 'a:b'),
        *('timestamp', 'frame_index', 'episode_index', 'index', 'task_index'),
    ],
)
def test_a_key_that_cannot_be_a_folder_or_is_lerobots_is_refused(key):
    with pytest.raises(ConfigError) as caught:
        check_feature_key('camera_names', key)
    assert caught.value.name == 'camera_names'
    assert repr(key) in str(caught.value)


@pytest.mark.parametrize(
    'key', ['action', 'observation.state', 'observation.images.left-2', '_x', '0', 'next.done']
)
def test_ordinary_keys_are_taken(key):
    assert check_feature_key('camera_names', key) == key


def test_a_camera_without_a_size_differs_from_no_camera():
    assert differences({'front': camera_feature()}, {'front': camera_feature(48, 64)}) == []
    assert differences({'front': camera_feature(48, 64)}, {'front': camera_feature(64, 48)})


def test_encoder_settings_and_default_features_are_no_difference():
    there = {'front': camera_feature(48, 64, {'video.crf': 18})}
    here = {'front': camera_feature(48, 64, {'video.crf': 30})}
    here['index'] = FeatureSpec('int64', (1,))
    assert differences(here, there) == differences(there, here) == []


def test_the_order_of_elements_is_a_difference():
    assert differences({'a': vector_feature(('x', 'y'))}, {'a': vector_feature(('y', 'x'))})
