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
What a crash interrupts becomes an episode, as far as all of it is whole.

Guards promise 2 for the running episode, and that nothing is deleted silently.
"""

from __future__ import annotations

from dataclasses import replace
import json

from fault_at import FaultAt, Killed
from lerobot_streamrec.dataset.format.take_record import (
    TakenCamera,
    TakenVector,
    TakeRecord,
)
from lerobot_streamrec.dataset.takes.journal import Journal
import numpy as np
import pytest

FRONT, TOP = 'observation.images.front', 'observation.images.top'
FPS = 20
STEPS = 9


@pytest.fixture
def make_take(make_draft, features):
    """Make an episode as a recorder does: with a journal in its folder."""

    def make(num_rows=5, task='pick the cube', **changes):
        draft = make_draft(num_rows, task)
        record = TakeRecord(
            **{
                'task': task,
                'fps': FPS,
                'start_stamp_ns': 123,
                'cameras': {
                    key: TakenCamera(one.height, one.width, one.encoder_info)
                    for key, one in draft.videos.items()
                },
                'vectors': {key: TakenVector(features[key].names) for key in draft.vectors},
                **changes,
            }
        )
        journal = Journal(draft.videos[FRONT].path.parent, record)
        for row in range(num_rows):
            journal.append([{key: rows[row] for key, rows in draft.vectors.items()}])
        journal.sync()
        journal.close()
        return replace(draft, record={'take_id': record.take_id})

    return make


def folder_of(draft):
    return draft.videos[FRONT].path.parent


def check_episode(dataset, draft, num_rows, episode_index):
    """Compare a recovered episode with the take; its frames get brighter one by one."""
    for key, rows in draft.vectors.items():
        np.testing.assert_array_equal(dataset.vectors(key, episode_index), rows[:num_rows])
    for key in (FRONT, TOP):
        levels = [pixels.mean() for pixels in dataset.pictures(key, episode_index)]
        np.testing.assert_allclose(np.diff(levels), 5, atol=2)
        assert len(levels) == num_rows


@pytest.fixture
def fault(monkeypatch):
    """Put faulty files under every writer that is opened from here on."""
    return FaultAt().under_writers(monkeypatch, 'replace', 'adopt')


def test_a_take_that_a_crash_left_becomes_an_episode(
    open_writer, make_take, read_dataset, quarantined, root
):
    open_writer().close()
    draft = make_take(7)
    writer = open_writer()
    assert open_writer.said == [
        "recovered episode 0 after a crash: 7 rows, 0.3 s of 'pick the cube'"
    ]
    assert writer.info.total_episodes == 1
    check_episode(read_dataset(root), draft, 7, 0)
    assert not folder_of(draft).exists()
    assert quarantined() == []
    record = json.loads((root / '.streamrec/episodes/episode-000000.json').read_text())
    assert record['recovered'] is True
    assert record['start_stamp_ns'] == 123


@pytest.mark.parametrize('is_after', [False, True], ids=['before', 'after'])
@pytest.mark.parametrize('num_before', [0, 1])
@pytest.mark.parametrize('step', range(STEPS))
def test_a_kill_in_a_commit_loses_nothing_of_the_episode(
    step, num_before, is_after, fault, open_writer, make_take, read_dataset, root, quarantined
):
    writer = open_writer()
    for _ in range(num_before):
        draft = make_take()
        writer.commit(draft)
        writer.remove(folder_of(draft))
    writer.close()
    fault.arm(step, Killed(), is_after=is_after)
    writer = open_writer()
    draft = make_take(6, 'a new one')
    with pytest.raises(Killed):
        writer.commit(draft)
    writer.close()
    fault.arm()
    writer = open_writer()
    assert writer.info.total_episodes == num_before + 1, 'once and not twice'
    check_episode(read_dataset(root), draft, 6, num_before)
    assert [name for name in quarantined() if name.endswith('.mp4')] == []
    assert not folder_of(draft).exists()


@pytest.mark.parametrize('step', range(STEPS))
def test_a_kill_while_recovering_loses_nothing_either(
    step, fault, open_writer, make_take, read_dataset, root
):
    open_writer().close()
    draft = make_take(6)
    fault.arm(step, Killed())
    with pytest.raises(Killed):
        open_writer()
    fault.arm()
    assert open_writer().info.total_episodes == 1
    check_episode(read_dataset(root), draft, 6, 0)


def test_the_shortest_stream_says_how_much_is_whole(open_writer, make_take, read_dataset, root):
    open_writer().close()
    draft = make_take(12)
    journal = folder_of(draft) / 'rows.arrows'
    journal.write_bytes(journal.read_bytes()[:-40])
    open_writer()
    check_episode(read_dataset(root), draft, 11, 0)


def test_takes_are_recovered_in_their_order(open_writer, make_take, read_dataset, root):
    open_writer().close()
    drafts = [make_take(4, 'first'), make_take(5, 'second')]
    open_writer()
    dataset = read_dataset(root)
    assert [tasks[0] for tasks in dataset.episodes['tasks']] == ['first', 'second']
    for index, draft in enumerate(drafts):
        check_episode(dataset, draft, draft.num_rows, index)


def test_what_is_saved_already_is_not_saved_again(open_writer, make_take, read_dataset, root):
    writer = open_writer()
    draft = make_take()
    writer.commit(draft)
    writer.close()
    writer = open_writer()
    assert open_writer.said == []
    assert writer.info.total_episodes == 1
    assert not folder_of(draft).exists()


def test_a_discarded_take_does_not_come_back(open_writer, make_take, quarantined, snapshot):
    open_writer().close()
    draft = make_take()
    (folder_of(draft) / 'take.json').rename(folder_of(draft) / 'discarded.json')
    assert open_writer().info.total_episodes == 0
    assert open_writer.said == []
    assert not folder_of(draft).exists()
    assert quarantined() == []


def test_recovery_may_be_to_quarantine(open_writer, make_take, quarantined):
    open_writer().close()
    make_take()
    assert open_writer(recovery='quarantine').info.total_episodes == 0
    [sentence] = open_writer.said
    assert 'interrupted-take-000001' in sentence
    assert f'interrupted-take-000001/{FRONT}.mp4' in quarantined()


def test_recovery_may_be_to_discard(open_writer, make_take, quarantined):
    open_writer().close()
    draft = make_take()
    assert open_writer(recovery='discard').info.total_episodes == 0
    assert open_writer.said == [
        "an interrupted take of 'pick the cube' was discarded, as recovery is set to discard"
    ]
    assert not folder_of(draft).exists()
    assert quarantined() == []


def cut_video(draft):
    draft.videos[TOP].path.write_bytes(b'')


def delete_video(draft):
    draft.videos[FRONT].path.unlink()


def cut_journal(draft):
    (folder_of(draft) / 'rows.arrows').write_bytes(b'x')


def break_record(draft):
    (folder_of(draft) / 'take.json').write_text('{"task"')


def lead_out(draft):
    path = folder_of(draft) / 'take.json'
    path.write_text(path.read_text().replace(FRONT, '../../../../front'))


def link_video(draft):
    path = draft.videos[FRONT].path
    path.rename(path.parents[4] / 'elsewhere.mp4')
    path.symlink_to(path.parents[4] / 'elsewhere.mp4')


@pytest.mark.parametrize(
    ('harm', 'expected'),
    [
        (cut_video, 'no whole row'),
        (delete_video, 'no whole row'),
        (cut_journal, 'no whole row'),
        (break_record, 'take.json cannot be read'),
        (lead_out, 'take.json cannot be read'),
        (link_video, 'symbolic link'),
    ],
)
def test_a_take_of_which_nothing_is_whole_is_kept_aside(
    harm, expected, open_writer, make_take, quarantined, root, snapshot
):
    open_writer().close()
    draft = make_take()
    harm(draft)
    outside = sorted(root.parent.iterdir())
    assert open_writer().info.total_episodes == 0
    [sentence] = open_writer.said
    assert expected in sentence
    assert 'interrupted-take-000001' in sentence
    assert 'interrupted-take-000001/rows.arrows' in quarantined()
    assert sorted(root.parent.iterdir()) == outside


@pytest.mark.parametrize(
    ('change', 'expected'),
    [
        ({'fps': 25}, 'fps is 20 in the dataset, 25 in the interrupted take'),
        ({'vectors': {'action': TakenVector(('a', 'b', 'c'))}}, 'action is'),
        ({'cameras': {}}, 'observation.images.front is not recorded now'),
    ],
)
def test_a_take_of_another_kind_is_kept_aside(
    change, expected, open_writer, make_take, quarantined
):
    """As when the settings were changed after a crash."""
    open_writer().close()
    make_take(**change)
    assert open_writer().info.total_episodes == 0
    [sentence] = open_writer.said
    assert expected in sentence
    assert 'interrupted-take-000001/take.json' in quarantined()
