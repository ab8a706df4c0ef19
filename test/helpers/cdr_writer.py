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
"""An encoder of messages in both byte orders; test_message_bytes.py holds it against rclpy."""

from __future__ import annotations

import re
import struct

FORMATS = {
    'boolean': '?',
    'octet': 'c',
    'float': 'f',
    'double': 'd',
    **dict(zip(('int8', 'int16', 'int32', 'int64'), 'bhiq', strict=True)),
    **dict(zip(('uint8', 'uint16', 'uint32', 'uint64'), 'BHIQ', strict=True)),
}


class CdrWriter:
    """
    The bytes of one message in plain CDR.

    :param order: byte order, ``<`` or ``>``
    :param filling: byte that fills the gaps, whose content no reader may depend on
    """

    def __init__(self, order, filling=0xA5):
        self._order = order
        self._filling = bytes([filling])
        self.data = b'\x00\x01\x12\x34' if order == '<' else b'\x00\x00\x12\x34'

    def scalar(self, kind, value):
        size = struct.calcsize(kind)
        self.data += self._filling * (-(len(self.data) - 4) % size)
        self.data += struct.pack(self._order + kind, value)

    def text(self, value):
        content = value.encode() + b'\0'
        self.scalar('I', len(content))
        self.data += content

    def value(self, type_name, value):
        if type_name in FORMATS:
            self.scalar(FORMATS[type_name], value)
        elif type_name.startswith('string'):
            self.text(value)
        elif found := re.fullmatch(r'sequence<(.+?)(?:, \d+)?>|(.+)\[\d+\]', type_name):
            if found[1]:
                self.scalar('I', len(value))
            for one in value:
                self.value(found[1] or found[2], one)
        else:
            self.message(value)

    def message(self, message):
        fields = message.get_fields_and_field_types()
        for name, type_name in fields.items():
            self.value(type_name, getattr(message, name))
        if not fields:
            self.data += self._filling


def encoded(message, order='<'):
    """Return the bytes of a message, padded to a multiple of four as middleware sends it."""
    writer = CdrWriter(order)
    writer.message(message)
    return writer.data + b'\xa5' * (-len(writer.data) % 4)
