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
"""Which topic of a camera is read, for everything that the graph may offer."""

from __future__ import annotations

from lerobot_streamrec.settings.transports import (
    AUTO,
    choose_topic,
    COMPRESSED,
    COMPRESSED_TYPE,
    FFMPEG,
    FFMPEG_TYPE,
    FOXGLOVE,
    RAW,
    RAW_TYPE,
    Target,
    VIDEO_TYPE,
)
import pytest

TOPIC, BESIDE = '/cam/image', '/cam/image/compressed'
PIXELS = Target(TOPIC, RAW_TYPE)
FILES = Target(BESIDE, COMPRESSED_TYPE)
DEPTH_FILES = Target('/cam/image/compressedDepth', COMPRESSED_TYPE)
PACKETS = Target('/cam/image/ffmpeg', FFMPEG_TYPE)
VIDEO = Target('/cam/image/foxglove', VIDEO_TYPE)


@pytest.mark.parametrize(
    ('transport', 'offered', 'wanted'),
    [
        (RAW, {}, PIXELS),
        (RAW, {BESIDE: {COMPRESSED_TYPE}}, PIXELS),
        (COMPRESSED, {}, FILES),
        (COMPRESSED, {TOPIC: {RAW_TYPE}}, FILES),
        (COMPRESSED, {TOPIC: {COMPRESSED_TYPE}}, Target(TOPIC, COMPRESSED_TYPE)),
        (AUTO, {}, PIXELS),
        (AUTO, {TOPIC: {RAW_TYPE}}, PIXELS),
        (AUTO, {TOPIC: {RAW_TYPE}, BESIDE: {COMPRESSED_TYPE}}, PIXELS),
        (AUTO, {BESIDE: {COMPRESSED_TYPE}}, FILES),
        (AUTO, {PACKETS.topic: {FFMPEG_TYPE}}, PACKETS),
        (AUTO, {PACKETS.topic: {FFMPEG_TYPE}, BESIDE: {COMPRESSED_TYPE}}, FILES),
        (AUTO, {PACKETS.topic: {FFMPEG_TYPE}, TOPIC: {RAW_TYPE}}, PIXELS),
        (FFMPEG, {PACKETS.topic: {FFMPEG_TYPE}, TOPIC: {RAW_TYPE}}, PACKETS),
        (FFMPEG, {}, PACKETS),
        (FOXGLOVE, {TOPIC: {RAW_TYPE}}, VIDEO),
        (AUTO, {VIDEO.topic: {VIDEO_TYPE}}, VIDEO),
        (AUTO, {TOPIC: {VIDEO_TYPE}}, Target(TOPIC, VIDEO_TYPE)),
        (FFMPEG, {TOPIC: {FFMPEG_TYPE}}, Target(TOPIC, FFMPEG_TYPE)),
        (AUTO, {BESIDE: {'std_msgs/msg/String'}}, PIXELS),
        (AUTO, {TOPIC: {COMPRESSED_TYPE}}, Target(TOPIC, COMPRESSED_TYPE)),
    ],
)
def test_what_is_subscribed(transport, offered, wanted):
    assert choose_topic(TOPIC, transport, lambda topic: offered.get(topic, set())) == wanted


@pytest.mark.parametrize(
    ('topic', 'transport', 'offered', 'wanted'),
    [
        (TOPIC, COMPRESSED, {}, DEPTH_FILES),
        (TOPIC, AUTO, {BESIDE: {COMPRESSED_TYPE}}, PIXELS),
        (TOPIC, AUTO, {DEPTH_FILES.topic: {COMPRESSED_TYPE}}, DEPTH_FILES),
        (DEPTH_FILES.topic, AUTO, {}, DEPTH_FILES),
        (TOPIC, AUTO, {PACKETS.topic: {FFMPEG_TYPE}}, PIXELS),
    ],
)
def test_depth_has_a_topic_of_its_own(topic, transport, offered, wanted):
    found = choose_topic(
        topic, transport, lambda one: offered.get(one, set()), is_depth=True
    )
    assert found == wanted


@pytest.mark.parametrize('transport', [AUTO, COMPRESSED])
def test_a_topic_that_is_called_compressed_is_read_as_it_is(transport):
    assert choose_topic(BESIDE, transport, lambda topic: set()) == FILES


def test_a_topic_that_is_called_ffmpeg_is_read_as_it_is():
    assert choose_topic(PACKETS.topic, AUTO, lambda topic: set()) == PACKETS
