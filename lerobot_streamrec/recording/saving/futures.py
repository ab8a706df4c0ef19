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
"""Helpers for futures whose results cross threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
import contextlib
from functools import partial
from typing import TypeVar

_T = TypeVar('_T')
_U = TypeVar('_U')


def settle(future: Future[_T], value: _T) -> None:
    """Set a result, unless the future was cancelled meanwhile."""
    with contextlib.suppress(InvalidStateError):
        future.set_result(value)


def settle_error(future: Future[_T], error: BaseException) -> None:
    """Set an error, unless the future was cancelled meanwhile."""
    with contextlib.suppress(InvalidStateError):
        future.set_exception(error)


def settled(value: _T) -> Future[_T]:
    """Return a future that is already done."""
    future: Future[_T] = Future()
    future.set_result(value)
    return future


def pass_on(done: Future[_T], result: Future[_U], make: Callable[[_T], _U]) -> None:
    """
    Pass the converted result of a finished future, or its unchanged error, on to another future.

    :param done: the finished future
    :param result: the other future
    :param make: function that converts the result
    """
    error = done.exception()
    if error is not None:
        settle_error(result, error)
    else:
        settle(result, make(done.result()))


def then(done: Future[_T], make: Callable[[_T], _U]) -> Future[_U]:
    """
    Return a future with the converted result of another; an error is passed on unchanged.

    :param done: the future to wait for
    :param make: function that converts the result, called in the thread that sets it; it must
        not touch objects of other threads
    """
    made: Future[_U] = Future()
    done.add_done_callback(partial(pass_on, result=made, make=make))
    return made
