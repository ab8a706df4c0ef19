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
"""A FAKE of the program `ros2`, see the package."""

from __future__ import annotations

import argparse
import signal
import sys

from ros2cli.command import add_subparsers_on_demand


def main(*, script_name='ros2', argv=None):
    parser = argparse.ArgumentParser(prog=script_name)
    parser.add_argument('--use-python-default-buffering', action='store_true')
    add_subparsers_on_demand(
        parser, script_name, '_command', 'ros2cli.command', required=False, argv=argv
    )
    args = parser.parse_args(argv)
    extension = getattr(args, '_command', None)
    if extension is None:
        parser.print_help()
        return 0
    try:
        return extension.main(parser=parser, args=args)
    except KeyboardInterrupt:
        return signal.SIGINT
    except RuntimeError as error:
        return str(error)


if __name__ == '__main__':
    sys.exit(main())
