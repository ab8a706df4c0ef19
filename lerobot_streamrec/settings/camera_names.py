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
"""Grouping of image topics by camera, and short names for the cameras."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
import re

from lerobot_streamrec.settings.transports import base_topic

_READ = ('compressed', 'compressedDepth', 'ffmpeg', 'foxglove')
DEPTH_SUFFIX = '/compressedDepth'

# The last word of an image topic, which says nothing about the camera. _LIKED ranks such words,
# the best one to record first.
_IMAGE = re.compile(r'image(_(raw|rect|rectified|mono|color|colour|rgb|bgr|gray|grey|view))*')
_LIKED = ('image_raw', 'image_color', 'image_rect_color', 'image_rect', 'image_rect_raw', 'image')
# Words that occur in so many topics that they identify no camera.
_EMPTY_WORDS = {'camera', 'cameras', 'color', 'colour', 'rgb', 'sensors', 'sensor', 'raw', 'robot'}
_DEPTH_WORD = re.compile(r'\w*depth\w*')


def is_read_transport(topic: str) -> bool:
    """Return True if the recorder can read this image_transport topic."""
    return topic.rpartition('/')[2] in _READ


def preference(topic: str) -> tuple[str, int]:
    """Return a sort key that puts the best topic of a camera to record first."""
    base, last = base_topic(topic), topic.rpartition('/')[2]
    if base == topic:
        return base, 0
    # Depth images can be read from compressedDepth only, and colour images from compressed only.
    is_depth = bool(_DEPTH_WORD.search(base.lower()))
    if last in _READ[2:]:
        return base, 2
    return base, 1 if (last == 'compressedDepth') == is_depth else 3


def camera_groups(bases: Iterable[str]) -> list[list[str]]:
    """
    Group the base topics that come from the same camera, such as image_raw and image_rect.

    :return: the topics of each camera, the best one to record first
    """
    groups: dict[str, list[str]] = {}
    for base in sorted(bases):
        parent, _, last = base.rpartition('/')
        groups.setdefault(parent if _IMAGE.fullmatch(last) else base, []).append(base)
    return [sorted(group, key=_rank) for group in groups.values()]


def _rank(topic: str) -> tuple[int, str]:
    last = topic.rpartition('/')[2]
    return (_LIKED.index(last) if last in _LIKED else len(_LIKED), topic)


def camera_names(topics: Sequence[str], depths: Mapping[str, bool]) -> dict[str, str]:
    """
    Find a short, unique name for each camera.

    :param topics: base topic of each camera
    :param depths: True for each topic that carries depth images
    :return: the names by topic
    """
    words = {topic: _words(topic, depths.get(topic, False)) for topic in topics}
    num_words = dict.fromkeys(topics, 1)
    while True:
        names = {topic: '_'.join(words[topic][-num_words[topic] :]) for topic in topics}
        shared = {name for name, count in Counter(names.values()).items() if count > 1}
        longer = [
            topic
            for topic, name in names.items()
            if name in shared and num_words[topic] < len(words[topic])
        ]
        if not longer:
            return _numbered(names)
        for topic in longer:
            num_words[topic] += 1


def _words(topic: str, is_depth: bool) -> list[str]:
    parts = [part.lower() for part in topic.split('/') if part]
    # image_left is an image of the left camera, so it is named left.
    parts = [one if _IMAGE.fullmatch(one) else one.removeprefix('image_') for one in parts]
    named = [part for part in parts if not _IMAGE.fullmatch(part) and part not in _EMPTY_WORDS]
    depth = [part for part in named if _DEPTH_WORD.fullmatch(part)]
    named = [part for part in named if part not in depth] or [
        part for part in parts if not _IMAGE.fullmatch(part) and part not in depth
    ][:1]
    if not named:
        named = ['depth'] if is_depth or depth else ['camera']
    elif is_depth or depth:
        # The colour images of the same camera may be recorded too, under the plain name.
        named[-1] += f'_{depth[-1]}' if depth else '_depth'
    return named


def _numbered(names: Mapping[str, str]) -> dict[str, str]:
    """Append numbers to the names that are still the same."""
    given: dict[str, str] = {}
    for topic, name in names.items():
        number, candidate = 2, name
        while candidate in given.values():
            candidate, number = f'{name}_{number}', number + 1
        given[topic] = candidate
    return given
