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
"""The file metadata.yaml, which rosbag2 writes when a recording ends, in versions 1 to 9."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from lerobot_streamrec.fleet.reading.bag_parts import (
    offered_qos,
    Remark,
    summed_topics,
    Tell,
    Topic,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError


@dataclass(frozen=True, slots=True)
class BagMetadata:
    """
    What metadata.yaml says.

    :param files: names of the files
    :param topics: topics and their numbers of messages
    :param begin_ns: receive time of the first message; None if there is none
    :param end_ns: receive time of the last message; None if there is none
    :param ros_distro: distribution that recorded it; None if it is not told
    :param spans: first and last receive time and number of messages by file; from version 5 on
    """

    files: tuple[str, ...]
    topics: tuple[Topic, ...]
    begin_ns: int | None
    end_ns: int | None
    ros_distro: str | None
    spans: Mapping[str, tuple[int, int, int]]

    def remark_on_missing(self, path: Path) -> Remark:
        """Return a remark on a listed file that does not exist."""
        reason = 'the file is missing'
        if path.name not in self.spans:
            return Remark(path, reason)
        begin_ns, end_ns, count = self.spans[path.name]
        return Remark(path, reason, None, count, begin_ns, end_ns)


def read_metadata(path: Path, tell: Tell) -> BagMetadata | None:
    """
    Read a metadata.yaml; None if it does not exist or is damaged.

    :param tell: function that takes a remark in that case
    """
    try:
        found = YAML(typ='safe').load(path.read_bytes())
        return _metadata(found['rosbag2_bagfile_information'])
    except FileNotFoundError:
        reason = 'it is missing, as after a crash of the recorder'
    except (OSError, YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f'it is damaged ({type(error).__name__}: {str(error).splitlines()[0]})'
    tell(Remark(path, f'{reason}; the files themselves tell topics and times'))
    return None


def _metadata(found: Mapping[str, Any]) -> BagMetadata:
    topics = (
        Topic(
            one['topic_metadata']['name'],
            one['topic_metadata']['type'],
            one['topic_metadata']['serialization_format'],
            offered_qos(one['topic_metadata'].get('offered_qos_profiles')),
            int(one['message_count']),
        )
        for one in found['topics_with_message_count']
    )
    begin_ns = int(found['starting_time']['nanoseconds_since_epoch'])
    end_ns = begin_ns + int(found['duration']['nanoseconds'])
    has_messages = int(found['message_count']) > 0
    spans = {}
    for one in found.get('files') or ():
        begin = int(one['starting_time']['nanoseconds_since_epoch'])
        end = begin + int(one['duration']['nanoseconds'])
        spans[PurePath(one['path']).name] = begin, end, int(one['message_count'])
    return BagMetadata(
        files=tuple(PurePath(one).name for one in found['relative_file_paths']),
        topics=tuple(summed_topics(topics)),
        begin_ns=begin_ns if has_messages else None,
        end_ns=end_ns if has_messages else None,
        ros_distro=found.get('ros_distro') or None,
        spans=spans,
    )
