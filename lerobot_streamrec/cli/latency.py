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
"""The command `streamrec latency`, which measures by how much the stamps of cameras are late."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import click
from lerobot_streamrec.cli.progress import (
    DatasetPath,
    episode_numbers,
    importing,
    progress_bar,
    show_json,
    show_remarks,
    shown_option,
)
from lerobot_streamrec.cli.ros_command import (
    namespace_option,
    NEEDS_ROS,
    refuse_mixture,
    RosCommand,
)
from lerobot_streamrec.dataset.format.catalog import Catalog, read_catalog
from lerobot_streamrec.dataset.format.data_rows import EpisodeValues, image_files
from lerobot_streamrec.dataset.format.episode_table import EpisodeRow
from lerobot_streamrec.dataset.format.features import STATE
from lerobot_streamrec.errors import ConfigError, UnclearDelayError
from lerobot_streamrec.recording.camera_latency import CameraLatency
from lerobot_streamrec.report.summary import picture_keys, short_name
from lerobot_streamrec.sync.motion_delay import (
    find_delay,
    Found,
    JointSeries,
    MotionDelay,
    MotionRecord,
)
from lerobot_streamrec.sync.row_clock import NS_PER_S
from lerobot_streamrec.video.mp4.damage_scan import decode_picture
from lerobot_streamrec.video.mp4.frame_decoder import PyavDecoder
from lerobot_streamrec.video.tools.picture_motion import PictureMotion
import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

MAX_EPISODES = 20
"""Number of episodes that are measured if none are named; of more, evenly spaced ones."""

ReadOffsets = Callable[[Path], Mapping[str, float]]
"""Returns the offsets that the recorder would read from a parameter file, by camera."""


@click.command(cls=RosCommand, short_help='Measure by how much the stamps of cameras are late.')
@click.argument('params', type=click.Path(path_type=Path), required=False)
@click.option('--root', type=DatasetPath, help='Measure this dataset instead of a running robot.')
@click.option(
    '--episodes',
    callback=episode_numbers,
    help=f'With --root: episodes, such as 3,7,10-14.  [default: all, or {MAX_EPISODES} of more]',
)
@click.option(
    '--bag',
    type=click.Path(exists=True, path_type=Path),
    help='Measure this rosbag2 bag with the topics of PARAMS instead of a running robot.',
)
@namespace_option
@shown_option(
    '--seconds', type=click.FloatRange(5, 600), default=10.0, help='How long the robot moves.'
)
@click.option('--write', is_flag=True, help='Put the measured offset_ms into PARAMS.')
@click.option('--json', 'as_json', is_flag=True, help='Print what was found as JSON.')
def latency(
    params: Path | None,
    root: Path | None,
    episodes: frozenset[int],
    bag: Path | None,
    namespace: str | None,
    seconds: float,
    write: bool,
    as_json: bool,
    ros_arguments: Sequence[str],
) -> int:
    """
    Measure by how much the stamps of cameras are later than those of the joints.

    Move the robot of PARAMS back and forth in view of its cameras, unevenly, while this compares
    the motion in their pictures with that of the joints. It prints the value of offset_ms for each
    camera; --write puts it into PARAMS. With --bag, it measures such a motion that was recorded,
    without ROS. With --root, it measures a recorded dataset, where the delay is that of the
    pictures behind the state of their rows. Exit status: 0 if every camera was measured, 1 if the
    motion of one does not tell its delay, 2 for wrong usage.
    """
    if (params is None) == (root is None):
        raise click.UsageError('name either a parameter file PARAMS or a dataset with --root')
    if root is not None:
        if write or bag is not None:
            raise click.UsageError('--write and --bag need a parameter file, not a dataset')
        return _measure_dataset(root, episodes, as_json)
    assert params is not None
    refuse_mixture(bag, namespace, ros_arguments)
    with importing('a parameter file needs PyYAML'):
        from lerobot_streamrec.settings.camera_offsets import offset_lines, write_offsets
    if bag is not None:
        cameras, read = _measure_bag(params, bag, namespace or '/')
    else:
        cameras, read = _measure_robot(params, seconds, ros_arguments)
    wanted = {one.name: one.wanted_ms for one in cameras if one.wanted_ms is not None}
    if is_written := write and bool(wanted):
        write_offsets(params, wanted, read)
    found = {one.name: one.found for one in cameras}
    if as_json:
        more = {
            one.name: {'offset_ms': one.offset_ms, 'wanted_offset_ms': one.wanted_ms}
            for one in cameras
        }
        show_json({'cameras': _as_json(found, more), 'written': is_written})
        return _status(found)
    columns = {
        'offset_ms now': {one.name: f'{one.offset_ms:g}' for one in cameras},
        'offset_ms wanted': {name: f'{value:g}' for name, value in wanted.items()},
    }
    _show(found, columns)
    if is_written:
        click.echo(f'{params} has these values of offset_ms now; restart the recorder.')
    elif wanted:
        _show_lines(offset_lines(wanted))
    return _status(found)


def _show_lines(lines: Sequence[str]) -> None:
    click.echo(
        'Put these lines below ros__parameters, or use --write. Each value is the whole '
        'offset, in place of one that is there:'
    )
    for line in lines:
        click.echo(f'    {line}')


def _measure_robot(
    params: Path, seconds: float, ros_arguments: Sequence[str]
) -> tuple[list[CameraLatency], ReadOffsets]:
    with importing(NEEDS_ROS):
        from lerobot_streamrec.live.latency.measure import measure_latency, read_offsets
        from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
    stop = StopSignals()
    with Console(stderr=True).status('waiting for cameras and joints') as status:

        def tell(left_s: float | None) -> None:
            if left_s is not None:
                status.update(
                    'move the whole arm back and forth in view of the cameras, at a changing '
                    f'pace: {left_s:.0f} s left'
                    if left_s
                    else 'comparing pictures and joints'
                )

        cameras = measure_latency(
            params, seconds=seconds, ros_arguments=ros_arguments, stop=stop, tell=tell
        )
    return cameras, partial(read_offsets, ros_arguments=ros_arguments, stop=stop)


def _measure_bag(
    params: Path, path: Path, namespace: str
) -> tuple[list[CameraLatency], ReadOffsets]:
    with importing('reading a bag needs rosbags'):
        from lerobot_streamrec.fleet.bag_import import bag_settings
        from lerobot_streamrec.fleet.bag_latency import bag_latencies
        from lerobot_streamrec.fleet.reading.bag_reader import open_bag
    bag = open_bag(path)
    with progress_bar('comparing', is_bytes=False) as progress:
        cameras = bag_latencies(bag, bag_settings(bag, params, namespace, {}), namespace, progress)
    show_remarks(map(str, bag.remarks))

    def read(file: Path) -> dict[str, float]:
        sources = bag_settings(bag, file, namespace, {}).sources
        return {
            one.parameter.partition('.')[2]: one.stream.offset_ms
            for one in sources
            if one.stream.is_camera
        }

    return cameras, read


def _measure_dataset(root: Path, episodes: Collection[int], as_json: bool) -> int:
    catalog = read_catalog(root)
    found = dataset_delays(catalog, episodes)
    row_ms = 1000 / catalog.info.fps
    if as_json:
        show_json({'cameras': _as_json(found, {}), 'row_ms': row_ms})
        return _status(found)
    _show(found, {})
    click.echo(
        'A delay is that of the pictures behind the state in the same rows, which are '
        f'{row_ms:.0f} ms apart. What the recording did is in it already: its offset_ms, and the '
        'age of samples that the policy hold shows. To correct it, subtract the delay from the '
        'offset_ms of the next recording.'
    )
    return _status(found)


def dataset_delays(catalog: Catalog, episodes: Collection[int]) -> dict[str, Found]:
    """
    Measure the delay of each camera behind the state, on the grid of the rows.

    :param catalog: the dataset, of which nothing is changed
    :param episodes: numbers of episodes; empty: all, or ``MAX_EPISODES`` of more
    :return: for each camera, by its short name, the delay; or why it is not known
    :raise ConfigError: if the dataset has no camera, no state or no such episode
    :raise DatasetError: if its rows cannot be read
    :raise VideoError: if a video cannot be decoded
    """
    info, keys = catalog.info, picture_keys(catalog.info)
    if STATE not in info.features or not keys:
        allowed = f'it needs {STATE} and a camera, and has {", ".join(info.features)}'
        raise ConfigError('--root', str(catalog.root), allowed)
    chosen = _chosen(catalog, episodes)
    values = EpisodeValues(catalog.root, info, [STATE])
    records: dict[str, list[MotionRecord]] = {key: [] for key in keys}
    with progress_bar('comparing', is_bytes=False) as progress:
        for done, row in enumerate(chosen):
            stamps_ns = np.arange(row.length, dtype=np.int64) * NS_PER_S // info.fps
            joints = [JointSeries(stamps_ns, values.of(row)[STATE].astype(np.float64))]
            for key in keys:
                motion = PictureMotion()
                for number, frame in enumerate(_pictures(catalog, row, key)):
                    motion.push(int(stamps_ns[number]), frame)
                records[key].append(MotionRecord(motion.stamps_ns, motion.changes(), joints))
            progress(done + 1, len(chosen))
    return {short_name(key): find_delay(stretches) for key, stretches in records.items()}


def _chosen(catalog: Catalog, wanted: Collection[int]) -> list[EpisodeRow]:
    number = len(catalog.episodes)
    wrong = [one for one in wanted if one >= number]
    if wrong or not number:
        allowed = (
            f'{catalog.root} has the episodes 0 to {number - 1}' if number else 'none is there'
        )
        raise ConfigError('--episodes', min(wrong, default=''), allowed)
    places = np.linspace(0, number - 1, min(number, MAX_EPISODES)).round().astype(int)
    return [catalog.episodes[at] for at in sorted(wanted) or places]


def _pictures(catalog: Catalog, row: EpisodeRow, key: str) -> Iterator[Any]:
    """Yield libav's frames for the rows of an episode, from its video or its data file."""
    place = row.videos.get(key)
    if place is None:
        yield from map(decode_picture, image_files(catalog.root, row, key, range(row.length)))
        return
    begin_s = Fraction(place.from_timestamp)
    end_s = begin_s + Fraction(row.length, catalog.info.fps)
    with closing(PyavDecoder(catalog.video_path(key, place.file))) as decoder:
        for _, frame in decoder.frames_between(begin_s, end_s):
            yield frame


def _show(found: Mapping[str, Found], columns: Mapping[str, Mapping[str, str]]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ('camera', 'delay', 'correlation', *columns):
        table.add_column(title, no_wrap=True)
    for name, one in found.items():
        if isinstance(one, UnclearDelayError):
            measured = ['not known', '']
        else:
            measured = [str(one), f'{one.correlation:.2f}']
        cells = [name, *measured, *(column.get(name, '') for column in columns.values())]
        # Names must not be read as rich's markup.
        table.add_row(*map(Text, cells))
    Console().print(table)
    for name, one in found.items():
        if isinstance(one, UnclearDelayError):
            click.echo(f'{name}: {one}')


def _as_json(found: Mapping[str, Found], more: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {
            **({'problem': str(one)} if isinstance(one, UnclearDelayError) else _numbers(one)),
            **more.get(name, {}),
        }
        for name, one in found.items()
    }


def _numbers(one: MotionDelay) -> dict[str, float]:
    return {
        'delay_ms': round(one.delay_s * 1e3, 1),
        'uncertainty_ms': round(one.uncertainty_s * 1e3, 1),
        'correlation': round(one.correlation, 3),
    }


def _status(found: Mapping[str, Found]) -> int:
    return int(any(isinstance(one, UnclearDelayError) for one in found.values()))
