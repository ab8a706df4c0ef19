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
"""The thread that encodes a camera's pictures to packets, and has them published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import logging
import queue
import threading
from typing import Any

from lerobot_streamrec.conversions.cdr import compressed_video, ffmpeg_packet
from lerobot_streamrec.errors import EncoderError, UndecodableError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.settings.transports import FOXGLOVE
from lerobot_streamrec.video.codecs.config import AUTO, EncoderConfig, VideoSpec
from lerobot_streamrec.video.codecs.scheduling import give_way
from lerobot_streamrec.video.encode.decoders import Decoders, is_coded
from lerobot_streamrec.video.encode.live_encoder import LiveEncoder, LivePacket
from lerobot_streamrec.video.trials.auto_select import CameraNeed, check_at_size, choose_encoders
from lerobot_streamrec.video.trials.cost import CostMeter, costs_path
from lerobot_streamrec.video.trials.trial import TrialCancelledError

THREAD_NAME = 'packets'

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class PacketCounts:
    """
    What the thread has done. Only the thread and ``push`` write it, and any thread may read it.

    :param encoder: encoder and its cost, in words; empty while it is being chosen
    :param num_packets: number of published packets
    :param num_bytes: size of these packets
    :param num_dropped: number of pictures that came while as many waited as may wait
    :param num_early: number of pictures that came before the encoder was chosen
    :param num_undecodable: number of damaged pictures
    :param trouble: why the newest picture could not be encoded; empty if it could
    """

    encoder: str = ''
    num_packets: int = 0
    num_bytes: int = 0
    num_dropped: int = 0
    num_early: int = 0
    num_undecodable: int = 0
    trouble: str = ''


class PacketThread:
    """
    Encodes pictures in a thread of its own; ``push``, ``start`` and ``close`` never wait for it.

    They belong to one other thread. The first picture decides about the size at which ``auto``
    chooses. Later sizes get a new encoder with the same settings.

    :param config: settings of the encoder, with or without ``auto``
    :param output: type of the messages: ``FOXGLOVE`` or ``FFMPEG``
    :param publish: function that publishes the bytes of a message; called in this thread
    :param fps: pictures per second
    :param head_room: usable cores for each busy core, which ``auto`` leaves
    :param max_pictures: number of pictures that may wait
    """

    def __init__(
        self,
        config: EncoderConfig,
        output: str,
        publish: Callable[[bytes], object],
        *,
        fps: int,
        head_room: float,
        max_pictures: int,
    ) -> None:
        self._config = config
        self._output = output
        self._publish = publish
        self._fps = fps
        self._head_room = head_room
        self._queue: queue.Queue[tuple[int, str, Picture]] = queue.Queue(max_pictures)
        self._is_over = threading.Event()
        self._encoder: LiveEncoder | None = None
        self._frame_id = ''
        self._decoders = Decoders()
        self.counts = PacketCounts()
        """What the thread has done so far."""
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """True while the thread runs; a failure ends it, and ``close`` raises it."""
        return self._thread.is_alive()

    def push(self, stamp_ns: int, frame_id: str, picture: Picture) -> None:
        """Hand over a picture; it is dropped and counted if too many wait already."""
        try:
            self._queue.put_nowait((stamp_ns, frame_id, picture))
        except queue.Full:
            if self.counts.encoder:
                self.counts.num_dropped += 1
            else:
                self.counts.num_early += 1

    def close(self, timeout_s: float) -> None:
        """
        End the thread after the pictures that wait.

        :raise StreamrecError: if the encoder has failed, or does not end in time
        """
        self._is_over.set()
        self._thread.join(timeout_s)
        if self._error is not None:
            raise self._error
        if self._thread.is_alive():
            raise EncoderError(
                f'the encoder did not end within {timeout_s:g} s; '
                f'{self._queue.qsize()} pictures were not sent'
            )

    # --- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        give_way()
        try:
            while True:
                try:
                    stamp_ns, self._frame_id, picture = self._queue.get(timeout=0.1)
                except queue.Empty:
                    if self._is_over.is_set():
                        break
                    continue
                self._encode(stamp_ns, picture)
            self._finish()
        except TrialCancelledError:
            pass
        # The owner raises it in its own thread.
        except BaseException as error:  # noqa: BLE001
            self._error = error

    def _encode(self, stamp_ns: int, picture: Picture) -> None:
        try:
            frame: Any = self._decoders.decode(picture) if is_coded(picture) else picture
        except UndecodableError as error:
            self.counts.num_undecodable += 1
            self._note_trouble(str(error))
            return
        size = picture.width, picture.height
        if self._encoder is None or self._encoder.size != size:
            self._finish()
            self._encoder = self._opened(VideoSpec(*size, self._fps))
        self._send(self._encoder.encode(frame, stamp_ns))
        self.counts.trouble = ''

    def _note_trouble(self, text: str) -> None:
        if not self.counts.trouble:
            _log.warning('a picture is not sent: %s', text)
        self.counts.trouble = text

    def _opened(self, spec: VideoSpec) -> LiveEncoder:
        if self._config.vcodec == AUTO:
            need = CameraNeed(self._config, spec)
            with CostMeter(self._is_over, kept=costs_path()) as meter:
                choice = choose_encoders(
                    {'camera': need}, meter, wanted_head_room=self._head_room, stop=self._is_over
                )
            self._config = choice.level.encoders['camera']
            _log.info('%s', choice)
        elif not self.counts.encoder:
            check_at_size(self._config, spec)
        encoder = LiveEncoder(self._config, spec)
        self.counts.encoder = self._config.vcodec
        _log.info('%s encodes %dx%d pictures', self._config.vcodec, spec.width, spec.height)
        return encoder

    def _finish(self) -> None:
        if self._encoder is not None:
            self._send(self._encoder.finish())
            self._encoder = None

    def _send(self, packets: list[LivePacket]) -> None:
        assert self._encoder is not None
        codec, size = self._encoder.codec, self._encoder.size
        for one in packets:
            if self._output == FOXGLOVE:
                message = compressed_video(one.stamp_ns, self._frame_id, codec, one.data)
            else:
                message = ffmpeg_packet(
                    one.stamp_ns, self._frame_id, codec, one.data, size, is_key=one.is_key
                )
            self._publish(message)
            self.counts.num_packets += 1
            self.counts.num_bytes += len(one.data)
