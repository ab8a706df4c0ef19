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
"""What people say of an episode: a verdict, notes, who the operator was."""

from __future__ import annotations

from lerobot_streamrec.errors import EpisodeError

OPERATOR = 'operator'
VERDICT = 'verdict'
NOTES = 'notes'
VERDICTS = ('success', 'failure')


def checked_metadata(name: str, text: str) -> str:
    """
    Return a text as it is kept; empty takes back what was said before.

    :param name: ``OPERATOR``, ``VERDICT`` or ``NOTES``
    :param text: as it came
    :raise EpisodeError: if a verdict is not one of ``VERDICTS``
    """
    text = text.strip()
    if name == VERDICT and text and text not in VERDICTS:
        raise EpisodeError(
            f'verdict is {text!r}: allowed are {" and ".join(VERDICTS)}, or nothing to take '
            'one back'
        )
    return text
