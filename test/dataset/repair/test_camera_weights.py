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
Whoever recorded the episodes of a dataset, its cameras' statistics are those of its frames.

LeRobot's default writer counts the frames of a camera that it sampled, its streaming writer and
our earlier releases count pixels, and LeRobot weights episodes by these counts when it appends or
merges. Guards against doing the same: 20 of our frames once outweighed 40 of LeRobot's wholly.
"""

from __future__ import annotations

import json
import shutil

from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.rebuild.compact import compact_dataset
from lerobot_streamrec.dataset.rebuild.delete import delete_episodes
from lerobot_streamrec.dataset.rebuild.merge import merge_datasets
from lerobot_streamrec.dataset.repair.repair import repair_dataset
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.stats.feature_statistics import QUANTILES
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

FRONT, TOP = 'observation.images.front', 'observation.images.top'
CAMERAS = (FRONT, TOP)
PIXELS = 48 * 64
NAMES = ('min', 'max', 'mean', 'std', *QUANTILES)
# Gray pictures of the fixtures, which h264 keeps but for a level or two.
CODEC = 2.5 / 255


def sampled(length):
    """Return the count of LeRobot's default writer: the frames that it looks at."""
    return max(min(100, length), min(int(length**0.75), 10_000))


FRAMES, STREAMED = sampled, lambda length: length * PIXELS
# Of each episode's writer, in order; the lengths are far from each other.
LENGTHS = (40, 3, 12)
WRITERS = {
    'default': (FRAMES, FRAMES, FRAMES),
    'streaming': (STREAMED, STREAMED, STREAMED),
    'default, then streaming': (FRAMES, STREAMED, STREAMED),
    'streaming, then default': (STREAMED, FRAMES, FRAMES),
}


@pytest.fixture
def record(open_writer, make_draft):
    def run(lengths, **settings):
        writer = open_writer(**settings)
        for length in lengths:
            draft = make_draft(length)
            writer.commit(draft)
            writer.remove(draft.videos[FRONT].path.parent)
        return writer

    return run


def written_by_lerobot(root, counts):
    """Make a dataset look as if LeRobot had recorded it, counting episodes in these units."""
    shutil.rmtree(root / '.streamrec')
    stats, parts = json.loads((root / 'meta/stats.json').read_text()), {key: [] for key in CAMERAS}
    for path, count in zip(sorted(root.glob('meta/episodes/*/*')), counts, strict=True):
        table = pq.read_table(path)
        for key in CAMERAS:
            column = f'stats/{key}/count'
            stated = [[count(length)] for length in table['length'].to_pylist()]
            table = table.set_column(
                table.column_names.index(column), column, pa.array(stated, table[column].type)
            )
            row = table.to_pylist()[0]
            parts[key].append({name: row[f'stats/{key}/{name}'] for name in (*NAMES, 'count')})
        pq.write_table(table, path)
    stats.update({key: aggregated(several) for key, several in parts.items()})
    (root / 'meta/stats.json').write_text(json.dumps(stats))


def aggregated(parts):
    """Do what LeRobot 0.4 to 0.6.1 do with the statistics of episodes: weight by count."""
    arrays = {name: np.array([one[name] for one in parts]) for name in NAMES}
    weights = np.array([one['count'][0] for one in parts], dtype=np.float64)
    mean = np.average(arrays['mean'], axis=0, weights=weights)
    spread = arrays['std'] ** 2 + (arrays['mean'] - mean) ** 2
    found = {name: np.average(arrays[name], axis=0, weights=weights) for name in QUANTILES}
    found.update(mean=mean, std=np.sqrt(np.average(spread, axis=0, weights=weights)))
    found.update(min=arrays['min'].min(axis=0), max=arrays['max'].max(axis=0))
    return {**{name: one.tolist() for name, one in found.items()}, 'count': [int(weights.sum())]}


def assert_statistics_of_frames(dataset, counts, total):
    """
    Compare stats.json with what the videos show, and what is stated of every episode.

    :param counts: expected of the episodes
    :param total: expected of the dataset
    """
    for key in CAMERAS:
        episodes = range(len(dataset.episodes))
        frames = np.concatenate([dataset.pictures(key, index) for index in episodes])
        levels = frames.reshape(-1, 3).astype(np.float64) / 255
        for name in ('min', 'max', 'mean', 'std'):
            expected = getattr(levels, name)(axis=0)
            found = np.ravel(dataset.stats[key][name])
            np.testing.assert_allclose(found, expected, atol=CODEC, err_msg=f'{key} {name}')
        assert [count[0] for count in dataset.episodes[f'stats/{key}/count']] == counts
        assert dataset.stats[key]['count'] == [total]
    report = check_dataset(dataset.root)
    assert not report.findings, [one.message for one in report.findings]


@pytest.fixture(params=WRITERS)
def foreign(request, record, root):
    """Return a dataset that LeRobot seems to have recorded, and how each episode was counted."""
    record(LENGTHS).close()
    written_by_lerobot(root, WRITERS[request.param])
    return root, WRITERS[request.param]


def in_one_unit(counts, lengths):
    """Return counts of pixels if all are so, otherwise of frames."""
    stated = [count(length) for count, length in zip(counts, lengths, strict=True)]
    if set(counts) == {STREAMED}:
        return stated
    return [min(one, length) for one, length in zip(stated, lengths, strict=True)]


def test_recording_and_undoing_after_others(foreign, record, open_writer, read_dataset):
    root, counts = foreign
    is_mixed = len(set(counts)) > 1
    # What LeRobot has added up itself is wrong as soon as one dataset has two units.
    assert check_dataset(root).is_whole is not is_mixed
    before = [count(length) for count, length in zip(counts, LENGTHS, strict=True)]
    record([20]).close()
    ours = 20 * PIXELS if set(counts) == {STREAMED} else 20
    total = sum(in_one_unit(counts, LENGTHS)) + ours
    assert_statistics_of_frames(read_dataset(root), [*before, ours], total)
    writer = open_writer()
    writer.undo()
    writer.close()
    assert_statistics_of_frames(read_dataset(root), before, total - ours)
    open_writer().close()
    assert_statistics_of_frames(read_dataset(root), before, total - ours)


def test_deleting_what_others_recorded(foreign, read_dataset):
    root, counts = foreign
    delete_episodes(root, [1])
    expected = in_one_unit((counts[0], counts[2]), (40, 12))
    assert_statistics_of_frames(read_dataset(root), expected, sum(expected))


def test_compacting_what_others_recorded(foreign, read_dataset):
    root, counts = foreign
    compact_dataset(root)
    stated = [count(length) for count, length in zip(counts, LENGTHS, strict=True)]
    total = sum(in_one_unit(counts, LENGTHS))
    assert_statistics_of_frames(read_dataset(root), stated, total)


def test_merging_what_others_recorded_with_ours(foreign, record, read_dataset, tmp_path):
    root, counts = foreign
    record([20], root=tmp_path / 'ours').close()
    for number, order in enumerate(([root, tmp_path / 'ours'], [tmp_path / 'ours', root])):
        out = tmp_path / f'merged {number}'
        merge_datasets(out, order)
        theirs = in_one_unit((*counts, FRAMES), (*LENGTHS, 20))[:3]
        expected = [20, *theirs] if number else [*theirs, 20]
        assert_statistics_of_frames(read_dataset(out), expected, sum(expected))


def test_repairing_what_others_recorded(foreign, read_dataset):
    root, counts = foreign
    # A picture's statistics that are wrong, so that it is counted anew.
    (path,) = root.glob('meta/episodes/*/file-001.parquet')
    table = pq.read_table(path)
    column = f'stats/{FRONT}/mean'
    wrong = pa.array([[[[0.9]]] * 3], table[column].type)
    pq.write_table(table.set_column(table.column_names.index(column), column, wrong), path)
    assert repair_dataset(root).report.is_whole
    expected = in_one_unit(counts, LENGTHS)
    assert_statistics_of_frames(read_dataset(root), expected, sum(expected))


def test_a_dataset_of_an_earlier_release_goes_on_in_pixels(record, root, read_dataset):
    record(LENGTHS).close()
    as_an_earlier_release(root)
    record([20]).close()
    counts = [length * PIXELS for length in (*LENGTHS, 20)]
    dataset = read_dataset(root)
    assert_statistics_of_frames(dataset, counts, sum(counts))
    # Its distributions are believed: quantiles stay exact.
    frames = np.concatenate([dataset.pictures(FRONT, index) for index in range(4)])
    exact = np.quantile(frames.reshape(-1, 3) / 255, 0.9, axis=0, method='inverted_cdf')
    np.testing.assert_allclose(np.ravel(dataset.stats[FRONT]['q90']), exact, atol=CODEC)


def test_what_an_earlier_release_added_to_others_is_put_right(foreign, record, read_dataset):
    root, counts = foreign
    record([20]).close()
    # It weighted by these counts, and knew no distribution of pictures.
    as_an_earlier_release(root, wrong_mean=0.98)
    before = [count(length) for count, length in zip(counts, LENGTHS, strict=True)]
    record([5]).close()
    is_streamed = set(counts) == {STREAMED}
    ours = [20 * PIXELS, 5 * (PIXELS if is_streamed else 1)]
    units = (*counts, STREAMED, STREAMED if is_streamed else FRAMES)
    total = sum(in_one_unit(units, (*LENGTHS, 20, 5)))
    assert_statistics_of_frames(read_dataset(root), [*before, *ours], total)


def as_an_earlier_release(root, wrong_mean=None):
    """Count our episodes in pixels, and say no rows, as releases before did."""
    last = sorted(root.glob('meta/episodes/*/*'))
    for path in last if wrong_mean is None else last[-1:]:
        table = pq.read_table(path)
        for key in CAMERAS:
            column = f'stats/{key}/count'
            stated = [[length * PIXELS] for length in table['length'].to_pylist()]
            table = table.set_column(
                table.column_names.index(column), column, pa.array(stated, table[column].type)
            )
        pq.write_table(table, path)
    for path in (root / '.streamrec/statistics').glob('*.parquet'):
        table = pq.read_table(path)
        values = json.loads(table.schema.metadata[b'statistics'])
        for key, one in values.items():
            rows = one.pop('rows')
            if key in CAMERAS:
                one['lists']['count'] = [rows * PIXELS]
                if wrong_mean is not None:
                    one['lists']['mean'] = [[[wrong_mean]]] * 3
        pq.write_table(table.replace_schema_metadata({'statistics': json.dumps(values)}), path)
        stats = {key: one['lists'] for key, one in values.items()}
    (root / 'meta/stats.json').write_text(json.dumps(stats, indent=4) + '\n')


@pytest.fixture(params=['default', 'streaming'])
def of_lerobot_04(request, record, root):
    """Return a dataset as of LeRobot 0.4, whose squares of pixels overflow: all deviate by 0."""
    record(LENGTHS).close()
    written_by_lerobot(root, WRITERS[request.param])
    for path in root.glob('meta/episodes/*/*'):
        table = pq.read_table(path)
        for key in CAMERAS:
            column = f'stats/{key}/std'
            nothing = pa.array([[[[0.0]]] * 3], table[column].type)
            table = table.set_column(table.column_names.index(column), column, nothing)
        pq.write_table(table, path)
    stats = json.loads((root / 'meta/stats.json').read_text())
    for key in CAMERAS:
        stats[key]['std'] = [[[0.0]]] * 3
    (root / 'meta/stats.json').write_text(json.dumps(stats))
    counts = zip(WRITERS[request.param], LENGTHS, strict=True)
    return root, [count(length) for count, length in counts]


def test_deviations_that_cannot_be_are_computed_from_the_frames(
    of_lerobot_04, read_dataset, tmp_path
):
    root, counts = of_lerobot_04
    assert {one.kind.code for one in check_dataset(root).errors} == {'wrong-camera-statistics'}
    merge_datasets(tmp_path / 'merged', [root])
    assert_statistics_of_frames(read_dataset(tmp_path / 'merged'), counts, sum(counts))
    shutil.copytree(root, tmp_path / 'deleted')
    delete_episodes(tmp_path / 'deleted', [0])
    assert_statistics_of_frames(read_dataset(tmp_path / 'deleted'), counts[1:], sum(counts[1:]))
    shutil.copytree(root, tmp_path / 'repaired')
    repair_dataset(tmp_path / 'repaired')
    assert_statistics_of_frames(read_dataset(tmp_path / 'repaired'), counts, sum(counts))
    compact_dataset(root)
    assert_statistics_of_frames(read_dataset(root), counts, sum(counts))


def test_a_dataset_with_deviations_that_cannot_be_is_recorded_into_with_a_warning(
    of_lerobot_04, record, read_dataset, caplog
):
    root, counts = of_lerobot_04
    record([20]).close()
    assert f'run: {streamrec_command("check", "--repair", root)}' in caplog.text
    ours = 20 * counts[0] // LENGTHS[0]
    assert repair_dataset(root).report.is_whole
    assert_statistics_of_frames(read_dataset(root), [*counts, ours], sum(counts) + ours)


@pytest.fixture(params=['none', 'of the dataset'])
def without_quantiles(request, foreign):
    """Return a dataset that was converted from an older format: episodes have no quantiles."""
    root, counts = foreign
    for path in root.glob('meta/episodes/*/*'):
        table = pq.read_table(path)
        names = [one for one in table.column_names if one.rpartition('/')[2] in QUANTILES]
        pq.write_table(table.drop_columns(names), path)
    if request.param == 'none':
        stats = json.loads((root / 'meta/stats.json').read_text())
        kept = {
            key: {name: value for name, value in one.items() if name not in QUANTILES}
            for key, one in stats.items()
        }
        (root / 'meta/stats.json').write_text(json.dumps(kept))
    return root, counts


def assert_moments_of_frames(dataset):
    """Compare stats.json with the frames, and let the check find nothing but missing quantiles."""
    for key in CAMERAS:
        pictures = [dataset.pictures(key, index) for index in range(len(dataset.episodes))]
        levels = np.concatenate(pictures).reshape(-1, 3) / 255
        for name in ('min', 'max', 'mean', 'std'):
            found = np.ravel(dataset.stats[key][name])
            np.testing.assert_allclose(found, getattr(levels, name)(axis=0), atol=CODEC)
    findings = check_dataset(dataset.root).findings
    assert {one.kind.code for one in findings} <= {'missing-quantiles'}, findings


@pytest.mark.parametrize('foreign', ['default', 'default, then streaming'], indirect=True)
def test_a_dataset_without_quantiles_is_worked_with_and_stays_readable(
    without_quantiles, record, open_writer, read_dataset, tmp_path
):
    root, _ = without_quantiles
    has_quantiles = 'q50' in read_dataset(root, has_quantiles=False).stats[FRONT]
    merge_datasets(tmp_path / 'merged', [root])
    assert_moments_of_frames(read_dataset(tmp_path / 'merged', has_quantiles=False))
    delete_episodes(tmp_path / 'merged', [0])
    assert_moments_of_frames(read_dataset(tmp_path / 'merged', has_quantiles=False))
    record([20]).close()
    # LeRobot cannot open a dataset whose later files have columns that the first one lacks.
    columns = {tuple(pq.read_schema(path).names) for path in root.glob('meta/episodes/*/*')}
    assert len(columns) == 1
    dataset = read_dataset(root, has_quantiles=False)
    assert_moments_of_frames(dataset)
    # Those that somebody has computed for the whole dataset are not lost.
    assert ('q50' in dataset.stats[FRONT]) is has_quantiles
    writer = open_writer()
    writer.undo()
    writer.compact()
    writer.close()
    assert_moments_of_frames(read_dataset(root, has_quantiles=False))


def test_columns_that_the_first_episodes_file_lacks_are_reported_and_repaired(record, root):
    record([5, 4]).close()
    path = root / 'meta/episodes/chunk-000/file-000.parquet'
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(f'stats/{FRONT}/q50'), path)
    assert [one.kind.code for one in check_dataset(root).errors] == ['uneven-columns']
    assert repair_dataset(root).report.is_whole
    assert len({tuple(pq.read_schema(one).names) for one in root.glob('meta/episodes/*/*')}) == 1
