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
"""The choice of the first run: what one look at the graph offers, and what the page has chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
import math
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.format.features import check_feature_key
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.inspection.arrivals import span_text
from lerobot_streamrec.inspection.diagnosis import judge
from lerobot_streamrec.inspection.observation import as_proposed, SeenTopic
from lerobot_streamrec.inspection.proposal import CameraProposal, Proposal
from lerobot_streamrec.inspection.vector_proposal import chosen_vector, VectorProposal
from lerobot_streamrec.settings.camera_names import camera_names

STATE, ACTION, FEATURE = 'state', 'action', 'feature'
_FPS = (1, 1000)
_MAX_MS = 60_000
# A slow topic is not silent between two of its messages.
_SILENT_S, _SILENT_PERIODS = 2.0, 3.0


@dataclass(frozen=True, slots=True)
class Look:
    """
    One look at the graph.

    :param proposal: what `streamrec init` would write
    :param vectors: topics with numbers that are published
    :param values: newest numbers of these topics, by topic and name
    :param moving: topics whose numbers have changed
    :param silent_s: time since the last message of each topic that sent some, in seconds
    """

    proposal: Proposal
    vectors: tuple[SeenTopic, ...]
    values: Mapping[str, Mapping[str, float]]
    moving: frozenset[str]
    silent_s: Mapping[str, float]

    def is_silent(self, topic: SeenTopic) -> bool:
        """Return True if a topic has stopped sending."""
        usual_s = _SILENT_PERIODS / (topic.heard.rate_hz or 1.0)
        return self.silent_s.get(topic.name, 0.0) > max(_SILENT_S, usual_s)


class ChoiceError(ConfigError):
    """A choice of the page cannot be used; ``name`` is the field."""


def _facts(
    seen: SeenTopic, parameter: str, remarks: Sequence[str], look: Look, proposal: Proposal
) -> dict[str, Any]:
    """
    Return the facts of a topic, and what the doctor would say of it.

    :param parameter: prefix of its parameters in the file; empty if it is not chosen so far
    :param remarks: remarks of the choice
    """
    delay_s = seen.heard.delay_s
    problems = []
    if look.is_silent(seen):
        text = f'No message has come for {span_text(look.silent_s[seen.name])}.'
        problems.append({'text': text, 'help': 'Check that its driver runs.'})
    trouble = seen.heard.stamp_trouble
    if trouble and (seen.heard.is_badly_stamped or not parameter):
        text = 'Its messages are recorded by their arrival.' if seen.heard.is_badly_stamped else ''
        problems.append({'text': trouble, 'help': text})
    told = _judged(seen, parameter, proposal) if parameter else []
    # The doctor repeats some remarks of the choice within its own sentences.
    told += [one for one in remarks if not any(one in sentence for sentence in told)]
    problems += [{'text': one, 'help': ''} for one in told]
    return {
        'id': seen.name.lstrip('/'),
        'topic': seen.name,
        'message_type': seen.message_type,
        'rate_hz': _rate_hz(seen, look),
        'delay_ms': None if delay_s is None else round(1000 * delay_s, 1),
        'problems': problems,
    }


def _rate_hz(seen: SeenTopic, look: Look) -> float | None:
    if not seen.heard.num_messages:
        return None
    return 0.0 if look.is_silent(seen) else round(seen.heard.rate_hz, 1)


def _judged(seen: SeenTopic, parameter: str, proposal: Proposal) -> list[str]:
    """Return the doctor's remarks on a topic, beside the other topics that are proposed."""
    chosen = {f'camera.{one.name}': one.seen for one in proposal.cameras}
    for role, vector in _roles(proposal).items():
        if vector is not None:
            chosen[role] = vector.seen
    others = [as_proposed(one, name) for name, one in chosen.items() if one.name != seen.name]
    return [one.text for one in judge(as_proposed(seen, parameter), others, proposal.fps)]


def offered_camera(camera: CameraProposal, look: Look, proposal: Proposal) -> dict[str, Any]:
    """Return a camera for the page; docs/console-server.md has its keys."""
    picture = camera.seen.picture
    return {
        **_facts(camera.seen, f'camera.{camera.name}', camera.remarks, look, proposal),
        'name': camera.name,
        'chosen': True,
        'is_depth': camera.is_depth,
        'width': picture.width if picture else 0,
        'height': picture.height if picture else 0,
    }


def _roles(proposal: Proposal) -> dict[str, VectorProposal | None]:
    return {STATE: proposal.state, ACTION: proposal.action}


def offered_vector(seen: SeenTopic, look: Look, proposal: Proposal) -> dict[str, Any]:
    """Return a topic of numbers for the page; docs/console-server.md has its keys."""
    roles = _roles(proposal)
    chosen = (role for role, one in roles.items() if one and one.seen.name == seen.name)
    role = next(chosen, '')
    values = look.values.get(seen.name, {})
    proposed = roles.get(role)
    remarks = proposed.remarks if proposed else ()
    return {
        **_facts(seen, role, remarks, look, proposal),
        'role': role or 'none',
        'name': f'observation.{camera_names([seen.name], {})[seen.name]}',
        'names': list(values),
        # JSON has no number for a joint that is not calibrated yet.
        'values': [one if math.isfinite(one) else None for one in values.values()],
        'moves': seen.name in look.moving,
    }


def chosen_proposal(look: Look, choices: Mapping[str, Any]) -> Proposal:
    """Return the proposal with the choices of the page; ChoiceError if one cannot be used."""
    cameras = _cameras(look.proposal, choices.get('cameras'))
    vectors = choices.get('vectors')
    states, actions, others = (_topics(look, vectors, one) for one in (STATE, ACTION, FEATURE))
    if not (cameras or states or actions or others):
        raise ChoiceError('cameras', '', 'nothing is chosen: tick a camera, or choose a state')
    try:
        state = chosen_vector(list(states)) if states else None
        action = chosen_vector(list(actions), state) if actions else None
        features = tuple((name, chosen_vector([one])) for one, name in others.items())
        for name, _ in features:
            check_feature_key('vectors', name)
    except ConfigError as error:
        raise ChoiceError(error.name, error.value, error.allowed) from error
    low, high = _FPS
    fps = choices.get('fps')
    if (
        not isinstance(fps, int | float)
        or isinstance(fps, bool)
        or fps % 1
        or not low <= fps <= high
    ):
        raise ChoiceError('fps', str(fps), f'a whole number from {low} to {high} is needed')
    is_same = fps == look.proposal.fps
    return replace(
        look.proposal,
        cameras=cameras,
        state=state,
        action=action,
        features=features,
        fps=int(fps),
        fps_reason=look.proposal.fps_reason if is_same else 'as chosen in the browser',
        root=_root(choices.get('root')),
        task=_text(choices, 'task'),
        repo_id=_text(choices, 'repo_id'),
    )


def _cameras(proposal: Proposal, choices: Any) -> tuple[CameraProposal, ...]:
    try:
        wanted = {str(one['id']): one for one in choices if one['chosen'] is True}
        found = tuple(
            replace(
                camera,
                name=str(one['name']).strip(),
                is_depth=one['is_depth'] is True,
                offset_ms=_offset_ms(one.get('offset_ms', 0)),
            )
            for camera in proposal.cameras
            if (one := wanted.get(camera.seen.name.lstrip('/'))) is not None
        )
    except (TypeError, KeyError) as error:
        raise ChoiceError('cameras', '', f'a list of cameras is needed ({error!r})') from error
    names = [one.name for one in found]
    for name in names:
        if not name or names.count(name) > 1:
            text = 'each camera needs a name, and no two have the same'
            raise ChoiceError('cameras', name, text)
    return found


def _offset_ms(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _MAX_MS:
        allowed = f'offset_ms is a number from -{_MAX_MS} to {_MAX_MS}'
        raise ChoiceError('cameras', str(value), allowed)
    return float(value)


def _topics(look: Look, choices: Any, role: str) -> dict[SeenTopic, str]:
    """Return the topics that are chosen for a role, and the name that each was given."""
    try:
        wanted = {
            str(one['id']): str(one.get('name', '')).strip()
            for one in choices
            if one['role'] == role
        }
    except (TypeError, KeyError, AttributeError) as error:
        raise ChoiceError('vectors', '', f'a list of vectors is needed ({error!r})') from error
    names = list(wanted.values())
    for name in names if role == FEATURE else ():
        if names.count(name) > 1:
            raise ChoiceError('vectors', name, 'no two features have the same name')
    return {one: wanted[key] for one in look.vectors if (key := one.name.lstrip('/')) in wanted}


def _text(choices: Mapping[str, Any], name: str) -> str:
    value = choices.get(name, '')
    if not isinstance(value, str) or len(value.splitlines()) > 1 or not _is_unicode(value):
        raise ChoiceError(name, str(value), 'one line of text is needed')
    return value.strip()


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _root(value: Any) -> str:
    """Return the folder of the dataset; the recorder's own check of it comes with the file."""
    text = value.strip() if isinstance(value, str) else ''
    try:
        is_absolute = Path(text).expanduser().is_absolute()
    except RuntimeError as error:
        raise ChoiceError('root', text, f'the path cannot be used: {error}') from error
    if not is_absolute or not _is_unicode(text):
        raise ChoiceError('root', str(value), 'a path from / or ~ on is needed')
    return text
