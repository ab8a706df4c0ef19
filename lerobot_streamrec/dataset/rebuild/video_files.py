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
"""Videos of a new dataset: files of existing ones, linked or joined by packet copy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lerobot_streamrec.dataset.format.episode_table import VideoPlace
from lerobot_streamrec.dataset.format.layout import FileIndex, VIDEO_PATH
from lerobot_streamrec.dataset.rebuild.new_tree import NewTree
from lerobot_streamrec.dataset.rebuild.pieces import Kept, Piece
from lerobot_streamrec.dataset.rebuild.video_pieces import VideoSurveys
from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.video.mp4.concat import concatenate, Segment

Places = dict[Kept, VideoPlace]


def write_video_files(
    video_key: str,
    groups: Sequence[Sequence[Piece]],
    files: Sequence[FileIndex],
    tree: NewTree,
    surveys: VideoSurveys,
    on_bytes: Callable[[int], None],
) -> Places:
    """
    Fill one camera's files of a new tree.

    A video that cannot be cut is linked as a whole, and its episodes stay where they are in it.

    :param video_key: of the camera
    :param groups: what each file is made of
    :param files: their numbers
    :param surveys: what is known of the videos
    :param on_bytes: is told the size of what is done
    :return: where each episode stands
    :raise RebuildError: if a file cannot be linked or copied
    :raise VideoError: if a file cannot be read or written
    """
    places: Places = {}
    for group, file in zip(groups, files, strict=True):
        target = file.path(VIDEO_PATH, video_key)
        segments = _segments(video_key, group, surveys)
        if segments is None:
            (piece,) = group
            tree.link(piece.path, target)
            places.update(_where_they_were(video_key, piece, file))
            on_bytes(piece.size_bytes)
        else:
            path = tree.place(target)
            concatenate(segments, path, on_bytes)
            tree.settle(path)
            places.update(one_after_another(group, file))
    return places


def _segments(
    video_key: str, group: Sequence[Piece], surveys: VideoSurveys
) -> list[Segment] | None:
    """Find what is to be copied; None: the one file is taken as it is."""
    if len(group) > 1:
        return [one for piece in group for one in surveys.segments(video_key, piece)]
    if group[0].is_whole:
        return None
    try:
        return surveys.segments(video_key, group[0])
    except VideoError as error:
        surveys.remarks.append(f'{error}; the file is kept whole')
        return None


def _where_they_were(video_key: str, piece: Piece, file: FileIndex) -> Places:
    found = {}
    for episode in piece.episodes:
        place = episode.source.videos[video_key]
        found[episode] = VideoPlace(file, place.from_timestamp, place.to_timestamp)
    return found


def one_after_another(group: Sequence[Piece], file: FileIndex) -> Places:
    """Return where episodes stand in a file that holds them and nothing else."""
    found, frame = {}, 0
    for piece in group:
        fps = piece.catalog.info.fps
        for episode in piece.episodes:
            end = frame + episode.source.length
            found[episode] = VideoPlace(file, frame / fps, end / fps)
            frame = end
    return found
