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
"""Shows how far a check is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lerobot_streamrec.dataset.check.check import Watcher
from lerobot_streamrec.dataset.check.report import Progress
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar


@contextmanager
def check_bar(console: Console) -> Iterator[Watcher]:
    """Show progress on a terminal, and nothing elsewhere."""
    if not console.is_terminal:
        # A bar that is disabled still ends with an empty line in older releases of rich.
        yield lambda _progress: None
        return
    bar = Bar(
        TextColumn('{task.description:10}'),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task('', total=None)

        def watch(progress: Progress) -> None:
            bar.update(
                task,
                description=progress.step,
                completed=progress.done,
                total=progress.total,
            )

        yield watch
