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
Make a CUDA build of torch loadable on a machine without CUDA.

Torch's shared objects name the CUDA libraries as NEEDED, so the dynamic linker wants them even
in a program that never touches a GPU. For each one that is absent this module compiles a stub:
same soname, same symbols and symbol versions, a few kilobytes, every function a trap. The stubs
go next to torch's own libraries, where its rpath finds them.

The CUDA runtime itself cannot be a stub: torch registers its kernels with it while being loaded.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
import os
from pathlib import Path
import re
import shutil
import subprocess
import tempfile

# libcuda.so.1, the driver, is not among them: torch opens it only when a GPU is used.
CUDA_LIBRARY = re.compile(
    r'lib(?:cublas|cublasLt|cudart|cudnn|cufft|cufile|cupti|curand|cusolver|cusparse|cusparseLt'
    r'|nccl|nvJitLink|nvrtc|nvshmem_host|nvToolsExt)\.so\.\d+')
# Some CUDA libraries do not version their symbols: those are told by their prefix.
UNVERSIONED_PREFIX = {
    'libcufile': 'cuFile', 'libcurand': 'curand', 'libcusparseLt': 'cusparseLt',
    'libnccl': 'nccl', 'libnvshmem_host': 'nvshmem',
}
TOOLS = {'gcc': 'gcc', 'readelf': 'binutils'}

_NEEDED = re.compile(r'\(NEEDED\).*\[(.+)\]')
_VERSION_FILE = re.compile(r'Version: \d+\s+File: (\S+)')
_VERSION_NODE = re.compile(r'Name: (\S+)\s+Flags: .+\s+Version: \d+')
_UNDEFINED = re.compile(r'\sUND\s+([^\s@]+)(?:@+(\S+))?')


class StubError(Exception):
    """The stubs cannot be made; the message says what is missing."""


@dataclass
class Imports:
    """
    What a set of shared objects wants from other libraries.

    :ivar libraries: sonames of the CUDA libraries named as NEEDED.
    :ivar version_owner: version node -> soname of the CUDA library that has to define it.
    :ivar symbols: version node -> undefined symbols wanted with it ('' without a version).
    """

    libraries: set[str] = field(default_factory=set)
    version_owner: dict[str, str] = field(default_factory=dict)
    symbols: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def read(self, shared_object: Path) -> None:
        """
        Add the imports of one file.

        :param shared_object: an ELF shared object.
        """
        wanted_from = ''
        for line in _readelf(shared_object):
            if match := _NEEDED.search(line):
                if CUDA_LIBRARY.fullmatch(match[1]):
                    self.libraries.add(match[1])
            elif match := _VERSION_FILE.search(line):
                wanted_from = match[1]
            elif match := _VERSION_NODE.search(line):
                if CUDA_LIBRARY.fullmatch(wanted_from):
                    self.version_owner[match[1]] = wanted_from
            elif match := _UNDEFINED.search(line):
                self.symbols[match[2] or ''].add(match[1])

    def versioned(self, soname: str) -> dict[str, list[str]]:
        """
        Select the versioned symbols that a library has to define.

        :param soname: the library.
        :return: version node -> sorted symbol names.
        """
        return {node: sorted(self.symbols[node])
                for node, owner in sorted(self.version_owner.items()) if owner == soname}

    def unversioned(self, soname: str) -> list[str]:
        """
        Select the symbols without a version that belong to a library by their prefix.

        :param soname: the library.
        :return: sorted symbol names.
        """
        prefix = UNVERSIONED_PREFIX.get(soname.partition('.so')[0])
        return sorted(s for s in self.symbols[''] if prefix and s.startswith(prefix))


def _readelf(shared_object: Path) -> list[str]:
    command = ['readelf', '--wide', '--dynamic', '--version-info', '--dyn-syms',
               str(shared_object)]
    done = subprocess.run(command, check=True, capture_output=True, text=True,
                          env={**os.environ, 'LC_ALL': 'C'})
    return done.stdout.splitlines()


def require_tools() -> None:
    """
    Check that the compiler and the ELF reader are there.

    :raises StubError: naming the missing programs and their Debian packages.
    """
    missing = {tool: package for tool, package in TOOLS.items() if shutil.which(tool) is None}
    if missing:
        raise StubError(f"{' and '.join(missing)} not found, needed to build the CUDA stubs; on "
                        f"Debian or Ubuntu: apt-get install {' '.join(missing.values())}")


def _compile(soname: str, imports: Imports, target: Path) -> None:
    nodes = imports.versioned(soname)
    names = sorted({*imports.unversioned(soname), *(s for group in nodes.values() for s in group)})
    with tempfile.TemporaryDirectory() as scratch:
        source, script = Path(scratch, 'stub.c'), Path(scratch, 'stub.map')
        source.write_text(''.join(f'void {n}(void) {{ __builtin_trap(); }}\n' for n in names))
        # Without the C library: neither its headers nor its start files have to be installed.
        command = ['gcc', '-shared', '-fPIC', '-nostdlib', '-w', f'-Wl,-soname,{soname}',
                   '-o', str(target), str(source)]
        if nodes:
            script.write_text(''.join(
                f"{node} {{ global: {' '.join(f'{s};' for s in group)} }};\n"
                for node, group in nodes.items()))
            command.append(f'-Wl,--version-script={script}')
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise StubError(f'gcc could not build the stub of {soname}: {done.stderr.strip()}')


def write_stubs(site_packages: Path) -> list[str]:
    """
    Write a stub for every CUDA library that torch needs and that is not installed.

    :param site_packages: the directory that holds the installed torch.
    :return: the sonames that stubs were written for.
    :raises StubError: if a program, or the real CUDA runtime, is missing.
    """
    require_tools()
    libraries = site_packages / 'torch' / 'lib'
    imports = Imports()
    for shared_object in sorted(libraries.glob('*.so*')):
        if not CUDA_LIBRARY.fullmatch(shared_object.name):
            imports.read(shared_object)
    installed = {path.name for path in (site_packages / 'nvidia').rglob('*.so*')}
    absent = sorted(imports.libraries - installed)
    if any(soname.startswith('libcudart.') for soname in absent):
        raise StubError('the CUDA runtime that this torch was built with is not installed: '
                        'the nvidia-cuda-runtime pin must follow the torch pin')
    for soname in absent:
        _compile(soname, imports, libraries / soname)
    return absent
