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
"""The start of ROS, its nodes and its log: what ROS rejects at that time is a ConfigError."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
import ctypes
from itertools import groupby, pairwise
import logging
from pathlib import Path
import re
from typing import Any

from lerobot_streamrec.errors import ConfigError, DatasetError, StreamrecError
from lerobot_streamrec.installed import EXIT_CONFIG
from lerobot_streamrec.settings.parameter_file import (
    BEGINNING,
    is_for,
    node_names,
    PARAMETERS,
    sets_nothing,
)
import rclpy
from rclpy.context import Context
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
import yaml


class RosLogHandler(logging.Handler):
    """
    A handler that forwards log records to the logger of a node.

    :param logger: rclpy logger
    """

    def __init__(self, logger: Any) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Forward one record; rclpy requires a separate call site for each severity."""
        text = self.format(record)
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        elif record.levelno >= logging.INFO:
            self._logger.info(text)
        else:
            self._logger.debug(text)


def forward_logs(logger: Any) -> None:
    """Send all log records of the package to the logger of a node, and nowhere else."""
    package = logging.getLogger('lerobot_streamrec')
    package.handlers = [RosLogHandler(logger)]
    package.setLevel(logging.DEBUG)
    package.propagate = False


_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_MMAP_THRESHOLD_BYTES = 256 * 1024 * 1024
_TRIM_THRESHOLD_BYTES = 512 * 1024 * 1024
_NUM_ARENAS = 2


def keep_large_buffers() -> bool:
    """
    Make glibc keep image-sized buffers, in two arenas that all threads share.

    Keeping the buffers, instead of mapping new memory for each message, cuts the CPU time for
    receiving three cameras to a third. An arena per thread, which is the default, would keep
    free pieces of every episode's encoders, and the memory would grow for many episodes. Nothing
    changes if mallopt rejects the values, or if the C library has no mallopt.

    :return: True if the settings were accepted
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(
        mallopt(_M_ARENA_MAX, _NUM_ARENAS)
        and mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES)
        and mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD_BYTES)
    )


def quiet(*overrides: Parameter) -> dict[str, Any]:
    """
    Return the arguments of a node that offers no services and does not publish its log.

    :param overrides: values of the node's parameters
    """
    # Humble does not know this parameter and ignores it.
    no_descriptions = Parameter('start_type_description_service', value=False)
    return {
        'enable_rosout': False,
        'start_parameter_services': False,
        'parameter_overrides': [*overrides, no_descriptions],
    }


def make_helper(home: Node, suffix: str) -> Node:
    """
    Make a node that only subscribes, for one stream.

    The node is named after the main node and shares its namespace. It has no parameter services,
    which users could mistake for those of a driver, and does not publish to /rosout. It ignores
    the command line of the process: ``__node`` and ``__ns`` are meant for the main node, and the
    main node has to resolve topic names so that remappings apply.

    :param home: the main node
    :param suffix: purpose of the node, such as ``camera.front``
    """
    name = re.sub(r'[^A-Za-z0-9_]', '_', suffix)
    return Node(
        f'{home.get_name()}_{name}',
        context=home.context,
        namespace=home.get_namespace(),
        use_global_arguments=False,
        **quiet(),
    )


_PARAMS_FILE = '--params-file'
_OF_PARAMETERS = ('-p', '--param', _PARAMS_FILE)
# rcl appends source locations to its error messages.
_PLACES = re.compile(r', at /\S+:\d+|\n.*', re.DOTALL)


def start_ros(arguments: Sequence[str], context: Context | None = None) -> None:
    """
    Initialise rclpy without its signal handlers.

    :param arguments: command line without the program's name
    :param context: context to initialise; None: the default context
    :raise ConfigError: if an argument is unknown, ROS rejects an argument, or a parameter file is
        missing
    """
    for file in _params_files(arguments):
        if not file.is_file():
            why = 'it is a folder' if file.is_dir() else 'the file does not exist'
            raise ConfigError(_PARAMS_FILE, str(file), f'{why} ({file.absolute()})')
    try:
        # The function takes the first argument for the program's name.
        unknown = remove_ros_args(['record', *arguments])[1:]
        if not unknown:
            # rclpy's own handlers would shut the context down while an episode is being saved.
            rclpy.init(
                args=list(arguments),
                context=context,
                signal_handler_options=SignalHandlerOptions.NO,
            )
    # RCLError and others, for an invalid parameter file or remapping rule.
    except (RuntimeError, ValueError, TypeError) as error:
        why = _PLACES.sub('', str(error))
        # ROS reports unknown arguments as a list without any words.
        why = f'ROS does not know {why}' if why.startswith('[') else why
        if PARAMETERS in why:
            why += f'; {BEGINNING}'
        raise ConfigError('--ros-args', ' '.join(arguments), why) from error
    if unknown:
        raise ConfigError(
            'the command line',
            ' '.join(unknown),
            f'only arguments after --ros-args are allowed{_meant(unknown)}',
        )


def _meant(unknown: Sequence[str]) -> str:
    first, text = unknown[0], ' '.join(unknown)
    if Path(first).suffix in ('.yaml', '.yml'):
        text = f'{_PARAMS_FILE} {first}'
    elif ':=' in first:
        text = f'-p {first}'
    elif first not in _OF_PARAMETERS:
        return ''
    return f'; did you mean --ros-args {text}?'


class _GivenNode(Node):
    """A node that declares the user's parameters except those without a value (empty lists)."""

    empty: tuple[str, ...] = ()

    def declare_parameters(
        self, namespace: str, parameters: Any, ignore_override: bool = False
    ) -> list[Parameter]:
        """Declare the parameters that have a value; rclpy would raise an error for the others."""
        self.empty += tuple(name for name, value, *_ in parameters if value is None)
        given = [one for one in parameters if one[1] is not None]
        return super().declare_parameters(namespace, given, ignore_override)


def given_node(name: str, **options: Any) -> Node:
    """
    Make a node that declares every parameter that the user has set.

    :param name: name of the node
    :param options: further arguments of rclpy's ``Node``
    :raise ConfigError: if ROS rejects the name of the node, or the name or value of a parameter
    """
    try:
        return _GivenNode(name, automatically_declare_parameters_from_overrides=True, **options)
    except Exception as error:
        # rclpy's exceptions have no common base class. Each one names the rejected value.
        why = _PLACES.sub('', str(error)) or repr(error)
        raise ConfigError('the node', name, f'ROS refuses its parameters: {why}') from error


def run_node(
    name: str, arguments: Sequence[str], run: Callable[[Node], int], **options: Any
) -> int:
    """
    Start ROS with one node whose logger gets all log records, run it, and shut ROS down.

    :param name: name of the node
    :param arguments: command line without the program's name
    :param run: function that runs the node, and returns the exit status
    :param options: further arguments of rclpy's ``Node``
    :return: exit status; ``EXIT_CONFIG`` if ROS refuses the command line or a parameter
    """
    try:
        start_ros(arguments)
        node = given_node(name, **options)
    except ConfigError as error:
        get_logger(name).fatal(f'cannot start: {error}')
        rclpy.try_shutdown()
        return EXIT_CONFIG
    try:
        forward_logs(node.get_logger())
        return run(node)
    finally:
        rclpy.try_shutdown()


_EXIT_BROKEN, _EXIT_BUG = 1, 3


def run_unspun_node(name: str, arguments: Sequence[str], work: Callable[[Node], None]) -> int:
    """
    Start ROS with one node that is never spun, let it do its work, and shut ROS down.

    :param name: name of the node
    :param arguments: command line without the program's name
    :param work: function that does the work; its errors are logged
    :return: exit status: 0, 1 if the work fails, ``EXIT_CONFIG`` if the command line, a parameter
        or the dataset cannot be used, 3 after an unexpected error
    """

    def run(node: Node) -> int:
        log: Any = node.get_logger()
        try:
            work(node)
        except (ConfigError, DatasetError) as error:
            log.fatal(f'cannot start: {error}')
            return EXIT_CONFIG
        except StreamrecError as error:
            log.fatal(f'{name} has failed: {error}')
            return _EXIT_BROKEN
        except Exception as error:  # noqa: BLE001
            log.fatal(f'unexpected error, please report it: {error!r}')
            return _EXIT_BUG
        finally:
            node.destroy_node()
        return 0

    # Its parameter services would not answer.
    return run_node(name, arguments, run, start_parameter_services=False)


def empty_parameters(node: Node) -> tuple[str, ...]:
    """Return the names of parameters that the user has set to an empty list."""
    return node.empty if isinstance(node, _GivenNode) else ()


def unused_files(arguments: Sequence[str], node_name: str) -> str:
    """
    Describe the parameter files that set nothing for a node, and the nodes that they are for.

    :param arguments: command line
    :param node_name: full name of the node
    :return: text to append to an error; empty if every file sets a parameter of the node
    """
    files = _params_files(arguments)
    if not any(one in _OF_PARAMETERS for one in arguments):
        return (
            f'. No parameter was given for the node {node_name}: start with --ros-args '
            f'{_PARAMS_FILE} FILE'
        )
    found = []
    for file in files:
        names = node_names(file)
        if not any(is_for(name, node_name) for name in names):
            found.append(f'. {file.absolute()} {sets_nothing(names, node_name)}')
    return ''.join(found)


def _params_files(arguments: Sequence[str]) -> list[Path]:
    return [Path(value) for name, value in pairwise(arguments) if name == _PARAMS_FILE]


def given_parameters(arguments: Sequence[str]) -> list[bytes]:
    """
    Return the parameters of a command line as parameter files, in the order in which they count.

    :param arguments: command line that ROS has accepted
    :return: the content of each file; parameters that are given one by one form another file
    """
    found = []
    pairs = ((name, value) for name, value in pairwise(arguments) if name in _OF_PARAMETERS)
    for is_file, group in groupby(pairs, lambda pair: pair[0] == _PARAMS_FILE):
        values = [value for _, value in group]
        if is_file:
            # ROS has read the file, and a launch may have removed it since.
            for one in values:
                with suppress(OSError):
                    found.append(Path(one).read_bytes())
        else:
            found.append(yaml.safe_dump(_as_content(values), sort_keys=False).encode())
    return found


def _as_content(rules: Sequence[str]) -> dict[str, Any]:
    """Return the content of a parameter file that says the same as ``node:name:=value``."""
    content: dict[str, Any] = {}
    for rule in rules:
        target, _, value = rule.partition(':=')
        node, _, name = target.rpartition(':')
        of_node = content.setdefault(node or '/**', {PARAMETERS: {}})
        try:
            of_node[PARAMETERS][name] = yaml.safe_load(value)
        except yaml.YAMLError:
            # The parser of ROS is not as strict.
            of_node[PARAMETERS][name] = value
    return content
