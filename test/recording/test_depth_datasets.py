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
"""What becomes of depth datasets: after a crash, in the tools, and when they are broken."""

from __future__ import annotations

import json
import shutil

from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.rebuild.compact import compact_dataset
from lerobot_streamrec.dataset.rebuild.delete import delete_episodes
from lerobot_streamrec.dataset.rebuild.merge import merge_datasets
from lerobot_streamrec.dataset.repair.repair import repair_dataset
from lerobot_streamrec.errors import DatasetsDifferError
from lerobot_streamrec.frame import DepthFrame
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.video.codecs.depth_config import depth_of_codes, DepthConfig, DepthQuantiser
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

FRONT, STATE = 'observation.images.front', 'observation.state'
SENSOR, SIMULATED = 'observation.images.sensor', 'observation.images.simulated'
HEIGHT, WIDTH = 48, 64
WAIT_S = 120
LINEAR = DepthConfig(0.1, 8.0, use_log=False)
UNITS = {SENSOR: ('mm', DepthConfig()), SIMULATED: ('m', LINEAR)}
TENTH_NS = 10**8


def streams(config=LINEAR):
    return (
        StreamConfig(FRONT, '/front/image_raw'),
        StreamConfig(SENSOR, '/sensor/depth', depth=DepthConfig()),
        StreamConfig(SIMULATED, '/simulated/depth', depth=config),
        StreamConfig(STATE, '/joint_states', names=('number', 'twice')),
    )


def depth(number, unit):
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    millimetres = (200 + 7 * number + 80 * columns + 20 * rows).astype(np.uint16)
    millimetres[0] = 0
    return millimetres if unit == 'mm' else (millimetres / 1000).astype(np.float32)


@pytest.fixture
def make_depth_rig(make_rig, root):
    """Start a recorder of a colour camera and of both kinds of depth, a second ago."""

    def make(config=LINEAR, **changes):
        rig = make_rig(streams(config), **changes)
        for key, (unit, _) in UNITS.items():
            rig.draw[key] = lambda number, unit=unit: DepthFrame(depth(number, unit), unit)
        rig.run(1)
        return rig

    return make


@pytest.fixture
def recorded(make_depth_rig, root):
    """Record three episodes; return the dataset's folder."""
    rig = make_depth_rig()
    for seconds in (1, 0.7, 0.5):
        rig.record(seconds)
    assert rig.recorder.close(WAIT_S)
    return root


def codes(dataset, key):
    indices = range(dataset.info['total_episodes'])
    return [np.stack(dataset.pictures(key, index)) for index in indices]


def assert_clean(root):
    assert not check_dataset(root).findings


def assert_statistics(dataset, slack):
    """
    Compare with what the videos show.

    :param slack: what the codes may be off, in parts of the largest depth
    """
    for key, (unit, config) in UNITS.items():
        shown = depth_of_codes(config, unit)[np.concatenate(codes(dataset, key))]
        stats = dataset.stats[key]
        assert stats['count'] == [len(shown)]
        for name in ('mean', 'std', 'max'):
            expected = getattr(shown.astype(float), name)()
            assert abs(np.ravel(stats[name])[0] - expected) <= slack * shown.max(), (key, name)
        for name, fraction in (('q10', 0.1), ('q50', 0.5), ('q90', 0.9)):
            expected = np.quantile(shown, fraction, method='inverted_cdf')
            assert abs(np.ravel(stats[name])[0] - expected) <= slack * shown.max(), (key, name)


def test_compacted_deleted_and_merged_the_codes_and_statistics_stay(
    recorded, read_dataset, tmp_path, keep_dataset
):
    before = read_dataset(recorded)
    all_codes = {key: codes(before, key) for key in UNITS}
    assert_statistics(before, 0.01)
    compact_dataset(recorded)
    compacted = read_dataset(recorded)
    assert len(list(recorded.glob(f'videos/{SENSOR}/*/*.mp4'))) == 1
    assert compacted.stats == before.stats
    assert_clean(recorded)

    shutil.copytree(recorded, tmp_path / 'other')
    delete_episodes(recorded, [1])
    deleted = read_dataset(recorded)
    for key, expected in all_codes.items():
        for shown, sent in zip(codes(deleted, key), [expected[0], expected[2]], strict=True):
            np.testing.assert_array_equal(shown, sent)
    # As exact as before: every episode's distribution is known.
    assert_statistics(deleted, 0.01)
    assert_clean(recorded)

    merge_datasets(tmp_path / 'merged', [recorded, tmp_path / 'other'])
    merged = read_dataset(tmp_path / 'merged')
    assert merged.info['total_episodes'] == 5
    assert merged.info['features'][SENSOR] == before.info['features'][SENSOR]
    assert_statistics(merged, 0.01)
    assert_clean(tmp_path / 'merged')
    keep_dataset(tmp_path / 'merged')


def test_datasets_whose_codes_mean_something_else_are_not_merged(
    recorded, make_depth_rig, tmp_path
):
    rig = make_depth_rig(DepthConfig(0.1, 4.0, use_log=False), root=tmp_path / 'other')
    rig.record(0.5)
    assert rig.recorder.close(WAIT_S)
    with pytest.raises(DatasetsDifferError, match=r'video.depth_max 8.0 in .* and 4.0 in'):
        merge_datasets(tmp_path / 'merged', [recorded, tmp_path / 'other'])


@pytest.mark.parametrize('key', UNITS)
def test_statistics_that_are_not_of_the_depth_are_found_and_repaired(
    recorded, read_dataset, key
):
    path = recorded / 'meta/stats.json'
    before = json.loads(path.read_text())
    wrong = json.loads(path.read_text())
    wrong[key]['mean'] = [[[1.5 * before[key]['mean'][0][0][0]]]]
    path.write_text(json.dumps(wrong))
    (finding,) = check_dataset(recorded).findings
    assert (finding.feature, finding.path) == (key, 'meta/stats.json')
    assert 'are not those of the images (mean)' in finding.what
    repair_dataset(recorded)
    assert_clean(recorded)
    mean = read_dataset(recorded).stats[key]['mean']
    assert np.ravel(mean) == pytest.approx(np.ravel(before[key]['mean']), rel=1e-6)


@pytest.mark.parametrize('key', UNITS)
def test_wrong_statistics_of_an_episode_are_counted_anew_from_its_codes(
    recorded, read_dataset, key
):
    before = read_dataset(recorded)
    path = recorded / 'meta/episodes/chunk-000/file-001.parquet'
    table, name = pq.read_table(path), f'stats/{key}/mean'
    column, place = table.schema.field(name), table.column_names.index(name)
    wrong = 1.5 * np.array(before.stats[key]['mean'])
    values = pa.array([wrong.tolist()], column.type)
    pq.write_table(table.set_column(place, column, values), path)
    (finding,) = check_dataset(recorded).findings
    assert (finding.feature, finding.episode_index) == (key, 1)
    repair_dataset(recorded)
    assert_clean(recorded)
    repaired = read_dataset(recorded)
    assert_statistics(repaired, 0.01)
    unit, config = UNITS[key]
    expected = depth_of_codes(config, unit)[codes(repaired, key)[1]].astype(float).mean()
    stated = np.ravel(repaired.episodes.loc[1, name].item().item())
    assert stated == pytest.approx(expected, rel=1e-6)


def test_what_a_crash_leaves_is_an_episode_with_the_statistics_of_its_depth(
    make_depth_rig, make_rig, encoders, read_dataset, tmp_path
):
    rig = make_depth_rig()
    rig.recorder.start()
    rig.run(3)
    for key in UNITS:
        encoders.wait_for(key, 28)
    rows = rig.recorder.status().num_rows
    shutil.copytree(rig.config.root, tmp_path / 'crashed')
    after = make_rig(streams(), root=tmp_path / 'crashed', resume=True)
    assert 'recovered episode 0' in after.recorder.status().last_result
    assert after.recorder.close(WAIT_S)
    dataset = read_dataset(tmp_path / 'crashed')
    assert rows - 8 <= dataset.info['total_frames'] <= rows
    # What was recorded begins with the newest picture before the first row.
    first = rig.sent[SENSOR].index(
        max(one for one in rig.sent[SENSOR] if one[0] <= dataset_start(rig, dataset))
    )
    for key, (unit, config) in UNITS.items():
        quantiser = DepthQuantiser(config, unit)
        for row, shown in enumerate(codes(dataset, key)[0]):
            sent = depth(first + row, unit)
            np.testing.assert_array_equal(shown, quantiser.codes(DepthFrame(sent, unit)))
        assert dataset.info['features'][key]['info']['depth_unit'] == unit
    # Counted from the codes themselves.
    assert_statistics(dataset, 1 / 4096)
    assert_clean(tmp_path / 'crashed')


def dataset_start(rig, dataset):
    record = dataset.root / '.streamrec/episodes/episode-000000.json'
    return json.loads(record.read_text())['start_stamp_ns']
