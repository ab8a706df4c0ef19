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
"""The proposal of settings for the topics that were seen, and its summary for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lerobot_streamrec.inspection.observation import (
    CONTESTED,
    IMAGES_PROFILE,
    NUMBER_TYPES,
    SeenTopic,
)
from lerobot_streamrec.inspection.vector_proposal import propose_vectors, VectorProposal
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.settings.camera_names import (
    camera_groups,
    camera_names,
    DEPTH_SUFFIX,
    is_read_transport,
    preference,
)
from lerobot_streamrec.settings.transports import base_topic, ENCODED, PICTURE_TYPES

TASK = 'Say here what the robot is to do'
ROOT = '~/datasets/my_dataset'
USUAL_FPS = (10, 15, 20, 24, 25, 30, 50, 60)
DEFAULT_FPS = 30
# A measured rate that differs by at most this share counts as the usual rate.
_FPS_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class CameraProposal:
    """
    A camera to record.

    :param name: name of the camera
    :param topic: its base topic, or a compressed topic without a base topic
    :param is_depth: True if its pictures are depth
    :param seen: the topic whose messages were examined
    :param others: other topics of the same camera
    :param remarks: remarks for the user
    :param offset_ms: is added to its stamps, in milliseconds, once its delay was measured
    """

    name: str
    topic: str
    is_depth: bool
    seen: SeenTopic
    others: tuple[SeenTopic, ...] = ()
    remarks: tuple[str, ...] = ()
    offset_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """
    The proposed settings.

    :param cameras: cameras, each with a unique name
    :param state: state; None if no topic fits
    :param action: action; None if no topic fits
    :param fps: rows per second
    :param fps_reason: reason for this rate
    :param left_out: image topics that cannot be recorded, each with the reason
    :param is_sim_time: True if somebody publishes simulated time on /clock
    :param root: folder of the dataset
    :param task: task in words; empty if it will be given later
    :param repo_id: name of the dataset on the Hub; may be empty
    :param features: other features of numbers that a person has chosen, with their keys
    """

    cameras: tuple[CameraProposal, ...]
    state: VectorProposal | None
    action: VectorProposal | None
    fps: int
    fps_reason: str
    left_out: tuple[str, ...] = ()
    is_sim_time: bool = False
    root: str = ROOT
    task: str = TASK
    repo_id: str = ''
    features: tuple[tuple[str, VectorProposal], ...] = ()

    @property
    def is_empty(self) -> bool:
        """True if there is nothing at all to record."""
        return not (self.cameras or self.state or self.action or self.features)


def propose(topics: Sequence[SeenTopic], *, is_sim_time: bool = False) -> Proposal:
    """
    Return the proposal for a robot.

    :param topics: all topics that were seen, including those of types that cannot be recorded
    :param is_sim_time: True if somebody publishes simulated time on /clock
    """
    cameras, left_out = _cameras([one for one in topics if one.qos])
    state, action = propose_vectors(topics)
    fps, reason = _fps(cameras)
    return Proposal(cameras, state, action, fps, reason, left_out, is_sim_time)


def wanted_topics(types: Mapping[str, str]) -> set[str]:
    """
    Return the topics to read for a proposal.

    :param types: type of each published topic
    """
    pictures = {name: kind for name, kind in types.items() if kind in PICTURE_TYPES}
    numbers = {name for name, kind in types.items() if kind in NUMBER_TYPES}
    return chosen_picture_topics(pictures) | numbers


def chosen_picture_topics(types: Mapping[str, str]) -> set[str]:
    """
    Return the image topics to subscribe to, so that no driver compresses pictures in vain.

    :param types: type of each topic
    :return: one topic for each camera: the base topic, or a compressed one beside it
    """
    return {one for one in _readers(types).values() if one}


def _readers(types: Mapping[str, str]) -> dict[str, str]:
    """Return the topic to read, by base topic; an empty name if none can be read."""
    readers: dict[str, str] = {}
    for name in sorted(types, key=preference):
        base = base_topic(name)
        readers.setdefault(base, '')
        # A topic of encoded pictures may lack a base topic and have any name.
        wanted = PICTURE_TYPES if name == base else ENCODED.values()
        is_read = name == base or is_read_transport(name)
        if not readers[base] and is_read and types[name] in wanted:
            readers[base] = name
    return readers


def _cameras(topics: Sequence[SeenTopic]) -> tuple[tuple[CameraProposal, ...], tuple[str, ...]]:
    by_name = {one.name: one for one in topics if _brings_pictures(one)}
    readers = _readers({name: one.message_type for name, one in by_name.items()})
    read = {base: by_name[reader] for base, reader in readers.items() if reader}
    groups = [_by_use(group, read) for group in camera_groups(read)]
    firsts = [group[0] for group in groups if _is_useful(read[group[0]])]
    depths = {base: _is_depth(read[base]) for base in firsts}
    names = camera_names(firsts, depths)
    cameras = tuple(
        CameraProposal(
            names[first],
            first,
            depths[first],
            read[first],
            tuple(read[other] for other in group[1:]),
            _remarks(first, read[first]),
        )
        for group in groups
        if (first := group[0]) in names
    )
    return cameras, tuple(_left_out(by_name, readers, read))


def _by_use(group: Sequence[str], read: Mapping[str, SeenTopic]) -> list[str]:
    """Sort topics with usable pictures first, then silent ones; otherwise keep the order."""

    def rank(base: str) -> int:
        one = read[base]
        if one.picture is None:
            return 1
        return 2 if one.picture.problem else 0

    return sorted(group, key=rank)


def _brings_pictures(one: SeenTopic) -> bool:
    is_transport = base_topic(one.name) != one.name and 'Packet' in one.message_type
    return one.message_type in PICTURE_TYPES or is_transport or 'Video' in one.message_type


def _is_depth(one: SeenTopic) -> bool:
    return one.name.endswith(DEPTH_SUFFIX) or (one.picture is not None and one.picture.is_depth)


def _is_useful(one: SeenTopic) -> bool:
    return one.picture is None or not one.picture.problem


def _remarks(base: str, one: SeenTopic) -> tuple[str, ...]:
    remarks = []
    if one.name != base:
        remarks.append(f'{base} is not published: {one.name} is read instead')
    if one.is_contested:
        remarks.append(CONTESTED)
    if one.heard.is_lossy:
        remarks.append(f'Pictures need room: {IMAGES_PROFILE}.')
    elif one.picture is None:
        remarks.append('No picture came, so none was checked. Does the camera run?')
    return tuple(remarks)


def _left_out(
    by_name: Mapping[str, SeenTopic], readers: Mapping[str, str], read: Mapping[str, SeenTopic]
) -> list[str]:
    found = []
    for name, one in sorted(by_name.items()):
        base = base_topic(name)
        if not readers[base]:
            found.append(f'{name} ({one.message_type}): pictures of this type cannot be recorded')
        elif base in read and read[base].name == name and not _is_useful(one):
            assert one.picture is not None
            found.append(f'{name}: {one.picture.problem}')
        elif name != readers[base] and not is_read_transport(name):
            found.append(f'{name} ({one.message_type}): {readers[base]} is read instead')
    return found


def _fps(cameras: Sequence[CameraProposal]) -> tuple[int, str]:
    # The rate of a topic that loses messages in transport is lower than its camera's.
    rated = [one for one in cameras if one.seen.heard.rate_hz and not one.seen.heard.is_lossy]
    if not rated:
        return DEFAULT_FPS, 'the rate of no camera is known; set the rate of yours'
    slowest = min(rated, key=lambda one: one.seen.heard.rate_hz)
    rate_hz = slowest.seen.heard.rate_hz
    fps = min(USUAL_FPS, key=lambda one: abs(one - rate_hz))
    reason = f'{slowest.name} sends {rate_hz:.1f} pictures per second'
    if max(one.seen.heard.rate_hz for one in rated) > rate_hz * (1 + _FPS_TOLERANCE):
        reason += ', the fewest'
    if abs(fps - rate_hz) > _FPS_TOLERANCE * fps:
        reason += ', which is not a usual rate'
    return fps, reason


def result_lines(
    proposal: Proposal, path: Path, *, looked: str, advice: str, bag: Path | None = None
) -> Iterator[str]:
    """
    Say what was found, and name the next step.

    :param proposal: proposal that was written, unless it is empty
    :param path: path of the file
    :param looked: time for which topics were read, such as ``5 s``
    :param advice: help if there is nothing to record
    :param bag: bag that was read; None for the running graph
    """
    if proposal.is_empty:
        yield f'found nothing to record in {looked}: {path} was not written.'
        yield advice
        yield from (f'  left out  {one}' for one in proposal.left_out)
        return
    yield from choice_lines(proposal)
    yield f'wrote {path}, {proposal.fps} rows per second ({proposal.fps_reason})'
    of_bag = () if bag is None else ('--bag', bag)
    doctor = streamrec_command('doctor', *of_bag, path)
    yield f'next: set root (now {ROOT}) and task in it, then  {doctor}'


def choice_lines(proposal: Proposal) -> Iterator[str]:
    """Say what is recorded, and what is left out."""
    for camera in proposal.cameras:
        kind = 'depth  ' if camera.is_depth else 'camera '
        yield f'  {kind} {camera.name}: {camera.seen.name}, {camera.seen.facts}'
    yield _vector_line('state', proposal.state)
    yield _vector_line('action', proposal.action)
    yield from (f'  left out {one}' for one in proposal.left_out)


def _vector_line(name: str, vector: VectorProposal | None) -> str:
    if vector is None:
        return f'  {name:7} none was found'
    seen = vector.seen
    names = ', '.join(vector.names)
    if vector.parts:
        names = '; '.join(
            f'{part} ({", ".join(joints.names)})' for part, (_, joints) in vector.parts.items()
        )
    return (
        f'  {name:7} {seen.name} ({seen.message_type}), {seen.facts}{": " if names else ""}{names}'
    )
