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
"""Where the state of a button ends: another publisher, or a pause of one that repeats itself."""

from __future__ import annotations

from lerobot_streamrec.nodes.teleop.triggers import Continuity
import pytest

pytestmark = [pytest.mark.ros]


class Stream:
    """Messages as a subscription gets them; time is given."""

    def __init__(self):
        self.publishers = [b'a']
        self.continuity = Continuity(lambda: self.publishers)
        self.now_s = 100.0
        self.number = 0

    def push(self, content='idle', after_s=0.05, number=None, read_late_s=0.0):
        self.now_s += after_s
        self.number = self.number + 1 if number is None else number
        info = {'publication_sequence_number': self.number}
        info['source_timestamp'] = int(self.now_s * 1e9)
        return self.continuity.push(content, info, self.now_s + read_late_s)

    def repeat(self, num=10):
        return [self.push() for _ in range(num)]


@pytest.fixture
def stream():
    stream = Stream()
    assert stream.push()
    return stream


def test_a_pause_of_one_that_repeats_itself_is_a_gamepad_that_was_gone(stream):
    assert not any(stream.repeat())
    assert stream.push(after_s=3.0)
    assert not any(stream.repeat())


def test_a_pause_of_one_that_publishes_on_change_is_nothing(stream):
    # Sticks tremble, and what changes together may come as two messages that are alike.
    for k in range(50):
        assert not stream.push(f'stick at {k}', 0.01)
        assert not stream.push(f'stick at {k}', 0.001)
    assert not stream.push('pressed', 3600.0)


def test_it_is_remembered_who_repeats_itself_even_if_the_last_messages_differ(stream):
    stream.repeat()
    for k in range(30):
        assert not stream.push(f'stick at {k}')
    assert stream.push('stick at 29', 2.0)


def test_what_a_busy_machine_reads_late_was_no_pause(stream):
    stream.repeat()
    assert not stream.push(read_late_s=3.0)
    # Its queue was full meanwhile: the numbers say that messages are lost.
    assert not stream.push('pressed', after_s=4.0, number=stream.number + 80)


def test_one_that_repeats_itself_slowly_does_not_pause(stream):
    for _ in range(10):
        assert not stream.push(after_s=0.9)
    assert not stream.push(after_s=2.0)
    assert stream.push(after_s=5.0)


def test_another_publisher_begins_anew(stream):
    stream.repeat(30)
    assert stream.push(number=1)
    assert not any(stream.repeat())


def test_what_the_last_publisher_did_says_nothing_of_the_next(stream):
    stream.repeat()
    assert stream.push('a', 60.0, number=1)
    assert not stream.push('b', 60.0)


def test_another_publisher_whose_numbers_are_higher_is_known_by_the_graph(stream):
    stream.push()
    stream.publishers = [b'b']
    assert stream.push('pressed', number=9)
    assert not stream.push('idle', number=12)


def test_two_publishers_at_once_each_go_on(stream):
    assert not stream.push(number=2)
    assert not stream.push(number=3)
    assert stream.push('b', number=1)
    assert not stream.push(number=4)
    assert not stream.push('b', number=2, after_s=600.0)
    assert not stream.push(number=5)


def test_without_numbers_the_graph_tells():
    publishers = [b'a']
    continuity = Continuity(lambda: publishers)
    assert continuity.push('a', {}, 1.0)
    assert not continuity.push('b', {}, 2.0)
    continuity.look()
    assert not continuity.push('a', {}, 3.0)
    publishers.append(b'b')
    continuity.look()
    continuity.look()
    assert continuity.push('b', {}, 4.0)
    assert not continuity.push('a', {}, 5.0)


def test_one_that_is_gone_is_noticed_without_a_message(stream):
    stream.repeat()
    assert not stream.continuity.is_late(stream.now_s + 0.2)
    assert stream.continuity.is_late(stream.now_s + 0.4)
    assert not stream.continuity.has_paused(stream.now_s + 0.4)
    assert stream.continuity.has_paused(stream.now_s + 1.1)


def test_one_that_publishes_on_change_is_never_gone(stream):
    stream.push('pressed')
    assert not stream.continuity.is_late(stream.now_s + 1e6)
    assert not stream.continuity.has_paused(stream.now_s + 1e6)
