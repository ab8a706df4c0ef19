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
"""Datasets as earlier releases of this recorder wrote them."""

from __future__ import annotations

from lerobot_streamrec.dataset.format.episode_table import TEXT_COLUMNS
import pyarrow.parquet as pq


def episodes_files(root):
    return sorted((root / 'meta' / 'episodes').glob('*/*.parquet'))


def without_texts(root):
    """Take the texts about episodes out of meta/episodes."""
    for path in episodes_files(root):
        table = pq.read_table(path)
        path.unlink()
        pq.write_table(table.drop_columns(list(TEXT_COLUMNS)), path)
