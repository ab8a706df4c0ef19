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
"""The threads of a recorder share the C library's memory."""

from pathlib import Path
import subprocess
import sys

import pytest

# Each thread takes memory while all the others are alive, so that none can inherit an arena.
THREADS_THAT_ALLOCATE = """
import ctypes, sys, threading
from lerobot_streamrec.nodes.graph.ros_start import keep_large_buffers

libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
libc.malloc.restype = ctypes.c_void_p
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.fclose.argtypes = [ctypes.c_void_p]

def allocate():
    libc.malloc(10_000)
    barrier.wait(60)

def print_num_arenas():
    file = libc.fopen(sys.argv[1].encode(), b'w')
    libc.malloc_info(0, file)
    libc.fclose(file)
    with open(sys.argv[1]) as text:
        print(text.read().count('<heap nr='))

if sys.argv[2] == 'kept':
    assert keep_large_buffers()
print_num_arenas()
barrier = threading.Barrier(8)
threads = [threading.Thread(target=allocate) for _ in range(8)]
for one in threads:
    one.start()
for one in threads:
    one.join(60)
print_num_arenas()
"""


def num_arenas(path: Path, word: str) -> tuple[int, int]:
    """Return the number of arenas of a process before and after eight threads allocate."""
    command = [sys.executable, '-c', THREADS_THAT_ALLOCATE, str(path), word]
    run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    before, after = run.stdout.split()
    return int(before), int(after)


@pytest.mark.skipif(sys.platform != 'linux', reason='the arenas are those of glibc')
def test_threads_of_a_recorder_share_two_arenas(tmp_path: Path) -> None:
    """An arena per thread keeps pieces of every episode's encoders, so the memory would grow."""
    before, after = num_arenas(tmp_path / 'info', 'default')
    assert after > before
    # Threads of libraries that were loaded before may already have arenas of their own.
    before, after = num_arenas(tmp_path / 'info', 'kept')
    assert after == max(2, before)
