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
Saved takes with damaged pictures become episodes as far as they are whole, or go to quarantine.

Guards promise 2 where nobody has looked at the pictures before they were saved: one that cannot be
decoded must neither cost the episode, nor fail at each start and keep every tool from its work.
"""

from __future__ import annotations

import json
import shutil

from command_line import streamrec
from lerobot_streamrec.dataset.format.take_record import parse_take_record
from lerobot_streamrec.dataset.takes.journal import read_journal
from lerobot_streamrec.frame import CompressedPicture
from lerobot_streamrec.recording.episode import camera_take
from lerobot_streamrec.video.encode.picture_encoder import PictureEncoder
from numbered_pictures import HEIGHT, numbered_frame, WIDTH
import numpy as np
from picture_files import jpeg_file
import pytest
from waiting import wait_for

FRONT, TOP = 'observation.images.front', 'observation.images.top'
SECOND_NS = 10**9
WAIT_S = 30


def staged(root):
    """Return what lies in the staging folder, but for files on their way."""
    folder = root / '.streamrec/staging'
    return sorted(one.name for one in folder.glob('*') if not one.name.startswith('.'))


@pytest.fixture
def as_before(monkeypatch):
    """Let a recorder write pictures down without looking at any, as earlier releases did."""

    def without_checks(sink, *arguments, check_every=0, **options):
        return sink if check_every else PictureEncoder(sink, *arguments, **options)

    monkeypatch.setattr(camera_take, 'PictureEncoder', without_checks)


def damaged_jpeg(bad):
    """Return what draws numbered pictures as JPEG files, some of them cut short."""

    def draw(number):
        data = jpeg_file(numbered_frame(number).pixels)
        data = data[:-40] if number in bad else data
        return CompressedPicture(np.frombuffer(data, np.uint8), 'mjpeg', HEIGHT, WIDTH)

    return draw


def rows_in_journal(folder):
    record = folder / 'take.json'
    if not record.exists():
        return 0
    return read_journal(folder, parse_take_record(record.read_bytes(), record))[0]


def deferred_with(make_rig, bad_front, bad_top=(), **settings):
    """Record an episode with damaged pictures, and leave it to be encoded later."""
    rig = make_rig(encode='deferred', encode_batch_size=0, **settings)
    rig.draw = {FRONT: damaged_jpeg(()), TOP: damaged_jpeg(())}
    rig.run(1)
    rig.draw = {FRONT: damaged_jpeg(bad_front), TOP: damaged_jpeg(bad_top)}
    rig.record(2)
    rig.recorder.close(WAIT_S)
    return rig


def forget_damaged(rig, **bad):
    """Let the naive model know which pictures cannot be shown."""
    for key, numbers in bad.items():
        whole = [one for one in rig.sent[key] if one[1] not in numbers]
        rig.sent[key] = whole


def first_whole_row(rig, saved, bad):
    """Return the first row of a take at which every camera has shown a whole picture."""
    start_ns, num_rows = saved['record']['start_stamp_ns'], saved['num_rows']
    firsts = []
    for key, numbers in bad.items():
        shown = [
            max(one for one in rig.sent[key] if one[0] <= start_ns + row * SECOND_NS // 10)[1]
            for row in range(num_rows)
        ]
        firsts.append(next(row for row, one in enumerate(shown) if one not in numbers))
    return max(firsts)


@pytest.mark.parametrize('is_per_row', [True, False])
@pytest.mark.parametrize(
    ('bad_front', 'bad_top', 'least'),
    [
        (range(1, 14), (), 3),
        (range(1, 14), (15, 17), 3),
        (range(1, 13), range(1, 16), 5),
        ((12, 14), (9, 10, 14), 1),
    ],
)
def test_a_take_whose_first_pictures_are_damaged_begins_with_its_first_whole_row(
    bad_front, bad_top, least, is_per_row, make_rig, as_before, read_dataset
):
    rig = deferred_with(make_rig, bad_front, bad_top, is_per_row=is_per_row)
    root, bad = rig.config.root, {FRONT: bad_front, TOP: bad_top}
    saved = json.loads((root / '.streamrec/staging/take-000001/saved.json').read_text())
    first = first_whole_row(rig, saved, bad)
    assert first in (least, least + 1)
    done = streamrec('encode', root)
    assert done.returncode == 0, done.stderr
    assert f'it begins with row {first}, the first whole row' in done.stdout
    dataset, record = read_dataset(root), rig.record_of(0)
    assert dataset.episodes.loc[0, 'length'] == saved['num_rows'] - first
    assert record['rows_lost'] == first
    assert record['start_stamp_ns'] == saved['record']['start_stamp_ns'] + first * 10**8
    # The rows that follow show what they showed before.
    forget_damaged(rig, **bad)
    rig.check(dataset, 0)
    assert staged(root) == []
    assert streamrec('compact', root).returncode == 0


def test_a_take_without_a_picture_that_decodes_stands_in_nobodys_way(
    make_rig, as_before
):
    rig = deferred_with(make_rig, range(1, 4096))
    root = rig.config.root
    again = make_rig(resume=True)
    wait_for(lambda: staged(root) == [])
    wait_for(lambda: 'was moved to' in again.recorder.status().last_result)
    assert 'no row has a decodable frame of every camera' in (
        again.recorder.status().last_result
    )
    assert (root / '.streamrec/quarantine/unencodable-take-000001/saved.json').is_file()
    again.run(1)
    again.record(1)
    assert again.recorder.status().num_saved == 1
    # The process says by its exit status that an episode was lost.
    assert not again.recorder.close(WAIT_S)
    assert streamrec('compact', root).returncode == 0


def test_rows_that_the_journal_has_lost_are_cut_off(make_rig, read_dataset):
    rig = make_rig(encode='deferred', encode_batch_size=0)
    rig.run(1)
    rig.recorder.start()
    root = rig.config.root
    folder = root / '.streamrec/staging/take-000001'
    journal = folder / 'rows.arrows'
    rig.run(1)
    num_rows = rig.recorder.status().num_rows
    wait_for(lambda: rows_in_journal(folder) == num_rows)
    num_bytes = journal.stat().st_size
    rig.run(1)
    rig.save()
    rig.recorder.close(WAIT_S)
    # The last batches are lost, however many the journal's thread wrote.
    journal.write_bytes(journal.read_bytes()[: num_bytes + 10])
    done = streamrec('encode', root)
    assert done.returncode == 0, done.stderr
    assert 'rows were incomplete on the disk' in done.stdout
    dataset = read_dataset(root)
    assert 0 < dataset.episodes.loc[0, 'length'] < 20
    rig.check(dataset, 0)


@pytest.mark.parametrize('is_saved', [True, False])
def test_an_interrupted_take_begins_with_its_first_whole_row(
    is_saved, make_rig, as_before, tmp_path, read_dataset
):
    """It is salvaged at the next start, and encoded then."""
    rig = make_rig(encode='deferred', encode_batch_size=0)
    rig.draw = {FRONT: damaged_jpeg(()), TOP: damaged_jpeg(())}
    rig.run(1)
    rig.draw[FRONT] = damaged_jpeg(range(1, 14) if is_saved else range(1, 4096))
    rig.recorder.start()
    rig.run(2)
    num_rows = rig.recorder.status().num_rows
    wait_for(lambda: all(one.queue.num_queued == 0 for one in rig.recorder.status().streams))
    folder = rig.config.root / '.streamrec/staging/take-000001'
    journal = folder / 'rows.arrows'
    record = parse_take_record((folder / 'take.json').read_bytes(), folder)
    wait_for(lambda: journal.exists() and read_journal(folder, record)[0] == num_rows)
    killed = tmp_path / 'killed'
    shutil.copytree(rig.config.root, killed)
    again = make_rig(root=killed, resume=True)
    wait_for(lambda: staged(killed) == [])
    if not is_saved:
        wait_for(lambda: 'was moved to' in again.recorder.status().last_result)
        assert [one.name for one in (killed / '.streamrec/quarantine').iterdir()] == [
            'unencodable-take-000001'
        ]
        return
    wait_for(lambda: again.recorder.status().num_saved == 1)
    again.sent = rig.sent
    forget_damaged(again, **{FRONT: range(1, 14)})
    dataset = read_dataset(killed)
    assert num_rows - 5 <= dataset.episodes.loc[0, 'length'] <= num_rows - 3
    again.check(dataset, 0)
