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
Bags become episodes with the rows that a live recording would have had, by the same engine.

Guards against an aligner of its own for bags, and against a bag that is imported twice or in part.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from types import SimpleNamespace

from bags import FORMATS, IMAGE, image
from command_line import STREAMREC
from lerobot_streamrec.cli.main import main
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.fleet import bag_import
from lerobot_streamrec.fleet.bag_import import missing_spans, span_places
from lerobot_streamrec.fleet.planning.bag_spans import Span
from lerobot_streamrec.fleet.reading import bag_reader
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.sync.row_clock import NS_PER_S
from pseudo_terminal import PseudoTerminal
import pytest
from robot_bags import BEGIN_NS, expected_rows, make_bag, rows_of, trains
from waiting import wait_for


@pytest.mark.parametrize('format_of', FORMATS, ids=str)
def test_rows_are_those_of_the_stamps_in_every_kind_of_bag(
    format_of, tmp_path, params, root, read_dataset, capsys
):
    sent = trains()
    bag = make_bag(tmp_path / 'drive', sent, *format_of)
    assert main(['import', str(bag), '--params', params()]) == 0
    told = capsys.readouterr()
    assert 'drive: episode 0: ' in told.out
    assert not told.err
    rows = rows_of(root, read_dataset)
    assert rows == expected_rows(root, sent)
    # From the first picture to the newest stamp, in the middle between two pictures.
    assert len(rows) == 29
    assert main(['check', str(root)]) == 0


def test_a_second_import_changes_nothing_and_a_changed_bag_is_refused(
    tmp_path, params, root, capsys
):
    bag = make_bag(tmp_path / 'drive', trains())
    arguments = ['import', str(bag), '--params', params()]
    assert main(arguments) == 0
    (one,) = read_catalog(root).episodes
    assert one.texts['bag'].startswith('drive sha256:')
    assert one.texts['recorded_at'].startswith('2027-01-15T08:00:00')
    assert main(arguments) == 0
    assert 'has it already' in capsys.readouterr().out
    assert len(read_catalog(root).episodes) == 1
    for path in bag.iterdir():
        path.unlink()
    bag.rmdir()
    make_bag(bag, trains(2.0))
    assert main(arguments) == 1
    assert 'this bag has changed' in capsys.readouterr().err
    assert len(read_catalog(root).episodes) == 1


def test_large_bags_are_known_again_and_also_by_the_hash_of_earlier_releases(
    tmp_path, params, root, monkeypatch, capsys
):
    noise = ('/image', IMAGE, BEGIN_NS, image(1, 6 << 20))
    bag = make_bag(tmp_path / 'drive', trains(1), others=[noise])
    arguments = ['import', str(bag), '--params', params()]
    # Earlier releases hashed all files whole.
    assert main(arguments) == 0
    monkeypatch.setattr(bag_reader, 'SAMPLED_BYTES', 4 << 20)
    other = ['--root', str(tmp_path / 'other')]
    assert main([*arguments, *other]) == 0
    (old,), (new,) = (read_catalog(one).episodes for one in (root, tmp_path / 'other'))
    assert old.texts['bag'].startswith('drive sha256:')
    assert new.texts['bag'].startswith('drive sampled:')
    capsys.readouterr()
    for again in (arguments, [*arguments, *other]):
        assert main(again) == 0
        assert 'has it already' in capsys.readouterr().out
    (path,) = bag.glob('*.mcap')
    path.write_bytes(path.read_bytes()[:-8])
    for again in (arguments, [*arguments, *other]):
        assert main(again) == 1
        assert 'this bag has changed' in capsys.readouterr().err


def test_a_terminal_shows_time_bytes_and_speed(tmp_path, params, root):
    bag = make_bag(tmp_path / 'drive', trains(2))
    command = [sys.executable, *STREAMREC, 'import', str(bag), '--params', params()]
    environment = {**os.environ, 'TERM': 'xterm', 'COLUMNS': '200'}
    terminal = PseudoTerminal(command, environment, (200, 24))
    try:
        wait_for(lambda: terminal.read(0.05) or terminal.process.poll() is not None)
        assert terminal.wait() == 0
    finally:
        terminal.close()
    shown = re.sub(rb'\x1b\[[0-9;?]*[A-Za-z]', b'', terminal.written).decode()
    assert re.search(r'importing drive .*2 of 2 s, [\d.]+ [kM]B read, [\d.]+ x real time', shown)
    assert 'drive: episode 0: ' in shown
    assert (root / 'meta/info.json').is_file()


def test_two_imports_of_a_bag_give_the_same_rows_and_videos(tmp_path, params, root):
    bag = make_bag(tmp_path / 'drive', trains())
    made = []
    for name in ('one', 'other'):
        out = tmp_path / name
        assert main(['import', str(bag), '--params', params(), '--root', str(out)]) == 0
        files = [*out.glob('data/*/*'), *out.glob('videos/*/*/*')]
        made.append({path.relative_to(out): path.read_bytes() for path in files})
    assert made[0] == made[1]
    assert len(made[0]) == 2
    assert not root.exists()


def test_several_bags_are_several_episodes_of_one_dataset(
    tmp_path, params, root, read_dataset
):
    bags = [make_bag(tmp_path / name, trains(seconds)) for name, seconds in (('a', 2), ('b', 3))]
    assert main(['import', *map(str, bags), '--params', params(), '--task', 'pull']) == 0
    first, second = read_catalog(root).episodes
    assert (first.length, second.length) == (19, 29)
    assert first.tasks == second.tasks == ('pull',)
    assert rows_of(root, read_dataset, 1) == expected_rows(root, trains(3), 1)


def test_slow_encoders_lose_no_picture(tmp_path, params, root, read_dataset, monkeypatch):
    """The bag waits, where a robot could not."""
    monkeypatch.setattr(bag_import, '_MAX_QUEUED', 0)
    sent = trains()
    bag = make_bag(tmp_path / 'drive', sent)
    assert main(['import', str(bag), '--params', params(queue_mib=1)]) == 0
    assert rows_of(root, read_dataset) == expected_rows(root, sent)


def test_an_import_that_was_killed_is_done_again_from_its_begin(
    tmp_path, params, root, read_dataset, monkeypatch
):
    """A kill is a copy of what is on the disk just before the episode is saved."""
    sent = trains()
    bag = make_bag(tmp_path / 'drive', sent)
    arguments = ['import', str(bag), '--params', params()]
    with monkeypatch.context() as patch:
        annotate = Recorder.annotate

        def copy_and_annotate(recorder, *said):
            shutil.copytree(tmp_path / 'other', root)
            return annotate(recorder, *said)

        patch.setattr(Recorder, 'annotate', copy_and_annotate)
        assert main([*arguments, '--root', str(tmp_path / 'other')]) == 0
    assert list(root.glob('.streamrec/staging/take-*'))
    assert main(arguments) == 0
    assert len(read_catalog(root).episodes) == 1
    assert rows_of(root, read_dataset) == expected_rows(root, sent)


@pytest.mark.parametrize(
    ('changes', 'told'),
    [
        (
            {'state': {'topic': '/joints', 'names': ['a']}},
            'has no topic /joints; it has /front/image_raw, /joint_states',
        ),
        ({'camera': {'front': {'topic': '/top/image_raw'}}}, 'has no topic /top/image_raw'),
        ({'state': {'topic': '/joint_states', 'names': ['c']}}, 'no episode could begin'),
        ({'fsp': 30}, 'did you mean fps?'),
    ],
)
def test_what_does_not_fit_is_told(changes, told, tmp_path, params, root, capsys):
    bag = make_bag(tmp_path / 'drive', trains(1.0))
    assert main(['import', str(bag), '--params', params(**changes)]) == 1
    assert told in capsys.readouterr().err
    assert not (root / 'meta/info.json').exists()


def test_a_damaged_bag_gives_what_is_whole_and_the_rest_is_named(
    tmp_path, params, root, read_dataset, capsys
):
    sent = trains()
    bag = make_bag(tmp_path / 'drive', sent)
    (path,) = bag.glob('*.mcap')
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert main(['import', str(bag), '--params', params()]) == 0
    assert 'note: ' in capsys.readouterr().err
    rows = rows_of(root, read_dataset)
    assert rows == expected_rows(root, sent)
    assert 10 < len(rows) < 30


def test_episodes_that_a_busy_bag_got_in_one_millisecond_are_all_imported():
    begin_ns = 1_800_000_000 * NS_PER_S
    bag = SimpleNamespace(begin_ns=begin_ns, end_ns=begin_ns + 60 * NS_PER_S)
    begins = [begin_ns + one for one in (12_345_100, 12_345_100, 12_345_101, 30_000_000)]
    spans = [Span(one, one + number) for number, one in enumerate(begins)]
    assert missing_spans(set(), bag, 'bag sha256:0', spans) == spans
    places = ['@0.012345100 s', '@0.012345101 s', '@0.012345102 s', '@0.030 s']
    assert span_places(bag, spans) == places
    known = {f'bag sha256:0 {one}' for one in places[1:]}
    assert missing_spans(known, bag, 'bag sha256:0', spans) == spans[:1]
