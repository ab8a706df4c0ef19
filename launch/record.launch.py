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
"""Start the recorder alongside the drivers of a robot, and by choice the operator's web page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import difflib
import json
import os
import sys
from typing import Any

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnProcessExit
from launch.events import matches_action
from launch.events.process import ShutdownProcess
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SHARE = get_package_share_directory('lerobot_streamrec')


def verbatim(text: str) -> ParameterValue:
    """Keep a text unchanged; launch would parse it as YAML, and a task may contain a colon."""
    return ParameterValue(text, value_type=str)


def number(text: str) -> int:
    """Parse a launch argument that is a whole number."""
    if not (text.isascii() and text.removeprefix('-').isdigit()):
        raise ValueError('a whole number is needed')
    return int(text)


def flag(text: str) -> bool:
    """Parse a launch argument that is true or false."""
    if text.lower() in ('true', '1'):
        return True
    if text.lower() in ('false', '0'):
        return False
    raise ValueError('true or false is needed')


def file(text: str) -> str:
    """Parse the path of a file that has to exist; launch itself would only warn."""
    path = os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111
    if not os.path.isfile(path):  # noqa: PTH113
        raise ValueError(f'there is no file {path}')
    return path


def file_or_none(text: str) -> str:
    """Parse the path of a file that has to exist, or `none`."""
    # A command line cannot set an argument to nothing: launch calls `name:=` malformed.
    return '' if text.lower() in ('', 'none') else file(text)


def level(text: str) -> str:
    """Parse a log level, or the name of a logger, `:=` and a log level."""
    if text.rpartition(':=')[2].lower() not in LEVELS:
        raise ValueError(f'allowed are {", ".join(LEVELS)}')
    return text


LEVELS = ('debug', 'info', 'warn', 'error', 'fatal')
# The variables of Fast DDS 3 (Kilted and later) and of Fast DDS 2 (Jazzy and earlier).
PROFILE_VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')

# Arguments that override parameters if they are set. Otherwise the parameter file decides.
OVERRIDES: dict[str, tuple[Callable[[str], Any], str]] = {
    'root': (verbatim, "Folder of the dataset; if not set, LeRobot's default folder for repo_id"),
    'repo_id': (verbatim, 'Name of the dataset on the Hub, owner/name'),
    'task': (verbatim, 'What the robot has to do, in one sentence'),
    'operator': (verbatim, 'Name of the person who teaches, free text'),
    'robot_type': (verbatim, 'Kind of robot, free text'),
    'fps': (number, 'Rows and frames per second'),
    'resume': (flag, 'true: append to an existing dataset of the same kind; false: refuse it'),
    'use_sim_time': (flag, 'true: use the time on /clock; false: use system time'),
}


# The overrides that the set-up of a first run offers, and writes into its file.
OFFERED = ('root', 'repo_id', 'task', 'fps')

# Options of `ros2 launch` that it passes on as launch arguments.
LAUNCH_OPTIONS = ('launch-prefix', 'launch-prefix-filter')

# The default and the description of the arguments that are not parameters of the recorder.
OWN = {
    'params_file': (
        '',
        'Parameter file of the node episode: cameras, state, action, encoder; if not set, that '
        'of the first run, which chooses from the topics of the running robot',
    ),
    'namespace': ('', 'Namespace of the node episode and of topics without a leading slash'),
    'log_level': ('info', f'Log level of the recorder: {", ".join(LEVELS)}'),
    'fastdds_profile': (
        next(filter(None, map(os.environ.get, PROFILE_VARIABLES)), '')
        or os.path.join(SHARE, 'config', 'fastdds_images.xml'),  # noqa: PTH118
        'Fast DDS profile with shared memory for images; none: no profile',
    ),
    'end_with_launch': (
        'true',
        'true: the recorder shuts down in order when the launch process has ended, even if killed',
    ),
    'bag': ('false', 'true: also record a bag of all topics that the recorder reads'),
    'bag_dir': ('', 'Folder for the bags; if not set, <root>.bags, beside the dataset'),
    'console': ('false', 'true: also serve the web page that shows and controls the recorder'),
}

# Arguments that set the parameter of that name of the node console if they are not empty.
CONSOLE: dict[str, tuple[Callable[[str], Any], str]] = {
    'console_host': (
        verbatim,
        'Address on which the page listens; 0.0.0.0: all, with a token; if not set, 127.0.0.1',
    ),
    'console_port': (number, 'TCP port of the page; if not set, 8010'),
    'console_token': (
        verbatim,
        'Secret that browsers need; if not set, none at 127.0.0.1, else a new one that is printed',
    ),
}


def refuse_unknown(given: Sequence[str]) -> None:
    """
    Refuse unknown arguments, which launch itself would accept.

    If another launch file includes this one, its arguments are not checked.

    :param given: command line of the launch, each argument as ``name:=value``
    :raise ValueError: if an argument is unknown
    """
    file_name = os.path.basename(__file__)  # noqa: PTH119
    if not any(os.path.basename(word) == file_name for word in sys.argv):  # noqa: PTH119
        return
    known = [*OWN, *OVERRIDES, *CONSOLE]
    for name in (word.partition(':=')[0] for word in given if ':=' in word):
        if name not in known and name not in LAUNCH_OPTIONS:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f'did you mean {near[0]}?' if near else f'known are {", ".join(known)}'
            raise ValueError(f'there is no launch argument {name}; {hint}')


def first_file(context: LaunchContext, namespace: str) -> str:
    """Return the path of the parameter file that the first run of a robot writes."""
    if not namespace.startswith('/'):
        # PushRosNamespace of an including launch file keeps its namespace there.
        pushed = context.launch_configurations.get('ros_namespace', '')
        namespace = f'{pushed}/{namespace}'
    home = os.environ.get('ROS_HOME') or os.path.join('~', '.ros')  # noqa: PTH118
    folders = [one for one in namespace.split('/') if one]
    path = os.path.join(home, 'lerobot_streamrec', *folders, 'record.yaml')  # noqa: PTH118
    return os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111


def after_set_up(set_up: Node, recorder: Node) -> RegisterEventHandler:
    """Start the recorder once the set-up has written the parameter file."""

    def start(event: Any, _context: LaunchContext) -> list[Any]:
        if event.returncode == 0:
            return [recorder]
        return [Shutdown(reason='the set-up ended without a parameter file')]

    return RegisterEventHandler(OnProcessExit(target_action=set_up, on_exit=start))


def console_page(
    argument: Callable[..., Any], offer: dict[str, Any], common: dict[str, Any]
) -> Node:
    """Return the action of the page, with the parameters of the set-up that it offers, if any."""
    given = {
        name.removeprefix('console_'): argument(name, read)
        for name, (read, _) in CONSOLE.items()
        if argument(name)
    }
    return Node(executable='console', parameters=[{**given, **offer}], **common)


def bag_beside(recorder: Node, bag_dir: str, common: dict[str, Any]) -> list[Any]:
    """Return the actions that record a bag as long as the recorder runs."""
    folder = {'bag_dir': verbatim(os.path.abspath(os.path.expanduser(bag_dir)))}  # noqa: PTH100, PTH111
    # It waits for the end of the recorder, up to 12 s, and of the bag, up to 15 s.
    bag = Node(
        executable='record_bag',
        parameters=[folder if bag_dir else {}],
        sigterm_timeout='40',
        **common,
    )
    end = EmitEvent(event=ShutdownProcess(process_matcher=matches_action(bag)))
    return [bag, RegisterEventHandler(OnProcessExit(target_action=recorder, on_exit=[end]))]


def programs(context: LaunchContext) -> list[Any]:
    """Return the actions of the recorder and the console, made from the launch arguments."""
    refuse_unknown(context.argv)

    def argument(name: str, read: Callable[[str], Any] = str) -> Any:
        text = LaunchConfiguration(name).perform(context)
        try:
            return read(text)
        except ValueError as error:
            raise ValueError(f'{name}:={text}: {error}') from None

    given = argument('params_file', file_or_none)
    path = given or first_file(context, argument('namespace'))
    is_first = not os.path.isfile(path)  # noqa: PTH113
    overrides = {
        name: argument(name, read) for name, (read, _) in OVERRIDES.items() if argument(name)
    }
    # On the first run they are the defaults of the set-up, whose file has the last word on them.
    asked = {name: argument(name) for name in OFFERED if is_first and name in overrides}
    parameters: list[Any] = [{name: overrides.pop(name)} for name in asked]
    parameters += [path, *({name: value} for name, value in overrides.items())]
    has_bag = argument('bag', flag)
    if has_bag:
        # An empty name: the recorder warns until the bag has begun and its name is set.
        parameters.append({'metadata.bag': verbatim('')})
    defaults = json.dumps(asked)
    profile = argument('fastdds_profile', file_or_none)
    environment = dict.fromkeys(PROFILE_VARIABLES, profile) if profile else {}
    # If only launch is killed or receives SIGTERM, the recorder would keep running.
    end_with = ['--end-with', str(os.getpid())] if argument('end_with_launch', flag) else []
    ros_arguments = ['--ros-args', '--log-level', argument('log_level', level)]
    common = {
        'package': 'lerobot_streamrec',
        # With None, a launch file that includes this one decides the namespace.
        'namespace': argument('namespace') or None,
        'output': 'screen',
        'additional_env': environment,
        'arguments': [*end_with, *ros_arguments],
    }
    # The recorder shuts down within 10 s of SIGINT, and must not be killed earlier.
    recorder = Node(executable='record', parameters=parameters, sigterm_timeout='15', **common)
    has_page = argument('console', flag)
    if is_first:
        options = [*end_with, *(['--wait'] if has_page else ['--defaults', defaults]), path]
        set_up = Node(executable='set_up', **{**common, 'arguments': [*options, *ros_arguments]})
        actions: list[Any] = [set_up, after_set_up(set_up, recorder)]
    elif given:
        actions = [recorder]
    else:
        told = LogInfo(msg=f'recording with {path}, which an earlier run has written')
        actions = [told, recorder]
    if has_bag:
        actions += bag_beside(recorder, argument('bag_dir'), common)
    if has_page:
        offer = {'set_up_file': verbatim(path), 'set_up_defaults': verbatim(defaults)}
        actions.append(console_page(argument, offer if is_first else {}, common))
    return actions


def generate_launch_description() -> LaunchDescription:
    """Return the launch description with the arguments and the programs."""
    optional = {**OVERRIDES, **CONSOLE}
    declared = {**OWN, **{name: ('', text) for name, (_, text) in optional.items()}}
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=text)
                for name, (default, text) in declared.items()
            ),
            OpaqueFunction(function=programs),
        ]
    )
