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
"""The topics, message types and times of episodes that become a bag, which fit all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime, timezone
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.format.episode_table import RECORDED_AT
from lerobot_streamrec.dataset.format.info import read_info
from lerobot_streamrec.dataset.rebuild.played_episode import open_episode, PlayedEpisode
from lerobot_streamrec.errors import ConfigError, VideoError
from lerobot_streamrec.fleet.exporting.bag_messages import message_class
from lerobot_streamrec.frame import MILLIMETRES
from lerobot_streamrec.playback.messages import as_joints, Numbers
from lerobot_streamrec.playback.streams import plan_of, PlayedStream
from lerobot_streamrec.settings.recorder_settings import recorder_node_name
from lerobot_streamrec.settings.topic_names import full_topic_name
from lerobot_streamrec.settings.transports import (
    base_topic,
    COMPRESSED_TYPE,
    RAW_TYPE,
    Target,
    VIDEO_TYPE,
)
from lerobot_streamrec.sync.row_clock import NS_PER_MS, NS_PER_S
from lerobot_streamrec.video.codecs.depth_config import is_depth, stored_depth
from lerobot_streamrec.video.mp4.access_units import packet_codec
from lerobot_streamrec.video.mp4.packet_index import survey_video, VideoSurvey
import numpy as np
import numpy.typing as npt

RAW, JPEG, PACKETS = 'raw', 'jpeg', 'packets'
PICTURES = (RAW, JPEG, PACKETS)
"""The forms in which pictures of colour cameras can be written."""

_TYPES = {RAW: RAW_TYPE, JPEG: COMPRESSED_TYPE, PACKETS: VIDEO_TYPE}
_BELOW = {RAW: '', JPEG: '/compressed', PACKETS: '/foxglove'}
# The form of pictures that were recorded from a topic with this name below its base topic.
_RECORDED = {'/compressed': JPEG, '/ffmpeg': PACKETS, '/foxglove': PACKETS}
_DEPTH_BELOW = '/compressedDepth'
full_name = partial(full_topic_name, node_name=recorder_node_name('/'))
"""The function that returns the full name of a topic, for a recorder without a namespace."""

_KEPT_SURVEYS = 8


class ExportPlan:
    """
    What a bag of episodes contains. Owned by one thread.

    It reads the numbers of all episodes once, so that a topic has one type throughout.

    :param root: the dataset's folder
    :param wanted: numbers of the episodes; empty: all
    :param pictures: one of ``PICTURES``; empty: as each camera's pictures were recorded
    :raise ConfigError: if there is no such episode
    :raise DatasetError: if the dataset cannot be read
    """

    def __init__(self, root: Path, wanted: Collection[int], pictures: str) -> None:
        self.root = root
        self.info = read_info(root)
        self._pictures = pictures
        self._remarks: dict[str, str] = {}
        self._types: dict[str, set[str]] = defaultdict(set)
        self._unsendable: set[str] = set()
        self.survey = lru_cache(_KEPT_SURVEYS)(partial(survey_video, fps=self.info.fps))
        """Surveys a video; the last ones are kept."""
        for key, spec in self.info.features.items():
            if spec.is_window:
                self.tell(f'of each window of {key}, only the newest sample is written')
        begins: list[tuple[bool, int, int]] = []
        self.num_rows = 0
        for index in sorted(wanted) or range(self.info.total_episodes):
            episode = open_episode(root, index)
            self._look_at(episode)
            instants_ns = recorded_instants(episode)
            begin_ns = 0 if instants_ns is None else int(instants_ns[0])
            begins.append((instants_ns is None, begin_ns, index))
            self.num_rows += episode.row.length
        if not begins:
            raise ConfigError('ROOT', str(root), 'it has no episode yet')
        self.order = tuple(index for *_, index in sorted(begins))
        """The episodes in the order of their times; those of unknown time are the last ones."""
        if any(is_unknown for is_unknown, *_ in begins):
            self.tell('the dataset does not say when its rows were recorded: stamps are made up')

    @property
    def remarks(self) -> tuple[str, ...]:
        """What differs from the messages that were recorded, one sentence each."""
        return tuple(self._remarks.values())

    def tell(self, remark: str, subject: str = '') -> None:
        """Add a remark, unless there is the same one, or one on the same subject."""
        self._remarks.setdefault(subject or remark, remark)

    def _look_at(self, episode: PlayedEpisode) -> None:
        found = self.streams(episode)
        values = vector_values(episode, found)
        for topic, streams in found.items():
            if not streams[0].is_camera:
                parts = [one.part_of(values[one.feature]) for one in streams]
                numbers = Numbers(streams, parts, message_class, is_exact=True)
                self._types[topic].add(numbers.message_type)
                for remark in numbers.remarks:
                    self.tell(remark, topic)
            elif self._form(streams[0]) == PACKETS:
                key = streams[0].feature
                try:
                    packet_codec(*self.frames(episode, key))
                except VideoError as error:
                    self._unsendable.add(key)
                    self.tell(f'{key} is written as pictures, not as packets: {error}', key)

    def streams(self, episode: PlayedEpisode) -> dict[str, list[PlayedStream]]:
        """Return the streams of an episode by the full name of their topic."""
        plan = plan_of(episode, has_human=True)
        found: dict[str, list[PlayedStream]] = defaultdict(list)
        for remark in plan.remarks:
            self.tell(remark)
        for stream in plan.streams:
            topic = full_name(stream.topic)
            if stream.is_camera:
                topic = self.picture_topic(stream).topic
            # Several vectors may share a topic, but a picture has its message for itself.
            if found[topic] and (stream.is_camera or found[topic][0].is_camera):
                self.tell(f'{stream.feature} is left out: {topic} has other messages')
            else:
                found[topic].append(stream)
        return found

    def numbers(
        self, topic: str, streams: list[PlayedStream], values: Mapping[str, npt.NDArray[Any]]
    ) -> Numbers:
        """Return the messages of a topic of numbers, which have one type in all episodes."""
        if len(self._types[topic]) > 1:
            streams = as_joints(streams)
        parts = [one.part_of(values[one.feature]) for one in streams]
        return Numbers(streams, parts, message_class, is_exact=True)

    def frames(self, episode: PlayedEpisode, key: str) -> tuple[VideoSurvey, int, int]:
        """Return the survey of a camera's video, the episode's first frame, and their number."""
        first = round(episode.row.videos[key].from_timestamp * self.info.fps)
        return self.survey(episode.video(key)), first, episode.row.length

    def picture_topic(self, stream: PlayedStream) -> Target:
        """Return the topic of a camera, and how its pictures are written."""
        recorded = full_name(stream.recorded_topic or stream.topic)
        base = base_topic(recorded)
        below = recorded.removeprefix(base)
        info = self.info.features[stream.feature].info
        if is_depth(info):
            stored = stored_depth(info)
            is_packed = below == _DEPTH_BELOW and stored is not None and stored.unit == MILLIMETRES
            if is_packed and self._pictures != RAW:
                return Target(recorded, COMPRESSED_TYPE)
            return Target(base, RAW_TYPE)
        form = self._form(stream)
        if form == PACKETS and stream.feature in self._unsendable:
            form = RAW
        is_same = form != RAW and _RECORDED.get(below) == form
        return Target(recorded if is_same else base + _BELOW[form], _TYPES[form])

    def _form(self, stream: PlayedStream) -> str:
        if is_depth(self.info.features[stream.feature].info):
            return RAW
        recorded = stream.recorded_topic
        below = recorded.removeprefix(base_topic(recorded))
        return self._pictures or _RECORDED.get(below, RAW)


def vector_values(
    episode: PlayedEpisode, streams: Mapping[str, list[PlayedStream]]
) -> dict[str, npt.NDArray[Any]]:
    """Read the numbers of all streams, ``(rows, d)`` by feature."""
    found = (one for same in streams.values() for one in same)
    return episode.values(sorted({one.feature for one in found if not one.is_camera}))


def recorded_instants(episode: PlayedEpisode) -> npt.NDArray[np.int64] | None:
    """Return the instants of the rows, ``(rows,)`` nanoseconds; None if nothing tells them."""
    found = episode.instants_ns()
    text = episode.row.texts.get(RECORDED_AT)
    if found is not None or not text:
        return found
    try:
        begin = datetime.fromisoformat(text)
    except ValueError:
        return None
    begin = begin if begin.tzinfo else begin.replace(tzinfo=timezone.utc)
    return grid_ns(round(begin.timestamp() * 1000) * NS_PER_MS, episode)


def grid_ns(begin_ns: int, episode: PlayedEpisode) -> npt.NDArray[np.int64]:
    """Return instants that are evenly spaced from that of row 0 on, ``(rows,)`` nanoseconds."""
    rows = np.arange(episode.row.length, dtype=np.int64)
    return begin_ns + rows * NS_PER_S // episode.info.fps
