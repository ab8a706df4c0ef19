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
"""The process of trials: a task in each line of stdin, a report in each line of stdout."""

from __future__ import annotations

import importlib
import os
import sys
from typing import cast, NoReturn

import av
from lerobot_streamrec.video.trials.trial import TrialTask
from lerobot_streamrec.video.trials.trial_encoding import carry_out, Opener


def main() -> NoReturn:
    """Carry out tasks; the only argument names the opener as ``module:function``."""
    # Hardware libraries print to stdout, but only the report may go there.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), 'w', encoding='utf-8')
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Codecs log directly to stderr: two that log at once through Python can deadlock.
    av.logging.set_libav_level(av.logging.ERROR)
    av.logging.restore_default_callback()
    opener = _opener(sys.argv[1])
    for line in sys.stdin:
        report = carry_out(TrialTask.from_json(line), opener)
        answers.write(f'{report.as_json()}\n')
        answers.flush()
    # A driver may fail while its process ends, which is not part of a trial.
    os._exit(0)


def _opener(name: str) -> Opener:
    module, _, function = name.partition(':')
    return cast(Opener, getattr(importlib.import_module(module), function))


if __name__ == '__main__':
    main()
