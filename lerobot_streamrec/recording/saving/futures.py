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
"""Results that cross threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
import contextlib
from typing import TypeVar

_T = TypeVar('_T')
_U = TypeVar('_U')


def settle(future: Future[_T], value: _T) -> None:
    """Set a result; whoever waited may have given up."""
    with contextlib.suppress(InvalidStateError):
        future.set_result(value)


def settle_error(future: Future[_T], error: BaseException) -> None:
    """Set an error; whoever waited may have given up."""
    with contextlib.suppress(InvalidStateError):
        future.set_exception(error)


def settled(value: _T) -> Future[_T]:
    """Return a result that is there already."""
    future: Future[_T] = Future()
    future.set_result(value)
    return future


def pass_on(done: Future[_T], result: Future[_T]) -> None:
    """Give a result or error that is there to another who waits."""
    error = done.exception()
    if error is not None:
        settle_error(result, error)
    else:
        settle(result, done.result())


def then(done: Future[_T], make: Callable[[_T], _U]) -> Future[_U]:
    """
    Make something else of a result when it comes; an error stays what it is.

    :param done: the future to wait for
    :param make: called in the thread that sets the result; touches nothing that others own
    """
    made: Future[_U] = Future()

    def pass_on(future: Future[_T]) -> None:
        error = future.exception()
        if error is not None:
            settle_error(made, error)
        else:
            settle(made, make(future.result()))

    done.add_done_callback(pass_on)
    return made
