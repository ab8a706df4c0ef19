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
Images, compose file, systemd unit, pixi and workflows agree with the package and its documents.

Nothing here builds or starts any of them: linters read them, as far as they are installed, and
``test/nodes/test_deployed.py`` runs their commands.
"""

from __future__ import annotations

import ast
from configparser import RawConfigParser
from pathlib import Path
import re
import shlex
import shutil
import subprocess
import sys
from xml.etree import ElementTree

from lerobot_streamrec.cli.main import streamrec
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = ROOT / 'docker' / 'Dockerfile'
COMPOSE = ROOT / 'docker' / 'compose.yaml'
UNIT = ROOT / 'systemd' / 'streamrec@.service'
PIXI = ROOT / 'pixi.toml'
WORKFLOWS = sorted((ROOT / '.github' / 'workflows').glob('*.yaml'))
SCRIPTS = [ROOT / '.ci' / 'run', ROOT / '.ci' / 'wheel', ROOT / 'docker' / 'entrypoint.sh']
PAGE = ROOT / 'docs' / 'deployment.md'
FILES = [DOCKERFILE, COMPOSE, UNIT, PIXI, *WORKFLOWS, *SCRIPTS]

IN_DEV = 'requirements/dev.txt has it'
# With the paths of what compose needs to know.
FOLDERS = {'STREAMREC_CONFIG': '/tmp', 'STREAMREC_DATA': '/tmp'}
# The time in which the recorder ends by itself, in seconds.
END_S = 10
# The imports that pip brings, for want of a rosdep key or for an extra; only `ros2` itself loads
# what imports ros2cli.
BY_PIP = {'av', 'pyarrow'}
EXTRAS = {
    'console': {'segno', 'starlette', 'uvicorn', 'websockets'},
    'pedal': {'evdev'},
    'report': {'jinja2'},
    'bags': {'backports', 'lz4', 'rosbags', 'ruamel', 'yaml'},
    'rerun': {'rerun'},
    'hub': {'httpx', 'huggingface_hub'},
    'ray': {'ray'},
}
BY_ROS2 = {'ros2cli'}


def program(name, advice):
    """Find a linter beside this Python or on the PATH; skip the test if there is none."""
    found = shutil.which(name, path=Path(sys.executable).parent) or shutil.which(name)
    if found is None:
        pytest.skip(f'{name} is not installed, so its files are not linted: {advice}')
    return found


def lint(*command, **variables):
    run = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env={'PATH': '/usr/bin:/bin', 'HOME': '/nonexistent', **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    return run.stdout


# --- linters -----------------------------------------------------------------------------------


def test_hadolint_has_nothing_to_say_of_the_dockerfile():
    lint(program('hadolint', IN_DEV), '--no-color', DOCKERFILE)


@pytest.mark.parametrize(
    ('schema', 'files'),
    [('compose-spec', [COMPOSE]), ('github-workflows', WORKFLOWS)],
    ids=['compose', 'workflows'],
)
def test_files_fit_their_schema(schema, files):
    lint(program('check-jsonschema', IN_DEV), '--builtin-schema', f'vendor.{schema}', *files)


def test_actionlint_has_nothing_to_say_of_the_workflows():
    lint(program('actionlint', 'no package of requirements/ brings it'), *WORKFLOWS)


def test_shellcheck_has_nothing_to_say_of_the_scripts():
    lint(program('shellcheck', 'apt-get install shellcheck'), *SCRIPTS)


def test_systemd_accepts_the_unit(tmp_path):
    # Only with a name between @ and the dot, it is a unit that could be started.
    copy = shutil.copy(UNIT, tmp_path / 'streamrec@arm.service')
    said = lint(program('systemd-analyze', 'it is part of systemd'), 'verify', copy)
    # It only warns of a setting that it does not know, and of units of the machine as well.
    assert 'streamrec@' not in said, said


def test_compose_accepts_its_file():
    docker = program('docker', 'it needs Docker and its plugin compose')
    has_compose = subprocess.run([docker, 'compose', 'version'], capture_output=True, check=False)
    if has_compose.returncode != 0:
        pytest.skip('docker has no plugin compose, so `docker compose config` is not run')
    profile = ('--profile', 'tools')
    lint(docker, 'compose', '--file', COMPOSE, *profile, 'config', '--quiet', **FOLDERS)


# --- checks without any tool -------------------------------------------------------------------


def setup_keyword(name):
    tree = ast.parse((ROOT / 'setup.py').read_text('utf-8'))
    (value,) = [
        one.value for one in ast.walk(tree) if isinstance(one, ast.keyword) and one.arg == name
    ]
    return ast.literal_eval(value)


@pytest.fixture(scope='module')
def executables():
    return {
        line.partition(' = ')[0]: line.partition(' = ')[2]
        for line in setup_keyword('entry_points')['console_scripts']
    }


@pytest.fixture(scope='module')
def services():
    return yaml.safe_load(COMPOSE.read_text('utf-8'))['services']


@pytest.fixture(scope='module')
def unit():
    parser = RawConfigParser(delimiters='=', comment_prefixes='#', strict=False)
    parser.optionxform = str
    parser.read_string(UNIT.read_text('utf-8'))
    return parser['Service']


@pytest.fixture(scope='module')
def pixi():
    tomllib = pytest.importorskip('tomllib', reason='Python 3.10 cannot read TOML')
    return tomllib.loads(PIXI.read_text('utf-8'))


def instructions():
    """Return the instructions of the Dockerfile, each in one line, without comments."""
    lines = DOCKERFILE.read_text('utf-8').splitlines()
    text = '\n'.join(line for line in lines if not line.lstrip().startswith('#'))
    joined = re.sub(r'\\\n\s*', '', text).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in joined if line]


def arguments(name):
    return [rest for instruction, rest in instructions() if instruction == name]


def test_services_start_programs_that_are_installed(services, executables):
    assert set(services) == {'recorder', 'console', 'sync', 'streamrec'}
    for service in services.values():
        own = service.get('entrypoint', [])[1:]
        assert [*own, *service['command']][0] in executables
    assert services['sync']['command'][0] in streamrec.commands
    (default,) = map(ast.literal_eval, arguments('CMD'))
    assert default[0] in executables
    assert {'init', 'doctor', 'check', 'report'} <= set(streamrec.commands)


def test_commands_in_the_page_exist(executables, services):
    text = PAGE.read_text('utf-8')
    words = re.findall(r'run --rm (\w+) (\w+)', text)
    assert len(words) > 3
    for service, command in words:
        assert service in services
        assert command in (streamrec.commands if service == 'streamrec' else executables)
    tasks = re.findall(r'pixi run -e \w+ ([\w-]+)', text)
    assert {'record', 'console', 'test-fast'} <= set(tasks)
    for name, title in re.findall(r'\]\((?!http)([^)#]*)#?([^)]*)\)', text):
        path = PAGE.parent / name if name else PAGE
        assert path.exists(), name
        titles = re.findall(r'^#+ (.*)$', path.read_text('utf-8'), re.MULTILINE) if title else ()
        anchors = {re.sub(r'[^\w -]', '', one).lower().replace(' ', '-') for one in titles}
        assert not title or title in anchors, f'{name}#{title}'


def test_everything_stops_the_recorder_in_order_and_leaves_it_time(services, unit):
    text = (ROOT / 'config' / 'record.yaml').read_text('utf-8')
    ((save_timeout_s,),) = [[float(one)] for one in re.findall(r'save_timeout_s: (\S+)', text)]
    stops_s = [services['recorder']['stop_grace_period'].removesuffix('s'), unit['TimeoutStopSec']]
    assert all(float(one) >= save_timeout_s + END_S for one in stops_s)
    assert services['recorder']['stop_signal'] == unit['KillSignal'] == 'SIGINT'
    assert arguments('STOPSIGNAL') == ['SIGINT']
    # systemd would interrupt the ffmpeg programs of a recorder as well.
    assert unit['KillMode'] == 'mixed'
    assert unit['Restart'] == 'on-failure'


def test_the_unit_starts_the_installed_recorder(unit, executables):
    *_, command = shlex.split(unit['ExecStart'].replace('$$', '$'))
    (name,) = re.findall(r'exec "\$\{prefix\}/lib/lerobot_streamrec/(\w+)" ', command)
    assert name in executables


def test_all_name_the_same_distributions(services, pixi):
    (check,) = [one for one in arguments('RUN') if one.startswith('case "${ROS_DISTRO}"')]
    distributions = set(re.search(r'in (\S+)\) ;;', check)[1].split('|'))
    named = [path.stem for path in (ROOT / 'requirements').glob('ros*.txt')]
    packages = ''.join((ROOT / 'requirements' / f'{one}.txt').read_text('utf-8') for one in named)
    assert distributions == set(re.findall(r'^ros-(\w+)-rclpy==', packages, re.MULTILINE))
    assert set(pixi['environments']) == distributions
    for one in distributions:
        feature = pixi['feature'][one]
        assert feature == {
            'channels': [f'robostack-{one}'],
            'dependencies': {f'ros-{one}-ros-base': '*'},
        }
        assert f'ROS 2 {one.title()}' in (ROOT / 'README.md').read_text('utf-8')
        assert f'ROS_DISTRO={one}' in PAGE.read_text('utf-8')
    default = arguments('ARG')[0].partition('=')[2]
    assert default in distributions
    assert all(f'${{ROS_DISTRO:-{default}}}' in one['image'] for one in services.values())
    (job,) = yaml.safe_load((WORKFLOWS[0]).read_text('utf-8'))['jobs'].values()
    matrix = job['strategy']['matrix']
    assert set(matrix['ROS_DISTRO']) == distributions | {'rolling'}
    assert matrix['ROS_REPO'] == ['main']


def test_the_wheel_is_tested_on_every_python_from_the_oldest():
    jobs = yaml.safe_load(WORKFLOWS[1].read_text('utf-8'))['jobs']
    versions = jobs['wheel']['strategy']['matrix']['python']
    assert setup_keyword('python_requires') == f'>={versions[0]}'
    minors = [int(one.removeprefix('3.')) for one in versions]
    assert minors == list(range(10, 15))
    assert {step['run'] for job in jobs.values() for step in job['steps'] if 'run' in step} > {
        '.ci/run', '.ci/wheel python3 dist',
    }  # fmt: skip
    (kept,) = [one for one in jobs['wheel']['steps'] if 'upload-artifact' in one.get('uses', '')]
    assert kept['with']['path'] == 'dist/'
    assert any(kept['if'] == f"matrix.python == '{one}'" for one in versions)


def test_what_is_named_is_there(pixi):
    extras = setup_keyword('extras_require')
    texts = [path.read_text('utf-8') for path in FILES]
    named = {one for text in texts for one in re.findall(r'requirements/[\w-]+\.txt', text)}
    assert {'requirements/runtime.txt', 'requirements/console.txt'} <= named
    assert all((ROOT / one).is_file() for one in named)
    (package,) = pixi['feature']['recorder']['pypi-dependencies'].values()
    (installed,) = re.findall(r"'\.\[([\w,]+)\]'", DOCKERFILE.read_text('utf-8'))
    assert set(package['extras']) | set(installed.split(',')) <= set(extras)
    profile = Path(re.search(r'share/lerobot_streamrec/(\S+)', arguments('ENV')[0])[1])
    assert (ROOT / profile).is_file()


def test_rosdep_installs_what_the_package_imports():
    imported = set()
    for folder in ('lerobot_streamrec', 'launch'):
        for path in (ROOT / folder).rglob('*.py'):
            for node in ast.walk(ast.parse(path.read_text('utf-8'))):
                if isinstance(node, ast.ImportFrom) and node.level == 0:
                    imported.add(node.module.partition('.')[0])
                elif isinstance(node, ast.Import):
                    imported |= {one.name.partition('.')[0] for one in node.names}
    # The module compression came with Python 3.14.
    needed = imported - sys.stdlib_module_names - {'lerobot_streamrec', 'compression'}
    assert needed > {'rclpy', 'numpy'} | set.union(BY_PIP, BY_ROS2, *EXTRAS.values())
    package = ElementTree.parse(ROOT / 'package.xml').getroot()
    keys = {one.text.removeprefix('python3-') for one in package.iter('exec_depend')}
    # A recorder with a parameter file needs PyYAML; it is an extra for pip without ROS alone.
    optional = set.union(*EXTRAS.values()) - {'yaml'}
    missing = sorted(needed - keys - BY_PIP - BY_ROS2 - optional)
    assert not missing
    assert set(EXTRAS) | {'test'} == set(setup_keyword('extras_require'))


def test_all_name_the_same_version():
    version = setup_keyword('version')
    assert ElementTree.parse(ROOT / 'package.xml').findtext('version') == version
    assert f'The version is {version},' in (ROOT / 'QUALITY_DECLARATION.md').read_text('utf-8')


def test_the_image_has_no_list_of_packages_of_its_own():
    for run in arguments('RUN'):
        for words in re.findall(r'pip install (.*?)(?: &&|$)', run):
            wanted = re.sub(r'-r requirements/\S+|--\S+', '', words).split()
            assert all(one.startswith("'.[") for one in wanted), words
        for words in re.findall(r'apt-get install (.*?)(?: &&|$)', run):
            wanted = re.sub(r'--\S+', '', words).split()
            assert wanted in (['${EXTRA_PACKAGES}'], ['python3-venv']), words
    assert any('rosdep install' in run for run in arguments('RUN'))


def test_what_the_image_copies_reaches_the_builder():
    text = (DOCKERFILE.parent / 'Dockerfile.dockerignore').read_text('utf-8')
    first, *rules = [line for line in text.splitlines() if line and not line.startswith('#')]
    assert first == '*'
    sources = [
        source
        for words in arguments('COPY')
        if not words.startswith('--from=')
        for source in words.split()[:-1]
    ]
    assert len(sources) > 8
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f'!{source}' in rules, source


def test_the_recorder_runs_as_a_user():
    *_, user = arguments('USER')
    assert user == '${USER_ID}:${GROUP_ID}'
    assert {'USER_ID=1000', 'GROUP_ID=1000'} <= set(arguments('ARG'))


def test_names_of_images_and_channels_name_no_host(services, pixi):
    bare = re.compile(r'[a-z0-9-]+')
    images = [one.split()[0] for one in arguments('FROM')]
    images += [service['image'] for service in services.values()]
    for one in images:
        assert bare.fullmatch(one.partition(':')[0]), one
    channels = list(pixi['workspace']['channels'])
    for feature in pixi['feature'].values():
        channels += feature.get('channels', [])
    for one in channels:
        assert bare.fullmatch(one), one


@pytest.mark.parametrize('path', WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_have_pinned_actions_few_rights_and_no_secrets(path):
    text = path.read_text('utf-8')
    workflow = yaml.safe_load(text)
    assert workflow['permissions'] == {'contents': 'read'}
    assert 'secrets' not in text
    for job in workflow['jobs'].values():
        assert 'permissions' not in job
        for step in job['steps']:
            if 'uses' in step:
                version = step['uses'].partition('@')[2]
                assert re.fullmatch(r'v\d+\.\d+\.\d+|[0-9a-f]{40}', version), step['uses']
            if step.get('uses', '').startswith('actions/checkout@'):
                assert step['with'] == {'persist-credentials': False}


def test_every_variable_is_documented():
    text = PAGE.read_text('utf-8')
    names = set(re.findall(r'\$\{([A-Z_]+)[:}]', COMPOSE.read_text('utf-8')))
    names |= {one.partition('=')[0] for one in arguments('ARG')}
    names |= set(re.findall(r'^Environment=(\w+)=', UNIT.read_text('utf-8'), re.MULTILINE))
    names |= {one.partition('=')[0] for one in arguments('ENV')[0].split()} - {'HOME', 'PATH'}
    assert {'STREAMREC_SETUP', 'STREAMREC_ARGUMENTS'} < names
    assert len(names) > 15
    missing = [one for one in sorted(names) if not re.search(rf'`{one}[`=]', text)]
    assert not missing


def test_every_source_file_states_its_copyright():
    # Pages of others have their licenses beside them.
    pages = [
        path
        for path in (ROOT / 'lerobot_streamrec').rglob('*')
        if path.suffix in {'.css', '.html', '.js', '.py'} and 'vendor' not in path.parts
    ]
    tools = [*(ROOT / 'launch').glob('*.py'), ROOT / 'setup.py', DOCKERFILE, *SCRIPTS]
    assert len(pages) > 300
    missing = [path for path in (*pages, *tools) if 'Copyright' not in path.read_text('utf-8')]
    assert not missing
