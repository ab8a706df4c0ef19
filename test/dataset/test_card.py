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
The dataset card: what it says, and whose it is.

Guards against a card that overwrites what a person wrote, or that the Hub cannot parse.
"""

from __future__ import annotations

from dataclasses import replace
import shutil

from lerobot_streamrec.cli.main import main
from lerobot_streamrec.dataset.about.card import is_generated, refresh_card, write_card
from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.format.layout import STAGING
import pytest
import yaml

WRENCH = 'x | <b>*y*</b>\n# z'


@pytest.fixture
def files(root, open_writer, make_draft):
    """Save three episodes, and return the access to the dataset."""
    writer = open_writer()
    for task, verdict in (('pick', 'success'), (WRENCH, 'failure'), ('pick', '')):
        draft = make_draft(task=task)
        record = {
            'metadata': {'verdict': verdict, 'operator': 'Ada'},
            'recorded_at': '2026-11-28T16:00:00.000+00:00',
        }
        writer.commit(replace(draft, record=record))
    shutil.rmtree(root / STAGING)
    writer.close()
    return Files(root)


def card_of(files):
    return (files.root / 'README.md').read_text('utf-8')


def test_the_header_is_that_of_lerobots_cards_and_the_body_has_the_facts(files):
    assert write_card(files, 'apache-2.0')
    text = card_of(files)
    _, header, body = text.split('---\n', 2)
    assert yaml.safe_load(header) == {
        'license': 'apache-2.0',
        'task_categories': ['robotics'],
        'tags': ['LeRobot', 'ROS 2', 'so101'],
        'configs': [{'config_name': 'default', 'data_files': 'data/*/*.parquet'}],
    }
    for line in (
        '| episodes | 3 (1 success, 1 failure) |',
        '| recorded | 2026-11-28 |',
        '| operators | Ada |',
        '| pick | 2 |',
        r'| x \| \<b\>\*y\*\</b\> \# z | 1 |',
        '| observation.images.front | 64 x 48 | h264 |',
        '| action | 3 float32 | shoulder, elbow, wrist |',
    ):
        assert line in body.splitlines(), body


def test_a_card_is_written_again_after_a_change_and_keeps_its_license(files):
    write_card(files, 'mit')
    assert main(['label', str(files.root), '--episodes', '2', '--verdict', 'success']) == 0
    assert '3 (2 success, 1 failure)' in card_of(files)
    assert main(['delete', str(files.root), '--episodes', '1', '--yes']) == 0
    assert '2 (2 success)' in card_of(files)
    assert 'license: "mit"' in card_of(files)
    out = files.root.parent / 'out'
    assert main(['merge', str(out), str(files.root)]) == 0
    assert '# out' in card_of(Files(out))
    (data, *_) = sorted(files.root.glob('data/*/*'))
    data.write_bytes(b'not a table')
    assert main(['check', str(files.root), '--repair', '--yes']) == 0
    assert '1 (1 success)' in card_of(files)


@pytest.mark.parametrize('edit', ['license', 'words', 'mark', 'bytes'])
def test_a_card_that_a_person_edited_is_left_alone(files, edit):
    write_card(files)
    path = files.root / 'README.md'
    content = {
        'license': card_of(files).replace('license: "unknown"', 'license: mit').encode(),
        'words': card_of(files).replace('Demonstrations', 'Nice demonstrations').encode(),
        'mark': card_of(files).encode() + b'More.\n',
        'bytes': b'\xff\xfe',
    }[edit]
    path.write_bytes(content)
    assert not is_generated(content)
    assert not write_card(files, 'apache-2.0')
    refresh_card(files)
    assert path.read_bytes() == content


def test_without_a_card_no_tool_makes_one(files):
    assert main(['delete', str(files.root), '--episodes', '1', '--yes']) == 0
    assert not (files.root / 'README.md').exists()
