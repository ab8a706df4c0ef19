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
"""The calibrations, transforms, description and parameters of the robot that hold now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
import logging

from lerobot_streamrec.dataset.about.robot_files import (
    file_name,
    FOLDER,
    PARAMETERS,
    Slot,
    slot_of,
    TF_STATIC,
)
from lerobot_streamrec.dataset.format.episode_table import ROBOT_FILES

_log = logging.getLogger(__name__)


class RobotFiles:
    """
    The files about the robot that hold now, and those that held during the running episode.

    Owned by the recorder's thread. The dataset gets the files when an episode needs them.

    :param keep: hands contents by file name to the thread that writes the dataset
    :param known: the last file of each slot in the dataset, and its last episode
    """

    def __init__(
        self,
        keep: Callable[[Mapping[str, bytes]], None],
        known: Mapping[Slot, tuple[str, int]],
    ) -> None:
        self._keep = keep
        self._known = dict(known)
        self._present: dict[Slot, str] = {}
        self._contents: dict[str, bytes] = {}
        self._of_episode: set[str] = set()
        self._told: dict[Slot, str] = {}

    def put(self, kind: str, subject: str, content: bytes) -> None:
        """
        Replace a file, or add one; the parameters before the content are those of ``Slot``.

        A running episode names the file as well as the one before it, since both held.
        """
        name = file_name(kind, subject, content)
        slot = slot_of(name)
        if self._present.get(slot) == name:
            return
        self._present[slot] = name
        self._contents[name] = content
        self._of_episode.add(name)
        # Drivers add their transforms one after another while the robot starts.
        if kind != TF_STATIC:
            self._tell(slot)

    def begin(self) -> dict[str, str]:
        """Note that an episode begins; return the text with the files that hold now."""
        self._of_episode = set(self._present.values())
        self._contents = {name: self._contents[name] for name in self._of_episode}
        for slot in self._present:
            self._tell(slot)
        return self._kept()

    def end(self, index: int) -> dict[str, str]:
        """
        Note that an episode is being saved; return the text with the files that held during it.

        :param index: index of the episode
        """
        self._known.update({slot: (name, index) for slot, name in self._present.items()})
        return self._kept()

    def _kept(self) -> dict[str, str]:
        contents = {name: self._contents[name] for name in sorted(self._of_episode)}
        if contents:
            self._keep(contents)
        return {ROBOT_FILES: ' '.join(contents)}

    @property
    def changes(self) -> tuple[str, ...]:
        """Sentences on what differs from the last saved episode, parameters excepted."""
        found = (self._change(slot) for slot in self._present if slot.kind != PARAMETERS)
        return tuple(filter(None, found))

    def _change(self, slot: Slot) -> str:
        before, index = self._known.get(slot, ('', 0))
        if before in ('', self._present[slot]):
            return ''
        return f'{slot} changed since episode {index} ({FOLDER / before} held until then)'

    def _tell(self, slot: Slot) -> None:
        name, change = self._present[slot], self._change(slot)
        if change and self._told.get(slot) != name:
            level = logging.INFO if slot.kind == PARAMETERS else logging.WARNING
            _log.log(level, '%s', change)
        self._told[slot] = name
