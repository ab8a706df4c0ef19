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
"""The recorder's parameters with which an exported bag is imported again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
import json
from typing import Any

from lerobot_streamrec.dataset.format.data_rows import ROW
from lerobot_streamrec.dataset.format.features import (
    ACTION,
    FeatureSpec,
    IMAGES,
    INTERVENTION,
    STATE,
)
from lerobot_streamrec.dataset.rebuild.played_episode import open_episode
from lerobot_streamrec.fleet.exporting.export_plan import ExportPlan, vector_values
from lerobot_streamrec.option import options_of
from lerobot_streamrec.playback.streams import PlayedStream
from lerobot_streamrec.recording.config import NO_SUBTASKS, SUBTASKS
from lerobot_streamrec.recording.stream_config import DTYPES
from lerobot_streamrec.settings.parameter_file import PARAMETERS
from lerobot_streamrec.settings.stream_settings import RECEIVE
from lerobot_streamrec.sync.row_clock import NS_PER_MS
from lerobot_streamrec.video.codecs.depth_config import DepthConfig, is_depth, stored_depth
import numpy as np

# An import begins a moment after the first messages, which are the first row.
_PREROLL_S = 1.0
_PREFIXES = {STATE: 'state', ACTION: 'action'}


def parameters_text(plan: ExportPlan) -> str:
    """
    Return the text of a parameter file that fits a bag, by its first episode.

    The pictures of the first camera are the rows, and the import begins with the first message
    of every stream, so that no row of an episode is lost.

    :raise DatasetError: if the dataset cannot be read
    """
    episode, info = open_episode(plan.root, plan.order[0]), plan.info
    streams, cameras = plan.streams(episode), {}
    values = vector_values(episode, streams)
    parts: dict[str, list[tuple[str, PlayedStream]]] = defaultdict(list)
    for topic, same in streams.items():
        if same[0].is_camera:
            # The recorder has the keys of all cameras begin alike.
            name = same[0].feature.removeprefix(IMAGES).rpartition('.')[2]
            cameras[name] = _camera(plan, same[0])
            continue
        for one in plan.numbers(topic, same, values).streams:
            if not one.is_for_human:
                parts[one.feature].append((topic, one))
    features = {
        key: _feature(parts[key], spec) for key, spec in info.features.items() if key in parts
    }
    own = {name: features.pop(key) for key, name in _PREFIXES.items() if key in features}
    subtasks = {key for keys in SUBTASKS.values() for key in keys if key in info.features}
    settings = {
        'fps': info.fps,
        'task': next(iter(episode.row.tasks), ''),
        'robot_type': info.robot_type or '',
        'cameras': [*cameras],
        'camera': cameras,
        **own,
        'features': [*features],
        'feature': features,
        'sync.clock': next(iter(cameras), ''),
        'preroll_s': _PREROLL_S,
        'provenance.per_row': ROW in episode.stamps,
        'hil.enabled': INTERVENTION in info.features and INTERVENTION not in parts,
        'subtasks': next(one for one, keys in SUBTASKS.items() if set(keys) == subtasks),
    }
    given = {name: value for name, value in settings.items() if value and value != NO_SUBTASKS}
    head = f'# The streams of {plan.root.name} in a bag; --root of the import names the dataset.'
    return '\n'.join([head, *_lines({'/**/episode': {PARAMETERS: given}}), ''])


def _camera(plan: ExportPlan, stream: PlayedStream) -> dict[str, Any]:
    found = {'topic': plan.picture_topic(stream).topic, **_timing(stream)}
    info = plan.info.features[stream.feature].info
    if is_depth(info):
        stored = stored_depth(info)
        config = stored.config if stored else DepthConfig()
        found['depth'] = True
        for field, option in options_of(DepthConfig).items():
            found[option.name] = getattr(config, field)
    return found


def _feature(parts: list[tuple[str, PlayedStream]], spec: FeatureSpec) -> dict[str, Any]:
    kind = 'int64' if np.dtype(spec.dtype).kind in 'iu' else DTYPES[0]
    column: dict[str, Any] = {'dtype': spec.dtype if spec.dtype in DTYPES else kind}
    if spec.is_window:
        column['window'] = (spec.shape or (1,))[0]
    if len(parts) == 1:
        return {**_vector(*parts[0]), **column}
    parts = sorted(parts, key=lambda one: one[1].begin)
    named = {one.key.removeprefix(f'{one.feature}.'): _vector(topic, one) for topic, one in parts}
    return {'parts': [*named], **named, **column}


def _vector(topic: str, stream: PlayedStream) -> dict[str, Any]:
    return {
        'topic': topic,
        'type': stream.message_type,
        'selectors': [one.text for one in stream.selectors],
        'names': [*stream.names],
        **_timing(stream),
    }


def _timing(stream: PlayedStream) -> dict[str, Any]:
    found: dict[str, Any] = {'stamp': RECEIVE} if stream.is_stamped_here else {}
    if stream.offset_ns:
        found['offset_ms'] = stream.offset_ns / NS_PER_MS
    return found


def _lines(values: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """Yield the lines of a mapping in YAML, whose values are written as JSON writes them."""
    for name, value in values.items():
        begin = f'{"  " * depth}{name}:'
        if isinstance(value, Mapping):
            yield begin
            yield from _lines(value, depth + 1)
        else:
            yield f'{begin} {json.dumps(value, ensure_ascii=False)}'
