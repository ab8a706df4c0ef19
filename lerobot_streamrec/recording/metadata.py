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
"""The metadata that people give an episode: a verdict, notes and the operator's name."""

from __future__ import annotations

from lerobot_streamrec.errors import EpisodeError

OPERATOR = 'operator'
VERDICT = 'verdict'
NOTES = 'notes'
VERDICTS = ('success', 'failure')


def checked_metadata(name: str, text: str) -> str:
    """
    Return a metadata text without the blanks around it, after checking it.

    :param name: ``OPERATOR``, ``VERDICT`` or ``NOTES``
    :param text: the text as it was given; an empty one withdraws an earlier one
    :raise EpisodeError: if a verdict is not one of ``VERDICTS``
    """
    text = text.strip()
    if name == VERDICT and text and text not in VERDICTS:
        raise EpisodeError(
            f'verdict is {text!r}: allowed are {" and ".join(VERDICTS)}, or an empty text to '
            'withdraw a verdict'
        )
    return text
