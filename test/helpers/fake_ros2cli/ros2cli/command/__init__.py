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
"""A FAKE of the base class and the discovery of plug-ins, see the package."""

from __future__ import annotations

import argparse
from contextlib import contextmanager
from importlib.metadata import entry_points
import inspect

PLUGIN_SYSTEM_VERSION = '0.1'


class CommandExtension:
    """The base class of a command of `ros2`."""

    NAME = None
    EXTENSION_POINT_VERSION = '0.1'

    def add_arguments(self, parser, cli_name, *, argv=None):
        pass

    def main(self, *, parser, args):
        raise NotImplementedError


def first_line(kind):
    """Return the description of a command: the first line of its docstring."""
    lines = inspect.cleandoc(kind.__doc__ or '').splitlines()
    return lines[0].rstrip('.') if lines else ''


def add_subparsers_on_demand(
    parser, cli_name, dest, group_name, hide_extensions=None, required=True, argv=None
):
    """Load the chosen command, or all commands for their descriptions if none was chosen."""
    found = {one.name: one for one in entry_points(group=group_name)}
    subparser = parser.add_subparsers(title='Commands', metavar='<command>')
    subparser.dest = ' ' + dest.lstrip('_')
    subparser.required = required
    parsers = {name: subparser.add_parser(name) for name in sorted(found)}
    root = getattr(parser, '_root_parser', parser)
    with no_help([parser, *parsers.values()]):
        known, _ = root.parse_known_args(argv)
    name = getattr(known, subparser.dest)
    chosen = [name] if name else sorted(found)
    extensions = {}
    for one in chosen:
        extensions[one] = found[one].load()()
        extensions[one].NAME = one
        parsers[one].set_defaults(**{dest: extensions[one]})
    if name:
        parsers[name]._root_parser = root
        add_arguments = extensions[name].add_arguments
        takes_argv = 'argv' in inspect.signature(add_arguments).parameters
        options = {'argv': argv} if takes_argv else {}
        add_arguments(parsers[name], f'{cli_name} {name}', **options)
        del parsers[name]._root_parser
    else:
        shown = [one for one in chosen if one not in (hide_extensions or ())]
        parser.epilog = '\n'.join(f'  {one}  {first_line(extensions[one])}' for one in shown)
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
    return subparser


@contextmanager
def no_help(parsers):
    """Ignore requests for help until the chosen command is known."""
    kept = [(one, one.print_help, one.exit) for one in parsers]
    for one, _, end in kept:
        one.print_help = lambda: None
        one.exit = lambda status=0, message=None, end=end: end(status, message) if status else None
    try:
        yield
    finally:
        for one, print_help, end in kept:
            one.print_help, one.exit = print_help, end
