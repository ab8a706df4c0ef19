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
"""The text of a proposed parameter file, and the safe way to write it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import json
from pathlib import Path
import re
import textwrap

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.inspection.arrivals import Heard
from lerobot_streamrec.inspection.observation import SeenPart, SeenTopic
from lerobot_streamrec.inspection.proposal import CameraProposal, Proposal
from lerobot_streamrec.inspection.vector_proposal import VectorProposal
from lerobot_streamrec.installed import record_command, streamrec_command

_WIDTH = 99
_INDENT = ' ' * 4
# A text that YAML reads as a string, except for the words below.
_PLAIN = re.compile(r'(~?/)?[A-Za-z_][A-Za-z0-9_./-]*( [A-Za-z0-9_.-]+)*')
_YAML_WORDS = {'true', 'false', 'yes', 'no', 'on', 'off', 'null', 'y', 'n'}


def refuse_to_tell(parameter: str, topic: str) -> str:
    """Refuse to look up a type while a proposed file is checked, since it has to contain it."""
    raise ConfigError(parameter, '', f'the file must contain the type of {topic}')


def parameter_text(
    proposal: Proposal, *, file_name: str, when: str, looked: str, bag: Path | None = None
) -> str:
    """
    Return the text of a parameter file with which the recorder starts.

    :param proposal: a proposal that is not empty
    :param file_name: name of the file
    :param when: date and time of the look at the topics, for people
    :param looked: time for which topics were read, such as ``5 s``
    :param bag: bag that was read; None for the running graph
    """
    if bag is None:
        steps = 'this file with the running robot, the second records'
        doctor, use = streamrec_command('doctor', file_name), record_command(file_name)
    else:
        steps = 'this file with the bag, the second makes an episode of it'
        doctor = streamrec_command('doctor', '--bag', bag, file_name)
        use = streamrec_command('import', bag, '--params', file_name)
    head = [
        *_comment(
            f'Proposed by `streamrec init` on {when} from the topics it saw in {looked}. '
            'config/record.yaml of lerobot_streamrec explains every parameter.'
        ),
        '#',
        f'# The first command compares {steps}:',
        f'#   {doctor}',
        f'#   {use}',
        *_comment('These parameters are for the node "episode" in any namespace.'),
        '/**/episode:',
        '  ros__parameters:',
    ]
    features = dict(proposal.features)
    settings = [
        *_dataset(proposal),
        '',
        *_cameras(proposal),
        '',
        *_vector('state', proposal.state, 'JointState topic of a follower or robot'),
        '',
        *_vector('action', proposal.action, 'topic of a leader, a command, target or goal'),
        *(['', f'features: [{", ".join(map(quoted, features))}]', 'feature:'] if features else ()),
        *(f'  {line}' for name, one in features.items() for line in _chosen(name, one)),
    ]
    return '\n'.join([*head, textwrap.indent('\n'.join(settings), _INDENT), ''])


def quoted(text: str) -> str:
    """Return a text as YAML."""
    if not text:
        return "''"
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS
    # YAML knows no pairs of surrogates, as JSON writes them for rare characters.
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def _comment(text: str, depth: int = 0) -> list[str]:
    """Wrap a comment so that its lines end by column 99 in the file."""
    begin = f'{"  " * depth}# '
    return textwrap.wrap(
        text,
        _WIDTH - len(_INDENT),
        initial_indent=begin,
        subsequent_indent=begin,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _dataset(proposal: Proposal) -> Iterator[str]:
    yield from _comment("Set these two: the dataset's folder, and the task in words.")
    yield f'root: {quoted(proposal.root)}'
    yield f'task: {quoted(proposal.task)}'
    yield from _comment("The dataset's name on the Hub and the robot's type; both may stay empty.")
    yield f'repo_id: {quoted(proposal.repo_id)}'
    yield "robot_type: ''"
    yield from _comment(
        'true: append to a dataset at root that has the same settings; false: refuse it.'
    )
    yield 'resume: true'
    yield ''
    yield from _comment(f'Rows per second: {proposal.fps_reason}.')
    yield f'fps: {proposal.fps}'
    if proposal.is_sim_time:
        yield ''
        yield from _comment('/clock is published: stamps are in simulated time.')
        yield 'use_sim_time: true'


def _cameras(proposal: Proposal) -> Iterator[str]:
    if not proposal.cameras:
        yield from _comment('No camera: nobody publishes pictures that can be recorded.')
        yield '# cameras: [front]'
        yield '# camera:'
        yield '#   front: {topic: /front/image_raw}'
    else:
        yield f'cameras: [{", ".join(quoted(one.name) for one in proposal.cameras)}]'
        yield 'camera:'
    for camera in proposal.cameras:
        yield from _camera(camera)
    if proposal.left_out:
        yield from _comment('Left out:')
        for reason in proposal.left_out:
            yield from _comment(f'  {reason}')


def _camera(camera: CameraProposal) -> Iterator[str]:
    yield f'  {quoted(camera.name)}:'
    yield from _comment(f'{camera.seen.facts}.', 2)
    for remark in camera.remarks:
        yield from _comment(remark, 2)
    yield f'    topic: {camera.topic}'
    if camera.is_depth:
        yield '    depth: true'
    if camera.offset_ms:
        yield from _comment('Measured while the robot moved: the driver stamps so late.', 2)
        yield f'    offset_ms: {camera.offset_ms:.1f}'
    yield from _stamp(camera.seen.heard, 2)
    if camera.others:
        yield from _comment('Other topics of this camera:', 2)
        yield from _topics(camera.others, 2)


def _stamp(heard: Heard, depth: int) -> Iterator[str]:
    trouble = heard.stamp_trouble
    if trouble:
        yield from _comment(f'{trouble[:1].upper()}{trouble[1:]}.', depth)
    if heard.is_badly_stamped:
        yield f'{"  " * depth}stamp: receive'


def _vector(name: str, vector: VectorProposal | None, kind: str) -> Iterator[str]:
    if vector is None:
        yield from _comment(f'No {name}: no message came from a {kind}.')
        yield f'# {name}:'
        yield '#   topic: /...'
        yield '#   names: [...]'
        return
    yield from _chosen(name, vector)


def _chosen(name: str, vector: VectorProposal) -> Iterator[str]:
    yield f'{quoted(name)}:'
    yield from _comment(f'{vector.seen.facts}.', 1)
    for remark in vector.remarks:
        yield from _comment(remark, 1)
    if vector.parts:
        yield f'  parts: [{", ".join(map(quoted, vector.parts))}]'
        for part_name, (seen, joints) in vector.parts.items():
            yield f'  {quoted(part_name)}:'
            yield from _joints(seen, joints, joints.names, 2)
    else:
        part = next(iter(vector.seen.parts), SeenPart((), heard=vector.seen.heard))
        yield from _joints(vector.seen, part, vector.names, 1)
    if vector.others:
        yield from _comment(f'Other topics that could be the {name}:', 1)
        yield from _topics(vector.others, 1)
        if any(one.names and not set(one.names) & set(vector.names) for one in vector.others):
            where = f'{name}.parts in config/record.yaml'
            yield from _comment(f'Other joints can be combined with these: see {where}.', 1)


def _joints(seen: SeenTopic, part: SeenPart, names: Sequence[str], depth: int) -> Iterator[str]:
    indent = '  ' * depth
    yield f'{indent}topic: {seen.name}'
    yield f'{indent}type: {seen.message_type}'
    if names:
        yield from _names(names, indent)
    if part.field != 'position':
        yield f'{indent}field: {part.field}'
    yield from _stamp(part.heard, depth)


def _names(names: Sequence[str], indent: str) -> Iterator[str]:
    texts = [quoted(one) for one in names]
    line = f'{indent}names: [{", ".join(texts)}]'
    if len(line) + len(_INDENT) <= _WIDTH:
        yield line
        return
    yield f'{indent}names:'
    yield from (f'{indent}  - {text}' for text in texts)


def _topics(topics: Sequence[SeenTopic], depth: int) -> Iterator[str]:
    for one in topics:
        facts = one.facts if one.qos else 'nobody publishes it now'
        yield from _comment(f'  {one.name} ({one.message_type}): {facts}', depth)
