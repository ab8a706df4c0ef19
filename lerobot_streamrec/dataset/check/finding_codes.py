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
Every kind of finding: its code, how bad it is, and what to do.

Codes are stable: scripts read them from ``streamrec check --json``.
"""

from __future__ import annotations

from lerobot_streamrec.dataset.check.findings import Kind, Severity
from lerobot_streamrec.installed import streamrec_command

_E, _W = Severity.ERROR, Severity.WARNING

_RESTORE = 'Restore the file from a copy, or leave out the episodes that need it'
_REBUILD = 'Write the dataset anew from its sound episodes'
_TAKE_OUT = 'Take the episode out of the dataset'
_AWAY = 'Move it out of the dataset'

# Files
MISSING_FILE = Kind('missing-file', _E, f'{_RESTORE}.', True)
UNREADABLE_FILE = Kind('unreadable-file', _E, f'{_RESTORE}.', True)
UNREADABLE_VIDEO = Kind('unreadable-video', _E, f'{_RESTORE}.', True)
ORPHAN_ROWS = Kind(
    'orphan-rows', _E, f'Readers read it with the others, which shifts their rows. {_AWAY}.'
)
STRAY_FILE = Kind(
    'stray-file', _E, f'Readers read every parquet file that stands there, and fail. {_AWAY}.'
)
ORPHAN_FILE = Kind('orphan-file', _W, f'It only takes room. {_AWAY}.')
LEFTOVER_IMAGES = Kind(
    'leftover-images', _W, 'An interrupted recording left them. Delete them.'
)
UNFINISHED_TAKE = Kind(
    'unfinished-take',
    _W,
    'A recorder was interrupted. Open the dataset with it again: it moves the take away.',
)
UNENCODED_EPISODE = Kind(
    'unencoded-episode',
    _W,
    'It is saved, but not in the dataset yet. Start the recorder, or run '
    f'`{streamrec_command("encode", "ROOT")}`.',
)
LINK_OUT_OF_ROOT = Kind(
    'link-out-of-root',
    _W,
    'The dataset is not whole without what stands there. Replace the link by a copy.',
)
RECORDER_RUNS = Kind(
    'recorder-runs', _W, 'What it saves now may look unfinished. Check again when it has ended.'
)
CHANGED_MEANWHILE = Kind(
    'changed-meanwhile', _W, 'What was found may be of two states. Check again.'
)
UNCOMMITTED_EPISODE = Kind(
    'uncommitted-episode',
    _W,
    'A recorder was interrupted while saving. Open the dataset with it again: it moves it away.',
)
UNCOMMITTED_TASK = Kind(
    'uncommitted-task',
    _W,
    'A recorder was interrupted while saving. Open the dataset with it again: it takes it out.',
)

# meta/info.json
WRONG_INFO = Kind('wrong-info', _E, 'Put the right value into meta/info.json.')
WRONG_VERSION = Kind('wrong-version', _E, 'Convert the dataset to v3.0, and check again.')
WRONG_STORAGE = Kind(
    'wrong-storage',
    _E,
    'Only parquet and MP4 files can be read. Convert the dataset, and check again.',
)
WRONG_TOTAL = Kind('wrong-total', _E, 'Put the right number into meta/info.json.')
WRONG_SPLITS = Kind('wrong-splits', _W, 'Put the right range into meta/info.json.')
WRONG_FEATURE = Kind('wrong-feature', _E, 'Describe the feature as it is in meta/info.json.')
WRONG_VIDEO_INFO = Kind(
    'wrong-video-info',
    _W,
    'Tools that encode anew go by it. Put what the video is into meta/info.json.',
)

# meta/tasks.parquet
WRONG_TASK = Kind('wrong-task', _E, f'{_REBUILD}.')
TASKS_OUT_OF_ORDER = Kind(
    'tasks-out-of-order',
    _E,
    'Readers take a task by its place, so episodes get the wrong one. Sort the rows.',
)
TASKS_WITHOUT_INDEX = Kind(
    'tasks-without-index',
    _E,
    'Readers get numbers in place of the texts. Write the file with pandas, task as the index.',
)
DUPLICATE_TASK = Kind('duplicate-task', _W, 'Give their rows one task_index.')

# Other tables in meta to which rows refer, such as subtasks.parquet
WRONG_INDEX_TABLE = Kind(
    'wrong-index-table',
    _W,
    '`merge` needs the table. Write it anew, with each row at the place that its number says.',
)
INDEX_OUT_OF_TABLE = Kind(
    'index-out-of-table',
    _W,
    'Readers that look up the number fail, and so does `merge`. Add the missing rows.',
)

# Columns of parquet files
MISSING_COLUMN = Kind('missing-column', _E, f'{_RESTORE}.', True)
EXTRA_COLUMN = Kind(
    'extra-column', _E, 'Readers refuse it. Take it out, or describe it in meta/info.json.'
)
UNEVEN_COLUMNS = Kind(
    'uneven-columns',
    _E,
    f'LeRobot expects the columns of the first file in all files, and refuses others. {_REBUILD}.',
)
WRONG_COLUMN_TYPE = Kind('wrong-column-type', _E, f'{_REBUILD}.', True)
WRONG_SHAPE = Kind('wrong-shape', _E, f'{_TAKE_OUT}.', True)
MISSING_VALUE = Kind('missing-value', _E, f'{_TAKE_OUT}.', True)

# meta/episodes
MISSING_EPISODE = Kind('missing-episode', _E, f'{_REBUILD}.')
DUPLICATE_EPISODE = Kind('duplicate-episode', _E, f'{_REBUILD}.')
MISPLACED_EPISODE = Kind(
    'misplaced-episode', _E, f'Readers take an episode by its place. {_REBUILD}.'
)
EMPTY_EPISODE = Kind('empty-episode', _E, f'{_TAKE_OUT}.', True)
WRONG_ROW_RANGE = Kind('wrong-row-range', _E, f'{_REBUILD}.')
WRONG_EPISODE_TASKS = Kind('wrong-episode-tasks', _W, f'Readers go by the rows. {_REBUILD}.')
WRONG_META_FILE = Kind('wrong-meta-file', _W, f'Only tools that edit go by it. {_REBUILD}.')
WRONG_TIMESTAMPS = Kind(
    'wrong-timestamps', _E, f'Rows would show pictures of another moment. {_REBUILD}.'
)

# data
ROW_COUNT = Kind('row-count', _E, f'{_TAKE_OUT}.', True)
ROWS_OUT_OF_ORDER = Kind('rows-out-of-order', _E, f'{_TAKE_OUT}.', True)
DUPLICATE_ROW = Kind('duplicate-row', _E, f'{_TAKE_OUT}.', True)
FRAME_INDEX_GAP = Kind('frame-index-gap', _E, f'{_TAKE_OUT}.', True)
WRONG_INDEX = Kind('wrong-index', _E, f'{_REBUILD}.')
MISPLACED_ROWS = Kind('misplaced-rows', _E, f'Readers take a row by its place. {_REBUILD}.')
UNKNOWN_ROWS = Kind('unknown-rows', _E, f'{_REBUILD}.')
TIMESTAMP_OFF_GRID = Kind('timestamp-off-grid', _E, f'Its picture is not found. {_REBUILD}.')
TASK_INDEX_OUT_OF_RANGE = Kind('task-index-out-of-range', _E, f'{_TAKE_OUT}.', True)
NOT_FINITE = Kind('not-finite', _E, f'Training on it fails. {_TAKE_OUT}.', True)
UNREADABLE_PICTURE = Kind('unreadable-picture', _E, f'{_TAKE_OUT}.', True)

# Videos
FRAME_COUNT = Kind('frame-count', _E, f'{_TAKE_OUT}.', True)
TRUNCATED_VIDEO = Kind(
    'truncated-video', _E, 'Restore it from a copy; frames that are there can be kept.'
)
BROKEN_FRAMES = Kind('broken-frames', _E, f'{_TAKE_OUT}.', True)
FRAMES_OFF_GRID = Kind('frames-off-grid', _E, f'Readers do not find them. {_TAKE_OUT}.', True)
SURPLUS_FRAMES = Kind(
    'surplus-frames',
    _E,
    'It may have one frame too many from the middle on. Compare its pictures with its rows.',
)
WRONG_PICTURE_SIZE = Kind('wrong-picture-size', _E, f'{_TAKE_OUT}.', True)
WRONG_FRAME_RATE = Kind(
    'wrong-frame-rate', _E, f'Readers find frames by the rate. {_TAKE_OUT}.', True
)
VIDEO_TOO_LONG = Kind(
    'video-too-long',
    _W,
    'Beyond 1024 s readers in single precision miss frames. Split the file by episodes.',
)

# Statistics
MISSING_STATISTICS = Kind('missing-statistics', _E, 'Compute meta/stats.json anew.')
MISSING_QUANTILES = Kind(
    'missing-quantiles', _W, 'Policies that normalise by quantiles need them. Compute them.'
)
MISSING_EPISODE_STATISTICS = Kind(
    'missing-episode-statistics', _W, f'Only tools that edit need them. {_REBUILD}.'
)
WRONG_STATISTICS_SHAPE = Kind('wrong-statistics-shape', _E, 'Compute the statistics anew.')
WRONG_STATISTICS = Kind(
    'wrong-statistics', _E, 'Training would normalise by them. Compute the statistics anew.'
)
WRONG_CAMERA_STATISTICS = Kind(
    'wrong-camera-statistics',
    _E,
    'Training may normalise by them. Compute the statistics anew.',
)
WRONG_QUANTILES = Kind('wrong-quantiles', _E, 'Compute the statistics anew.')
WRONG_NUMBERING_STATISTICS = Kind(
    'wrong-numbering-statistics', _W, 'No policy learns from them; leave them, or compute them.'
)
