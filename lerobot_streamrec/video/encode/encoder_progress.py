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
"""What a camera's encoder tells of itself while it is at work."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class EncoderAccount:
    """
    Written by the encoder's thread, read by any.

    :param trouble: sentence on the encoder that failed and its replacement; empty: none failed
    :param num_again: frames that were encoded once more so far, during which no others are
    :param num_undecodable: frames that repeat the one before because the picture is damaged
    :param undecodable: why none of the last pictures can be decoded, in a sentence; empty: one can
    """

    trouble: str = ''
    num_again: int = 0
    num_undecodable: int = 0
    undecodable: str = ''
