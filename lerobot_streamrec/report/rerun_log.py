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
"""An episode as Rerun shows it: videos and series on one time line. The only importer of rerun."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.format.data_rows import image_files, image_keys, vector_keys
from lerobot_streamrec.dataset.rebuild.played_episode import open_episode, PlayedEpisode
from lerobot_streamrec.report.episode_facts import episode_facts
from lerobot_streamrec.report.summary import element_names, picture_keys
from lerobot_streamrec.video.codecs.depth_config import DepthConfig, is_depth, stored_depth
from lerobot_streamrec.video.mp4.concat import concatenate, Segment
from lerobot_streamrec.video.mp4.packet_index import survey_video
from lerobot_streamrec.video.tools.extract import depth_files, Episode
import numpy as np
import rerun as rr
from rerun import blueprint

APPLICATION = 'lerobot_streamrec'
TIME, FRAME = 'time', 'frame'
"""Names of the time lines: seconds since the first row, and number of the row."""

_MILLIMETRES_PER_METRE = 1000.0
_FLUSH_TIMEOUT_S = 60.0


def show_episode(root: Path, episode: int, target: Path | None) -> str:
    """
    Open an episode in Rerun's viewer, or save it for the viewer.

    :param root: the dataset's folder
    :param episode: number of the episode; negative numbers count from the end
    :param target: file to write, which ends in ``.rrd``; None to start the viewer
    :return: name of the recording
    :raise ConfigError: if there is no such episode
    :raise DatasetCorruptError: if the dataset cannot be read
    :raise VideoError: if a video cannot be read or copied
    :raise RuntimeError: if the viewer cannot be started
    """
    catalog = read_catalog(root)
    played = open_episode(root, episode)
    facts = episode_facts(root, catalog.info.fps, played.row)
    name = f'episode {facts.index}: {"; ".join(facts.row.tasks)}'
    recording = rr.RecordingStream(APPLICATION, recording_id=f'{root.resolve()} {facts.index}')
    if target is None:
        recording.spawn()
    else:
        recording.save(target)
    recording.send_recording_name(name)
    recording.send_blueprint(_layout(played))
    _log_values(recording, played, {key: element_names(catalog, key) for key in _keys(played)})
    for key in played.info.video_keys:
        if is_depth(played.info.features[key].info):
            _log_depth(recording, played, key)
        else:
            _log_video(recording, played, key)
    for key in image_keys(played.info):
        _log_files(recording, played, key)
    recording.flush(timeout_sec=_FLUSH_TIMEOUT_S)
    recording.disconnect()
    return name


def _keys(played: PlayedEpisode) -> list[str]:
    return list(vector_keys(played.info))


def _columns(played: PlayedEpisode) -> list[rr.TimeColumn]:
    rows = np.arange(played.row.length)
    return [
        rr.TimeColumn(TIME, duration=rows / played.info.fps),
        rr.TimeColumn(FRAME, sequence=rows),
    ]


def _log_values(
    recording: rr.RecordingStream, played: PlayedEpisode, names: dict[str, tuple[str, ...]]
) -> None:
    keys = list(names)
    for key, values in (played.values(keys) if keys else {}).items():
        recording.log(key, rr.SeriesLines(names=names[key]), static=True)
        scalars = rr.Scalars.columns(scalars=values.astype(np.float64))
        recording.send_columns(key, _columns(played), scalars)


def _log_video(recording: rr.RecordingStream, played: PlayedEpisode, key: str) -> None:
    """Log the episode's part of a video, whose packets are copied as they are."""
    fps, length = played.info.fps, played.row.length
    first = round(played.row.videos[key].from_timestamp * fps)
    segment = Segment(survey_video(played.video(key), fps), first, length)
    with TemporaryDirectory() as folder:
        path = Path(folder, 'episode.mp4')
        concatenate([segment], path)
        content = path.read_bytes()
    recording.log(key, rr.AssetVideo(contents=content, media_type='video/mp4'), static=True)
    # The copied frame k is shown at exactly k / fps.
    instants_ns = np.arange(length) * 1_000_000_000 // fps
    frames = rr.VideoFrameReference.columns_nanos(instants_ns)
    recording.send_columns(key, _columns(played), frames)


def _log_depth(recording: rr.RecordingStream, played: PlayedEpisode, key: str) -> None:
    """Log depth as PNG files, because no viewer decodes videos of 12 bits."""
    stored = stored_depth(played.info.features[key].info)
    begin_s = Fraction(played.row.videos[key].from_timestamp)
    episode = Episode(
        played.video(key),
        begin_s,
        begin_s + Fraction(played.row.length, played.info.fps),
        stored.config if stored else DepthConfig(),
    )
    for row, content in enumerate(depth_files(episode)):
        recording.set_time(TIME, duration=row / played.info.fps)
        recording.set_time(FRAME, sequence=row)
        image = rr.EncodedDepthImage(content, media_type='image/png', meter=_MILLIMETRES_PER_METRE)
        recording.log(key, image)
    recording.reset_time()


def _log_files(recording: rr.RecordingStream, played: PlayedEpisode, key: str) -> None:
    """Log the picture files of a camera without videos, as they are."""
    files = image_files(played.root, played.row, key, range(played.row.length))
    images = rr.EncodedImage.columns(blob=files)
    recording.send_columns(key, _columns(played), images)


def _layout(played: PlayedEpisode) -> blueprint.Blueprint:
    keys = picture_keys(played.info)
    cameras = [blueprint.Spatial2DView(origin=key, name=key) for key in keys]
    series = [blueprint.TimeSeriesView(origin=key, name=key) for key in _keys(played)]
    rows = [blueprint.Horizontal(*cameras)] if cameras else []
    return blueprint.Blueprint(
        blueprint.Vertical(*rows, *series), blueprint.TimePanel(timeline=TIME)
    )
