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
Record in real time until killed: ``victim.py ROOT SEED FIRST_NUMBER VERB VCODEC ENCODE``.

The verb (``discard``, ``undo``, ``finalize`` or ``save``) is done more often than the others.

The picture and the state of message number n show n and have the same stamp, n / 30 s. The process
prints a line before and after each action, so that its killer knows which ones were answered.
"""

from __future__ import annotations

from pathlib import Path
import random
import sys
import time

from lerobot_streamrec.errors import StreamrecError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.recording.config import DiskConfig, RecorderConfig
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.video.codecs.config import EncoderConfig
import numpy as np

FPS = 30
FRONT, STATE = 'observation.images.front', 'observation.state'
BLOCK = 16
DOING = {'discard': 'discarding', 'undo': 'undoing', 'finalize': 'finalizing'}
WAIT_S = 120


def config(root, vcodec, encode='streaming'):
    """Return the settings, which are the same in every life."""
    return RecorderConfig(
        root=root,
        streams=(StreamConfig(FRONT, 'front'), StreamConfig(STATE, 'state', names=('number',))),
        fps=FPS,
        task='count',
        resume=True,
        encode=encode,
        encode_batch_size=2,
        encoder=EncoderConfig(vcodec=vcodec, encoder_threads=1),
        disk=DiskConfig(reserve_mib=1, min_start_s=0, warn_minutes=0),
    )


def picture(number):
    """Draw a number below 4096 in black and white blocks."""
    bits = np.array([(number >> bit) & 1 for bit in range(12)], np.uint8).reshape(3, 4)
    return np.kron(bits * 255, np.ones((BLOCK, BLOCK), np.uint8))


class Victim:
    """A recorder and its two topics, each with 30 messages a second."""

    def __init__(self, root, seed, number, favourite, vcodec, encode):
        self._favourite = favourite
        self._random = random.Random(seed)
        self._number = number
        self._recorder = Recorder(config(root, vcodec, encode))
        self._due_s = time.monotonic()

    def run(self):
        say('ready')
        self.let_pass(0.2)
        while True:
            say('starting')
            say('started', self._recorder.start())
            self.let_pass(self._random.uniform(0.3, 1.5))
            if self._is_due('discard'):
                self._finish('discard')
                continue
            self._save()
            for verb in ('undo', 'finalize'):
                if self._is_due(verb):
                    self._finish(verb)

    def _is_due(self, verb):
        return self._random.random() < (0.7 if verb == self._favourite else 0.15)

    def let_pass(self, seconds):
        """Push messages for some seconds, each at its time."""
        end_s = self._due_s + seconds
        while self._due_s < end_s:
            time.sleep(max(0.0, self._due_s - time.monotonic()))
            self._due_s += 1 / FPS
            stamp_ns = 1_800_000_000 * 10**9 + self._number * 10**9 // FPS
            self._recorder.push_image(FRONT, stamp_ns, Frame(picture(self._number), 'gray'))
            self._recorder.push_vector(STATE, stamp_ns, np.array([self._number], np.float64))
            self._recorder.close_rows()
            self._number += 1
            say('rows', self._recorder.status().num_rows)

    def _save(self):
        say('saving')
        save = self._recorder.save()
        if self._random.random() < 0.3:
            # The next episode starts while this one is being written.
            say('starting')
            say('started', self._recorder.start())
            self.let_pass(0.3)
            say('saved', save.result(WAIT_S).episode.num_rows)
            say('saving')
            save = self._recorder.save()
        say('saved', save.result(WAIT_S).episode.num_rows)

    def _finish(self, verb):
        say(DOING[verb])
        try:
            getattr(self._recorder, verb)().result(WAIT_S)
        except StreamrecError as error:
            say('refused', verb, error)
        else:
            say('done', verb)


def say(*words):
    print(*words, flush=True)


if __name__ == '__main__':
    Victim(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:]).run()
