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
"""The program `console`: it joins the link to the recorder and the web server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import contextlib
import io
from pathlib import Path
import re
import secrets
import socket
import sys
from typing import Any

from lerobot_streamrec.console.access import Rules
from lerobot_streamrec.console.addresses import (
    bracketed,
    host_names,
    is_loopback,
    listen,
    reached_addresses,
)
from lerobot_streamrec.console.assets import read_assets
from lerobot_streamrec.console.board import Board
from lerobot_streamrec.console.robot_link import RobotLink
from lerobot_streamrec.console.server import make_app
from lerobot_streamrec.console.setup_robot import SetupRobot
from lerobot_streamrec.console.setup_routes import SetupRoutes
from lerobot_streamrec.console.web import Web
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.live.set_up import Defaults
from lerobot_streamrec.nodes.clients.watching_link import WatchingLink
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from lerobot_streamrec.option import Option
import segno
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

OPTIONS = (
    Option('host', '127.0.0.1', 'Address on which the console listens; 0.0.0.0: all of them'),
    Option('port', 8010, 'TCP port on which the console listens; 0: any free one', 0, 65535),
    Option('token', '', 'Secret for browsers; empty: none at 127.0.0.1, else a new one'),
    Option('names', (), 'Further host names under which browsers may address the console'),
    Option('set_up_file', '', 'Parameter file that the page writes if it does not exist'),
    Option('set_up_defaults', '', 'JSON object with values of root, task, repo_id and fps for it'),
)

_EXIT_BUG = 3
_TOKEN_BYTES = 16
_TOKEN = re.compile(r'[A-Za-z0-9_-]{8,}')


def run(arguments: Sequence[str], stop: StopSignals) -> int:
    """
    Serve the page until a signal ends the program.

    :param arguments: command line without the program's name
    :param stop: requests to end the program
    :return: exit status
    :raise ConfigError: if ROS rejects the arguments, or a parameter cannot be used
    """
    with contextlib.ExitStack() as stack:
        link = stack.enter_context(contextlib.closing(WatchingLink('console', arguments, OPTIONS)))
        listener = stack.enter_context(listen(link.values['host'], link.values['port']))
        rules = rules_of(listener, link.values)
        assets = read_assets()

        setup = _setup(link, stop)
        if setup is not None:
            stack.callback(setup.close)
            setup.start()

        def app(board: Board, more: Sequence[BaseRoute]) -> ASGIApp:
            first = SetupRoutes(board, setup).routes() if setup else ()
            return make_app(board, assets, rules, (*first, *more))

        robot = RobotLink(link)
        web = Web(listener, robot, app)
        web.start()
        stack.callback(web.end)
        announce(links(listener, rules), rules, link.recorder)
        robot.run(lambda: stop.wait(0) or not web.is_alive())
        return 0 if web.is_alive() else _EXIT_BUG


def _setup(link: WatchingLink, stop: StopSignals) -> SetupRobot | None:
    """Return the set-up for a robot without a parameter file; None if there is nothing to do."""
    text = link.values['set_up_file']
    path = Path(text).expanduser().absolute()
    if not text or path.is_file():
        return None
    namespace = link.recorder.rpartition('/')[0]
    of_robot = ['--ros-args', '-r', f'__ns:={namespace}'] if namespace else []
    defaults = Defaults.parse(link.values['set_up_defaults'])
    return SetupRobot(path, of_robot, stop, defaults)


def rules_of(listener: socket.socket, values: Mapping[str, Any]) -> Rules:
    """
    Return the access rules for a socket.

    :param listener: socket that ``listen`` returned
    :param values: values of the parameters
    :raise ConfigError: if the token cannot be part of a link
    """
    token = values['token']
    if token and not _TOKEN.fullmatch(token):
        why = 'eight or more letters, digits, - and _ are needed; leave it out for a random one'
        raise ConfigError('token', token, why)
    if not token and not is_loopback(listener):
        token = secrets.token_urlsafe(_TOKEN_BYTES)
    names = host_names(listener, values['names'])
    return Rules(listener.getsockname()[1], names, token)


def links(listener: socket.socket, rules: Rules) -> list[str]:
    """Return the links that open the page, the best one for other machines first."""
    query = f'?token={rules.token}' if rules.token else ''
    return [f'http://{bracketed(one)}:{rules.port}/{query}' for one in reached_addresses(listener)]


def announce(found: Sequence[str], rules: Rules, recorder: str) -> None:
    """
    Print the links, and a QR code of the first one if it is for other machines.

    :param found: the links
    :param rules: access rules
    :param recorder: full name of the recorder's node
    """
    print(f'console: the page for {recorder} is at', flush=True)
    for link in found:
        print(f'  {link}', flush=True)
    if rules.token:
        picture = io.StringIO()
        segno.make(found[0], error='l').terminal(picture, border=2, compact=True)
        # Not every terminal has these characters.
        with contextlib.suppress(UnicodeEncodeError):
            print(picture.getvalue(), flush=True)
        sys.stdout.flush()
