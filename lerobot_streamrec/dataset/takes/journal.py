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
"""The journal rows.arrows, to which the rows of a running take are written as they are closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
import os
from pathlib import Path

from lerobot_streamrec.dataset.format.files import ASIDE
from lerobot_streamrec.dataset.format.take_record import (
    DISCARDED,
    RECORD,
    ROWS,
    SPOOL_SUFFIX,
    TakeRecord,
    video_name,
)
from lerobot_streamrec.durable import replace_durably, sync_file, sync_folder
from lerobot_streamrec.errors import DatasetError
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Row = Mapping[str, npt.NDArray[np.generic]]

# This column counts the rows even if a take has no vectors.
_NUMBER = 'row'


class Journal:
    """
    A file of rows that loses no complete batch if the process is killed; owned by one thread.

    It is an Arrow IPC stream: every batch can be read by itself, and a reader stops at the first
    incomplete one.

    :param folder: the take's folder in staging, created if it does not exist
    :param record: description of the take
    :raise DatasetError: if the file cannot be written
    """

    def __init__(self, folder: Path, record: TakeRecord) -> None:
        self._folder = folder
        self._record = record
        self._num_rows = 0
        self._schema = _schema(record)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Without a buffer in Python, written data survives the process.
            self._file = (folder / ROWS).open('wb', buffering=0)
        except OSError as error:
            raise _explained(folder, error) from error
        try:
            self._write(self._schema.serialize())
            (folder / RECORD).write_bytes(record.as_bytes())
        except OSError as error:
            self.close()
            raise _explained(folder, error) from error

    def describe(self, record: TakeRecord) -> None:
        """
        Replace the description of the take; its features stay the same.

        :raise DatasetError: if the disk refuses; the old description is kept then
        """
        aside = self._folder / f'{RECORD}{ASIDE}'
        try:
            aside.write_bytes(record.as_bytes())
            replace_durably(aside, self._folder / RECORD)
        except OSError as error:
            raise _explained(self._folder, error) from error

    def append(self, rows: Sequence[Row]) -> None:
        """
        Append rows as one batch.

        :param rows: rows, each with all vectors as arrays ``(d,)``
        :raise DatasetError: if the rows cannot be written; then none of them is in the file, and
            the next call may succeed
        """
        numbers = np.arange(self._num_rows, self._num_rows + len(rows))
        columns: list[pa.Array] = [pa.array(numbers)]
        for key, vector in self._record.vectors.items():
            values = np.concatenate([row[key] for row in rows]).astype(vector.dtype)
            columns.append(
                pa.FixedSizeListArray.from_arrays(
                    pa.array(values), type=self._schema.field(key).type
                )
            )
        try:
            self._write(pa.record_batch(columns, schema=self._schema).serialize())
        except OSError as error:
            raise _explained(self._folder, error) from error
        self._num_rows += len(rows)

    def sync(self) -> None:
        """
        Sync rows, videos and spools to the disk, so that they survive a power loss as well.

        :raise DatasetError: if the disk refuses
        """
        try:
            os.fsync(self._file.fileno())
            for key in self._record.cameras:
                video = self._folder / video_name(key)
                for path in (video, video.with_suffix(SPOOL_SUFFIX)):
                    # The file appears with the first packet, and a commit moves it away.
                    if path.is_file():
                        sync_file(path)
            sync_folder(self._folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _explained(self._folder, error) from error

    def _write(self, message: pa.Buffer) -> None:
        """Write a whole message; if that fails, remove the part that was written."""
        begin, rest = self._file.tell(), memoryview(message)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            with suppress(OSError):
                self._file.seek(begin)
                self._file.truncate()
            raise

    def discard(self) -> None:
        """
        Mark the take as discarded for good, in case its deletion is interrupted.

        :raise DatasetError: if the disk refuses
        """
        try:
            (self._folder / RECORD).replace(self._folder / DISCARDED)
            sync_folder(self._folder)
        except OSError as error:
            raise _explained(self._folder, error) from error

    def close(self) -> None:
        """Close the file without raising; further calls do nothing."""
        with suppress(OSError):
            self._file.close()


def read_journal(
    folder: Path, record: TakeRecord
) -> tuple[int, dict[str, npt.NDArray[np.generic]]]:
    """
    Read the rows of a take, up to the first incomplete batch.

    :param folder: the take's folder
    :param record: description of the take
    :return: number of rows, and an array ``(rows, d)`` of the vector's dtype per key
    """
    batches = []
    try:
        with pa.ipc.open_stream((folder / ROWS).read_bytes()) as stream:
            if stream.schema == _schema(record):
                for batch in stream:
                    batches.append(batch)  # noqa: PERF402 (the ones before a broken one count)
    except (OSError, pa.ArrowException):
        # The file is cut short, but the batches read so far are complete.
        pass
    table = pa.Table.from_batches(batches, _schema(record))
    vectors = {}
    for key, vector in record.vectors.items():
        flat = table[key].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        vectors[key] = np.asarray(flat, dtype=vector.dtype).reshape(-1, vector.width)
    return table.num_rows, vectors


def _schema(record: TakeRecord) -> pa.Schema:
    vectors = [
        pa.field(key, pa.list_(pa.from_numpy_dtype(vector.dtype), vector.width))
        for key, vector in record.vectors.items()
    ]
    return pa.schema([pa.field(_NUMBER, pa.int64()), *vectors])


def _explained(folder: Path, error: OSError) -> DatasetError:
    return DatasetError(f'cannot write the journal in {folder}: {error.strerror or error}')
