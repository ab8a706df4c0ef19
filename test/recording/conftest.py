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
A recorder without ROS: hand-made messages, a clock that only the tests move, numbered pictures.

``Rig.check`` has the naive model of the rows: each row shows the newest of all sent messages that
is not after the row's instant.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
import json
import threading
import time

from lerobot_streamrec.errors import StreamsNotReadyError
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
from numbered_pictures import number_in, numbered_frame
import numpy as np
import pytest
from waiting import wait_for

FPS = 10
SECOND_NS = 10**9
BEGIN_NS = 1_800_000_000 * SECOND_NS
FRONT, TOP, STATE = 'observation.images.front', 'observation.images.top', 'observation.state'
WAIT_S = 120
MS_NS = 10**6
QUICK = EncoderConfig(vcodec='h264', preset='ultrafast', encoder_threads=1)
STREAMS = (
    StreamConfig(FRONT, '/front/image_raw'),
    StreamConfig(TOP, '/top/image_raw'),
    StreamConfig(STATE, '/joint_states', names=('number', 'twice')),
)
# The period and the phase of each stream, in nanoseconds.
TRAINS = {
    FRONT: (SECOND_NS // 10, 11_000_000),
    TOP: (SECOND_NS // 10, 38_000_000),
    STATE: (SECOND_NS // 50, 3_000_000),
}


@pytest.fixture(autouse=True)
def _threads_end(no_thread_left):
    """Check that no recorder leaves a thread behind."""


class Rig:
    """A recorder, its topics, and an account of the sent messages."""

    def __init__(self, config):
        self.now_ns = BEGIN_NS
        self.steady_ns = 5_000
        # Cameras of one device have the same stamps as the front one.
        self.trains = {one.key: TRAINS.get(one.key, TRAINS[FRONT]) for one in config.streams}
        self.cameras = {stream.key for stream in config.cameras}
        self.sent = {stream.key: [] for stream in config.streams}
        # The functions that draw the pictures of cameras, where numbered_frame does not.
        self.draw = {}
        self.config = config
        self.recorder = Recorder(config, lambda: self.steady_ns)

    def push(self, key, stamp_ns, **changes):
        """Send one message, whose content is its number."""
        number = len(self.sent[key])
        if key not in self.cameras:
            self.recorder.push_vector(key, stamp_ns, np.array([number, 2.0 * number]))
        else:
            picture = self.draw.get(key, numbered_frame)(number, **changes)
            self.recorder.push_image(key, stamp_ns, picture)
        self.recorder.close_rows()
        self.sent[key].append((stamp_ns, number))

    def stamps(self, key, until_ns):
        period_ns, phase_ns = self.trains[key]
        first = -(-(self.now_ns - BEGIN_NS - phase_ns) // period_ns)
        stamp_ns = BEGIN_NS + phase_ns + first * period_ns
        while stamp_ns < until_ns:
            yield stamp_ns
            stamp_ns += period_ns

    def events(self, seconds, without=()):
        """Return the messages of the next seconds, by stamp."""
        until_ns = self.now_ns + round(seconds * SECOND_NS)
        keys = [key for key in self.trains if key not in without]
        found = sorted((stamp, key) for key in keys for stamp in self.stamps(key, until_ns))
        self.now_ns = until_ns
        return found

    def run(self, seconds, without=()):
        """Let time pass: every stream sends its messages without delay and jitter."""
        until_ns = self.now_ns + round(seconds * SECOND_NS)
        for stamp_ns, key in self.events(seconds, without):
            # Stamps may go back, but this clock never does.
            self.steady_ns = max(self.steady_ns, stamp_ns - BEGIN_NS)
            self.push(key, stamp_ns)
        self.steady_ns = max(self.steady_ns, until_ns - BEGIN_NS)

    def start(self, task=''):
        """Start an episode once its encoders have been tried at the size of the pictures."""
        started = []

        def start_now():
            try:
                started.append(self.recorder.start(task))
            except StreamsNotReadyError as error:
                if 'is still being tried' not in str(error):
                    raise
            return started

        wait_for(start_now)
        return started[0]

    def try_encoders(self):
        """Let the recorder try the encoders, so that the next start need not wait for that."""
        self.start('try')
        self.recorder.discard().result(WAIT_S)
        self.recorder.set_task(self.config.task)

    def record(self, seconds=1):
        """Record and save an episode."""
        self.recorder.start()
        self.run(seconds)
        return self.save()

    def save(self):
        return self.recorder.save().result(WAIT_S)

    def stream(self, key):
        """Return the status of one stream."""
        return next(one for one in self.recorder.status().streams if one.key == key)

    def record_of(self, episode_index):
        path = f'.streamrec/episodes/episode-{episode_index:06d}.json'
        return json.loads((self.config.root / path).read_text())

    def instants(self, dataset, episode_index):
        """Return the instants of an episode's rows."""
        return self.instants_of(episode_index, dataset.episodes.loc[episode_index, 'length'])

    def instants_of(self, episode_index, length):
        """Return the instants of an episode's first rows, without pauses."""
        record = self.record_of(episode_index)
        begins = {0: record['start_stamp_ns']}
        begins |= {cut['row']: cut['to_ns'] for cut in record.get('cuts', ())}
        instants = []
        for row in range(length):
            if row in begins:
                first_row, first_ns = row, begins[row]
            instants.append(first_ns + (row - first_row) * SECOND_NS // self.config.fps)
        return instants

    def shown(self, dataset, episode_index, key):
        """Return the numbers that an episode's rows show."""
        if key == STATE:
            rows = dataset.vectors(key, episode_index)
            assert (rows[:, 1] == 2 * rows[:, 0]).all()
            return rows[:, 0].astype(int).tolist()
        return [number_in(pixels) for pixels in dataset.pictures(key, episode_index)]

    def check(self, dataset, episode_index):
        """Compare every row with the naive model."""
        instants = self.instants(dataset, episode_index)
        for key, sent in self.sent.items():
            expected = [max(one for one in sent if one[0] <= at)[1] for at in instants]
            assert self.shown(dataset, episode_index, key) == expected, key


@pytest.fixture
def root(tmp_path):
    return tmp_path / 'dataset'


@pytest.fixture
def make_rig(root):
    """Return a function that starts a recorder of two cameras and a state; close it afterwards."""
    made = []

    def make(streams=STREAMS, **changes):
        settings = {
            'root': root,
            'streams': streams,
            'fps': FPS,
            'task': 'pick the cube',
            'encoder': QUICK,
            'save_timeout_s': WAIT_S,
            **changes,
        }
        made.append(Rig(RecorderConfig(**settings)))
        return made[-1]

    yield make
    for rig in made:
        rig.recorder.close(WAIT_S)


@pytest.fixture
def rig(make_rig):
    """Return a recorder whose streams have been running for a second."""
    rig = make_rig()
    rig.run(1)
    return rig


@pytest.fixture
def with_stream():
    """Return a function that changes the settings of one of the three streams."""

    def change(key, **changes):
        return tuple(replace(one, **changes) if one.key == key else one for one in STREAMS)

    return change


class Play:
    """Sends series of messages to a recorder; stamps are milliseconds after a common start."""

    def __init__(self, config):
        self.config = config
        self.steady_ns = 0
        self.recorder = Recorder(config, lambda: self.steady_ns)
        self.is_camera = {stream.key: stream.is_camera for stream in config.streams}

    def send(self, key, *stamps):
        """Send messages; the content of each is its stamp, or the given content."""
        for one in stamps:
            stamp, content = one if isinstance(one, tuple) else (one, one)
            self.steady_ns = max(self.steady_ns, stamp * MS_NS)
            stamp_ns = BEGIN_NS + stamp * MS_NS
            if self.is_camera[key]:
                self.recorder.push_image(key, stamp_ns, numbered_frame(content))
            else:
                values = np.array(content, dtype=np.float64, ndmin=1)
                self.recorder.push_vector(key, stamp_ns, values)
            self.recorder.close_rows()

    def save(self):
        return self.recorder.save().result(WAIT_S)


@pytest.fixture
def make_play(root):
    played = []

    def make(*streams, **changes):
        settings = {'fps': FPS, 'task': 't', 'encoder': QUICK, **changes}
        config = RecorderConfig(root=root, streams=streams, **settings)
        played.append(Play(config))
        return played[-1]

    yield make
    for play in played:
        play.recorder.close(WAIT_S)


@pytest.fixture
def shown(root, read_dataset):
    """Return a function that reads the values in the rows of the first episode."""

    def read(key):
        dataset = read_dataset(root, is_kept=False)
        if dataset.info['features'][key]['dtype'] == 'video':
            return [number_in(pixels) for pixels in dataset.pictures(key, 0)]
        values = dataset.vectors(key, 0)
        return values[:, 0].tolist() if values.shape[1] == 1 else values.tolist()

    return read


@pytest.fixture
def no_spool(monkeypatch):
    """Let the disk refuse waiting pictures, and nothing else."""

    def refuse(*_):
        raise OSError('no room for pictures that wait')

    monkeypatch.setattr('os.pwrite', refuse)


class EncoderControl:
    """Blocks real encoders, or lets them fail, by video key."""

    def __init__(self):
        self.gates = defaultdict(list)
        self.is_shut = set()
        self.errors = {}
        self.num_encoded = Counter()
        self.delay_s = 0.0
        self._num_allowed = None
        self._changed = threading.Condition()

    def count(self, key):
        with self._changed:
            self.num_encoded[key] += 1
            self._changed.notify_all()

    def wait_for(self, key, num_frames):
        """Wait until ``num_frames`` pictures of a camera were encoded since the beginning."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.num_encoded[key] >= num_frames, WAIT_S)

    def ration(self):
        """Limit each encoder to the number of pictures that ``allow`` sets."""
        self.is_shut.clear()
        self._num_allowed = 0

    def allow(self, num_frames):
        with self._changed:
            self._num_allowed = num_frames
            self._changed.notify_all()

    def allow_until(self, condition):
        """Let encoders do one frame after the other until a condition holds."""

        def allow_one_more():
            self.allow(self._num_allowed + 1)
            return condition()

        wait_for(allow_one_more)

    def await_ration(self, num_frames):
        """Wait until an encoder may encode ``num_frames`` pictures."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: self._num_allowed is None or num_frames <= self._num_allowed, WAIT_S
            )

    def open(self):
        """Open all gates, and let later encoders run freely."""
        self.is_shut.clear()
        self.allow(None)
        for gates in self.gates.values():
            for gate in gates:
                gate.set()


@pytest.fixture
def encoders(monkeypatch, make_rig):
    """Control the encoders, and open all gates before the recorders are closed."""
    control = EncoderControl()

    class ControlledEncoder(Mp4Encoder):
        def __init__(self, path, *arguments, **settings):
            super().__init__(path, *arguments, **settings)
            self._key = path.stem
            self._gate = threading.Event()
            control.gates[self._key].append(self._gate)
            if self._key not in control.is_shut:
                self._gate.set()

        def encode(self, frame):
            if self._key.startswith(('whole-', 'rest-')):
                # A separate encoder encodes pictures after the episode; it is not controlled.
                super().encode(frame)
                return
            assert self._gate.wait(WAIT_S), 'the test never opened the gate'
            control.await_ration(self.num_frames + 1)
            if self._key in control.errors:
                raise control.errors[self._key]
            # Take the time of a slow codec.
            time.sleep(control.delay_s)
            super().encode(frame)
            control.count(self._key)

    monkeypatch.setattr(
        'lerobot_streamrec.video.encode.fallback_encoder.open_file_encoder', ControlledEncoder
    )
    yield control
    control.open()
