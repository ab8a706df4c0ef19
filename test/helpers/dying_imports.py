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
Imports in which a process dies at a given instant.

As a program: ``dying_imports.py INSTANT import ...``, where the command itself gets the signal.
"""

from __future__ import annotations

import os
import signal
import sys

from lerobot_streamrec.cli.main import main
from lerobot_streamrec.dataset.rebuild.exchange import folder_beside
from lerobot_streamrec.dataset.rebuild.new_tree import Disk
from lerobot_streamrec.fleet import bag_workers
from lerobot_streamrec.fleet.sync.store import Store
from lerobot_streamrec.recording.recorder import Recorder

work = bag_workers._work
INSTANTS = ('a bag is done', 'before the exchange', 'after the exchange')


def kill(number=signal.SIGKILL):
    os.kill(os.getpid(), number)


def work_until_killed(job, pipe):
    """Import a bag; for the one named b, die just before its episode would be saved."""
    if job.path.name == 'b':
        Recorder.annotate = lambda *_: kill()
    work(job, pipe)


def work_and_fail(job, pipe):
    """Import a bag; for the one named b, meet a bug."""
    if job.path.name == 'b':
        Recorder.annotate = lambda *_: 1 / 0
    work(job, pipe)


def kill_when_a_bag_is_done():
    finish = bag_workers.Crew._finish

    def finish_and_die(crew, job, result):
        finish(crew, job, result)
        kill()

    bag_workers.Crew._finish = finish_and_die


def kill_at_the_exchange(*, is_before):
    exchange = Disk.exchange

    def exchange_and_die(disk, one, other):
        is_real = one == folder_beside(other)
        if is_real and is_before:
            kill()
        exchange(disk, one, other)
        if is_real:
            kill()

    Disk.exchange = exchange_and_die


def interrupt_when_all_have_begun(num):
    hear = bag_workers.Crew._hear

    def hear_and_interrupt(crew, pipe):
        hear(crew, pipe)
        if len(crew._done) == num:
            kill(signal.SIGINT)

    bag_workers.Crew._hear = hear_and_interrupt


def kill_at_save(number, *, is_durable):
    """Die when the episode of this number, from 1, is to be saved, or has been."""
    save, saves = Recorder.save, []

    def save_and_die(recorder):
        saves.append(recorder)
        is_it = len(saves) == number
        if is_it and not is_durable:
            kill()
        saving = save(recorder)
        if is_it:
            saving.result()
            kill()
        return saving

    Recorder.save = save_and_die


def kill_at_upload(number):
    """Die within the upload of this number, from 1."""
    put, uploads = Store.put, []

    def put_and_die(store, path, chunks):
        uploads.append(path)
        if len(uploads) == number:
            kill()
        put(store, path, chunks)

    Store.put = put_and_die


if __name__ == '__main__':
    instant, *arguments = sys.argv[1:]
    if instant == 'a bag is done':
        kill_when_a_bag_is_done()
    elif instant == 'interrupt':
        # A shell starts programs in the background with this signal ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        interrupt_when_all_have_begun(2)
    elif instant.startswith('upload'):
        kill_at_upload(int(instant.split()[1]))
    elif instant.startswith('save'):
        word, number = instant.split()
        kill_at_save(int(number), is_durable=word == 'saved')
    else:
        kill_at_the_exchange(is_before=instant == 'before the exchange')
    sys.exit(main(arguments))
