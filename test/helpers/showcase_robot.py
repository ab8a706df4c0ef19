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
"""A robot with cameras and joints whose state a test of the console's page sets."""

from __future__ import annotations

import io
import math
import threading
import time

from console_room import FakeRobot
from lerobot_streamrec.nodes.clients.news import Event, Heard, Preview, Status
from PIL import Image, ImageDraw

CAMERAS = ('front', 'wrist')
JOINTS = ('shoulder_pan', 'shoulder_lift', 'elbow', 'wrist', 'gripper')
_PERIOD_S = 0.1


def _stream(kind: str, topic: str, **values: object) -> dict[str, str]:
    counts = dict.fromkeys(
        (
            'received',
            'rejected',
            'late',
            'missing',
            'lost_in_transport',
            'repeated_frames',
            'stale_rows',
            'queued_frames',
        ),
        '0',
    )
    told = {'kind': kind, 'topic': topic, 'age_s': '0.02', 'max_skew_ms': '4.0', **values}
    return {**counts, **{key: str(value) for key, value in told.items()}}


class ShowcaseRobot(FakeRobot):
    """
    Repeats its status ten times a second, and sends moving pictures and numbers that are shown.

    ``close`` ends its thread.
    """

    def __init__(self) -> None:
        super().__init__()
        self.values = {
            'phase': 'ready',
            'task': 'Pick up the cube',
            'episode_index': '3',
            'rows': '0',
            'seconds': '0.0',
            'fps': '30',
            'saved_episodes': '3',
            'disk_minutes_left': '210',
            'disk_free_mib': '51234',
            'head_room': '',
            'root': '/data/pick_cube',
            'sync': '',
            'blocker_list': '',
            'problem_list': '',
        }
        self.streams = {
            f'observation.images.{name}': _stream(
                'camera', f'/{name}/image_raw', rate_hz=30.0, nominal_hz=30
            )
            for name in CAMERAS
        }
        self.streams['observation.state'] = _stream(
            'vector', '/joint_states', rate_hz=100.0, nominal_hz=100
        )
        self.level, self.is_silent = 0, False
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name='showcase')
        self._thread.start()

    def close(self) -> None:
        self._is_over.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def answer(self, verb: str, message: str, *, success: bool = True) -> None:
        """Let an event arrive, as the answer to a command."""
        self._say(events=(Event('08:13:20', 'console', verb, success, message, 3),))

    def _run(self) -> None:
        while not self._is_over.wait(_PERIOD_S):
            if self.is_silent:
                continue
            now_s = time.monotonic()
            status = Status(dict(self.values), self.level, self.values['phase'], now_s)
            streams = {
                key: Status(one, int(one.get('level', '0')), one.get('message', ''), now_s)
                for key, one in self.streams.items()
            }
            previews = {key: self._preview(key, now_s) for key in self.shown}
            self._say(Heard('/episode', status, streams, True), previews=previews)

    def _preview(self, key: str, now_s: float) -> Preview:
        if self.streams[key]['kind'] == 'vector':
            values = tuple(math.sin(now_s + joint) for joint in range(len(JOINTS)))
            return Preview(key, now_s, names=JOINTS, values=values)
        image = Image.new('RGB', (320, 240), (40, 90, 60))
        x = 130 + 100 * math.sin(now_s)
        ImageDraw.Draw(image).ellipse((x, 90, x + 60, 150), fill=(230, 120, 40))
        file = io.BytesIO()
        image.save(file, 'JPEG')
        return Preview(key, now_s, jpeg=file.getvalue())
