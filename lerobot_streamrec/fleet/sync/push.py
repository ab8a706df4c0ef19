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
The upload of a dataset to the Hugging Face Hub, with the client of the Hub.

A push may be repeated: the client uploads only files that the Hub lacks, and goes on where an
interrupted push stopped. Readers take the tag with the version of the format. It is moved last,
so they see the dataset of the last push until the next one is complete.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
import glob
from pathlib import Path
import sys

from httpx import HTTPError
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalTokenNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils.tqdm import disable_progress_bars
from lerobot_streamrec.dataset.about.card import write_card
from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.format.files import DatasetLock, Files
from lerobot_streamrec.errors import ConfigError, count_text, SyncError
from lerobot_streamrec.fleet.sync.snapshot import ChangedError, Reader, Snapshot
from lerobot_streamrec.installed import streamrec_command

TAG = 'v3.0'
"""The tag that LeRobot's reader asks for: the version of the format."""

_KIND = 'dataset'
_DEFAULT_BRANCH = 'main'
# Files of an earlier state would be read together with the new ones.
_FOLDERS = ('data/*', 'videos/*', 'meta/*', '.streamrec/*')


def push(
    root: Path,
    repo_id: str = '',
    *,
    is_private: bool | None = None,
    branch: str = '',
    is_forced: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> str:
    """
    Upload a dataset, and tag it with the version of the format.

    No recorder can open the dataset meanwhile. The call blocks until everything is uploaded.

    :param root: the dataset's folder
    :param repo_id: name such as ``lab/pick_cube``; empty: that of the folder, for the user who is
        logged in
    :param is_private: whether a new repository is private; None: the Hub decides
    :param branch: branch of the repository, made if it is missing; empty: the default one
    :param is_forced: True to upload a dataset that is not whole
    :param say: takes sentences on the progress
    :return: address of the repository
    :raise ConfigError: if there is no such name, or nobody is logged in
    :raise DatasetLockedError: if a recorder has the dataset open
    :raise DatasetError: if the dataset cannot be read
    :raise SyncError: if the dataset is not whole, or the Hub does not take it
    """
    lock = DatasetLock(root)
    try:
        _refuse_broken(root, say, is_forced=is_forced)
        write_card(Files(root))
        try:
            snapshot = Reader(root).read()
        except ChangedError as error:
            raise SyncError(f'{root / str(error)} has just been changed: push again') from error
        if not snapshot.is_there:
            raise SyncError(f'{root} has no episode that could be pushed')
        for path in snapshot.left_out:
            say(f'{path} is left out: links, pipes and unreadable files cannot be copied')
        try:
            return _upload(snapshot, repo_id, is_private, branch, say)
        except LocalTokenNotFoundError as error:
            raise ConfigError('HF_TOKEN', '', 'log in with `hf auth login`, or set it') from error
        except HFValidationError as error:
            raise ConfigError('--repo-id', repo_id, f'a name such as lab/{root.name}') from error
        except HfHubHTTPError as error:
            raise SyncError(f'the Hub refuses: {_reason(error)}') from error
        except (OSError, HTTPError, RuntimeError) as error:
            why = error.__cause__ or error
            raise SyncError(
                f'the upload was interrupted: {why}; the same command goes on'
            ) from error
    finally:
        lock.release()


def _refuse_broken(root: Path, say: Callable[[str], None], *, is_forced: bool) -> None:
    report = check_dataset(root, decode=False, is_locked=True)
    for finding in report.errors:
        say(f'{finding.path}: {finding.what}')
    if not report.is_whole and not is_forced:
        raise SyncError(
            f'{root} has {len(report.errors)} errors, which everybody would download: '
            f'`{streamrec_command("repair", root)}` helps; --force uploads it nevertheless'
        )


def _upload(
    snapshot: Snapshot,
    repo_id: str,
    is_private: bool | None,
    branch: str,
    say: Callable[[str], None],
) -> str:
    if not sys.stderr.isatty():
        disable_progress_bars()
    api, root = HfApi(library_name='lerobot_streamrec'), snapshot.root.resolve()
    if not repo_id:
        repo_id = f'{api.whoami()["name"]}/{root.name}'
    address = str(api.create_repo(repo_id, repo_type=_KIND, private=is_private, exist_ok=True))
    if branch:
        api.create_branch(repo_id, repo_type=_KIND, branch=branch, exist_ok=True)
    revision = branch or _DEFAULT_BRANCH
    say(f'uploading {count_text(len(snapshot.files), "file")} to {address}, branch {revision}')
    kept = {*snapshot.files}
    found = (one.relative_to(root).as_posix() for one in root.rglob('*') if one.is_file())
    api.upload_folder(
        repo_id=repo_id,
        repo_type=_KIND,
        folder_path=root,
        revision=revision,
        commit_message=count_text(len(snapshot.episodes), 'episode'),
        ignore_patterns=[glob.escape(one) for one in found if one not in kept],
        delete_patterns=list(_FOLDERS),
    )
    with suppress(RevisionNotFoundError):
        api.delete_tag(repo_id, repo_type=_KIND, tag=TAG)
    api.create_tag(repo_id, repo_type=_KIND, tag=TAG, revision=revision)
    return address


def _reason(error: HfHubHTTPError) -> str:
    status = error.response.status_code if error.response is not None else 0
    advice = {
        401: 'log in with `hf auth login`, or set HF_TOKEN',
        403: 'the token needs the right to write, see --repo-id',
        404: 'there is no such repository or branch, or the token cannot see it',
    }
    said = error.server_message or str(error).splitlines()[0]
    return '; '.join(filter(None, (said, advice.get(status))))
