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
A Foxglove layout for one robot: pictures, plots, diagnostics, events, and the recorder's buttons.

It has the form of Foxglove's own exports: the settings of each panel by its id (a panel type, an
exclamation mark and a name), and a tree of splits with these ids as leaves.

Plots read the numbers of a vector by Foxglove's message paths. A slice in Foxglove includes its
end, unlike one in a selector. Foxglove addresses elements of an array only by number, a selector
also by name: the place of a name is looked up in a message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
import json
from typing import Any

from lerobot_streamrec.conversions.leaves import Leaf
from lerobot_streamrec.conversions.selector import (
    ByName,
    ByTime,
    ByValue,
    Field,
    Index,
    Slice,
    Step,
    Steps,
)
from lerobot_streamrec.nodes.status_messages import Sender
from lerobot_streamrec.recording.operating.status import Phase

NameLists = Mapping[Steps, Sequence[str]]
"""The lists of names in a message, by the steps that lead to them."""

_WHOLE = '[:]'


@dataclass(frozen=True, slots=True)
class Series:
    """
    One path to plot.

    :param path: message path
    :param label: name of the number; empty for none
    :param is_array: True if the path has several numbers that cannot be told apart
    """

    path: str
    label: str = ''
    is_array: bool = False


def wanted_names(leaves: Sequence[Leaf]) -> dict[Steps, set[str]]:
    """Return the names that must be looked up, by the steps to their lists."""
    found: dict[Steps, set[str]] = {}
    for leaf in leaves:
        for place, step in enumerate(_steps(leaf)):
            if isinstance(step, ByName):
                found.setdefault(leaf.name_lists[place], set()).add(step.name)
    return found


def series_of(
    topic: str, leaves: Sequence[Leaf], names: Sequence[str], name_lists: NameLists
) -> tuple[Series, ...]:
    """
    Return the series to plot for a vector, in the vector's order.

    Points of clouds are left out, because message paths cannot read them.

    :param topic: full name of the topic
    :param leaves: the numbers that are read from its messages
    :param names: names of the numbers
    :param name_lists: the known lists of names
    """
    counts = [leaf.count for leaf in leaves]
    num_open = counts.count(None)
    rest = len(names) - sum(count or 0 for count in counts)
    if num_open == 1:
        counts = [rest if count is None else count for count in counts]
    found: dict[str, Series] = {}
    labels = iter(names)
    for leaf, count in zip(leaves, counts, strict=True):
        # With several arrays of unknown length, names cannot be assigned to numbers.
        known = [next(labels, '') for _ in range(count or 0)] if num_open <= 1 else []
        if not leaf.column:
            for one in _series(topic, leaf, count, known, name_lists):
                found.setdefault(one.path, one)
    return tuple(found.values())


def _steps(leaf: Leaf) -> Steps:
    return leaf.base if leaf.pick is None else (*leaf.base, leaf.pick)


def _series(
    topic: str, leaf: Leaf, count: int | None, labels: Sequence[str], name_lists: NameLists
) -> Iterator[Series]:
    if isinstance(leaf.pick, Slice) and count is not None:
        start = leaf.pick.start or 0
        picks: list[Steps] = [(*leaf.base, Index(start + k)) for k in range(count)]
    else:
        picks = [_steps(leaf)]
    for place, steps in enumerate(picks):
        texts = [_text(at, step, leaf, name_lists) for at, step in enumerate(steps)]
        is_array = _WHOLE in texts or isinstance(steps[-1], Slice)
        label = labels[place] if place < len(labels) and not is_array else ''
        yield Series(f'{topic}{"".join(texts)}', label, is_array)


def _text(place: int, step: Step, leaf: Leaf, name_lists: NameLists) -> str:
    match step:
        case Field() | Index():
            return str(step)
        case Slice(start=start, stop=stop):
            last = '' if stop in (None, 0) else (stop or 0) - 1
            return f'[{"" if start is None else start}:{last}]'
        case ByName(name=name):
            names = list(name_lists.get(leaf.name_lists[place], ()))
            return f'[{names.index(name)}]' if name in names else _WHOLE
        case ByValue(field=field, value=value):
            quote = "'" if '"' in value else '"'
            return f'{_WHOLE}{{{field}=={quote}{value}{quote}}}'
        case ByTime():
            # The recorded value lies between two points; the first point is the next one due.
            return '[0]'


Tree = str | dict[str, Any]
"""A panel's id, or a split of two trees."""

_Panels = dict[str, dict[str, Any]]
"""The settings of all panels, by id."""

ROW, COLUMN = 'row', 'column'
_DIAGNOSTICS = '/diagnostics'

# Each button's service, text, explanation and colour.
_BUTTONS = (
    ('start', 'Start', 'Begin an episode', '#2e7d32'),
    ('save', 'Save', 'End the episode, and keep it', '#1565c0'),
    ('rotate', 'Rotate', 'Keep the episode, and begin the next', '#6a1b9a'),
    ('discard', 'Discard', 'End the episode, and throw it away', '#c62828'),
    ('pause', 'Pause', 'Record nothing until resume', '#ef6c00'),
    ('resume', 'Resume', 'Go on with the episode', '#2e7d32'),
    ('undo', 'Undo', 'Take back the last saved episode', '#616161'),
)
_BUTTONS_PER_ROW = 4
_PHASES = {
    Phase.IDLE: ('Not ready', '#ef6c00'),
    Phase.READY: ('Ready', '#2e7d32'),
    Phase.RECORDING: ('Recording', '#c62828'),
    Phase.PAUSED: ('Paused', '#f9a825'),
    Phase.RESETTING: ('Reset the scene', '#1565c0'),
    Phase.DONE: ('Done', '#2e7d32'),
    Phase.CLOSED: ('Closed', '#616161'),
}


@dataclass(frozen=True, slots=True)
class RobotView:
    """
    The parts of a robot and its recorder that the layout shows.

    :param recorder: full name of the recorder's node
    :param hardware_id: hardware id of the recorder's diagnostics
    :param cameras: image topics, by camera name
    :param plots: numbers to plot, by the feature that they become
    :param messages: topics shown as raw messages because their type is unknown, by parameter
    :param timeout_s: longest time that a service may take, in seconds
    """

    recorder: str
    hardware_id: str
    cameras: Mapping[str, str]
    plots: Mapping[str, Sequence[Series]]
    messages: Mapping[str, str]
    timeout_s: float


def foxglove_layout(view: RobotView) -> dict[str, Any]:
    """Return a layout that Foxglove can import once it is written as JSON."""
    panels: _Panels = {}
    cameras = [
        _panel(panels, 'Image', name, name, {'imageMode': {'imageTopic': topic}})
        for name, topic in view.cameras.items()
    ]
    plots = [_panel(panels, 'Plot', key, key, _plot(all_of)) for key, all_of in view.plots.items()]
    plots += [_raw(panels, key, key, topic) for key, topic in view.messages.items()]
    robot = [
        (2.0, _grid(cameras, max(1, round(len(cameras) ** 0.5 + 0.49)))) if cameras else None,
        (1.0, _split(COLUMN, [(1.0, one) for one in plots])) if plots else None,
    ]
    sides = [(3.0, _split(COLUMN, [one for one in robot if one]))] if any(robot) else []
    return {
        'configById': panels,
        'globalVariables': {},
        'userNodes': {},
        'playbackConfig': {'speed': 1},
        'layout': _split(ROW, [*sides, (2.0, _recorder(panels, view))]),
    }


def _panel(panels: _Panels, kind: str, name: str, title: str, settings: Mapping[str, Any]) -> str:
    """Add a panel and return its id."""
    panel = f'{kind}!{name}'
    panels[panel] = {**settings, 'foxglovePanelTitle': title}
    return panel


def _plot(series: Sequence[Series]) -> dict[str, Any]:
    paths = []
    for one in series:
        path = {'value': one.path, 'enabled': True, 'timestampMethod': 'receiveTime'}
        if one.label:
            path['label'] = one.label
        if one.is_array:
            # Older releases ignore this setting and draw the whole array as one series.
            path['arrayExpansion'] = 'byIndex'
        paths.append(path)
    return {
        'paths': paths,
        'showLegend': True,
        'legendDisplay': 'floating',
        'showPlotValuesInLegend': False,
        'showXAxisLabels': True,
        'showYAxisLabels': True,
        'isSynced': True,
        'xAxisVal': 'timestamp',
        'followingViewWidth': 20,
        'sidebarDimension': 240,
    }


def _recorder(panels: _Panels, view: RobotView) -> Tree:
    """Return the panels that show the recorder, and the buttons."""
    name = view.recorder
    status = Sender(name, view.hardware_id).status_name
    phase = _panel(panels, 'Indicator', 'phase', 'Recorder', _indicator(name))
    told = _raw(panels, 'status', 'Status', f'{name}/status.message')
    buttons = [
        _panel(panels, 'CallService', verb, text, _button(view, verb, text, tooltip, colour))
        for verb, text, tooltip, colour in _BUTTONS
    ]
    note = {
        'topicName': f'{name}/command',
        'datatype': 'std_msgs/msg/String',
        'value': json.dumps({'data': 'note what is special about this episode'}),
        'buttonText': 'Send',
        'buttonTooltip': 'Send a command, such as a note or a verdict',
        'advancedView': True,
    }
    summary = {
        'topicToRender': _DIAGNOSTICS,
        'hardwareIdFilter': status,
        'minLevel': 0,
        'pinnedIds': [],
        'sortByLevel': True,
    }
    detail = {'topicToRender': _DIAGNOSTICS, 'selectedHardwareId': view.hardware_id}
    log = {
        'topicToRender': '/rosout',
        'searchTerms': [status.partition(':')[0]],
        'minLogLevel': 2,
        'nameFilter': {},
    }
    log_panel = _panel(panels, 'RosOut', 'log', 'Log', log)
    events = _raw(panels, 'events', 'Last event', f'{name}/events.data')
    return _split(
        COLUMN,
        [
            (1.0, _split(ROW, [(1.0, phase), (2.0, told)])),
            (2.0, _grid(buttons, _BUTTONS_PER_ROW)),
            (1.5, _panel(panels, 'Publish', 'command', 'Command', note)),
            (2.0, _panel(panels, 'DiagnosticSummary', 'recorder', 'Diagnostics', summary)),
            (3.0, _panel(panels, 'DiagnosticStatusPanel', 'recorder', 'Details', detail)),
            (2.0, _split(ROW, [(1.0, events), (2.0, log_panel)])),
        ],
    )


def _raw(panels: _Panels, name: str, title: str, path: str) -> str:
    settings = {
        'topicPath': path,
        'diffEnabled': False,
        'diffMethod': 'custom',
        'diffTopicPath': '',
        'showFullMessageForDiff': False,
    }
    return _panel(panels, 'RawMessages', name, title, settings)


def _indicator(recorder: str) -> dict[str, Any]:
    return {
        'path': f'{recorder}/status.values[:]{{key=="phase"}}.value',
        'style': 'background',
        'fallbackColor': '#9e9e9e',
        'fallbackLabel': 'No recorder',
        'rules': [
            {'operator': '=', 'rawValue': phase.value, 'label': label, 'color': colour}
            for phase, (label, colour) in _PHASES.items()
        ],
    }


def _button(view: RobotView, verb: str, text: str, tooltip: str, colour: str) -> dict[str, Any]:
    return {
        'serviceName': f'{view.recorder}/{verb}',
        'requestPayload': '{}',
        'layout': 'vertical',
        'buttonText': text,
        'buttonTooltip': tooltip,
        'buttonColor': colour,
        # Show the button alone, because status, events and log already show the answers.
        'editingMode': False,
        'timeoutSeconds': view.timeout_s,
    }


def _grid(panels: Sequence[str], num_columns: int) -> Tree:
    rows = [panels[begin : begin + num_columns] for begin in range(0, len(panels), num_columns)]
    return _split(COLUMN, [(1.0, _split(ROW, [(1.0, one) for one in row])) for row in rows])


def _split(direction: str, parts: Sequence[tuple[float, Tree]]) -> Tree:
    """Put one or more trees, each with its share of the space, beside or below each other."""
    (share, first), *others = parts
    if not others:
        return first
    return {
        'direction': direction,
        'first': first,
        'second': _split(direction, others),
        'splitPercentage': round(100 * share / sum(one for one, _ in parts), 2),
    }
