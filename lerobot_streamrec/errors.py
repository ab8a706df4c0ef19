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
The exceptions that this package raises on purpose, each below its base class.

Each message names the setting or file, the offending value, the allowed values and a remedy.
Late, repeated and stale samples are counted and do not raise exceptions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lerobot_streamrec.installed import streamrec_command


def some_of(
    values: Sequence[object], limit: int = 5, text_of: Callable[[object], str] = str
) -> str:
    """List values in a message: the first ones, and how many more there are."""
    num_more = len(values) - limit
    listed = ', '.join(map(text_of, values[:limit]))
    return f'{listed} and {num_more} more' if num_more > 0 else listed


def count_text(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 row`` or ``2 rows``."""
    return f'{number} {noun}{"" if number == 1 else "s"}'


class StreamrecError(Exception):
    """Base class of all errors of this package, which other processes may raise."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Unpickling would otherwise call constructors with the message alone.
        return _without_constructor, (type(self), self.args), self.__dict__


def _without_constructor(kind: type[StreamrecError], args: tuple[object, ...]) -> StreamrecError:
    error = kind.__new__(kind)
    error.args = args
    return error


class WorkerError(StreamrecError):
    """A process or cluster that does a part of the work is lost, or cannot be used."""


class ConfigError(StreamrecError, ValueError):
    """
    A setting that cannot be used, and that the user can fix; raised before recording starts.

    :param name: name of the setting, as the user wrote it
    :param value: the offending value
    :param allowed: allowed values, and advice
    """

    def __init__(self, name: str, value: object, allowed: str) -> None:
        super().__init__(f'{name} is {value!r}: {allowed}')
        self.name = name
        self.value = value
        self.allowed = allowed


class CodecError(ConfigError):
    """An encoder setting that the codec or this machine does not accept."""


class DatasetError(StreamrecError):
    """The dataset on disk cannot be used as asked."""


class DatasetExistsError(DatasetError):
    """The root already holds something, and appending was not requested."""


class DatasetMismatchError(DatasetError):
    """
    The dataset at the root does not match the recorder's settings.

    :param root: the dataset's folder
    :param differences: one text per difference, with both values
    """

    def __init__(self, root: object, differences: list[str]) -> None:
        lines = '; '.join(differences)
        super().__init__(
            f'the dataset at {root} cannot be appended to: {lines}. '
            'Use the same settings, or record to another root.'
        )
        self.differences = differences


class DatasetLockedError(DatasetError):
    """Another recorder has the dataset open."""


class DatasetCorruptError(DatasetError):
    """A file of the dataset is missing, unreadable or contradicts another one."""


class UnusableDatasetError(DatasetCorruptError):
    """
    A file of a dataset holds a value that no tool can work with; nothing has changed.

    :param root: the dataset's folder
    :param file: path of the file below the root
    :param problem: the value and the allowed values, without a full stop
    """

    def __init__(self, root: object, file: object, problem: str) -> None:
        command = streamrec_command('check', root)
        super().__init__(
            f'{root}/{file}: {problem}; `{command}` shows everything that is wrong there'
        )
        self.problem = problem


class DatasetUnsupportedError(DatasetError):
    """A dataset that may be sound, but of a kind that no tool here reads or writes."""


class DatasetsDifferError(DatasetError):
    """
    The datasets to merge are not of the same kind.

    :param differences: one text per difference, with the dataset and both values
    """

    def __init__(self, differences: list[str]) -> None:
        super().__init__(
            f'the datasets cannot be merged: {"; ".join(differences)}. '
            'Only datasets with the same fps, robot_type and features can be merged.'
        )
        self.differences = differences


class RebuildError(DatasetError):
    """The files of a dataset could not be replaced by new ones; nothing has changed."""


class InterruptedWorkError(DatasetError):
    """Long work was abandoned as the recorder ends or the user asked; nothing has changed."""


class RepairError(DatasetError):
    """No sound dataset can be made of a broken one; nothing has changed."""


class CommitError(DatasetError):
    """An episode could not be made durable."""


class EpisodeError(StreamrecError):
    """An episode command that cannot be carried out now."""


class EpisodeStateError(EpisodeError):
    """The command is not allowed in the recorder's present state."""


class StreamsNotReadyError(EpisodeError):
    """
    Streams that an episode needs have no fresh sample.

    :param problems: one text per stream, with its key, topic and problem
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__('not every stream is ready: ' + '; '.join(problems))
        self.problems = problems


class EmptyEpisodeError(EpisodeError):
    """The episode has no complete row yet."""


class EpisodeVetoedError(EpisodeError):
    """The episode breaks limits that the user has set; it is kept in the quarantine folder."""


class DiskFullError(EpisodeError):
    """The disk has too little room to start an episode."""


class StartInterruptedError(StreamrecError):
    """The process was asked to end before it could record."""


class EncoderError(StreamrecError):
    """An encoder thread has failed."""


class EncoderProcessError(EncoderError):
    """
    The program that encodes for an encoder thread has failed.

    :param reason: description of the failure
    :param command: command line of the program
    :param said: last lines that the program wrote to stderr
    """

    def __init__(self, reason: str, command: str, said: str) -> None:
        super().__init__(f'{reason}; called as: {command}; it said: {said or "nothing"}')
        self.reason = f'{reason} ({said.splitlines()[-1]})' if said else reason


class BrokenEncoderError(EncoderError):
    """An encoder thread died; the reason is its __cause__."""


class EncoderTimeoutError(EncoderError):
    """An encoder thread did not finish by its deadline."""


class VideoError(StreamrecError):
    """A video cannot be read, joined or made as asked."""


class FrameTimestampError(VideoError, ValueError):
    """A video has no frame near a requested timestamp."""


class NothingWholeError(VideoError):
    """A saved take has no complete row, so it can never become an episode."""


class UnclearDelayError(StreamrecError):
    """The motion in a camera's pictures does not tell the delay of its stamps."""


class BagError(StreamrecError):
    """
    A bag cannot be read.

    :param path: its folder or file
    :param problem: what is wrong, without a full stop
    :param advice: what helps
    """

    def __init__(self, path: object, problem: str, advice: str) -> None:
        super().__init__(f'{path} cannot be read as a bag: {problem}; {advice}')
        self.path = path
        self.problem = problem


class SyncError(StreamrecError):
    """A dataset cannot be copied to the place that was named, or kept up there."""


class RemoteError(StreamrecError):
    """A place elsewhere cannot be read; nothing is known of the files there."""


class MessageError(StreamrecError, ValueError):
    """A message cannot be recorded."""


class UnsupportedEncodingError(MessageError):
    """
    An image encoding is unknown.

    :param encoding: encoding that the message names
    :param supported: supported encodings
    :param hint: predicate for the encoding, with advice; empty if there is none
    """

    def __init__(self, encoding: str, supported: list[str], hint: str = '') -> None:
        super().__init__(
            f'image encoding {encoding!r} {hint or "is not supported"}; '
            f'supported are {", ".join(supported)}'
        )
        self.encoding = encoding


class FrameShapeError(MessageError):
    """The size of an image does not fit its data, or has changed within an episode."""


class UndecodableError(MessageError):
    """A compressed image is damaged, or its codec is not the declared one."""


class ReorderedPacketsError(UndecodableError):
    """The packets of a video stream are not in display order."""


class VectorError(MessageError):
    """A state or action message lacks a name or a number."""


class ForeignMessageError(VectorError):
    """A message has none of the names that a vector selects, so it is meant for others."""


class StampError(MessageError):
    """A stamp is not a valid time."""
