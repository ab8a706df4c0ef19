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
"""Every value of info.json has a type and a range: tools refuse others, the check reports them."""

from __future__ import annotations

import json
import math

from lerobot_streamrec.dataset.check.findings import Findings
from lerobot_streamrec.dataset.check.info import check_info
from lerobot_streamrec.dataset.format.features import camera_feature, vector_feature
from lerobot_streamrec.dataset.format.info import DatasetInfo, parse_info, read_info, with_defaults
from lerobot_streamrec.errors import DatasetCorruptError, UnusableDatasetError
from lerobot_streamrec.installed import streamrec_command
import pytest

FRONT, STATE = 'observation.images.front', 'observation.state'
FEATURES = with_defaults({FRONT: camera_feature(48, 64), STATE: vector_feature(('x', 'y'))})
INFO = json.loads(DatasetInfo(20, 'so101', FEATURES, 3, 14, 2).as_bytes())
VIDEO = 'videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4'


def changed(*place, value):
    """Return info.json with another value at a place."""
    content = json.loads(json.dumps(INFO))
    entry = content
    for name in place[:-1]:
        entry = entry[name]
    entry[place[-1]] = value
    return content


def picture_shape(*shape):
    return changed('features', FRONT, 'shape', value=list(shape))


ODD = {
    **{f'fps is {value!r}': changed('fps', value=value) for value in (0, -20, math.nan, math.inf)},
    **{f'fps is {value!r}': changed('fps', value=value) for value in ('30', True, None, [20])},
    'fps is 1e-300': changed('fps', value=1e-300),
    'total_episodes is -1': changed('total_episodes', value=-1),
    'total_frames is 14.0': changed('total_frames', value=14.0),
    'total_tasks is 9007199254740992': changed('total_tasks', value=2**53),
    'chunks_size is -1': changed('chunks_size', value=-1),
    'chunks_size is 0': changed('chunks_size', value=0),
    'chunks_size is 1e+30': changed('chunks_size', value=1e30),
    'chunks_size is None': changed('chunks_size', value=None),
    'data_files_size_in_mb is 0': changed('data_files_size_in_mb', value=0),
    "video_files_size_in_mb is '200'": changed('video_files_size_in_mb', value='200'),
    'robot_type is 5': changed('robot_type', value=5),
    'data_path is None': changed('data_path', value=None),
    **{
        f'video_path is {path!r}': changed('video_path', value=path)
        for path in (
            f'/tmp/{VIDEO}'[:70],
            f'../{VIDEO}',
            VIDEO.replace('chunk-', 'a/../'),
            VIDEO.replace('{file_index:03d}', '{file_index.real}'),
            VIDEO.replace('{file_index:03d}', '{file_index:9999d}'),
            VIDEO.replace('{file_index:03d}', '0'),
            VIDEO.replace('{video_key}', '{video_key}/{other}'),
            7,
        )
    },
    'features is []': changed('features', value=[]),
    "a feature is '../../x'": changed('features', '../../x', value=INFO['features'][STATE]),
    r"a feature is 'a\\b'": changed('features', 'a\\b', value=INFO['features'][STATE]),
    r"a feature is 'a\x00b'": changed('features', 'a\0b', value=INFO['features'][STATE]),
    "a feature is ''": changed('features', '', value=INFO['features'][STATE]),
    f'features[{STATE!r}] is 7': changed('features', STATE, value=7),
    f"features[{STATE!r}].dtype is 'nonsense'": changed(
        'features', STATE, 'dtype', value='nonsense'
    ),
    f'features[{STATE!r}].shape is []': changed('features', STATE, 'shape', value=[]),
    f'features[{STATE!r}].shape is [1000000000000]': changed(
        'features', STATE, 'shape', value=[10**12]
    ),
    f"features[{STATE!r}].names is 'x'": changed('features', STATE, 'names', value='x'),
    f'features[{FRONT!r}].shape is [0, 64, 3]': picture_shape(0, 64, 3),
    f'features[{FRONT!r}].shape is [-48, 64, 3]': picture_shape(-48, 64, 3),
    f'features[{FRONT!r}].shape is [1000000000, 64, 3]': picture_shape(10**9, 64, 3),
    f'features[{FRONT!r}].shape is [48, 64]': picture_shape(48, 64),
    f'features[{FRONT!r}].shape is [48, 64, 64]': picture_shape(48, 64, 64),
    f"features[{FRONT!r}].shape is ['48', 64, 3]": picture_shape('48', 64, 3),
    f'features[{FRONT!r}].info is 3': changed('features', FRONT, 'info', value=3),
    "features['timestamp'] is 7": changed('features', 'timestamp', value=7),
    'codebase_version is 3.0': changed('codebase_version', value=3.0),
}


def written(root, content):
    (root / 'meta').mkdir()
    (root / 'meta/info.json').write_bytes(content)
    return root


@pytest.mark.parametrize('start', ODD)
def test_a_tool_says_the_value_and_the_allowed_ones_and_the_check_reports_it(start, tmp_path):
    root = written(tmp_path, json.dumps(ODD[start]).encode())
    with pytest.raises(UnusableDatasetError) as caught:
        read_info(root)
    text = str(caught.value)
    assert text.startswith(f'{root}/meta/info.json: {start}: ')
    check = streamrec_command('check', root)
    assert text.endswith(f'; `{check}` shows everything that is wrong there')
    assert len(text) < 700
    findings = Findings()
    check_info(root, findings)
    (finding,) = (one for one in findings.sorted() if one.is_error)
    name, _, value = start.partition(' is ')
    assert finding.path == 'meta/info.json'
    assert name.removeprefix('a feature') in finding.message
    assert value in (finding.found, f"'{finding.found}'") or value in finding.message


SHOWN = json.dumps(INFO)
DEEP = '[' * 40 + ']' * 40
BROKEN_TEXTS = {
    'no JSON': b'{"fps": ',
    'no UTF-8': b'\xff\xfe' + SHOWN.encode('utf-16-le'),
    'deep': b'{"extra": ' + b'[' * 200_000 + b']' * 200_000 + b'}',
    'deeper than it can be written': SHOWN.replace('{', f'{{"x": {DEEP}, ', 1).encode(),
    'half a character': SHOWN.replace('so101', '\\ud800').encode(),
    'a long number': SHOWN.replace('14', '1' * 5000, 1).encode(),
    'huge': SHOWN.encode() + b' ' * 2**25,
    'no object': b'[]',
}


@pytest.mark.parametrize('name', BROKEN_TEXTS)
def test_a_text_that_no_tool_can_use_is_refused_and_reported(name, tmp_path):
    root = written(tmp_path, BROKEN_TEXTS[name])
    with pytest.raises(UnusableDatasetError, match=r'info\.json: the file cannot be read \('):
        read_info(root)
    findings = Findings()
    assert check_info(root, findings) is None
    assert [one.kind.code for one in findings.sorted()] == ['unreadable-file']


@pytest.mark.parametrize(
    ('content', 'start'),
    [
        (b'\xef\xbb\xbf' + SHOWN.encode(), 'its beginning is a byte order mark'),
        (SHOWN.replace('{', '{"fps": 30, ', 1).encode(), "the number of entries 'fps' is 2"),
    ],
    ids=['mark', 'twice'],
)
def test_a_text_that_readers_take_differently_is_refused_and_the_check_goes_on(
    content, start, tmp_path
):
    root = written(tmp_path, content)
    with pytest.raises(UnusableDatasetError, match=start):
        read_info(root)
    findings = Findings()
    assert check_info(root, findings).fps == 20
    assert [one.kind.code for one in findings.sorted()] == ['wrong-info']


def test_all_faults_are_reported_at_once(tmp_path):
    content = {**INFO, 'fps': 0, 'chunks_size': -1, 'data_path': '/x'}
    findings = Findings()
    assert check_info(written(tmp_path, json.dumps(content).encode()), findings) is None
    whats = [one.what for one in findings.sorted()]
    assert whats == [f'{name} cannot be used' for name in ('fps', 'chunks_size', 'data_path')]


@pytest.mark.parametrize('kind', ['folder', 'nothing', 'meta is a file'])
def test_an_info_that_is_no_file_is_refused(kind, tmp_path):
    if kind == 'meta is a file':
        (tmp_path / 'meta').write_text('{}')
    elif kind == 'folder':
        (tmp_path / 'meta/info.json').mkdir(parents=True)
    with pytest.raises(DatasetCorruptError, match=r'the file cannot be read|holds no LeRobot'):
        read_info(tmp_path)


@pytest.mark.parametrize(
    'content',
    [
        INFO,
        {name: value for name, value in INFO.items() if name != 'chunks_size'},
        picture_shape(3, 480, 640),
        picture_shape(480, 640, 1),
        changed('features', STATE, 'shape', value=[4, 4]),
        changed('features', STATE, 'names', value={'motors': ['x', 'y']}),
        changed('features', 'öffner links', value=INFO['features'][STATE]),
        changed('somebody', value={'elses': [1, None]}),
    ],
    ids=range(8),
)
def test_what_writers_of_the_format_write_is_taken(content):
    assert parse_info(json.dumps(content).encode(), 'here').fps == 20
