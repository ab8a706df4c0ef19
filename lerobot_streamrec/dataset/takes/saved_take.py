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
"""Takes that are saved but not encoded yet, and the encoder chain for their waiting frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
import json
import logging
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.format.take_record import TakenCamera
from lerobot_streamrec.dataset.takes.counting import meter_of
from lerobot_streamrec.errors import DatasetCorruptError, EncoderError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.codecs.depth_config import stored_depth
from lerobot_streamrec.video.encode.decoders import decoded
from lerobot_streamrec.video.encode.fallback_encoder import open_with_fallback
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo
from lerobot_streamrec.video.encode.picture_encoder import PictureEncoder
from lerobot_streamrec.video.encode.unwritten_frames import EncoderAccount


class LateChain:
    """
    A chain that encodes decoded frames of an old file, and then images as the camera sent them.

    It remembers the frame before the first image, because that image may be damaged or a repeat.
    Owned by one thread.

    :param name: name of the video, for the log
    :param camera: camera that took the images
    :param target: path of the new file
    :param config: encoder settings
    :param fps: frames per second
    """

    def __init__(
        self, name: str, camera: TakenCamera, target: Path, config: EncoderConfig, fps: int
    ) -> None:
        stored = stored_depth(camera.encoder_info)
        depth, unit = (stored.config, stored.unit) if stored else (None, '')
        spec = VideoSpec(camera.width, camera.height, fps)
        meter, self.counted = meter_of(depth, unit, spec)
        self.file = open_with_fallback(target, config, spec, EncoderAccount())
        self._pictures = PictureEncoder(self.file, name, meter, begin=self._begin)
        self._before: Callable[[], None] | None = None

    def show(self, frame: Any) -> None:
        """Encode a decoded frame of the old file."""
        self.file.encode(frame)
        self._before = self.file.repeat

    def skip(self, *, frame: Any = None, picture: Picture | None = None) -> None:
        """Remember a frame or image that the next one may repeat, without encoding it."""
        if frame is not None:
            self._before = partial(self.file.encode, frame)
        elif picture is not None:
            self._before = partial(self._encode_decoded, picture)

    def _encode_decoded(self, picture: Picture) -> None:
        self._pictures.put(decoded(picture))

    def _begin(self, _: PictureEncoder) -> None:
        if self._before is None:
            raise EncoderError('there is no picture that the first frame could repeat')
        self._before()

    def push(self, picture: Any) -> None:
        """Encode an image; None repeats the one before it."""
        if picture is None:
            self._pictures.repeat()
        else:
            self._pictures.encode(picture)

    def finish(self) -> EncodedVideo:
        """Close the file and return a description of its video."""
        return self._pictures.finish()


_log = logging.getLogger(__name__)

SAVED = 'saved.json'
"""The name of the file that marks a take as saved: it will become an episode after any crash."""
SAVED_STAMPS = 'row_stamps.parquet'
"""The name of the file with the stamps of the rows, if they are kept."""


@dataclass(frozen=True, slots=True)
class SavedTake:
    """
    The description of a saved take.

    :param order: position among the saved takes, which become episodes in this order
    :param num_rows: number of rows, and of frames in every video
    :param record: the recorder's own record of the episode, as JSON
    """

    order: int
    num_rows: int
    record: Mapping[str, Any]

    @property
    def task(self) -> str:
        """The task of the episode."""
        return str(self.record['task'])

    @property
    def seconds(self) -> float:
        """The duration of the take."""
        return self.num_rows / float(self.record['fps'])

    def with_metadata(self, metadata: Mapping[str, str]) -> SavedTake:
        """Return a copy with more metadata; an empty text removes the entry."""
        said = {**self.record.get('metadata', {}), **metadata}
        said = {name: text for name, text in said.items() if text}
        return replace(self, record={**self.record, 'metadata': said})

    def as_bytes(self) -> bytes:
        """Return the content of saved.json."""
        return (json.dumps(asdict(self), indent=2, ensure_ascii=False) + '\n').encode()


def parse_saved_take(content: bytes, where: object) -> SavedTake:
    """
    Read saved.json.

    :param content: bytes of the file
    :param where: its path, for messages
    :raise DatasetCorruptError: if the content is incomplete
    """
    try:
        raw = json.loads(content)
        saved = SavedTake(int(raw['order']), int(raw['num_rows']), dict(raw['record']))
        str(saved.record['take_id'])
        if saved.num_rows < 1 or saved.seconds <= 0 or not saved.task:
            raise ValueError('it has no row, no rate or no task')
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise DatasetCorruptError(f'{where} cannot be read: {error!r}') from error
    return saved


def read_saved_take(folder: Path) -> SavedTake | None:
    """
    Read the description of a saved take; None if the take is not saved, or it is unreadable.

    :param folder: the take's folder
    """
    path = folder / SAVED
    try:
        return parse_saved_take(path.read_bytes(), path)
    except FileNotFoundError:
        return None
    except (OSError, DatasetCorruptError) as error:
        _log.warning('%s', error)
        return None
