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
"""Parameters as a node reads them, without a node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lerobot_streamrec.nodes.parameters.parameter_reader import ParameterReader
from lerobot_streamrec.option import Option


class GivenParameters:
    """
    A stand-in for ``ParameterReader``.

    :param given: values by the full name of their parameter
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = dict(given)
        self.unread = set(given)
        """Names that nothing has read so far."""

    read_fields = ParameterReader.read_fields

    def is_given(self, name: str) -> bool:
        """Return whether the parameter has a value of its own."""
        return name in self._given

    def read(self, option: Option, prefix: str = '') -> Any:
        """Return the given value, or the default."""
        option = option.below(prefix)
        if option.name not in self._given:
            return option.default
        self.unread.discard(option.name)
        return option.check(self._given[option.name])
