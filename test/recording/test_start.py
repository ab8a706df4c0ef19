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
An episode starts only if every stream is fit for it, and otherwise the operator is told why.

Guards against episodes that begin without a camera, with a frozen one, or with one whose clock
is another: nothing of that can be mended afterwards.
"""

from __future__ import annotations

import random

from lerobot_streamrec.errors import (
    ConfigError,
    DatasetMismatchError,
    EpisodeError,
    EpisodeStateError,
    StreamsNotReadyError,
)
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.status import RecorderState
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.recording.streams.stream import Stream
from lerobot_streamrec.sync.row_clock import Grid, locked_start_ns
from lerobot_streamrec.video.codecs.config import EncoderConfig
import pytest

FRONT, TOP, STATE = 'observation.images.front', 'observation.images.top', 'observation.state'
SECOND_NS = 10**9
HOUR_NS = 3600 * SECOND_NS


def refusal(rig):
    """Return what start says of each stream, and that nothing has begun."""
    with pytest.raises(StreamsNotReadyError) as caught:
        rig.recorder.start()
    assert rig.recorder.status().state is RecorderState.IDLE
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems


def test_a_missing_stream_is_named_with_its_topic(make_rig):
    rig = make_rig()
    rig.run(1, without=[TOP])
    (problem,) = refusal(rig)
    assert problem.startswith(f'{TOP} (/top/image_raw) is missing')
    assert rig.stream(TOP).problem in problem
    rig.run(1)
    assert rig.recorder.start() == 0


def test_all_missing_streams_are_named_at_once(make_rig):
    rig = make_rig()
    assert [problem.split()[0] for problem in refusal(rig)] == [FRONT, TOP, STATE]


def test_all_that_is_missing_is_known_before_a_start(make_rig):
    rig = make_rig(task='')
    problems = rig.recorder.start_problems()
    assert 'there is no task' in problems[0]
    assert [one.count('is missing') for one in problems[1:]] == [1, 1, 1]
    rig.run(1)
    rig.recorder.set_task('fold the towel')
    assert not rig.recorder.start_problems()
    assert rig.recorder.start() == 0


def test_a_stale_stream_is_named_with_its_age_and_the_limit(rig):
    rig.run(2, without=[STATE])
    (problem,) = refusal(rig)
    assert problem.startswith(f'{STATE} (/joint_states) is stale')
    assert '2.0 s ago' in problem
    assert 'max_age_s is 1' in problem


def test_everything_is_stale_when_nothing_comes_any_more(rig):
    rig.steady_ns += 5 * SECOND_NS
    assert len(refusal(rig)) == 3


def test_a_stream_without_a_limit_of_age_is_never_stale(make_rig, with_stream, read_dataset):
    rig = make_rig(streams=with_stream(STATE, max_age_s=0))
    rig.run(1)
    rig.run(5, without=[STATE])
    rig.recorder.start()
    rig.run(2, without=[STATE])
    assert rig.save().remarks == ()
    rig.check(read_dataset(rig.config.root), 0)


@pytest.mark.parametrize('offset_ns', [-HOUR_NS, -2 * SECOND_NS])
def test_a_foreign_clock_is_named_with_what_to_do(offset_ns, make_rig):
    rig = make_rig()
    for stamp_ns, key in rig.events(1):
        rig.push(key, stamp_ns + (offset_ns if key == TOP else 0))
    (problem,) = refusal(rig)
    assert problem.startswith(f'{TOP} (/top/image_raw) has stamps ')
    assert 'clock' in problem
    assert 'stamp parameter to receive' in problem


def test_why_messages_are_rejected_is_told(make_rig):
    rig = make_rig()
    rig.run(1, without=[FRONT])
    rig.recorder.reject(FRONT, "image encoding 'yuv422' is not supported")
    (problem,) = refusal(rig)
    assert problem.startswith(f'{FRONT} (/front/image_raw) is missing')
    assert "'yuv422'" in problem
    assert 'no message has arrived' not in problem
    rig.run(1)
    assert rig.recorder.start() == 0


def test_messages_for_others_are_told_only_where_ours_are_missing(make_rig):
    rig = make_rig()
    rig.run(1, without=[STATE])
    rig.recorder.ignore(STATE, 'name lacks elbow; it has wheel')
    (problem,) = refusal(rig)
    words = 'messages arrive that contain none of its elements: name lacks elbow; it has wheel'
    assert words in problem
    rig.run(1)
    rig.recorder.ignore(STATE, 'name lacks elbow; it has wheel')
    rig.recorder.start()
    before = rig.recorder.status().streams
    rig.recorder.ignore(STATE, 'name lacks elbow; it has wheel')
    assert rig.recorder.status().streams == before
    rig.run(1)
    assert 'rejected' not in str(rig.save())


def test_publishers_that_bring_the_same_are_refused_while_they_do(make_rig):
    rig = make_rig()
    rig.run(1)
    rig.recorder.contest(STATE, '/driver, /left_over')
    (problem,) = refusal(rig)
    assert 'several publishers (/driver, /left_over) that send the same data in turn' in problem
    rig.run(6)
    rig.recorder.start()
    rig.run(1)
    for _ in range(3):
        rig.recorder.contest(STATE, '/driver, /left_over')
    told = {one.key: one.problem for one in rig.recorder.status().streams}
    assert '/driver, /left_over' in told[STATE]
    assert f'{STATE}: 3 messages came while several publishers sent the same' in str(rig.save())


def test_an_episode_cannot_start_twice(rig):
    rig.recorder.start()
    rig.run(1)
    rows = rig.recorder.status().num_rows
    with pytest.raises(EpisodeStateError, match=rf'episode 0 .*\({rows} rows, '):
        rig.recorder.start()
    rig.run(1)
    assert rig.save().episode.num_rows > rows


@pytest.mark.parametrize('task', ['', '  '])
def test_an_episode_needs_a_task(task, make_rig, read_dataset):
    rig = make_rig(task='')
    rig.run(1)
    rig.recorder.set_task(task)
    with pytest.raises(EpisodeError, match='no task'):
        rig.recorder.start()
    rig.recorder.set_task(' fold the towel\n')
    rig.recorder.start()
    rig.run(1)
    rig.save()
    assert read_dataset(rig.config.root).tasks.index.tolist() == ['fold the towel']


def test_a_camera_of_another_size_than_the_datasets_is_refused(rig, make_rig):
    rig.recorder.start()
    rig.run(1)
    rig.save()
    rig.recorder.close(30)
    rig = make_rig(resume=True)
    for stamp_ns, key in rig.events(1):
        rig.push(key, stamp_ns, **({'height': 64} if key == FRONT else {}))
    with pytest.raises(DatasetMismatchError, match=r'\(48, 64, 3\) in the dataset, \(64, 64, 3\)'):
        rig.recorder.start()
    rig.run(1)
    assert rig.recorder.start() == 1


@pytest.mark.parametrize('settings', [{'fps': 0}, {'fps': 1001}, {'on_shutdown': 'ask'}])
def test_settings_that_cannot_be_are_refused_by_name(settings, tmp_path):
    (name,) = settings
    streams = (StreamConfig(FRONT, '/front'),)
    with pytest.raises(ConfigError) as caught:
        RecorderConfig(tmp_path, streams, **settings)
    assert caught.value.name == name


def test_nothing_to_record_and_one_name_twice_are_refused(tmp_path):
    front = StreamConfig(FRONT, '/front')
    for streams in ((), (front, StreamConfig(FRONT, '/top'))):
        with pytest.raises(ConfigError):
            RecorderConfig(tmp_path, streams)


@pytest.mark.parametrize(
    'settings',
    [
        {'encoder': EncoderConfig(vcodec='h264', preset='nope')},
        # SVT-AV1 does no more than 240 frames per second, and says so at the first picture.
        {'encoder': EncoderConfig('libsvtav1'), 'fps': 300},
    ],
    ids=['preset', 'fps'],
)
def test_an_encoder_that_cannot_work_is_refused_before_the_dataset_is_touched(
    settings, make_rig, root
):
    with pytest.raises(ConfigError):
        make_rig(**settings)
    assert not root.exists()


@pytest.mark.parametrize('jitter', [0.1, 0.25, 0.4])
def test_the_stamps_that_a_camera_has_sent_are_enough_to_find_its_phase(jitter):
    unlucky = []
    for seed in range(100):
        chance = random.Random(seed)
        stamps_ns = [
            HOUR_NS + (k * SECOND_NS + round(chance.uniform(-jitter, jitter) * SECOND_NS)) // 30
            for k in range(400)
        ]
        camera = Stream(StreamConfig(FRONT, '/front'))
        for stamp_ns in stamps_ns[:300]:
            camera.push(stamp_ns, None, stamp_ns, is_recording=False)
        grid = Grid(locked_start_ns(camera.newest_ns, camera.recent_stamps_ns, 30), 30)
        instants = [grid.stamp_ns(row) for row in range(90)]
        shown = {max(stamp for stamp in stamps_ns if stamp <= at) for at in instants}
        if len(shown) < len(instants):
            unlucky.append(seed)
    assert unlucky == [], 'episodes in which a picture is repeated for no cause but jitter'
