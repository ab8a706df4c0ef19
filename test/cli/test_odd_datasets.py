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
A dataset may be as odd as it likes: every tool ends with one sentence, and has changed nothing.

Values of info.json and of the tables are replaced, files are cut short, and every tool of the
command line goes over the result, and the recorder as well.
"""

from __future__ import annotations

import hashlib
import json
import resource
import shutil

from command_line import streamrec
from hypothesis import given, HealthCheck, note, Phase, settings
from hypothesis import strategies as st
from lerobot_streamrec.dataset.format.features import camera_feature, vector_feature
from lerobot_streamrec.dataset.format.layout import STAGING
from lerobot_streamrec.dataset.format.state import EpisodeDraft, VideoDraft
from lerobot_streamrec.dataset.takes.open_dataset import open_dataset
from lerobot_streamrec.errors import StreamrecError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.stats.histograms import ImageHistogram
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from thoroughness import examples

FRONT, STATE = 'observation.images.front', 'observation.state'
FEATURES = {FRONT: camera_feature(), STATE: vector_feature(('x', 'y'))}
INFO, TASKS = 'meta/info.json', 'meta/tasks.parquet'
DATA = 'data/chunk-000/file-000.parquet'
EPISODES = 'meta/episodes/chunk-000/file-000.parquet'
TABLES = (TASKS, DATA, EPISODES)

MAX_GROWTH_MIB = 400
# They tell who looked at a dataset last, not what it holds.
NOT_CONTENT = ('lock', 'owner.json')


def record(root):
    """Record two episodes with a camera, and put them into one file of each kind."""
    writer, _ = open_dataset(
        root, fps=20, robot_type='so101', features=FEATURES, resume=False
    )
    for number, task in enumerate(('pick', 'öffnen')):
        path = root / STAGING / f'take-{number:06d}' / f'{FRONT}.mp4'
        path.parent.mkdir(parents=True)
        config = EncoderConfig(vcodec='h264', preset='ultrafast')
        encoder = Mp4Encoder(path, config, VideoSpec(64, 48, 20))
        histogram = ImageHistogram()
        for index in range(4):
            pixels = np.full((48, 64, 3), 60 * number + 20 * index, np.uint8)
            encoder.encode(Frame(pixels, 'rgb24'))
            histogram.push(pixels)
        encoder.finish()
        video = VideoDraft(path, 4, 48, 64, config.as_info(), histogram.statistics())
        rows = np.arange(8, dtype=np.float32).reshape(4, 2)
        writer.commit(EpisodeDraft(4, task, {STATE: rows}, {FRONT: video}))
        writer.remove(path.parent)
    writer.compact()
    writer.close()


class Case:
    """One odd dataset in a folder of its own, which nothing may leave."""

    def __init__(self, folder):
        self.sound, self.around = folder / 'sound', folder / 'around'
        self.root = self.around / 'dataset'
        record(self.sound)

    def reset(self, damage):
        shutil.rmtree(self.around, ignore_errors=True)
        self.around.mkdir()
        shutil.copytree(self.sound, self.root)
        damage(self.root)

    def state(self):
        return {
            path.relative_to(self.around.parent).as_posix(): hashlib.sha256(
                path.read_bytes() if path.is_file() else b''
            ).hexdigest()
            for path in self.around.parent.rglob('*')
            if path.name not in NOT_CONTENT
        }

    def tools(self):
        """Return what is run, by name; each may change the dataset only if it ends well."""
        root, beside = self.root, self.around / 'new'
        return {
            'check': lambda: run('check', root, '--fast'),
            'frames': lambda: run('frames', root, '--episode', 1, '--output', beside),
            'merge': lambda: run('merge', beside, root),
            'encode': lambda: run('encode', root),
            'recorder': lambda: resume(root),
            'delete': lambda: run('delete', root, '--episodes', 1, '--yes'),
            'compact': lambda: run('compact', root),
            'reencode': lambda: run('reencode', root, '--vcodec', 'h264', '--preset', 'ultrafast'),
            'repair': lambda: run('check', root, '--repair', '--yes', '--min-seconds', 0),
        }


def run(*arguments):
    """Run the command line in this process; an error that nobody handles is raised."""
    done = streamrec(*arguments)
    return done.returncode, done.stdout, done.stderr


def resume(root):
    """Open the dataset as the recorder does."""
    try:
        writer, _ = open_dataset(
            root, fps=20, robot_type='so101', features=FEATURES, resume=True
        )
    except StreamrecError as error:
        return 1, '', f'streamrec: {error}\n'
    writer.close()
    return 0, '', ''


def check_tools(case, damage):
    """Run every tool on a fresh copy; return the status of each."""
    found, refused = {}, []
    for name, tool in case.tools().items():
        case.reset(damage)
        before = case.state()
        status, out, err = found[name] = tool()
        assert status in (0, 1, 2), (name, out, err)
        if name == 'check' or status != 0:
            assert case.state() == before, f'{name} has changed something: {err}'
        if status == 0 or name in ('check', 'repair'):
            continue
        (line,) = (one for one in err.splitlines() if not one.startswith('note: '))
        assert line.startswith(('streamrec: ', 'Error: ')), (name, err)
        assert len(line) < 1200, (name, err)
        if 'shows everything that is wrong there' in line:
            refused.append(line)
    # What tools refuse is an error to the check as well.
    assert not refused or found['check'][0] == 1, (refused, found['check'][1])
    return {name: status for name, (status, _, _) in found.items()}


@pytest.fixture(scope='session')
def case(tmp_path_factory):
    return Case(tmp_path_factory.mktemp('odd'))


def info_change(*place, value):
    """Replace a value of info.json."""

    def damage(root):
        content = json.loads((root / INFO).read_bytes())
        entry = content
        for name in place[:-1]:
            entry = entry[name]
        entry[place[-1]] = value
        (root / INFO).write_text(json.dumps(content))

    return damage


def table_change(relative, change):
    """Replace a table by what a function makes of it."""

    def damage(root):
        table = change(pq.ParquetFile(root / relative).read())
        pq.write_table(table, root / relative)

    return damage


def cell(name, row, value, kind=None):
    """Replace one value of a column, or the type of all."""

    def change(table):
        column = table.schema.get_field_index(name)
        values = table.column(column).to_pylist()
        values[row % len(values)] = value
        return table.set_column(column, name, pa.array(values, kind or table.field(column).type))

    return change


def test_every_tool_works_with_the_sound_dataset(case):
    assert set(check_tools(case, lambda root: None).values()) == {0}


ISSUES = {
    'fps 0': info_change('fps', value=0),
    'many episodes': info_change('total_episodes', value=10**12),
    'many rows': info_change('total_frames', value=10**12),
    'many tasks': info_change('total_tasks', value=10**12),
    'a way out': info_change(
        'features', '../../x', value={'dtype': 'video', 'shape': [48, 64, 3], 'names': None}
    ),
    'chunks': info_change('chunks_size', value=-1),
    'picture': info_change('features', FRONT, 'shape', value=[0, 10**9, -3]),
    'a template': info_change('video_path', value='/tmp/{video_key}.mp4'),
    'a number': table_change(EPISODES, cell('data/file_index', 1, 10**15)),
    'a length': table_change(EPISODES, cell('length', 0, 10**15)),
    'no number': table_change(DATA, cell('episode_index', 0, None)),
    'no list': table_change(DATA, cell(STATE, 0, [1.0], pa.list_(pa.float32()))),
}


@pytest.mark.slow
@pytest.mark.parametrize('name', ISSUES)
def test_an_odd_value_ends_every_tool_in_a_sentence(case, name):
    statuses = check_tools(case, ISSUES[name])
    assert statuses['check'] == 1
    # Counts of info.json and the size of a folder are mended; nothing else can be guessed.
    assert statuses['delete'] == statuses['compact'] == statuses['merge'] == 1


PLAIN = (None, -1, 0, 10**12, 2**62, float('nan'), 1e300, 'text', [], [1, 2, 3])
VALUES = st.sampled_from(
    [*PLAIN, True, 1.5, 2**70, '../../x', '/x', {}, [10**9, 10**9, 3], {'a': {'b': [None]}}]
)
CELLS = st.sampled_from(PLAIN)
KINDS = st.sampled_from([pa.string(), pa.float64(), pa.int8(), pa.list_(pa.int64()), pa.null()])


def entries(content, prefix=()):
    for name, entry in content.items():
        yield (*prefix, name)
        if isinstance(entry, dict):
            yield from entries(entry, (*prefix, name))


@st.composite
def info_damages(draw, content):
    place = draw(st.sampled_from(list(entries(content))))
    if draw(st.booleans()):
        return info_change(*place, value=draw(VALUES)), (place, 'is another')
    names = st.sampled_from(['', '..', 'a/b', 'a\\b', 'a\0b', 'x' * 300, 'timestamp', 'stats/a'])
    return info_change(*place[:-1], draw(names), value=draw(VALUES)), (place, 'is new')


@st.composite
def table_damages(draw, tables):
    relative = draw(st.sampled_from(TABLES))
    table = tables[relative]
    plain = [name for name in table.column_names if not name.startswith('stats/')]
    name = draw(st.sampled_from(plain))
    row = draw(st.integers(0, table.num_rows - 1))
    value, kind = draw(CELLS), draw(KINDS)

    def with_cell(table):
        try:
            return cell(name, row, value)(table)
        except (pa.ArrowException, TypeError, OverflowError):
            # Nothing but a column of another type can hold the value.
            return retyped(table)

    def retyped(table):
        column = table.schema.get_field_index(name)
        return table.set_column(column, name, pa.nulls(table.num_rows, kind))

    changes = {
        'cell': with_cell,
        'type': retyped,
        'dropped': lambda table: table.drop_columns([name]),
        'twice': lambda table: table.append_column(name, table.column(name)),
        'no row': lambda table: table.slice(0, 0),
        'fewer': lambda table: table.slice(0, row),
        'more': lambda table: pa.concat_tables([table, table.slice(row, 1)]),
        'turned': lambda table: table.take(list(range(table.num_rows))[::-1]),
    }
    what = draw(st.sampled_from(sorted(changes)))
    return table_change(relative, changes[what]), (relative, what, name, row, value, kind)


@st.composite
def file_damages(draw):
    relative = draw(st.sampled_from((*TABLES, INFO, 'meta/stats.json')))
    share = draw(st.sampled_from([0, 0.3, 0.9, 0.999]))
    what = draw(st.sampled_from(['cut', 'folder', 'zeros', 'gone', 'mark', 'twice']))

    def damage(root):
        path = root / relative
        content = path.read_bytes()
        path.unlink()
        if what == 'folder':
            path.mkdir()
        elif what == 'cut':
            path.write_bytes(content[: int(len(content) * share)])
        elif what == 'zeros':
            path.write_bytes(content[: int(len(content) * share)].ljust(len(content), b'\0'))
        elif what == 'mark':
            path.write_bytes(b'\xef\xbb\xbf' + content)
        elif what == 'twice':
            path.write_bytes(content + content)

    return damage, (relative, what, share)


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(examples(300))
@pytest.mark.parametrize('kind', ['info', 'tables', 'files'])
def test_no_tool_trips_over_any_dataset(case, kind):
    content = json.loads((case.sound / INFO).read_bytes())
    tables = {one: pq.ParquetFile(case.sound / one).read() for one in TABLES}
    damages = {
        'info': info_damages(content),
        'tables': table_damages(tables),
        'files': file_damages(),
    }[kind]
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    # Every tool goes over each example; to make them smaller would take longer than to read them.
    @settings(
        max_examples=examples(10),
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(damages)
    def check(damaged):
        damage, what = damaged
        note(str(what))
        check_tools(case, damage)

    check()
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    assert grown_kib < MAX_GROWTH_MIB * 1024
