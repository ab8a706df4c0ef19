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
"""The list of episodes and their thumbnails, read beside a recorder that changes the dataset."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
import json
import os
import shutil

import av
from lerobot_streamrec.console import episode_list
from lerobot_streamrec.console.episode_list import EpisodeList, histogram_of
from lerobot_streamrec.console.episode_routes import EpisodeRoutes
from lerobot_streamrec.console.thumbnails import Thumbnails
from lerobot_streamrec.dataset.format.episode_index import EpisodeIndex
from lerobot_streamrec.dataset.format.episode_table import EpisodeRow, VideoPlace
from lerobot_streamrec.dataset.format.layout import FileIndex
from lerobot_streamrec.errors import DatasetError, EpisodeVetoedError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.recording.config import Limits, RecorderConfig
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.video.codecs.config import EncoderConfig
import numpy as np
from older_datasets import without_texts
import pytest

FPS = 10
FRONT, STATE = 'observation.images.front', 'observation.state'
NEVER = date(2000, 1, 1)


class Desk:
    """Records short episodes whose pictures get brighter from frame to frame."""

    def __init__(self, root, **options):
        self.root = root
        config = RecorderConfig(
            root=root,
            fps=FPS,
            task='Stack the cubes',
            streams=(StreamConfig(FRONT, 'front'), StreamConfig(STATE, 'joints', names=('x',))),
            encoder=EncoderConfig(vcodec='h264', preset='ultrafast'),
            **options,
        )
        self.recorder = Recorder(config)
        self._tick = 0
        self._lag_ns = 0

    def tear(self):
        """Let the joints of the next episode be older than its pictures."""
        self._lag_ns = 30_000_000

    def record(self, num_rows=10, **metadata):
        self._push(0)
        self.recorder.start()
        for row in range(num_rows):
            self._push(min(250, 10 * row))
        for name, text in metadata.items():
            self.recorder.annotate(name, text)
        return self.recorder.save().result(timeout=60)

    def _push(self, brightness):
        self._tick += 1
        stamp_ns = 10**9 + self._tick * 10**9 // FPS
        pixels = np.full((48, 64, 3), brightness, np.uint8)
        self.recorder.push_image(FRONT, stamp_ns, Frame(pixels, 'rgb24'))
        self.recorder.push_vector(STATE, stamp_ns - self._lag_ns, np.array([0.5]))
        self.recorder.close_rows()


@pytest.fixture
def desk(tmp_path, no_thread_left):
    desk = Desk(tmp_path / 'dataset')
    yield desk
    desk.recorder.close(timeout_s=10)


@pytest.fixture
def episodes():
    return EpisodeList()


def page(episodes, root, before=None, limit=50, today=NEVER, num_saved=1):
    return episodes.page(root, num_saved, before, limit, today)[0]


def test_the_newest_episodes_come_first_in_parts(desk, episodes):
    for num_rows in (8, 12, 10):
        desk.record(num_rows)
    listed = page(episodes, desk.root, limit=2)
    assert listed['available'] is True
    assert listed['total'] == 3
    assert [one['episode_index'] for one in listed['episodes']] == [2, 1]
    lengths = [one['length'] for one in listed['episodes']]
    assert listed['episodes'][0]['seconds'] == lengths[0] / FPS
    assert listed['episodes'][0]['cameras'] == ['front']
    assert listed['episodes'][0]['tasks'] == ('Stack the cubes',)
    (oldest,) = page(episodes, desk.root, before=1)['episodes']
    assert oldest['episode_index'] == 0
    rows = sum(lengths) + oldest['length']
    assert listed['all'] == {'episodes': 3, 'hours': round(rows / FPS / 3600, 4)}
    assert sum(listed['histogram']['counts']) == 3
    assert page(episodes, desk.root, before=0)['episodes'] == []
    assert [one['episode_index'] for one in page(episodes, desk.root, 99)['episodes']] == [2, 1, 0]


def test_an_episode_has_what_people_said_of_it(desk, episodes):
    desk.record(verdict='success', notes='a bit slow', operator='Ada')
    (one,) = page(episodes, desk.root)['episodes']
    assert (one['verdict'], one['note'], one['operator']) == ('success', 'a bit slow', 'Ada')
    recorded_at = datetime.fromisoformat(one['recorded_at'].replace('Z', '+00:00'))
    assert abs(datetime.now(timezone.utc) - recorded_at) < timedelta(minutes=5)
    assert one['repeated_frames'] == 0
    # A verdict that is given later appears, although the dataset itself is as before.
    desk.recorder.annotate('verdict', 'failure', 0).result(timeout=60)
    desk.recorder.annotate('notes', '', 0).result(timeout=60)
    (one,) = page(episodes, desk.root)['episodes']
    assert (one['verdict'], one['note']) == ('failure', '')


@pytest.mark.parametrize('content', [None, '', '[]', '{}', '{"metadata": 3}', '{"length": 1}'])
def test_an_episode_without_a_usable_record_is_listed(desk, episodes, content):
    desk.record()
    path = desk.root / '.streamrec' / 'episodes' / 'episode-000000.json'
    path.unlink()
    if content is not None:
        path.write_text(content)
    listed = page(episodes, desk.root, today=datetime.now().astimezone().date())
    (one,) = listed['episodes']
    assert one['length'] > 5
    assert (one['verdict'], one['repeated_frames']) == ('', None)
    assert (one['recorded_at'] is not None, listed['today']['episodes']) == (True, 1)
    without_texts(desk.root)
    (one,) = page(episodes, desk.root)['episodes']
    assert (one['verdict'], one['recorded_at']) == ('', None)


def test_the_record_of_another_take_is_not_that_of_the_episode(desk, episodes):
    desk.record(8, verdict='success')
    without_texts(desk.root)
    assert page(episodes, desk.root)['episodes'][0]['verdict'] == 'success'
    path = desk.root / '.streamrec' / 'episodes' / 'episode-000000.json'
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, 'length': record['length'] + 1}))
    assert page(episodes, desk.root)['episodes'][0]['verdict'] == ''
    # What was said of an episode of another writer is all that its record has.
    path.write_text('{"metadata": {"verdict": "failure"}}')
    assert page(episodes, desk.root)['episodes'][0]['verdict'] == 'failure'


def test_today_are_the_last_episodes_of_this_day(desk, episodes):
    for _ in range(3):
        desk.record()
    folder = desk.root / '.streamrec' / 'episodes'
    # Noon, so that no time zone moves it to another day than the two after it.
    for index, at in enumerate(('2026-03-01T12:00', '2026-03-02T12:00', '2026-03-02T13:00')):
        path = folder / f'episode-{index:06d}.json'
        saved_at = datetime.fromisoformat(at).astimezone().isoformat()
        path.write_text(json.dumps({**json.loads(path.read_text()), 'saved_at': saved_at}))
    for day, number in (('2026-03-02', 2), ('2026-03-01', 0), ('2026-03-03', 0)):
        listed = page(episodes, desk.root, today=date.fromisoformat(day))
        assert listed['today']['episodes'] == number


def test_undo_and_finalize_are_followed(desk, episodes):
    for _ in range(3):
        desk.record()
    place = episodes.place(desk.root, 2, 'front', 0.0)
    assert Thumbnails().make(place, 64).jpeg
    desk.recorder.undo().result(timeout=60)
    assert page(episodes, desk.root)['total'] == 2
    with pytest.raises(LookupError):
        episodes.place(desk.root, 2, 'front', 0.0)
    with pytest.raises(FileNotFoundError):
        Thumbnails().make(place, 64)
    (aside,) = page(episodes, desk.root)['quarantined']
    assert aside['name'] == 'undone-episode-000002'
    assert 'undo' in aside['reason']
    desk.recorder.finalize().result(timeout=60)
    listed = page(episodes, desk.root)
    assert (listed['total'], listed['quarantined']) == (2, [])
    # Both episodes are in one file now.
    first, last = (episodes.place(desk.root, index, 'front', 0.0) for index in (0, 1))
    assert first.path == last.path
    assert last.at_s > first.at_s
    assert Thumbnails().make(last, 64).jpeg
    desk.record()
    assert page(episodes, desk.root)['total'] == 3


def test_a_take_in_the_quarantine_has_the_reason_of_its_refusal(tmp_path, episodes):
    desk = Desk(tmp_path, limits=Limits(max_skew_ms=0.5))
    try:
        desk.tear()
        with pytest.raises(EpisodeVetoedError) as caught:
            desk.record()
    finally:
        desk.recorder.close(timeout_s=10)
    (aside,) = page(episodes, tmp_path, num_saved=0)['quarantined']
    assert aside['name'].startswith('unsaved-take-')
    assert 'max_skew_ms' in aside['reason']
    assert str(caught.value).startswith(aside['reason'])
    assert aside['at'].startswith('20')


def test_a_dataset_that_changes_while_it_is_read_is_read_again(desk, episodes, monkeypatch):
    desk.record()
    desk.record()
    rows = EpisodeIndex.rows

    def undo_first(self, info):
        monkeypatch.setattr(EpisodeIndex, 'rows', rows)
        desk.recorder.undo().result(timeout=60)
        raise FileNotFoundError('gone')

    monkeypatch.setattr(EpisodeIndex, 'rows', undo_first)
    assert page(episodes, desk.root)['total'] == 1
    desk.recorder.undo().result(timeout=60)
    assert page(episodes, desk.root, num_saved=0)['total'] == 0


def test_a_broken_dataset_says_what_is_wrong(desk, episodes):
    desk.record()
    (desk.root / 'meta' / 'info.json').write_text('{')
    with pytest.raises(DatasetError, match=r'info\.json'):
        page(episodes, desk.root)


def test_another_dataset_is_another_list(tmp_path, desk, episodes):
    desk.record()
    assert page(episodes, desk.root)['total'] == 1
    other = tmp_path / 'other'
    shutil.copytree(desk.root, other)
    desk.record()
    assert page(episodes, other)['total'] == 1
    assert page(episodes, desk.root)['total'] == 2


def test_before_the_first_save_the_list_is_empty(tmp_path, episodes):
    listed = page(episodes, tmp_path, num_saved=0)
    assert (listed['available'], listed['total'], listed['episodes']) == (True, 0, [])
    with pytest.raises(DatasetError, match='is not on this machine'):
        page(episodes, tmp_path, num_saved=3)


def test_thousands_of_episodes_are_described_in_parts(tmp_path, monkeypatch, episodes):
    num_episodes = 10_000
    calls = []
    file = FileIndex()
    rows = tuple(
        EpisodeRow(n, ('t',), 100 + n % 50, 0, file, file, {FRONT: VideoPlace(file, 0.0, 1.0)}, {})
        for n in range(num_episodes)
    )
    desk = Desk(tmp_path)
    desk.record()
    desk.recorder.close(timeout_s=10)

    def read(*arguments):
        calls.append(arguments)
        return rows

    monkeypatch.setattr(episode_list, 'committed_episodes', read)
    for before in range(num_episodes, num_episodes - 500, -50):
        listed = page(episodes, tmp_path, before)
        assert listed['total'] == num_episodes
        assert [one['episode_index'] for one in listed['episodes']] == [
            *range(before - 1, before - 51, -1)
        ]
    # The rest comes from memory.
    assert len(calls) == 1


@pytest.mark.parametrize(
    ('lengths_s', 'edges_s', 'counts'),
    [
        ([], [], []),
        ([8.0], [8.0, 8.1], [1]),
        ([8.0, 8.04], [8.0, 8.1], [2]),
        ([1.0, 2.0, 9.9], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0], None),
        ([12.0, 31.0, 14.0], [12.0, 14.0, 16.0, 18.0, 20.0, 22.0, 24.0, 26.0, 28.0, 30.0, 32.0],
         [1, 1, 0, 0, 0, 0, 0, 0, 0, 1]),
        ([4.0, 600.0], None, None),
        # Divisions of these by 0.1 are a rounding below 3 and 6.
        ([0.3, 0.6], [0.3, 0.4, 0.5, 0.6, 0.7], [1, 0, 0, 1]),
    ],
)  # fmt: skip
def test_lengths_are_counted_in_round_bins(lengths_s, edges_s, counts):
    found = histogram_of(lengths_s)
    assert sum(found['counts']) == len(lengths_s)
    assert edges_s is None or found['edges_s'] == edges_s
    assert counts is None or found['counts'] == counts
    assert len(found['counts']) <= 12
    if lengths_s:
        assert len(found['edges_s']) == len(found['counts']) + 1
        assert found['edges_s'][0] <= min(lengths_s) <= max(lengths_s) <= found['edges_s'][-1]


def brightness(jpeg):
    codec = av.CodecContext.create('mjpeg', 'r')
    (frame,) = codec.decode(av.Packet(jpeg))
    return frame.width, round(float(frame.to_ndarray(format='rgb24').mean()))


def test_a_thumbnail_shows_the_frame_at_its_position(desk, episodes):
    desk.record(11)
    length = episodes.read(desk.root).episodes[0].length
    shown = [
        brightness(Thumbnails().make(episodes.place(desk.root, 0, 'front', position), 64).jpeg)
        for position in (0.0, 0.5, 1.0)
    ]
    assert {width for width, _ in shown} == {64}
    levels = [level for _, level in shown]
    assert levels == sorted(levels)
    assert levels[2] - levels[1] == pytest.approx(10 * (length - 1) / 2, abs=8)


def test_thumbnails_are_kept_until_there_are_too_many(desk, episodes, monkeypatch):
    desk.record(11)
    places = [episodes.place(desk.root, 0, 'front', n / 10) for n in range(10)]
    size = len(Thumbnails().make(places[0], 64).jpeg)
    thumbnails = Thumbnails(max_bytes=4 * size)
    made = [thumbnails.make(one, 64) for one in places]
    assert thumbnails.make(places[-1], 64) is made[-1]
    assert thumbnails.make(places[0], 64) is not made[0]
    assert len(thumbnails._kept) < 6
    # A file that took the place of another is another picture.
    os.utime(places[-1].path, ns=(1, 1))
    assert thumbnails.make(places[-1], 64).tag != made[-1].tag


@pytest.fixture
def client(desk, robot, make_client):
    made = []

    def more(board):
        made.append(EpisodeRoutes(board))
        return made[0].routes()

    robot.hear(root=str(desk.root), saved_episodes='1')
    with make_client(more=more) as client:
        yield client
    made[0].close()


def test_routes_answer_with_the_list_and_pictures(client, desk, robot):
    desk.record()
    robot.hear(root=str(desk.root), saved_episodes='1')
    listed = client.get('/api/episodes').json()
    assert listed['total'] == 1
    answer = client.get('/api/episodes/0/front.jpg?position=1&width=64')
    assert answer.headers['content-type'] == 'image/jpeg'
    tag = {'If-None-Match': answer.headers['etag']}
    again = client.get('/api/episodes/0/front.jpg?position=1&width=64', headers=tag)
    assert (again.status_code, again.content) == (304, b'')
    # The page proposes the tasks of the dataset.
    assert client.board.state()['tasks'] == ['Stack the cubes']


@pytest.mark.parametrize(
    ('path', 'status', 'words'),
    [
        ('/api/episodes?limit=0', 400, 'limit is'),
        ('/api/episodes?limit=201', 400, '1 to 200'),
        ('/api/episodes?before=x', 400, 'before is'),
        ('/api/episodes/0/front.jpg?width=63', 400, '64 to 640'),
        ('/api/episodes/0/front.jpg?width=1e9', 400, 'width is'),
        ('/api/episodes/0/front.jpg?position=nan', 400, 'position is'),
        ('/api/episodes/0/front.jpg?position=1.1', 400, '0.0 to 1.0'),
        ('/api/episodes/1/front.jpg', 404, 'no picture of episode 1'),
        ('/api/episodes/99999999999999999999/front.jpg', 404, 'no picture of episode'),
        ('/api/episodes/0/top.jpg', 404, 'no picture of episode 0'),
        ('/api/episodes/0/../../meta/info.json.jpg', 404, ''),
        ('/api/episodes/-1/front.jpg', 404, ''),
    ],
)
def test_what_is_not_there_is_told(client, desk, path, status, words):
    desk.record()
    answer = client.get(path)
    assert answer.status_code == status
    assert words in answer.json()['error']


def test_a_damaged_video_is_told(client, desk):
    desk.record()
    (video,) = (desk.root / 'videos').rglob('*.mp4')
    video.write_bytes(b'no video')
    answer = client.get('/api/episodes/0/front.jpg')
    assert answer.status_code == 404
    assert 'cannot be read' in answer.json()['error']


def test_the_reason_says_why_there_is_no_list(robot, client, desk):
    robot.hear(root='/nowhere/at/all', saved_episodes='3')
    listed = client.get('/api/episodes').json()
    assert listed['available'] is False
    assert '/nowhere/at/all is not on this machine' in listed['reason']
    assert listed['episodes'] == []
