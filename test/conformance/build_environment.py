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
Build the virtual environment in which the real lerobot package judges our datasets.

    python3 test/conformance/build_environment.py VENV_DIR

Runs on any Python >= 3.10, finds a Python 3.12 or 3.13 for the environment itself, installs
requirements.txt and makes torch work without CUDA (cuda_stubs.py). A finished environment
carries a stamp of what it was built from: the next call returns at once if nothing changed, and
an interrupted or outdated environment is built again from the start.
"""

from __future__ import annotations

import argparse
from collections import deque
import hashlib
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import time

from cuda_stubs import require_tools, StubError, write_stubs

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / 'requirements.txt'
WITH_TORCHCODEC = HERE / 'requirements-torchcodec.txt'
INPUTS = (REQUIREMENTS, WITH_TORCHCODEC, HERE / 'build_environment.py', HERE / 'cuda_stubs.py')
STAMP = 'conformance-stamp'
UNFINISHED = 'unfinished'
# Newer ones are left out on purpose: not every pin has a binary wheel for them.
PYTHON_VERSIONS = ('3.12', '3.13')
# Folders of the environment, see test/integration/test_torchcodec.py.
TORCHCODEC = 'torchcodec'
FFMPEG = 'ffmpeg'
_MANGLED = re.compile(r'(lib(?:av|sw)\w+)-[0-9a-f]+(\.so\.\d+)\..+')
# Only the wheels that take a while: megabytes and more.
_WHEEL = re.compile(r'(Downloading|Using cached) (?:\S*/)?([^/\s]+\.whl) \((\S+ [MG]B)\)')
_PROBE = 'import ensurepip, sys, venv; print("%d.%d" % sys.version_info[:2])'
_TRIAL = ('import av, lerobot.datasets.lerobot_dataset, torch;'
          'print("lerobot", lerobot.__version__, "torch", torch.__version__, "av", '
          'av.__version__)')


class BuildError(Exception):
    """The environment cannot be built; the message says why and what helps."""


def say(text: str) -> None:
    """
    Print a progress line at once, also into a pipe.

    :param text: the line.
    """
    print(f'conformance: {text}', flush=True)


def fingerprint() -> str:
    """
    Digest everything that decides what the environment contains.

    :return: a hexadecimal digest.
    """
    digest = hashlib.sha256()
    for path in INPUTS:
        digest.update(path.read_bytes() + b'\0')
    return digest.hexdigest()


def interpreter(venv_dir: Path) -> Path:
    """
    Name the Python of an environment.

    :param venv_dir: the environment.
    :return: path of its interpreter.
    """
    return venv_dir / 'bin' / 'python'


def is_ready(venv_dir: Path) -> bool:
    """
    Tell whether the environment is complete and built from the present files.

    :param venv_dir: the environment.
    :return: true if there is nothing to do.
    """
    stamp = venv_dir / STAMP
    return (stamp.is_file() and stamp.read_text() == fingerprint()
            and interpreter(venv_dir).exists())


def python_candidates() -> list[Path]:
    """
    Collect interpreters that may serve, best first; each still has to be tried.

    :return: existing executables.
    """
    found = [Path(sys.executable)]
    for version in PYTHON_VERSIONS:
        on_path = shutil.which(f'python{version}')
        found += [Path(on_path)] if on_path else []
    pyenv = Path(os.environ.get('PYENV_ROOT', Path.home() / '.pyenv')) / 'versions'
    for version in PYTHON_VERSIONS:
        found += sorted(pyenv.glob(f'{version}*/bin/python'), reverse=True)
    return found


def _why_not(python: Path) -> str:
    # -I: a sourced ROS workspace must not lend its modules through PYTHONPATH.
    done = subprocess.run([python, '-I', '-c', _PROBE], capture_output=True, text=True)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ['does not start'])[-1]
    version = done.stdout.strip()
    return '' if version in PYTHON_VERSIONS else f'is Python {version}'


def find_python() -> Path:
    """
    Find the interpreter to build the environment with.

    :return: a Python that lerobot supports, with the venv module.
    :raises BuildError: if there is none, with all that were tried and how to get one.
    """
    reasons = []
    for python in python_candidates():
        reason = _why_not(python)
        if not reason:
            return python
        reasons.append(f'\n  {python}: {reason}')
    raise BuildError(
        f"lerobot needs Python {' or '.join(PYTHON_VERSIONS)} with its venv module; tried:"
        f"{''.join(reasons)}\nInstall one with your system's packages (Debian, Ubuntu: "
        'python3.12 python3.12-venv) or with pyenv (pyenv install 3.12)')


def clear(venv_dir: Path) -> None:
    """
    Make room for a new environment, and mark it as unfinished.

    :param venv_dir: the environment; whatever an earlier build left there is removed.
    :raises BuildError: if the directory holds something that this script did not make.
    """
    if venv_dir.exists():
        if any(venv_dir.iterdir()) and not (venv_dir / STAMP).is_file():
            raise BuildError(f'{venv_dir} is not empty and was not made by this script: '
                             'remove it, or name another directory')
        shutil.rmtree(venv_dir)
    venv_dir.mkdir(parents=True)
    (venv_dir / STAMP).write_text(UNFINISHED)


def install(python: Path, requirements: Path, *more: str | Path) -> None:
    """
    Install pins, showing the larger files as pip fetches them.

    :param python: interpreter of the new environment.
    :param requirements: the file of the pins.
    :param more: options of pip.
    :raises BuildError: if pip fails.
    """
    # --no-deps: the pins are complete, and torch's own list would add gigabytes of CUDA.
    command: list[str | Path] = [
        python, '-I', '-m', 'pip', '--disable-pip-version-check', '--no-color', 'install',
        '--no-deps', '--only-binary', ':all:', '--progress-bar', 'off', '-r', requirements, *more]
    others: deque[str] = deque(maxlen=15)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            if match := _WHEEL.search(line):
                say(f'  {match[1].lower()} {match[2]} ({match[3]})')
            elif line.startswith('Installing collected packages'):
                say('  unpacking')
            else:
                others.append(line)
    if pip.returncode:
        raise BuildError(f"pip could not install {requirements}:\n{''.join(others)}"
                         'Is the package index within reach, and is the disk not full?')


def name_ffmpeg(venv_dir: Path, site_packages: Path) -> None:
    """
    Give the FFmpeg libraries inside PyAV the names that torchcodec looks for.

    :param venv_dir: the environment; the names stand in a folder of it.
    :param site_packages: where PyAV is installed.
    :raises BuildError: if it holds no such libraries.
    """
    folder = venv_dir / FFMPEG
    folder.mkdir()
    for library in sorted((site_packages / 'av.libs').glob('lib*')):
        if match := _MANGLED.fullmatch(library.name):
            (folder / f'{match[1]}{match[2]}').symlink_to(library)
    if not list(folder.glob('libavcodec.so.*')):
        raise BuildError(f'PyAV has no libavcodec in {site_packages / "av.libs"}: torchcodec '
                         'reads videos with it')


def output_of(python: Path, code: str) -> str:
    """
    Run a line of code in the environment.

    :param python: interpreter of the environment.
    :param code: Python source.
    :return: what it prints.
    :raises BuildError: if it fails.
    """
    done = subprocess.run([python, '-I', '-W', 'ignore', '-c', code], capture_output=True,
                          text=True, env={**os.environ, 'HF_HUB_OFFLINE': '1'})
    if done.returncode:
        raise BuildError(f'the new environment does not work:\n{done.stderr.strip()}')
    return done.stdout.strip()


def build(venv_dir: Path) -> None:
    """
    Build the environment from the start.

    :param venv_dir: where it shall be.
    :raises BuildError: if something is missing or fails.
    :raises StubError: if the CUDA stubs cannot be made.
    """
    require_tools()
    base = find_python()
    clear(venv_dir)
    say(f'creating {venv_dir} with {base}')
    subprocess.run([base, '-I', '-m', 'venv', venv_dir], check=True)
    python = interpreter(venv_dir)
    say('installing lerobot, torch and what they need: about 0.7 GB to download, 1.9 GB on disk')
    install(python, REQUIREMENTS)
    install(python, WITH_TORCHCODEC, '--target', venv_dir / TORCHCODEC)
    site_packages = output_of(python, 'import sysconfig; print(sysconfig.get_path("purelib"))')
    name_ffmpeg(venv_dir, Path(site_packages))
    stubs = write_stubs(Path(site_packages))
    say(f'wrote stubs of {len(stubs)} CUDA libraries; trying the environment')
    say(output_of(python, _TRIAL))
    (venv_dir / STAMP).write_text(fingerprint())


def main() -> int:
    """
    Run the command line.

    :return: exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('venv_dir', type=Path, metavar='VENV_DIR')
    venv_dir = parser.parse_args().venv_dir.expanduser().absolute()
    started = time.monotonic()
    try:
        if not is_ready(venv_dir):
            build(venv_dir)
    except (BuildError, StubError, subprocess.CalledProcessError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    say(f'ready after {time.monotonic() - started:.1f} s: {interpreter(venv_dir)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
