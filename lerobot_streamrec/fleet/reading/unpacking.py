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
"""Decompression of chunks, messages and files, whole ones and those that end too early."""

from __future__ import annotations

from pathlib import Path
import sys

from lz4.frame import LZ4FrameDecompressor

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ZSTD_MAGIC = b'\x28\xb5\x2f\xfd'
"""The first bytes of data in zstd (RFC 8878). Neither CDR, MCAP nor SQLite begins with them."""

_BLOCK_BYTES = 1 << 20


class UnpackError(Exception):
    """Data cannot be decompressed. The text says why."""


def unpack(compression: str, data: bytes | memoryview) -> bytes:
    """
    Decompress data; if it ends too early, as much of it as there is.

    :param compression: as in MCAP: ``zstd``, ``lz4``, or empty
    :raise UnpackError: if the data is damaged, or compressed in another way
    """
    try:
        match compression:
            case '':
                return bytes(data)
            case 'zstd':
                return zstd.ZstdDecompressor().decompress(data)
            case 'lz4':
                unpacked: bytes = LZ4FrameDecompressor().decompress(data)
                return unpacked
    except (zstd.ZstdError, RuntimeError, EOFError) as error:
        raise UnpackError(f'its {compression} data is damaged ({error})') from error
    raise UnpackError(f'its compression is {compression!r}, but zstd and lz4 are read')


def unpack_message(data: bytes) -> bytes:
    """
    Return a message that may be compressed by itself, as rosbag2 can store it.

    :raise UnpackError: if it is damaged
    """
    if not data.startswith(ZSTD_MAGIC):
        return data
    decompressor = zstd.ZstdDecompressor()
    try:
        unpacked = decompressor.decompress(data)
    except zstd.ZstdError as error:
        raise UnpackError(f'its zstd data is damaged ({error})') from error
    if not decompressor.eof:
        raise UnpackError('its zstd data ends too early')
    return unpacked


def unpack_file(source: Path, target: Path) -> str | None:
    """
    Decompress a file in zstd.

    :return: why it ends too early; None if it is whole
    :raise OSError: if a file cannot be read or written
    """
    with source.open('rb') as packed, target.open('wb') as unpacked:
        decompressor = zstd.ZstdDecompressor()
        try:
            while block := packed.read(_BLOCK_BYTES):
                while block:
                    if decompressor.eof:
                        decompressor = zstd.ZstdDecompressor()
                    unpacked.write(decompressor.decompress(block))
                    block = decompressor.unused_data if decompressor.eof else b''
        except zstd.ZstdError as error:
            return f'its zstd data is damaged ({error})'
        return None if decompressor.eof else 'its zstd data ends too early'
