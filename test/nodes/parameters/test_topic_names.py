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
"""The names of topics are allowed, refused and completed as ROS does it."""

from __future__ import annotations

from hypothesis import given, strategies
from lerobot_streamrec.settings.topic_names import full_topic_name, topic_name_problem
import pytest
from rclpy.exceptions import InvalidTopicNameException
from rclpy.expand_topic_name import expand_topic_name
from rclpy.validate_topic_name import validate_topic_name

pytestmark = [pytest.mark.ros]

NAMES = """
    / // a a/ /a/ /a//b a//b 1a /1a /a/1b a1 _ __a a__b ~ ~/ ~/a ~a ~1 ~ab ~_a ~a/b ~// ~//a ~~ ~/~
    /~ a~ a/~ ~{a} ~/{a} ~{ ~} {a} {} {1a} {a1} {_a} {a}{b} a{b}c {a{b}} {{a}} { } a} {a }{ a}{b
    {a/b} {~} {a}/1 1{a} {node}/x a/{ns} {namespace}/a /{node} {é} é /é ٣ /٣ {٣} a-b a.b a:b
    a*b /a/b/c
"""
NODE = '/left/arm/episode'


def told_by_ros(topic):
    """Return what ROS says of a name; empty if it is allowed."""
    try:
        validate_topic_name(topic)
    except InvalidTopicNameException as error:
        # rclpy marks the wrong character in a second and third line.
        return str(error).split('\n')[0].removeprefix('Invalid topic name: ').rstrip(':')
    return ''


@pytest.mark.parametrize('topic', ['', 'a b', ' a', 'a\n', '{a b}', '/a' * 200, *NAMES.split()])
def test_a_name_is_judged_in_the_words_of_ros(topic):
    assert topic_name_problem(topic) == told_by_ros(topic)


# rclpy does not see what follows a NUL, which no file can contain.
@given(
    strategies.text('aZ_09/~{} -é', max_size=8)
    | strategies.text().map(lambda x: x.replace('\0', ''))
)
def test_any_name_is_judged_in_the_words_of_ros(topic):
    assert topic_name_problem(topic) == told_by_ros(topic)


@pytest.mark.parametrize('node', ['/episode', '/left/episode', '/left/arm/episode'])
@pytest.mark.parametrize(
    'topic',
    [
        'a',
        '/a',
        'a/b',
        '~',
        '~/a',
        '~/{node}',
        '{node}',
        '{ns}/a',
        'a/{node}_b',
        '/{node}/x',
        'a{namespace}',
    ],
)
def test_a_name_is_completed_as_by_ros(topic, node):
    namespace, _, name = node.rpartition('/')
    assert full_topic_name(topic, node) == expand_topic_name(topic, name, namespace or '/')
