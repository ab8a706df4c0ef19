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
"""`streamrec`, and `python3 -m lerobot_streamrec.cli` where scripts are not on the path."""

from __future__ import annotations

import sys

from lerobot_streamrec.installed import EXIT_CONFIG, missing_package


def run() -> None:
    """Run the command line, and end the process with its exit status."""
    try:
        from lerobot_streamrec.cli.main import run as run_commands
    except ImportError as error:
        print(f'streamrec: {missing_package(error)}', file=sys.stderr)
        sys.exit(EXIT_CONFIG)
    run_commands()


if __name__ == '__main__':
    run()
