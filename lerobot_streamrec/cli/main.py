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
"""The command line `streamrec`, with commands for the running robot and for datasets on disk."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from copy import copy
import os
import signal
import sys
from typing import NoReturn

import click
from lerobot_streamrec.cli.bags import export_bag, import_bags
from lerobot_streamrec.cli.check import check
from lerobot_streamrec.cli.codecs import codecs
from lerobot_streamrec.cli.info import info
from lerobot_streamrec.cli.latency import latency
from lerobot_streamrec.cli.rebuild import compact, delete, label, merge
from lerobot_streamrec.cli.report import report
from lerobot_streamrec.cli.ros_command import doctor, init, layout
from lerobot_streamrec.cli.sync import push, sync
from lerobot_streamrec.cli.video import concat, encode, frames, probe, reencode
from lerobot_streamrec.cli.view import view
from lerobot_streamrec.errors import StreamrecError
from lerobot_streamrec.installed import streamrec_command

EXIT_PROBLEM = 1
"""Exit status if a command found a problem or could not do its work."""


_COMMANDS = (
    check,
    codecs,
    compact,
    concat,
    delete,
    doctor,
    encode,
    export_bag,
    frames,
    import_bags,
    info,
    init,
    label,
    latency,
    layout,
    merge,
    probe,
    reencode,
    report,
    sync,
    push,
    view,
)


@click.group(commands=_COMMANDS, context_settings={'help_option_names': ['-h', '--help']})
def streamrec() -> None:
    """
    Prepare recordings and maintain LeRobot v3.0 datasets.

    init, doctor, latency and layout look at the running ROS graph; the other commands do not need
    ROS, nor do init, doctor and latency with --bag, and latency with --root.
    """


_alias = copy(doctor)
_alias.short_help = 'Another name for doctor.'
streamrec.add_command(_alias, 'check-config')


def main(
    arguments: Sequence[str] | None = None, prog_name: str = '', epilog: str | None = None
) -> int:
    """
    Run the command line.

    :param arguments: arguments without the program's name; None for those of the process
    :param prog_name: name of the command in the help; if empty, one that works on this machine
    :param epilog: last sentence of the help; None for no such sentence
    :return: exit status: 0 for success, 1 if a problem was found or the command failed, 2 for
        wrong usage
    """
    streamrec.epilog = epilog
    try:
        # In standalone mode, click would end the process itself.
        status = streamrec.main(
            None if arguments is None else list(arguments),
            prog_name=prog_name or streamrec_command(),
            standalone_mode=False,
        )
        return int(status or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        click.echo('aborted', err=True)
        return EXIT_PROBLEM
    except (StreamrecError, OSError) as error:
        click.echo(f'streamrec: {error}', err=True)
        return EXIT_PROBLEM


def run(
    arguments: Sequence[str] | None = None, prog_name: str = '', epilog: str | None = None
) -> NoReturn:
    """Run the command line like ``main``, and end the process with its exit status."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Service managers and closed terminals end a command as Ctrl-C does, with its clean-up.
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    status = main(arguments, prog_name, epilog)
    with suppress(OSError):
        # The reader of a pipe may have closed it already.
        sys.stdout.flush()
        sys.stderr.flush()
    # Arrow's thread pool sometimes aborts the process while it is torn down, which would change
    # the exit status; nothing else is left to be done.
    os._exit(status)


if __name__ == '__main__':
    run()
