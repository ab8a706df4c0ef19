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
"""Which videos can become one file, and which frames of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lerobot_streamrec.dataset.rebuild.pieces import Kept, Piece
from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.video.mp4.concat import Segment
from lerobot_streamrec.video.mp4.packet_index import (
    cut_problem,
    difference,
    read_traits,
    survey_video,
    VideoSurvey,
)


def first_frame(video_key: str, episode: Kept) -> int:
    """Return the place of an episode's first frame in the file it comes from."""
    return round(episode.source.videos[video_key].from_timestamp * episode.catalog.info.fps)


@dataclass(slots=True)
class VideoSurveys:
    """
    What is known of the videos of a plan; each is read once.

    :param remarks: why files were left as they are, each a sentence
    :param to_first_error: whether files may end in the middle, or have frames a little off their
        places
    """

    remarks: list[str] = field(default_factory=list)
    to_first_error: bool = False
    _known: dict[Path, VideoSurvey | str] = field(default_factory=dict)
    _traits: dict[Path, dict[str, object]] = field(default_factory=dict)

    def segments(self, video_key: str, piece: Piece) -> list[Segment]:
        """
        Find the frames of a piece's episodes.

        :raise VideoError: if they cannot be copied
        """
        video = self._survey(piece)
        runs: list[list[int]] = []
        for episode in piece.episodes:
            begin, length = first_frame(video_key, episode), episode.source.length
            if runs and sum(runs[-1]) == begin:
                runs[-1][1] += length
            else:
                runs.append([begin, length])
        for begin, length in runs:
            if problem := cut_problem(video, begin, length):
                raise VideoError(problem)
        return [Segment(video, begin, length) for begin, length in runs]

    def can_join(self, video_key: str, one: Piece, other: Piece) -> bool:
        """Tell whether two pieces may stand in one file; why not becomes a remark."""
        try:
            # Whole files are read only if nothing at their beginning speaks against it.
            problem = difference(*(self._traits_of(piece) for piece in (one, other)))
            if problem:
                raise VideoError(f'{other.path} is not joined to the file before it: {problem}')
            for piece in (one, other):
                self.segments(video_key, piece)
        except VideoError as error:
            if str(error) not in self.remarks:
                self.remarks.append(str(error))
            return False
        return True

    def _traits_of(self, piece: Piece) -> dict[str, object]:
        if piece.path not in self._traits:
            self._traits[piece.path] = read_traits(piece.path)
        return self._traits[piece.path]

    def _survey(self, piece: Piece) -> VideoSurvey:
        known = self._known.get(piece.path)
        if known is None:
            try:
                known = survey_video(
                    piece.path, piece.catalog.info.fps, to_first_error=self.to_first_error
                )
            except VideoError as error:
                known = str(error)
            self._known[piece.path] = known
        if isinstance(known, str):
            raise VideoError(known)
        return known
