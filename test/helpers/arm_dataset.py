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
"""A small dataset of an arm, written without a recorder, into which a test plants faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
import json
import shutil

from examples.demo.motion import JOINT_NAMES, Motion
from lerobot_streamrec.dataset.format.features import camera_feature, vector_feature
from lerobot_streamrec.dataset.format.state import EpisodeDraft, VideoDraft
from lerobot_streamrec.dataset.takes.open_dataset import open_dataset
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.stats.histograms import ImageHistogram
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
from lerobot_streamrec.video.mp4.frame_decoder import decode_rgb
from lerobot_streamrec.video.tools.extract import png_of_pixels
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FRONT, WRIST = 'observation.images.front', 'observation.images.wrist'
STATE, ACTION = 'observation.state', 'action'
H264 = EncoderConfig(vcodec='h264', preset='ultrafast', encoder_threads=1, g=5)
TASK = 'Follow the leader arm'
FPS = 10


@dataclass
class Plan:
    """
    One episode, and the faults in it.

    :param seconds: its length
    :param task: its task
    :param begin_s: instant of the motion at which it begins; each episode has its own by default
    :param motion: changes ``(state, action)``, each ``(rows, 6)``, in place
    :param picture: changes a picture, ``(height, width, 3)`` uint8; gets camera, row and picture
    :param record: more entries of the recorder's record
    """

    seconds: float = 6.0
    task: str = TASK
    begin_s: float | None = None
    motion: Callable = lambda state, action: None
    picture: Callable = lambda camera, row, picture: picture
    record: dict = field(default_factory=dict)


def draw(camera, row, joints, height=72, width=96):
    """Draw a table with an arm's tip on it."""
    picture = np.full((height, width, 3), 150 if camera == FRONT else 110, np.uint8)
    picture[::12] = 90
    left = int((width - 20) * (0.5 + 0.4 * np.sin(joints[0])))
    top = int((height - 20) * (0.5 + 0.4 * np.sin(joints[2])))
    picture[top : top + 20, left : left + 20] = (230, 120, 40)
    return picture


def write_dataset(root, plans, *, fps=FPS, draw=draw, names=JOINT_NAMES, robot_type='so101'):
    """
    Write a dataset with one episode per plan.

    :param draw: draws a picture from camera, row and joints
    :return: the root
    """
    cameras = (FRONT, WRIST)
    features = {
        **{key: camera_feature() for key in cameras},
        STATE: vector_feature(tuple(names)),
        ACTION: vector_feature(tuple(names)),
    }
    writer, _ = open_dataset(root, fps=fps, robot_type=robot_type, features=features, resume=False)
    try:
        for number, plan in enumerate(plans):
            _write_episode(writer, root, number, plan, fps, draw)
    finally:
        writer.close()
    return root


def _write_episode(writer, root, number, plan, fps, draw):
    num_rows = round(plan.seconds * fps)
    # Apart in time by no common period of the joints, so that no two episodes are alike.
    begin_s = 7.3 * number if plan.begin_s is None else plan.begin_s
    arm, times_s = Motion(), begin_s + np.arange(num_rows) / fps
    state = np.array([arm.follower(at) for at in times_s], np.float32)
    action = np.array([arm.leader(at) for at in times_s], np.float32)
    joints = state.copy()
    plan.motion(state, action)
    folder = root / '.streamrec/staging' / f'take-{number}'
    folder.mkdir(parents=True)
    videos = {}
    for key in (FRONT, WRIST):
        pictures = [plan.picture(key, row, draw(key, row, joints[row])) for row in range(num_rows)]
        videos[key] = _encode(folder / f'{key}.mp4', pictures, fps)
    draft = EpisodeDraft(
        num_rows, plan.task, {STATE: state, ACTION: action}, videos, record=plan.record
    )
    writer.commit(draft)
    writer.remove(folder)


def _encode(path, pictures, fps):
    height, width = pictures[0].shape[:2]
    encoder, histogram = Mp4Encoder(path, H264, VideoSpec(width, height, fps)), ImageHistogram()
    for pixels in pictures:
        encoder.encode(Frame(pixels, 'rgb24'))
        histogram.push(pixels)
    encoder.finish()
    return VideoDraft(path, len(pictures), height, width, H264.as_info(), histogram.statistics())


def keep_pictures_in_rows(root, key=FRONT):
    """Turn a camera's videos into picture files in the rows, as LeRobot writes them on request."""
    info = json.loads((root / 'meta/info.json').read_text(encoding='utf-8'))
    spec = info['features'][key]
    info['features'][key] = {'dtype': 'image', 'shape': spec['shape'], 'names': spec['names']}
    for data in sorted(root.glob('data/*/*.parquet')):
        video = root / 'videos' / key / data.parent.name / f'{data.stem}.mp4'
        files = [png_of_pixels(one, 'rgb24') for one in decode_rgb(video)]
        cells = pa.array([{'bytes': one, 'path': None} for one in files])
        pq.write_table(pq.read_table(data).append_column(key, cells), data)
    shutil.rmtree(root / 'videos' / key)
    shutil.rmtree(root / '.streamrec')
    (root / 'meta/info.json').write_text(json.dumps(info), encoding='utf-8')
    return root
