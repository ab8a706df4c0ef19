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
Every exception that this package raises on purpose.

::

    StreamrecError
    |- ConfigError              a setting that the user can mend; raised before recording begins
    |  `- CodecError            an encoder setting that this machine or codec does not accept
    |- DatasetError             the dataset on disk
    |  |- DatasetExistsError    something is at the root, and appending was not asked for
    |  |- DatasetMismatchError  the dataset at the root is not of the same kind
    |  |- DatasetLockedError    another recorder writes there
    |  |- DatasetCorruptError   what stands at the root is not whole
    |  |  `- UnusableDatasetError  a value in it that no tool can work with
    |  |- DatasetUnsupportedError  a kind of dataset that no tool here reads or writes
    |  |- DatasetsDifferError   datasets that are to become one are not of the same kind
    |  |- RebuildError          a dataset's files could not be exchanged for new ones
    |  |- InterruptedWorkError  long work was given up because somebody asked for that
    |  |- RepairError           a broken dataset of which nothing whole can be made
    |  `- CommitError           an episode was not made durable; its staging folder is kept
    |- EpisodeError             a verb that cannot be carried out now
    |  |- EpisodeStateError     not in this state
    |  |- StreamsNotReadyError  topics that are missing or stale
    |  |- EmptyEpisodeError     nothing to save
    |  |- EpisodeVetoedError    saved, but not good enough by the user's own limits
    |  `- DiskFullError         too little room on the disk to begin
    |- StartInterruptedError    asked to end before there was anything to record
    |- EncoderError             an encoder thread
    |  |- EncoderProcessError   the program that encodes for it
    |  |- BrokenEncoderError    it died; the reason stands in __cause__
    |  `- EncoderTimeoutError   it did not finish by its deadline
    |- VideoError               a video that cannot be read, joined or made as asked
    |  |- FrameTimestampError   a video has no frame near an instant that was asked for
    |  `- NothingWholeError     a take without a whole row
    `- MessageError             a message that cannot be recorded
       |- UnsupportedEncodingError
       |- FrameShapeError       sizes that do not fit the data, or that changed
       |- UndecodableError      a compressed picture that is not whole
       |  `- ReorderedPacketsError  packets that come in another order than their pictures
       |- VectorError           names or numbers that a state or action message lacks
       |  `- ForeignMessageError  it has none of the selected names: it is not meant for the vector
       `- StampError            a stamp that cannot be an instant

Each message says what, the offending value, what is allowed, and what to do. Late, repeated and
stale samples are counters, not exceptions.
"""

from __future__ import annotations

from lerobot_streamrec.installed import streamrec_command


class StreamrecError(Exception):
    """Root of all errors of this package."""


class ConfigError(StreamrecError, ValueError):
    """
    A setting that cannot be used.

    :param name: the setting, as the user wrote it
    :param value: value that was set
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
    """Something stands at the root already, and appending was not asked for."""


class DatasetMismatchError(DatasetError):
    """
    The dataset at the root differs from what is to be recorded.

    :param root: the dataset's folder
    :param differences: per line: what differs, both values
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
    A file of a dataset says something that no tool can work with; nothing has changed.

    :param root: the dataset's folder
    :param file: the file, below the root
    :param problem: the value and the values that are allowed, without a full stop
    """

    def __init__(self, root: object, file: object, problem: str) -> None:
        command = streamrec_command('check', root)
        super().__init__(
            f'{root}/{file}: {problem}; `{command}` shows everything that is wrong there'
        )
        self.problem = problem


class DatasetUnsupportedError(DatasetError):
    """A dataset of a kind that no tool here reads or writes, though nothing may be wrong."""


class DatasetsDifferError(DatasetError):
    """
    Datasets that are to become one are not of the same kind.

    :param differences: per line: which dataset, what differs, both values
    """

    def __init__(self, differences: list[str]) -> None:
        super().__init__(
            f'the datasets cannot be merged: {"; ".join(differences)}. '
            'Only datasets with the same fps, robot_type and features can become one.'
        )
        self.differences = differences


class RebuildError(DatasetError):
    """A dataset's files could not be exchanged for new ones; nothing has changed."""


class InterruptedWorkError(DatasetError):
    """Long work was given up, because the recorder ends or a user says so; nothing has changed."""


class RepairError(DatasetError):
    """A broken dataset of which nothing whole can be made; nothing has changed."""


class CommitError(DatasetError):
    """An episode could not be made durable."""


class EpisodeError(StreamrecError):
    """An episode verb that cannot be carried out now."""


class EpisodeStateError(EpisodeError):
    """The verb is not allowed in the recorder's present state."""


class StreamsNotReadyError(EpisodeError):
    """
    Streams that an episode needs have no fresh sample.

    :param problems: per stream: its key, topic and what is wrong
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__('not every stream is ready: ' + '; '.join(problems))
        self.problems = problems


class EmptyEpisodeError(EpisodeError):
    """The episode has no row yet."""


class EpisodeVetoedError(EpisodeError):
    """The episode is beyond the limits that the user has set; it lies in the quarantine folder."""


class DiskFullError(EpisodeError):
    """The disk has too little room for an episode to start."""


class StartInterruptedError(StreamrecError):
    """The process was asked to end before it could record."""


class EncoderError(StreamrecError):
    """An encoder thread could not do its work."""


class EncoderProcessError(EncoderError):
    """
    A program that encodes has failed.

    :param reason: event, in a sentence
    :param command: how it was called
    :param said: the last lines of what it wrote to stderr
    """

    def __init__(self, reason: str, command: str, said: str) -> None:
        super().__init__(f'{reason}; called as: {command}; it said: {said or "nothing"}')
        self.reason = f'{reason} ({said.splitlines()[-1]})' if said else reason


class BrokenEncoderError(EncoderError):
    """An encoder thread died; the reason is its __cause__."""


class EncoderTimeoutError(EncoderError):
    """An encoder thread did not finish by its deadline."""


class VideoError(StreamrecError):
    """A video that cannot be read, joined or made as asked."""


class FrameTimestampError(VideoError, ValueError):
    """A video has no frame near an instant that was asked for."""


class NothingWholeError(VideoError):
    """A saved take without a whole row: it can never become an episode."""


class MessageError(StreamrecError, ValueError):
    """A message that cannot be recorded."""


class UnsupportedEncodingError(MessageError):
    """
    An image encoding that is not known here.

    :param encoding: encoding that the message names
    :param supported: the encodings that are
    :param hint: the kind that it is instead, and advice; empty: unknown
    """

    def __init__(self, encoding: str, supported: list[str], hint: str = '') -> None:
        super().__init__(
            f'image encoding {encoding!r} {hint or "is not supported"}; '
            f'supported are {", ".join(supported)}'
        )
        self.encoding = encoding


class FrameShapeError(MessageError):
    """An image whose sizes do not fit its data, or changed inside an episode."""


class UndecodableError(MessageError):
    """A compressed picture that is not whole, or of another codec than it says."""


class ReorderedPacketsError(UndecodableError):
    """A video stream whose packets come in another order than their pictures."""


class VectorError(MessageError):
    """A state or action message that lacks a name or a number."""


class ForeignMessageError(VectorError):
    """A message without the names or numbers that a vector selects: it is meant for others."""


class StampError(MessageError):
    """A stamp that cannot be an instant."""
