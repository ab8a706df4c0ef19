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
Open datasets with the real lerobot package, offline, and read every frame of them.

    VENV_DIR/bin/python test/conformance/check_dataset.py [ROOT ...] [--resume ROOT ...]

VENV_DIR is the environment that build_environment.py makes. The script prints one line per
dataset, "OK ..." or "FAIL <root> <first problem> (+n more)"; its exit status is 1 if any failed.
"""

from __future__ import annotations

import argparse
from concurrent.futures import as_completed, ProcessPoolExecutor
import logging
import multiprocessing
import os
from pathlib import Path
import sys
import tempfile
import traceback
import warnings


def parse_arguments() -> argparse.Namespace:
    """
    Parse the command line.

    :return: the options.
    """
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('roots', nargs='*', type=Path, metavar='ROOT', help='a dataset folder')
    parser.add_argument('--resume', nargs='+', type=Path, metavar='ROOT', default=[],
                        help="datasets to whose copies lerobot's writer also appends")
    parser.add_argument('--processes', type=int, default=1, metavar='N',
                        help='number of datasets to check at a time')
    parser.add_argument('--verbose', action='store_true', help='print all problems, not the first')
    return parser.parse_args()


def isolate(scratch: str) -> None:
    """
    Keep the libraries off the network and out of the user's caches.

    :param scratch: a folder for their caches.
    """
    os.environ.update(
        HF_HUB_OFFLINE='1', HF_DATASETS_OFFLINE='1', HF_HOME=f'{scratch}/hf',
        HF_DATASETS_CACHE=f'{scratch}/datasets', HF_LEROBOT_HOME=f'{scratch}/lerobot',
        HF_DATASETS_DISABLE_PROGRESS_BARS='1', SVT_LOG='1')
    logging.disable(logging.ERROR)
    warnings.simplefilter('ignore')


def check_root(root: Path, resume: bool) -> tuple[str, list[str]]:
    """
    Check one dataset.

    :param root: its folder.
    :param resume: whether to append to a copy of it as well.
    :return: its figures and its problems.
    """
    # isolate() must come first: the libraries read its variables while they are imported.
    from dataset_files import read_files, read_videos
    from findings import DatasetError, Findings
    from item_checks import (
        add_windows,
        check_columns,
        check_filter,
        check_items,
        check_subtasks,
        check_windows,
        open_dataset,
        open_with_windows,
    )
    from resume_check import check_resume
    from statistics_checks import check_statistics

    findings, figures = Findings(), ''
    try:
        files = read_files(root)
        check_columns(files, findings)
        read_videos(files, findings)
        check_statistics(files, findings)
        dataset = open_dataset(root)
        frames = check_items(dataset, files, findings)
        check_filter(dataset, files, findings)
        check_subtasks(dataset, files, findings)
        # Opening a dataset takes as long as reading it, so this is avoided.
        check_windows(open_with_windows(files) if resume else add_windows(dataset, files),
                      files, findings)
        if resume and not findings.problems:
            check_resume(files, findings)
        figures = (f"episodes={len(files.episodes)} rows={len(files.columns['index'])} "
                   f'cameras={len(files.cameras)} frames_read={frames}')
    except DatasetError as error:
        findings.add(str(error))
    # A broken dataset may raise any error, and the next dataset must still be checked.
    except Exception as error:  # noqa: BLE001
        step = traceback.extract_tb(error.__traceback__)[:2][-1].name
        cause = error.__cause__ or error
        findings.add(f'{step}: {type(cause).__name__}: {cause}')
    return figures, findings.problems


def size_bytes(root: Path) -> int:
    """
    Add up the files of a dataset.

    :param root: its folder.
    :return: their size.
    """
    return sum(path.stat().st_size for path in root.rglob('*') if path.is_file())


def main() -> int:
    """
    Check all datasets of the command line.

    :return: exit status.
    """
    options = parse_arguments()
    jobs = [(root.resolve(), False) for root in options.roots]
    jobs += [(root.resolve(), True) for root in options.resume]
    # The largest datasets come first, so that all processes finish at about the same time.
    jobs.sort(key=lambda job: (job[1], size_bytes(job[0])), reverse=True)
    failed = False
    with tempfile.TemporaryDirectory(prefix='conformance_') as scratch:
        isolate(scratch)
        # Load lerobot once for all processes, which are forks: it takes longer than most datasets.
        import resume_check  # noqa: F401
        with ProcessPoolExecutor(options.processes, multiprocessing.get_context('fork')) as pool:
            running = {pool.submit(check_root, *job): job[0] for job in jobs}
            for one in as_completed(running):
                root, (figures, problems) = running[one], one.result()
                more = f' (+{len(problems) - 1} more)' if len(problems) > 1 else ''
                print(f'FAIL {root} {problems[0]}{more}' if problems else f'OK {root} {figures}',
                      flush=True)
                for problem in problems if options.verbose else ():
                    print(f'  {problem}')
                failed |= bool(problems)
    return int(failed)


if __name__ == '__main__':
    # A sourced ROS workspace would put its own numpy in front of the environment's.
    if os.environ.get('PYTHONPATH') and not sys.flags.ignore_environment:
        os.execv(sys.executable, [sys.executable, '-E', *sys.argv])
    sys.exit(main())
