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
"""
The export of episodes to a bag, with the messages that the recorder would read them from.

Every topic has one message for each row, stamped with the instant of the row, also where a row
shows the same sample as the one before. An import that begins with the same row therefore gives
the same rows, whatever the policy of the stream is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, ExitStack
import heapq
from pathlib import Path
from tempfile import TemporaryDirectory

from lerobot_streamrec.dataset.rebuild.played_episode import open_episode, PlayedEpisode
from lerobot_streamrec.durable import folder_written_beside, sync_file, sync_folder, written_beside
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.fleet.exporting.bag_messages import STORE
from lerobot_streamrec.fleet.exporting.export_plan import ExportPlan, grid_ns, recorded_instants
from lerobot_streamrec.fleet.exporting.export_tracks import open_tracks, Outgoing
from lerobot_streamrec.fleet.exporting.export_words import Words
from lerobot_streamrec.sync.row_clock import NS_PER_S
import numpy as np
import numpy.typing as npt
from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

SUFFIX = '.mcap'
# The instant of row 0 if nothing tells it: 2001-09-09 01:46:40 UTC.
_MADE_UP_NS = 1_000_000_000 * NS_PER_S
_GAP_NS = NS_PER_S

Progress = Callable[[int, int], None]
"""Is called with the number of rows that are done, and of all."""


class BagExport:
    """
    Writes a bag. Owned by one thread.

    :param plan: content of the bag
    :ivar words: the words about its episodes, as far as they are written
    :ivar topics: each topic with its type
    :ivar num_messages: number of messages so far
    """

    def __init__(self, plan: ExportPlan) -> None:
        self._plan = plan
        self.words = Words(plan)
        self.topics: dict[tuple[str, str], Connection] = {}
        self.num_messages = self._num_rows = self._newest_ns = 0

    def run(
        self, target: Path, *, overwrite: bool = False, progress: Progress = lambda *_: None
    ) -> None:
        """
        Write the bag, which appears at once with all its messages.

        :param target: an .mcap file, or a folder that is empty or does not exist
        :param overwrite: True to replace an existing file
        :param progress: called with the number of rows written and in all
        :raise ConfigError: if the path is neither
        :raise VideoError: if a video cannot be read, or the bag cannot be written
        :raise DatasetError: if the dataset cannot be read
        """
        with _written_beside(target, overwrite=overwrite) as writer:
            for index in self._plan.order:
                with ExitStack() as stack:
                    episode = open_episode(self._plan.root, index)
                    self._write_episode(writer, episode, stack, progress)

    def _write_episode(
        self, writer: Writer, episode: PlayedEpisode, stack: ExitStack, progress: Progress
    ) -> None:
        tracks = open_tracks(self._plan, episode, stack)
        delays = [one.delay_ns for one in tracks] or [0]
        early_ns, late_ns = min(delays), max(delays)
        instants_ns = self._instants(episode, early_ns)
        receive_ns = int(instants_ns[0]) + early_ns - 1
        messages = heapq.merge(
            self.words.latched(episode, receive_ns),
            self.words.events(episode, instants_ns, (early_ns, late_ns)),
            *(one.messages(instants_ns) for one in tracks),
            key=lambda one: one.receive_ns,
        )
        pace = tracks[-1].topic if tracks else ''
        for one in messages:
            self._write(writer, one)
            self._num_rows += one.topic == pace
            progress(self._num_rows, self._plan.num_rows)

    def _instants(self, episode: PlayedEpisode, early_ns: int) -> npt.NDArray[np.int64]:
        """Return the instants of the rows, moved if they would overlap the episode before."""
        found = recorded_instants(episode)
        is_known = found is not None
        instants_ns = grid_ns(_MADE_UP_NS, episode) if found is None else found
        earliest_ns = self._newest_ns + 1
        first_ns = int(instants_ns[0]) + early_ns - 1
        if first_ns >= earliest_ns:
            return instants_ns
        moved_ns = earliest_ns + _GAP_NS - first_ns
        if is_known:
            self._plan.tell(
                'episodes that would overlap the one before them are moved behind it, such as '
                f'episode {episode.row.episode_index} by {moved_ns / NS_PER_S:.3f} s',
                'overlap',
            )
        return instants_ns + moved_ns

    def _write(self, writer: Writer, one: Outgoing) -> None:
        key = one.topic, one.message_type
        if key not in self.topics:
            # Some players of rosbag2 cannot read a topic without a profile.
            qos = _LATCHED if one.is_latched else _USUAL
            self.topics[key] = writer.add_connection(
                *key, typestore=STORE, offered_qos_profiles=[qos]
            )
        writer.write(self.topics[key], one.receive_ns, one.data)
        self.num_messages += 1
        self._newest_ns = max(self._newest_ns, one.receive_ns)


@contextmanager
def _written_beside(target: Path, *, overwrite: bool) -> Iterator[Writer]:
    """Yield a writer to a temporary bag beside the target, which becomes the target at the end."""
    if target.suffix not in ('', SUFFIX):
        allowed = f'name a file that ends in {SUFFIX}, or a folder without a suffix'
        raise ConfigError('OUT', str(target), allowed)
    if target.suffix:
        with (
            written_beside(target, overwrite=overwrite) as part,
            TemporaryDirectory(prefix=f'.{target.stem}.', dir=target.parent) as folder,
        ):
            with _writer(Path(folder, target.stem)) as writer:
                yield writer
            # Rosbags writes a folder, from which a lone file is taken.
            Path(folder, target.stem, target.name).replace(part)
        return
    with folder_written_beside(target) as part:
        inner = part / target.name
        with _writer(inner) as writer:
            yield writer
        for one in inner.iterdir():
            sync_file(one)
            one.replace(part / one.name)
        inner.rmdir()
        sync_folder(part)


def _writer(folder: Path) -> Writer:
    # Version 9 of metadata.yaml has profiles in a form that Humble cannot read.
    writer = Writer(folder, version=8, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    return writer


def _qos(depth: int, durability: QosDurability) -> Qos:
    no_limit = QosTime(0, 0)
    return Qos(
        QosHistory.KEEP_LAST,
        depth,
        QosReliability.RELIABLE,
        durability,
        no_limit,
        no_limit,
        QosLiveliness.AUTOMATIC,
        no_limit,
        avoid_ros_namespace_conventions=False,
    )


_LATCHED = _qos(1, QosDurability.TRANSIENT_LOCAL)
_USUAL = _qos(10, QosDurability.VOLATILE)
