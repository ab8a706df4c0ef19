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
"""A take that is saved and not encoded yet, and the order in which these follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
import json
import logging
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.format.take_record import TakenCamera
from lerobot_streamrec.dataset.takes.counting import counting_of
from lerobot_streamrec.errors import DatasetCorruptError, EncoderError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.codecs.depth_config import stored_depth
from lerobot_streamrec.video.encode.decoders import decoded
from lerobot_streamrec.video.encode.decoding_encoder import DecodingEncoder
from lerobot_streamrec.video.encode.fallback_encoder import open_with_fallback
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo
from lerobot_streamrec.video.encode.unwritten_frames import EncoderAccount


class LateChain:
    """
    Makes a video of frames as an encoder takes them, and then of pictures as cameras send them.

    The first of these may be damaged or repeat what came before: that is remembered. Owned by one
    thread.

    :param name: name of the video, for the log
    :param camera: the camera that took the frames
    :param target: file to make
    :param config: encoder settings
    :param fps: frames per second
    """

    def __init__(
        self, name: str, camera: TakenCamera, target: Path, config: EncoderConfig, fps: int
    ) -> None:
        stored = stored_depth(camera.encoder_info)
        depth, unit = (stored.config, stored.unit) if stored else (None, '')
        sizes = {'height': camera.height, 'width': camera.width}
        counting = counting_of(depth, unit, **sizes)
        self.file = open_with_fallback(target, config, EncoderAccount(), fps=fps, **sizes)
        self.counted = counting.counted
        self._counting = counting.before(self.file)
        self._decoding = DecodingEncoder(self._counting, name, begin=self._begin)
        self._before: Callable[[], None] | None = None

    def show(self, frame: Any) -> None:
        """Encode a frame of the file."""
        self.file.encode(frame)
        self._before = self.file.repeat

    def skip(self, *, frame: Any = None, picture: Picture | None = None) -> None:
        """Remember the picture before the next one, without encoding it."""
        if frame is not None:
            self._before = partial(self.file.encode, frame)
        elif picture is not None:
            self._before = partial(self._encode_decoded, picture)

    def _encode_decoded(self, picture: Picture) -> None:
        self._counting.encode(decoded(picture))

    def _begin(self) -> None:
        if self._before is None:
            raise EncoderError('there is no picture that the first frame could repeat')
        self._before()

    def push(self, picture: Any) -> None:
        """Encode a picture; None: the one before it once more."""
        if picture is None:
            self._decoding.repeat()
        else:
            self._decoding.encode(picture)

    def finish(self) -> EncodedVideo:
        """Close the file and say what is in it."""
        return self._decoding.finish()


_log = logging.getLogger(__name__)

SAVED = 'saved.json'
"""Name of the file. Once it is there, the take is an episode to come, whatever happens."""
SAVED_STAMPS = 'row_stamps.parquet'
"""Name of the file with the instants of the rows, if they are kept."""


@dataclass(frozen=True, slots=True)
class SavedTake:
    """
    What is known of a take when it is saved.

    :param order: takes become episodes in this order
    :param num_rows: rows, and frames of every video
    :param record: the recorder's own record of the episode, as JSON
    """

    order: int
    num_rows: int
    record: Mapping[str, Any]

    @property
    def task(self) -> str:
        """What the robot was to do."""
        return str(self.record['task'])

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.num_rows / float(self.record['fps'])

    def with_metadata(self, metadata: Mapping[str, str]) -> SavedTake:
        """Return the same with more that is said of it; an empty text takes back what was said."""
        said = {**self.record.get('metadata', {}), **metadata}
        said = {name: text for name, text in said.items() if text}
        return replace(self, record={**self.record, 'metadata': said})

    def as_bytes(self) -> bytes:
        """Return the file's content."""
        return (json.dumps(asdict(self), indent=2, ensure_ascii=False) + '\n').encode()


def parse_saved_take(content: bytes, where: object) -> SavedTake:
    """
    Read saved.json.

    :param content: bytes of the file
    :param where: its path, for messages
    :raise DatasetCorruptError: if it is not whole
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
    Read what is known of a take since it was saved; None if it is not saved, or nobody can tell.

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
