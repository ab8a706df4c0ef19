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
Any train of messages that was recorded goes into a bag and back, and then into the same bag.

Guards against rows that a bag loses, repeats or shifts, and numbers that a type rounds. Trains
have streams of many types with periods, delays and gaps of their own, all policies, and rows
on a grid or at a camera's pictures.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
import heapq
from itertools import accumulate, cycle, takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import assume, given, HealthCheck, settings
from hypothesis import strategies as st
from lerobot_streamrec.errors import EmptyEpisodeError, StreamsNotReadyError
from lerobot_streamrec.frame import DepthFrame, METRES, MILLIMETRES
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.status import RecorderState
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.sync.row_clock import Policy
from lerobot_streamrec.video.codecs.depth_config import DepthConfig
from numbered_pictures import number_in, numbered_frame
import numpy as np
import pytest
from round_trip import ACTION, BEGIN_NS, DEPTH, export, FRONT, H264, import_back, STATE, WRIST
from thoroughness import examples

pytestmark = [pytest.mark.usefixtures('no_thread_left')]

MS = 1_000_000
# The squares of larger numbers do not fit into statistics.
WIDE = st.floats(-1e100, 1e100)
NARROW = st.floats(allow_nan=False, allow_infinity=False, width=32)
# Type of the messages, selectors of its numbers, types of the column, and the numbers.
KINDS = (
    ('sensor_msgs/msg/JointState', ('position[a]', 'position[b]'), ('float32', 'float64'), WIDE),
    ('sensor_msgs/msg/JointState', ('position[b]', 'velocity[b]'), ('float32', 'float64'), WIDE),
    ('std_msgs/msg/Float64MultiArray', ('data[1]', 'data[0]'), ('float32', 'float64'), WIDE),
    ('geometry_msgs/msg/TwistStamped', ('twist.linear.x', 'twist.angular.z'), ('float32',), WIDE),
    ('std_msgs/msg/Float32', ('data',), ('float32', 'float64'), NARROW),
    ('std_msgs/msg/Int64', ('data',), ('int64',), st.integers(-(2**63), 2**63 - 1)),
    ('std_msgs/msg/UInt8', ('data',), ('int64', 'float32'), st.integers(0, 255)),
    ('std_msgs/msg/Bool', ('data',), ('bool',), st.booleans()),
    ('sensor_msgs/msg/Joy', ('axes[0]', 'buttons[2]'), ('float32',), st.integers(-1, 1)),
    ('nobody_msgs/msg/Unknown', ('some.field', 'other'), ('float32', 'float64'), WIDE),
)
GAPS_MS = st.lists(st.integers(1, 230), min_size=1, max_size=12)
OFFSETS_MS = st.sampled_from([0.0, 0.0, -30.0, 12.5])
VECTORS = (STATE, ACTION, 'observation.force', 'next.reward')


@st.composite
def vectors(draw, key):
    kind, selectors, dtypes, numbers = draw(st.sampled_from(KINDS))
    dtype = draw(st.sampled_from(dtypes))
    may_lie_between = dtype.startswith('float')
    policies = [one for one in Policy if may_lie_between or one is not Policy.INTERPOLATE]
    stream = StreamConfig(
        key,
        f'/robot/{key.replace(".", "_")}',
        tuple(f'n{place}' for place in range(len(selectors))),
        message_type=kind,
        selectors=selectors,
        dtype=dtype,
        policy=draw(st.sampled_from(policies)),
        offset_ms=draw(OFFSETS_MS),
        # Messages without a header are stamped on arrival.
        is_stamped_here=kind.startswith('std_msgs/') or draw(st.booleans()),
    )
    if dtype == 'float32' and numbers is WIDE:
        # A number that this column cannot hold is refused while it is recorded.
        numbers = NARROW
    row = st.lists(numbers, min_size=len(selectors), max_size=len(selectors))
    return stream, draw(st.lists(row, min_size=1, max_size=6))


@st.composite
def cameras(draw):
    found = []
    for key, topic in ((FRONT, '/front/image_raw'), (WRIST, '/wrist/image_raw/compressed')):
        found.append(StreamConfig(key, topic, offset_ms=draw(OFFSETS_MS)))
    name = draw(st.sampled_from(['/depth/image', '/depth/image/compressedDepth']))
    found.append(StreamConfig(DEPTH, name, depth=DepthConfig(), offset_ms=draw(OFFSETS_MS)))
    return draw(st.lists(st.sampled_from(found), max_size=2, unique=True))


@st.composite
def trains(draw):
    """Streams with the contents of their messages, their times, and what the operator does."""
    keys = draw(st.lists(st.sampled_from(VECTORS), min_size=1, max_size=3, unique=True))
    numbers = [draw(vectors(key)) for key in keys]
    streams = [(one, None) for one in draw(cameras())] + numbers
    shown = [one.key for one, _ in streams if one.is_camera]
    return {
        'streams': [
            (stream, values, draw(GAPS_MS), draw(st.integers(0, 60))) for stream, values in streams
        ],
        'fps': draw(st.sampled_from([7, 10, 30])),
        'clock': draw(st.sampled_from(['', *shown])),
        'is_per_row': draw(st.booleans()),
        'unit': draw(st.sampled_from([MILLIMETRES, METRES])),
        'switches_ms': draw(st.lists(st.integers(0, 1500), max_size=3)),
        'takeovers_ms': draw(st.lists(st.integers(0, 1500), max_size=3)),
        'pictures': draw(st.sampled_from([None, 'packets', 'raw', 'jpeg'])),
    }


def messages(train, length_ms=1800):
    """Yield arrival in milliseconds, stream, stamp and content of the messages, as they arrive."""
    return heapq.merge(
        *(_messages_of(train, *one, length_ms) for one in train['streams']),
        key=lambda one: one[0],
    )


def _messages_of(train, stream, values, gaps_ms, delay_ms, length_ms):
    stamps_ms = takewhile(lambda at: at < length_ms, accumulate(cycle(gaps_ms)))
    for number, at_ms in enumerate(stamps_ms):
        if values is not None:
            content = np.array(values[number % len(values)])
        elif stream.depth is None:
            content = numbered_frame(number)
        else:
            content = depth_frame(number, train['unit'])
        # The offset has been added to the stamp; what is stamped here has no delay.
        arrives_ms = at_ms if stream.is_stamped_here else at_ms + delay_ms
        yield arrives_ms, stream, BEGIN_NS + at_ms * MS, content


def depth_frame(number, unit):
    levels = np.full((48, 64), 500 + number, np.uint16)
    levels[:4] = 0
    if unit == METRES:
        return DepthFrame((levels / 1000).astype(np.float32), METRES)
    return DepthFrame(levels, MILLIMETRES)


def record(root, train):
    """Record an episode of a train, perhaps with pauses; return False if it has no row."""
    config = RecorderConfig(
        root=root,
        fps=train['fps'],
        task='push',
        streams=tuple(one for one, *_ in train['streams']),
        encoder=H264,
        clock=train['clock'],
        is_per_row=train['is_per_row'],
        is_hil=bool(train['takeovers_ms']),
    )
    now_ns = BEGIN_NS
    recorder = Recorder(config, lambda: now_ns, lambda: now_ns)
    takeovers_ms, switches_ms = sorted(train['takeovers_ms']), sorted(train['switches_ms'])
    try:
        for at_ms, stream, stamp_ns, content in messages(train):
            now_ns = BEGIN_NS + at_ms * MS
            push = recorder.push_image if stream.is_camera else recorder.push_vector
            push(stream.key, stamp_ns, content)
            recorder.close_rows()
            if recorder.state is RecorderState.IDLE:
                with suppress(StreamsNotReadyError):
                    recorder.start()
            elif switches_ms and switches_ms[0] <= at_ms:
                is_paused = recorder.state is RecorderState.PAUSED
                with suppress(StreamsNotReadyError):
                    (recorder.resume if is_paused else recorder.pause)()
                    switches_ms.pop(0)
            elif takeovers_ms and takeovers_ms[0] <= at_ms:
                is_human = bool(len(takeovers_ms) % 2)
                recorder.intervene(is_human=is_human)
                takeovers_ms.pop(0)
        if recorder.state is RecorderState.IDLE:
            return False
        recorder.save().result(60.0)
        return True
    except EmptyEpisodeError:
        return False
    finally:
        recorder.close(60.0)


def contents(bag):
    """Return type, receive time and bytes of each topic's messages, without words."""
    found = defaultdict(list)
    for one in bag.messages():
        if not one.topic.startswith('/episode/'):
            found[one.topic].append((one.type_name, one.receive_ns, bytes(one.data)))
    return found


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(examples(300))
@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.too_slow])
@given(train=trains())
def test_what_was_recorded_is_the_same_after_the_way_to_a_bag_and_back(train, read_dataset):
    with TemporaryDirectory() as folder:
        first, again = (Path(folder, name) for name in ('first', 'again'))
        assume(record(first, train))
        form = ('--pictures', train['pictures']) if train['pictures'] else ()
        bag = there(first, form)
        import_back(bag.path, first.with_suffix('.yaml'), again)
        compare_rows(*(read_dataset(one, is_kept=False) for one in (first, again)), train)
        compare_bags(bag, there(again, form), train)
        texts = [one.with_suffix('.yaml').read_text().partition('\n')[2] for one in (first, again)]
        assert texts[0] == texts[1]


def there(root, form):
    """Export a dataset beside itself."""
    return export(root, root.with_suffix('.mcap'), *form, '--params', root.with_suffix('.yaml'))


def compare_rows(first, again, train):
    assert first.info['features'].keys() == again.info['features'].keys()
    assert again.info['total_frames'] == first.info['total_frames']
    for stream, values, *_ in train['streams']:
        if values is not None:
            before, after = (one.vectors(stream.key, 0) for one in (first, again))
            assert before.dtype == after.dtype
            assert before.tobytes() == after.tobytes()
            continue
        before, after = (one.pictures(stream.key, 0) for one in (first, again))
        if stream.depth is not None or train['pictures'] == 'packets':
            assert np.array_equal(before, after)
        else:
            assert [number_in(one) for one in before] == [number_in(one) for one in after]


def compare_bags(bag, other, train):
    """The second bag has the same topics, types, times and numbers, and depth and packets."""
    found, again = contents(bag), contents(other)
    assert found.keys() == again.keys()
    for topic, sent in found.items():
        is_same = topic.startswith('/robot') or 'depth' in topic or train['pictures'] == 'packets'
        shown = slice(None) if is_same else slice(2)
        assert [one[shown] for one in sent] == [one[shown] for one in again[topic]], topic
