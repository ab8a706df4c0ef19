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
One episode is found among others in the same files, and its pictures come in its order.

Guards replay against rows of a neighbour, vectors that lose their type, and a decoder that holds
a whole episode in memory or goes on when nobody wants its frames.
"""

from __future__ import annotations

from collections import deque
import json

from lerobot_streamrec.dataset.rebuild.compact import compact_dataset
from lerobot_streamrec.dataset.rebuild.played_episode import open_episode
from lerobot_streamrec.errors import ConfigError, DatasetCorruptError, VideoError
from lerobot_streamrec.video.encode.packet_decoder import FrameFeed
import numpy as np
import pytest

FRONT, TOP = 'observation.images.front', 'observation.images.top'
STATE, ACTION, GRIPPER = 'observation.state', 'action', 'observation.gripper'
LENGTHS = (5, 9, 7)
TIMEOUT_S = 60.0


@pytest.fixture
def drafts():
    return []


@pytest.fixture
def dataset(open_writer, make_draft, drafts):
    """Record three episodes, which compaction puts into one file."""
    writer = open_writer()
    for length in LENGTHS:
        drafts.append(make_draft(length))
        writer.commit(drafts[-1])
        writer.remove(drafts[-1].videos[FRONT].path.parent)
    writer.close()
    compact_dataset(writer.root)
    return writer.root


@pytest.fixture
def make_feed():
    """Make feeds, and look that each of them ends."""
    made = []

    def make(episode, key, *, is_endless=False):
        times_s = episode.frame_times_s(key)
        made.append(
            FrameFeed('feed', episode.video(key), times_s, is_depth=False, is_endless=is_endless)
        )
        return made[-1]

    yield make
    for feed in made:
        assert feed.close(TIMEOUT_S)
        assert feed.close(0.0)


def test_an_episode_in_the_middle_of_its_files_is_played(
    dataset, drafts, make_feed, read_dataset
):
    there = read_dataset(dataset, is_kept=False)
    for number, length in ((0, 5), (1, 9), (-1, 7)):
        episode = open_episode(dataset, number)
        wanted = drafts[number].vectors
        found = episode.values([ACTION, GRIPPER, STATE])
        for key, values in found.items():
            assert values.dtype == np.float32
            np.testing.assert_array_equal(values, wanted[key])
        for key in (FRONT, TOP):
            feed = make_feed(episode, key, is_endless=True)
            pictures = there.pictures(key, number % 3)
            assert len(pictures) == length
            for picture in [*pictures, *pictures]:
                np.testing.assert_array_equal(feed.next(TIMEOUT_S), picture)


@pytest.mark.parametrize(
    ('number', 'said'),
    [(3, 'episode is 3: .* has the episodes 0 to 2; -1 is the last one'), (-4, 'episode is -4')],
)
def test_an_episode_that_is_not_there_is_refused(number, said, dataset):
    with pytest.raises(ConfigError, match=said):
        open_episode(dataset, number)


def test_a_dataset_without_episodes_and_a_folder_without_a_dataset_say_so(open_writer, tmp_path):
    writer = open_writer()
    with pytest.raises(DatasetCorruptError, match='holds no LeRobot dataset'):
        open_episode(tmp_path / 'nothing', 0)
    with pytest.raises(DatasetCorruptError, match='holds no LeRobot dataset'):
        open_episode(writer.root, -1)


def test_a_dataset_that_is_being_recorded_is_played(open_writer, make_draft):
    writer = open_writer()
    for length in LENGTHS:
        draft = make_draft(length)
        writer.commit(draft)
        assert len(open_episode(writer.root, -1).values([STATE])[STATE]) == length


def test_topics_come_from_the_nearest_episode_that_names_them(dataset):
    records = dataset / '.streamrec/episodes'
    assert open_episode(dataset, 1).told_by is None
    for number in (0, 2):
        content = json.dumps({'streams': {STATE: {'topic': f'/of_{number}'}}})
        (records / f'episode-{number:06d}.json').write_text(content)
    found = open_episode(dataset, 1)
    assert (found.told_by, found.streams) == (0, {STATE: {'topic': '/of_0'}})
    assert open_episode(dataset, -1).told_by == 2


def test_a_video_that_is_cut_off_is_an_error_at_the_frame_that_is_missing(dataset, make_feed):
    episode = open_episode(dataset, 1)
    path = episode.video(FRONT)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    feed = make_feed(episode, FRONT)
    with pytest.raises(VideoError, match=path.name):
        deque((feed.next(TIMEOUT_S) for _ in range(LENGTHS[1])), maxlen=0)
