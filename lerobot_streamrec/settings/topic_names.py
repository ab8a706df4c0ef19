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
"""The names of topics as users may write them, and as the graph knows them."""

from __future__ import annotations

import re

_TOKEN_NUMBER = 'topic name token must not start with a number'
_MISPLACED_TILDE = "topic name must not have tilde '~' unless it is the first character"
_LONE_TILDE = "topic name must not have a tilde '~' that is not followed by a forward slash '/'"
_BRACES = "topic name must not have unmatched (unbalanced) curly braces '{}'"
_IN_BRACES = "substitution name must not contain characters other than alphanumerics or '_'"
_CHARACTERS = (
    "topic name must not contain characters other than alphanumerics, '_', '~', '{', or '}'"
)
_WORD = re.compile(r'\w', re.ASCII)
_SUBSTITUTION = re.compile(r'\{(\w*)\}', re.ASCII)


def topic_name_problem(topic: str) -> str:
    """
    Return what is wrong with a topic's name, in the words of ROS; empty if it is allowed.

    Names may be relative, begin with ``~/`` and contain substitutions such as ``{node}``. The
    answers are those of ``rcl_validate_topic_name``, with which
    ``test/nodes/parameters/test_topic_names.py`` compares them. Source of the rules:
    design.ros2.org, "Topic and Service name mapping to DDS".
    """
    if not topic:
        return 'topic name must not be empty string'
    if re.match('[0-9]', topic):
        return _TOKEN_NUMBER
    if topic.endswith('/'):
        return 'topic name must not end with a forward slash'
    problem = _character_problem(topic)
    if problem:
        return problem
    # ROS lets a tilde with one more character pass.
    if topic[0] == '~' and len(topic) > 2 and topic[1] != '/':
        return _LONE_TILDE
    return _TOKEN_NUMBER if re.search('/[0-9]', topic) else ''


def _character_problem(topic: str) -> str:
    """Return what is wrong with the first character that cannot be where it is."""
    opened = -1
    for place, one in enumerate(topic):
        if one == '~' and place:
            return _MISPLACED_TILDE
        if one == '}':
            if opened < 0:
                return _BRACES
            opened = -1
        elif opened >= 0:
            if not _WORD.fullmatch(one):
                return _IN_BRACES
            if place == opened + 1 and one.isdigit():
                return 'substitution name must not start with a number'
        elif one == '{':
            opened = place
        elif one not in '/~' and not _WORD.fullmatch(one):
            return _CHARACTERS
    return _BRACES if opened >= 0 else ''


def full_topic_name(topic: str, node_name: str) -> str:
    """
    Return the full name of a topic, as the graph knows it without remappings.

    Source: design.ros2.org, "Topic and Service name mapping to DDS"; the substitutions are those
    of ``rcl_get_default_topic_name_substitutions`` and ``rcl_expand_topic_name``.

    :param topic: a name that ``topic_name_problem`` allows
    :param node_name: full name of the node that subscribes, such as ``/left/episode``
    """
    namespace, _, name = node_name.rpartition('/')
    known = {'node': name, 'ns': namespace or '/', 'namespace': namespace or '/'}
    if topic == '~' or topic.startswith('~/'):
        topic = node_name + topic[1:]
    topic = _SUBSTITUTION.sub(lambda found: known.get(found[1], found[0]), topic)
    return topic if topic.startswith('/') else f'{namespace}/{topic}'
