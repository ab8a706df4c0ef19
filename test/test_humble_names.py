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
The nodes use nothing of rclpy that Humble does not have.

Humble cannot be installed here, so its names are read from a table and not from rclpy. What
really differs between distributions stands in ``nodes/graph/distributions.py``, and nowhere else.
"""

from __future__ import annotations

import ast
from pathlib import Path

from humble_surface import KEYWORDS, MODULES, OBJECTS
import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / 'lerobot_streamrec'
WITH_ROS = [path for name in ('live', 'nodes') for path in sorted((PACKAGE / name).rglob('*.py'))]
# Of Jazzy and its like, imported where the module says which distribution this is.
NEWER = {'distributions.py': {'rclpy.event_handler'}}


def unknown_in(source, newer=frozenset()):
    """Return what a file uses of rclpy and Humble lacks."""
    return [
        f'line {node.lineno}: {unknown}'
        for node in ast.walk(ast.parse(source))
        for unknown in (_unknown_names(node, newer) or _unknown_uses(node))
    ]


def _unknown_names(node, newer):
    if isinstance(node, ast.ImportFrom) and _is_rclpy(node.module or ''):
        known = MODULES.get(node.module, '').split()
        wanted = [] if node.module in newer else node.names
        # ``from rclpy import node`` imports a module.
        return [
            f'{node.module}.{one.name}'
            for one in wanted
            if one.name not in known and f'{node.module}.{one.name}' not in MODULES
        ]
    if isinstance(node, ast.Import):
        names = [one.name for one in node.names if _is_rclpy(one.name)]
        return [name for name in names if name not in MODULES]
    return []


def _unknown_uses(node):
    if isinstance(node, ast.Attribute):
        owner = ast.unparse(node.value)
        known = MODULES.get(owner)
        if known is not None and f'{owner}.{node.attr}' not in MODULES:
            return [] if node.attr in known.split() else [f'{owner}.{node.attr}']
        known = _by_end(OBJECTS, owner)
        if known is not None and node.attr not in known.split():
            return [f'{owner}.{node.attr}']
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        known = _by_end(KEYWORDS, called)
        if known is not None:
            given = [one.arg for one in node.keywords if one.arg]
            return [f'{called}({name}=...)' for name in given if name not in known.split()]
    return []


def _is_rclpy(module):
    return module.partition('.')[0] == 'rclpy'


def _by_end(table, text):
    return next(
        (known for end, known in table.items() if text == end or text.endswith(f'.{end}')), None
    )


@pytest.mark.parametrize(
    'path', WITH_ROS, ids=lambda path: path.relative_to(PACKAGE).as_posix()
)
def test_nodes_use_only_what_humble_has(path):
    found = unknown_in(path.read_text('utf-8'), NEWER.get(path.name, frozenset()))
    assert not found, f'{path.name}: rclpy of Humble does not have {"; ".join(found)}'


@pytest.mark.parametrize(
    ('source', 'found'),
    [
        ('from rclpy.event_handler import SubscriptionEventCallbacks', 'rclpy.event_handler.S'),
        ('from rclpy.executors import EventsExecutor', 'rclpy.executors.EventsExecutor'),
        ('import rclpy.parameter_client', 'rclpy.parameter_client'),
        ('import rclpy\nwith rclpy.InitContext(): pass', 'rclpy.InitContext'),
        ('self._node.wait_for_node("arm", 1.0)', 'self._node.wait_for_node'),
        ('Node("x", enable_logger_service=True)', 'Node(enable_logger_service=...)'),
        ('node.create_timer(1, f, autostart=False)', 'node.create_timer(autostart=...)'),
        ('node.get_logger().warning("x", once_per=1)', 'warning(once_per=...)'),
    ],
)
def test_what_humble_lacks_is_found(source, found):
    assert found in unknown_in(source)[0]


def test_what_humble_has_is_not_found():
    source = (
        'import rclpy.task\nfrom rclpy.node import Node\n'
        'rclpy.init(args=[], context=None)\nrclpy.task.Future(executor=None)\n'
        'self._node.get_logger().warning("x", throttle_duration_sec=1.0)\n'
    )
    assert unknown_in(source) == []
