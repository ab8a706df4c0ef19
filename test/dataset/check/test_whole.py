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
"""A dataset that is whole gives no finding, whoever wrote it and in whatever form."""

from __future__ import annotations

from pathlib import Path
import re

from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.check.findings import Kind, Progress, Severity
import pytest

FRONT, TOP = 'observation.images.front', 'observation.images.top'


@pytest.mark.parametrize('decode', [True, False])
def test_a_dataset_of_the_recorder_is_whole(dataset, decode):
    report = dataset.check(decode=decode)
    assert report.findings == ()
    assert report.is_whole
    assert report.decoded == decode
    assert report.num_rows == 14
    assert report.video_keys == (FRONT, TOP)
    assert report.sound_episodes() == (0, 1, 2)
    assert [one.num_rows for one in report.episodes] == [5, 1, 8]
    assert all(one.frames_present == {FRONT: True, TOP: True} for one in report.episodes)


def test_progress_is_told_file_by_file(dataset):
    seen = []
    dataset.check(progress=seen.append)
    assert [one for one in seen if one.step == 'videos'] == [
        Progress('videos', number, 6) for number in range(6)
    ]
    assert {one.step for one in seen} == {'episodes', 'rows', 'videos', 'statistics'}


def test_a_dataset_that_only_just_began_is_whole(dataset, edited, foreign):
    """LeRobot leaves an info.json alone when no episode was saved."""
    content = foreign(())
    report = edited(content).check()
    assert report.findings == ()
    assert (report.episodes, report.num_rows) == ((), 0)


@pytest.mark.parametrize('time_base', [1, 512], ids=['coarse', 'fine'])
def test_several_episodes_in_a_file_are_whole(foreign, edited, time_base):
    """As LeRobot writes them: files shared by episodes, pictures in columns, all kinds of rows."""
    root = foreign((4, 3, 6, 2), ticks_per_frame=time_base)
    report = edited(root).check()
    assert report.findings == ()
    assert report.num_rows == 15
    assert report.sound_episodes() == (0, 1, 2, 3)


def test_damage_in_a_shared_file_is_told_by_episode(foreign, edited):
    dataset = edited(foreign((4, 3, 6, 2)))
    video = f'videos/{FRONT}/chunk-000/file-000.mp4'
    dataset.column(
        'meta/episodes/chunk-000/file-000.parquet',
        f'videos/{FRONT}/to_timestamp',
        lambda values: [values[0], values[1] + 1, *values[2:]],
    )
    dataset.column(
        'data/chunk-000/file-000.parquet',
        'flag',
        lambda values: [*values[:8], None, *values[9:]],
    )
    report = dataset.check()
    found = {(one.kind.code, one.episode_index) for one in report.findings}
    assert found == {('wrong-timestamps', 1), ('missing-value', 2)}
    assert report.sound_episodes() == (0, 3)
    dataset.path(video).unlink()
    assert dataset.check().sound_episodes() == ()


def test_pictures_in_columns_are_looked_at(foreign, edited):
    dataset = edited(foreign((4, 3)))
    relative = 'data/chunk-000/file-000.parquet'

    def spoil(values):
        broken = {'bytes': values[1]['bytes'][:60], 'path': 'x.png'}
        return [values[0], broken, {'bytes': None, 'path': 'y.png'}, *values[3:]]

    dataset.column(relative, TOP, spoil)
    report = dataset.check()
    (finding,) = report.findings
    assert (finding.kind.code, finding.episode_index) == ('unreadable-picture', 0)
    assert finding.what.startswith('2 images')
    assert report.sound_episodes() == (1,)
    # Without decoding, only what is not there at all is seen.
    (finding,) = dataset.check(decode=False).findings
    assert finding.what.startswith('1 images')


def test_pictures_in_columns_of_another_size_are_found(foreign, edited):
    dataset = edited(foreign((4, 3)))
    dataset.info(lambda info: info['features'][TOP].update(shape=[24, 24, 3]))
    assert dataset.codes() == {'wrong-picture-size'}


def test_a_column_of_words_may_not_hold_numbers(foreign, edited):
    dataset = edited(foreign((4, 3)))
    dataset.info(lambda info: info['features']['number'].update(dtype='string'))
    assert dataset.codes() == {'wrong-column-type'}


def test_every_kind_of_finding_has_a_test():
    codes = {one.code for one in vars(kinds).values() if isinstance(one, Kind)}
    tests = Path(__file__).parent.glob('test_*.py')
    sources = (path.read_text(encoding='utf-8') for path in tests)
    named = {code for source in sources for code in re.findall(r"'([a-z]+(?:-[a-z]+)+)'", source)}
    assert codes - named == set()


@pytest.mark.parametrize('severity', list(Severity))
def test_every_kind_of_finding_is_described(severity):
    text = (Path(__file__).parents[3] / 'docs/check.md').read_text(encoding='utf-8')
    chapter = '## Errors' if severity is Severity.ERROR else '## Warnings'
    part = text.partition(chapter)[2].partition('\n## ')[0]
    described = re.findall(r'^\| `(.+?)`', part, re.MULTILINE)
    everything = [one for one in vars(kinds).values() if isinstance(one, Kind)]
    assert described == [one.code for one in everything if one.severity is severity]
