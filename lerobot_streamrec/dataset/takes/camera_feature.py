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
"""What a take's camera is as a feature of its dataset."""

from __future__ import annotations

from lerobot_streamrec.dataset.format.features import camera_feature, FeatureSpec, VIDEO_CODEC
from lerobot_streamrec.dataset.format.take_record import TakenCamera
from lerobot_streamrec.video.codecs.config import parse_config_record


def feature_of(camera: TakenCamera) -> FeatureSpec:
    """
    Describe a camera, with its size and codec.

    :param camera: a take's camera
    """
    info = dict(camera.encoder_info)
    if camera.encoder is not None:
        info[VIDEO_CODEC] = parse_config_record(camera.encoder).codec
    return camera_feature(camera.height, camera.width, info)
