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
"""
launch/record.launch.py: its arguments, and what of them reaches the recorder.

launch and launch_ros are not on the package index. Where a ROS installation has them, the file is
loaded by the real ones. The other tests here run everywhere, against STAND-INS of a few lines:
they show what the file asks launch for, not that launch understands it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
import importlib.util
import os
from pathlib import Path
import sys
from types import ModuleType, SimpleNamespace

import pytest

pytestmark = [pytest.mark.ros]

CHECKOUT = Path(__file__).resolve().parents[2]
LAUNCH_FILE = CHECKOUT / 'launch' / 'record.launch.py'
ARGUMENTS = {
    'params_file',
    'root',
    'repo_id',
    'task',
    'operator',
    'robot_type',
    'fps',
    'resume',
    'use_sim_time',
    'namespace',
    'log_level',
    'fastdds_profile',
    'end_with_launch',
    'bag',
    'bag_dir',
    'console',
    'console_host',
    'console_port',
    'console_token',
}
# What the recorder is told before the arguments that are ROS's own.
END_WITH = ['--end-with', str(os.getpid())]
PROFILES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')


def is_there(module):
    # The checkout's own folder launch/ is a namespace package of that name.
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


# --- with the real launch ----------------------------------------------------------------------


def test_the_real_launch_loads_the_file():
    for module in ('launch.actions', 'launch_ros.actions', 'ament_index_python.packages'):
        if not is_there(module):
            pytest.skip(f'{module} is not installed: only a ROS installation has it')
    from launch import LaunchContext
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    try:
        description = get_launch_description_from_python_launch_file(str(LAUNCH_FILE))
    except LookupError as error:
        pytest.skip(f'the package is not installed in this ROS workspace: {error}')
    arguments = {one.name for one in description.get_launch_arguments()}
    assert arguments == ARGUMENTS
    context = LaunchContext()
    for entity in description.entities:
        entity.visit(context)


# --- with stand-ins ----------------------------------------------------------------------------


class StandInContext(dict):
    """Stands in for launch.LaunchContext: the arguments' values, and the command line."""

    argv = ()

    @property
    def launch_configurations(self):
        return self


class StandInConfiguration:
    """Stands in for launch.substitutions.LaunchConfiguration."""

    def __init__(self, name):
        self._name = name

    def perform(self, context):
        return context[self._name]


@dataclass(frozen=True)
class StandInValue:
    """Stands in for launch_ros.parameter_descriptions.ParameterValue."""

    value: str
    value_type: type


class Recorded:
    """Stands in for an action or a description: keeps what it was made with."""

    def __init__(self, *positional, **named):
        self.positional = positional
        self.named = named


def stand_ins(share):
    """Return stand-ins for all modules that the file imports of ROS."""
    actions = (
        'DeclareLaunchArgument',
        'EmitEvent',
        'LogInfo',
        'OpaqueFunction',
        'RegisterEventHandler',
        'Shutdown',
    )
    return {
        'launch': {'LaunchContext': StandInContext, 'LaunchDescription': Recorded},
        'launch.actions': dict.fromkeys(actions, Recorded),
        'launch.event_handlers': {'OnProcessExit': Recorded},
        'launch.events': {'matches_action': lambda action: ('matches', action)},
        'launch.events.process': {'ShutdownProcess': Recorded},
        'launch.substitutions': {'LaunchConfiguration': StandInConfiguration},
        'launch_ros': {},
        'launch_ros.actions': {'Node': Recorded},
        'launch_ros.parameter_descriptions': {'ParameterValue': StandInValue},
        'ament_index_python': {},
        'ament_index_python.packages': {'get_package_share_directory': lambda _: str(share)},
    }


@pytest.fixture
def first_file(tmp_path, monkeypatch):
    """The path of the file of the first run, in a home of its own."""
    monkeypatch.setenv('ROS_HOME', str(tmp_path / 'ros'))
    return tmp_path / 'ros' / 'lerobot_streamrec' / 'record.yaml'


@pytest.fixture
def launch_file(monkeypatch, first_file):
    """Run the file against the stand-ins; return how to launch it."""
    first_file.parent.mkdir(parents=True)
    first_file.touch()
    (first_file.parent / 'left').mkdir()
    (first_file.parent / 'left' / 'record.yaml').touch()
    for name in PROFILES:
        monkeypatch.delenv(name, raising=False)
    # The checkout has the folders of an installed package.
    share = CHECKOUT
    for name, content in stand_ins(share).items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)

    def run():
        names = {'__name__': 'record_launch', '__file__': str(LAUNCH_FILE)}
        exec(compile(LAUNCH_FILE.read_text(), str(LAUNCH_FILE), 'exec'), names)
        (entities,) = names['generate_launch_description']().positional
        declared = {one.positional[0]: one.named for one in entities[:-1]}

        def launch(argv=(), **arguments):
            values = {name: one['default_value'] for name, one in declared.items()}
            assert set(arguments) <= set(values)
            context = StandInContext(values | arguments)
            context.argv = argv
            nodes = entities[-1].named['function'](context)
            made = [SimpleNamespace(**one.named) for one in nodes]
            named = [one for one in made if hasattr(one, 'executable')]
            recorder, *others = named
            recorder.others, recorder.actions = others, made
            return recorder

        return SimpleNamespace(declared=declared, launch=launch, programs=names['programs'])

    return run


def test_the_file_imports_nothing_else_of_ros():
    """So the stand-ins cover it; what they do not name would fail to import."""
    imported = set()
    for node in ast.walk(ast.parse(LAUNCH_FILE.read_text())):
        if isinstance(node, ast.ImportFrom):
            imported |= {(node.module, name.name) for name in node.names}
        elif isinstance(node, ast.Import):
            imported |= {(name.name, None) for name in node.names}
    modules = {module for module, _ in imported}
    ours = stand_ins(CHECKOUT)
    python = {'__future__', 'collections.abc', 'difflib', 'json', 'os', 'sys', 'typing'}
    assert modules - python <= set(ours)
    assert all(name in ours[module] for module, name in imported if module in ours)


def test_every_argument_is_declared_and_described_stand_in(launch_file):
    declared = launch_file().declared
    assert set(declared) == ARGUMENTS
    for name, options in declared.items():
        # launch takes texts only, and asks for what has no default.
        assert isinstance(options['default_value'], str), name
        assert len(options['description']) > 5, name


def test_the_default_profile_is_a_file_of_the_package_stand_in(launch_file):
    path = Path(launch_file().declared['fastdds_profile']['default_value'])
    assert path == CHECKOUT / 'config' / 'fastdds_images.xml'
    assert path.is_file()


def test_only_given_arguments_become_parameters_stand_in(launch_file, first_file):
    node = launch_file().launch(params_file=str(first_file))
    assert node.package == 'lerobot_streamrec'
    assert node.executable == 'record'
    assert node.parameters == [str(first_file)]
    assert node.actions == [node]


def test_without_a_file_the_one_of_the_first_run_is_used_and_named_stand_in(
    launch_file, first_file
):
    node = launch_file().launch()
    assert node.parameters == [str(first_file)]
    assert str(first_file) in node.actions[0].msg
    node = launch_file().launch(namespace='/left')
    assert node.parameters == [str(first_file.parent / 'left' / 'record.yaml')]


@pytest.mark.parametrize(
    ('given', 'folder'), [('', 'cell_7'), ('left', 'cell_7/left'), ('/left', 'left')]
)
def test_robots_in_pushed_namespaces_have_files_of_their_own_stand_in(
    launch_file, first_file, given, folder
):
    run = launch_file()
    values = {name: one['default_value'] for name, one in run.declared.items()}
    context = StandInContext(values | {'ros_namespace': '/cell_7', 'namespace': given})
    first, *_ = run.programs(context)
    # With the file the launch names it, and without it the set-up gets its path.
    told = [*first.named.get('arguments', ()), *first.named.get('msg', '').split(', ')]
    assert any(one.endswith(str(first_file.parent / folder / 'record.yaml')) for one in told)


@pytest.mark.parametrize('has_page', [False, True])
def test_the_recorder_of_a_first_run_starts_after_the_set_up_stand_in(
    launch_file, first_file, has_page
):
    first_file.unlink()
    set_up = launch_file().launch(console=str(has_page), task='Fold', namespace='')
    assert set_up.executable == 'set_up'
    defaults = '{"task": "Fold"}'
    wait = ['--wait'] if has_page else ['--defaults', defaults]
    assert set_up.arguments == [
        *END_WITH,
        *wait,
        str(first_file),
        '--ros-args',
        '--log-level',
        'info',
    ]
    values = {'set_up_file': str(first_file), 'set_up_defaults': defaults}
    pages = [{name: StandInValue(text, str) for name, text in values.items()}]
    assert [one.parameters for one in set_up.others] == ([pages] if has_page else [])


def test_a_set_up_that_fails_ends_the_launch_stand_in(launch_file, first_file, monkeypatch):
    first_file.unlink()
    run = launch_file()
    values = {name: one['default_value'] for name, one in run.declared.items()}
    context = StandInContext(values | {'task': 'Fold', 'robot_type': 'so101'})
    set_up, handler = run.programs(context)
    start = handler.positional[0].named['on_exit']
    assert handler.positional[0].named['target_action'] is set_up
    (recorder,) = start(SimpleNamespace(returncode=0), context)
    assert recorder.named['executable'] == 'record'
    # The file has the last word on what the set-up offers, and on nothing else.
    task, robot = StandInValue('Fold', str), StandInValue('so101', str)
    assert recorder.named['parameters'] == [{'task': task}, str(first_file), {'robot_type': robot}]
    (end,) = start(SimpleNamespace(returncode=2), context)
    assert 'without a parameter file' in end.named['reason']


def test_given_arguments_have_the_types_of_their_parameters_stand_in(
    launch_file, tmp_path, monkeypatch
):
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'mine.yaml').touch()
    node = launch_file().launch(
        params_file='~/mine.yaml',
        root='/data/cubes',
        repo_id='me/cubes',
        task='Stack: 3 cubes',
        operator='1',
        robot_type='so101',
        fps='15',
        resume='false',
        use_sim_time='true',
        log_level='rcl:=DEBUG',
    )
    first, *overrides = node.parameters
    assert first == str(tmp_path / 'mine.yaml')
    values = {name: value for one in overrides for name, value in one.items()}
    assert len(values) == len(overrides) == 8
    assert values == {
        # A text by itself would be read as YAML, and this task as a mapping.
        'root': StandInValue('/data/cubes', str),
        'repo_id': StandInValue('me/cubes', str),
        'task': StandInValue('Stack: 3 cubes', str),
        'operator': StandInValue('1', str),
        'robot_type': StandInValue('so101', str),
        'fps': 15,
        'resume': False,
        'use_sim_time': True,
    }
    assert type(values['fps']) is int
    assert values['use_sim_time'] is True
    assert node.arguments == [*END_WITH, '--ros-args', '--log-level', 'rcl:=DEBUG']


@pytest.mark.parametrize(
    ('text', 'value'), [('false', False), ('False', False), ('True', True), ('1', True)]
)
def test_use_sim_time_in_all_spellings_stand_in(launch_file, text, value):
    node = launch_file().launch(use_sim_time=text)
    assert {'use_sim_time': value} in node.parameters


@pytest.mark.parametrize(
    ('name', 'text', 'words'),
    [
        ('fps', 'abc', 'fps:=abc: a whole number is needed'),
        ('fps', '29.97', 'fps:=29.97: a whole number is needed'),
        ('fps', '3_0', 'fps:=3_0: a whole number is needed'),
        ('use_sim_time', 'maybe', 'use_sim_time:=maybe: true or false is needed'),
        ('resume', 'yse', 'resume:=yse: true or false is needed'),
        ('end_with_launch', '', 'end_with_launch:=: true or false is needed'),
        ('log_level', 'loud', 'log_level:=loud: allowed are debug, info, warn, error, fatal'),
        # launch itself only warns, and the recorder would say that there is nothing to record.
        ('params_file', '/no/a.yaml', 'params_file:=/no/a.yaml: there is no file /no/a.yaml'),
        ('fastdds_profile', '/no/a.xml', 'fastdds_profile:=/no/a.xml: there is no file /no/a.xml'),
    ],
)
def test_a_value_that_cannot_be_read_is_named_stand_in(launch_file, name, text, words):
    with pytest.raises(ValueError, match=f'^{name}:=') as caught:
        launch_file().launch(**{name: text})
    assert str(caught.value) == words


def test_an_argument_that_nobody_reads_is_refused_stand_in(launch_file, monkeypatch):
    given = ('task:=a := b', 'namspace:=left')
    monkeypatch.setattr(sys, 'argv', ['ros2', 'launch', 'package', LAUNCH_FILE.name, *given])
    with pytest.raises(ValueError, match='argument namspace; did you mean namespace') as caught:
        launch_file().launch(given)
    with pytest.raises(ValueError, match='argument qqq; known are params_file, namespace'):
        launch_file().launch(('qqq:=1',))
    launch_file().launch((given[0], 'launch-prefix:=gdb -ex run --args'))
    # Those of a launch file that includes this one are its own.
    monkeypatch.setattr(sys, 'argv', ['ros2', 'launch', 'package', 'robot.launch.py', *given])
    launch_file().launch(given)
    assert 'params_file' not in str(caught.value)


def test_the_namespace_is_the_nodes_or_that_of_an_including_file_stand_in(launch_file):
    assert launch_file().launch(namespace='left').namespace == 'left'
    assert launch_file().launch().namespace is None


def test_the_recorder_ends_with_the_launch_unless_told_otherwise_stand_in(launch_file):
    assert launch_file().launch().arguments[:2] == END_WITH
    node = launch_file().launch(end_with_launch='false')
    assert node.arguments == ['--ros-args', '--log-level', 'info']


def test_the_profile_is_set_for_old_and_new_fast_dds_stand_in(launch_file):
    profile = str(CHECKOUT / 'config' / 'fastdds_images.xml')
    node = launch_file().launch(fastdds_profile=profile)
    assert node.additional_env == dict.fromkeys(PROFILES, profile)
    # launch lets nobody write an empty value on a command line.
    for text in ('none', ''):
        assert launch_file().launch(fastdds_profile=text).additional_env == {}


@pytest.mark.parametrize('variable', PROFILES)
def test_a_profile_of_the_user_is_kept_stand_in(launch_file, monkeypatch, tmp_path, variable):
    profile = tmp_path / 'profile.xml'
    profile.touch()
    monkeypatch.setenv(variable, str(profile))
    assert launch_file().launch().additional_env == dict.fromkeys(PROFILES, str(profile))


def test_launch_waits_longer_than_the_recorder_takes_stand_in(launch_file):
    node = launch_file().launch()
    assert float(node.sigterm_timeout) > 10.0
    assert node.output == 'screen'


def test_the_page_is_served_only_on_request_stand_in(launch_file):
    assert launch_file().launch(console_port='80').others == []
    recorder = launch_file().launch(console='true', namespace='left', end_with_launch='false')
    (page,) = recorder.others
    assert page.package == 'lerobot_streamrec'
    assert page.executable == 'console'
    assert page.parameters == [{}]
    # Its default recorder is the one in its own namespace.
    assert page.namespace == recorder.namespace == 'left'
    assert page.arguments == recorder.arguments == ['--ros-args', '--log-level', 'info']


def test_arguments_of_the_page_are_its_parameters_stand_in(launch_file):
    recorder = launch_file().launch(
        console='true', console_host='0.0.0.0', console_port='8100', console_token='12345678'
    )
    (page,) = recorder.others
    host, token = (StandInValue(text, str) for text in ('0.0.0.0', '12345678'))
    assert page.parameters == [{'host': host, 'port': 8100, 'token': token}]
    assert page.arguments[:2] == END_WITH
    with pytest.raises(ValueError, match='console_port:=http: a whole number'):
        launch_file().launch(console='true', console_port='http')


def test_a_bag_is_recorded_only_on_request_and_ends_with_its_recorder_stand_in(
    launch_file, first_file, monkeypatch
):
    monkeypatch.setenv('HOME', '/home/ada')
    named = {'metadata.bag': StandInValue('', str)}
    recorder = launch_file().launch(bag='true', bag_dir='~/bags', namespace='left')
    assert recorder.parameters[-1] == named
    (bag,) = recorder.others
    assert (bag.package, bag.executable) == ('lerobot_streamrec', 'record_bag')
    assert bag.parameters == [{'bag_dir': StandInValue('/home/ada/bags', str)}]
    assert bag.namespace == recorder.namespace == 'left'
    assert bag.arguments == recorder.arguments
    assert bag.additional_env == recorder.additional_env
    # It waits for the recorder's end, and then for the bag's.
    assert float(bag.sigterm_timeout) > float(recorder.sigterm_timeout) + 15.0
    # On a first run the recorder comes later.
    first_file.unlink()
    run = launch_file()
    values = {name: one['default_value'] for name, one in run.declared.items()}
    _, after_set_up, bag, at_end = run.programs(StandInContext(values | {'bag': 'true'}))
    start = after_set_up.positional[0].named['on_exit']
    (recorder,) = start(SimpleNamespace(returncode=0), None)
    assert recorder.named['parameters'][-1] == named
    assert bag.named['parameters'] == [{}]
    ending = at_end.positional[0].named
    assert ending['target_action'] is recorder
    (end,) = ending['on_exit']
    assert end.named['event'].named['process_matcher'] == ('matches', bag)
    with pytest.raises(ValueError, match='bag:=yes: true or false is needed'):
        launch_file().launch(bag='yes')


def test_the_file_is_executable_python_of_this_version():
    compile(LAUNCH_FILE.read_text(), os.fspath(LAUNCH_FILE), 'exec')
