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
Every kind of finding with its code, its severity and the advice for the user.

The codes are stable, since scripts read them from ``streamrec check --json``.
"""

from __future__ import annotations

from lerobot_streamrec.dataset.check.findings import Kind, Severity
from lerobot_streamrec.installed import streamrec_command

_E, _W = Severity.ERROR, Severity.WARNING

_RESTORE = 'Restore the file from a backup, or remove the episodes that need it'
_REBUILD = 'Rebuild the dataset from its sound episodes'
_TAKE_OUT = 'Remove the episode from the dataset'
_AWAY = 'Move it out of the dataset'
_REOPEN = 'A recorder was interrupted while saving. Open the dataset with the recorder again; it'
_RECOMPUTE = 'Recompute the statistics'

# Files
MISSING_FILE = Kind('missing-file', _E, f'{_RESTORE}.', True)
UNREADABLE_FILE = Kind('unreadable-file', _E, f'{_RESTORE}.', True)
UNREADABLE_VIDEO = Kind('unreadable-video', _E, f'{_RESTORE}.', True)
ORPHAN_ROWS = Kind(
    'orphan-rows', _E, f'Readers include its rows, which shifts the rows behind them. {_AWAY}.'
)
STRAY_FILE = Kind(
    'stray-file', _E, f'Readers open every parquet file in this folder and fail on it. {_AWAY}.'
)
ORPHAN_FILE = Kind('orphan-file', _W, f'It only takes up disk space. {_AWAY}.')
LEFTOVER_IMAGES = Kind(
    'leftover-images', _W, 'An interrupted recording left them behind. Delete them.'
)
UNFINISHED_TAKE = Kind(
    'unfinished-take',
    _W,
    'A recorder was interrupted. Open the dataset with the recorder again; it saves, quarantines '
    'or discards the take, as its settings say.',
)
UNENCODED_EPISODE = Kind(
    'unencoded-episode',
    _W,
    'The episode is saved, but not part of the dataset yet. Start the recorder, or run '
    f'`{streamrec_command("encode", "ROOT")}`.',
)
LINK_OUT_OF_ROOT = Kind(
    'link-out-of-root',
    _W,
    'The dataset is incomplete without the target. Replace the link with a copy of its target.',
)
RECORDER_RUNS = Kind(
    'recorder-runs', _W, 'An episode that it is saving looks unfinished. Check again afterwards.'
)
CHANGED_MEANWHILE = Kind(
    'changed-meanwhile', _W, 'The findings may mix two states of the dataset. Check again.'
)
MISSING_ROBOT_FILE = Kind(
    'missing-robot-file',
    _W,
    'Readers do not need it, but nobody can look up how the robot was set up. Restore the file '
    'from a backup.',
)
CHANGED_ROBOT_FILE = Kind(
    'changed-robot-file',
    _W,
    'It no longer says what held during the episodes. Restore the file from a backup, and keep '
    'corrections in another file.',
)
UNCOMMITTED_EPISODE = Kind(
    'uncommitted-episode', _W, f'{_REOPEN} moves the files of the episode out of the way.'
)
UNCOMMITTED_TASK = Kind('uncommitted-task', _W, f'{_REOPEN} removes the surplus tasks.')

# meta/info.json
WRONG_INFO = Kind('wrong-info', _E, 'Correct the value in meta/info.json.')
WRONG_VERSION = Kind('wrong-version', _E, 'Convert the dataset to v3.0, and check again.')
WRONG_STORAGE = Kind(
    'wrong-storage',
    _E,
    'Only parquet and MP4 files can be read. Convert the dataset, and check again.',
)
WRONG_TOTAL = Kind('wrong-total', _E, 'Correct the number in meta/info.json.')
WRONG_SPLITS = Kind('wrong-splits', _W, 'Correct the range in meta/info.json.')
WRONG_FEATURE = Kind('wrong-feature', _E, 'Correct its description in meta/info.json.')
WRONG_VIDEO_INFO = Kind(
    'wrong-video-info',
    _W,
    'Tools that re-encode videos rely on it. Write the properties of the video into '
    'meta/info.json.',
)

# meta/tasks.parquet
WRONG_TASK = Kind('wrong-task', _E, f'{_REBUILD}.')
TASKS_OUT_OF_ORDER = Kind(
    'tasks-out-of-order',
    _E,
    'Readers look up a task by its row, so episodes get the wrong task. Sort the rows by '
    'task_index.',
)
TASKS_WITHOUT_INDEX = Kind(
    'tasks-without-index',
    _E,
    'Readers get numbers instead of task texts. Write the file with pandas, with the tasks as '
    'the index.',
)
DUPLICATE_TASK = Kind('duplicate-task', _W, 'Give all rows with the same task one task_index.')

# Other tables in meta to which rows refer, such as subtasks.parquet
WRONG_INDEX_TABLE = Kind(
    'wrong-index-table',
    _W,
    '`merge` needs the table. Write it again, with its rows numbered 0, 1, ... in order.',
)
INDEX_OUT_OF_TABLE = Kind(
    'index-out-of-table',
    _W,
    'Readers that look up the number fail, and so does `merge`. Add the missing rows.',
)

# Columns of parquet files
MISSING_COLUMN = Kind('missing-column', _E, f'{_RESTORE}.', True)
EXTRA_COLUMN = Kind(
    'extra-column',
    _E,
    'Readers refuse the file. Remove the columns, or describe them in meta/info.json.',
)
UNEVEN_COLUMNS = Kind(
    'uneven-columns',
    _E,
    f'LeRobot refuses files with columns that the first file lacks. {_REBUILD}.',
)
WRONG_COLUMN_TYPE = Kind('wrong-column-type', _E, f'{_REBUILD}.', True)
WRONG_SHAPE = Kind('wrong-shape', _E, f'{_TAKE_OUT}.', True)
MISSING_VALUE = Kind('missing-value', _E, f'{_TAKE_OUT}.', True)

# meta/episodes
MISSING_EPISODE = Kind('missing-episode', _E, f'{_REBUILD}.')
DUPLICATE_EPISODE = Kind('duplicate-episode', _E, f'{_REBUILD}.')
MISPLACED_EPISODE = Kind(
    'misplaced-episode', _E, f'Readers look up an episode by its row. {_REBUILD}.'
)
EMPTY_EPISODE = Kind('empty-episode', _E, f'{_TAKE_OUT}.', True)
WRONG_ROW_RANGE = Kind('wrong-row-range', _E, f'{_REBUILD}.')
WRONG_EPISODE_TASKS = Kind(
    'wrong-episode-tasks', _W, f'Readers use the tasks of the rows. {_REBUILD}.'
)
SUCCESS_DIFFERS = Kind(
    'success-differs',
    _W,
    'Training reads either of the two. Give the verdict again, with `label` or the command '
    '`verdict`.',
)
WRONG_META_FILE = Kind(
    'wrong-meta-file', _W, f'Only tools that edit datasets rely on it. {_REBUILD}.'
)
WRONG_TIMESTAMPS = Kind(
    'wrong-timestamps', _E, f'Readers show frames of another moment. {_REBUILD}.'
)

# data
ROW_COUNT = Kind('row-count', _E, f'{_TAKE_OUT}.', True)
ROWS_OUT_OF_ORDER = Kind('rows-out-of-order', _E, f'{_TAKE_OUT}.', True)
DUPLICATE_ROW = Kind('duplicate-row', _E, f'{_TAKE_OUT}.', True)
FRAME_INDEX_GAP = Kind('frame-index-gap', _E, f'{_TAKE_OUT}.', True)
WRONG_INDEX = Kind('wrong-index', _E, f'{_REBUILD}.')
MISPLACED_ROWS = Kind('misplaced-rows', _E, f'Readers look up a row by its place. {_REBUILD}.')
UNKNOWN_ROWS = Kind('unknown-rows', _E, f'{_REBUILD}.')
TIMESTAMP_OFF_GRID = Kind('timestamp-off-grid', _E, f'Readers miss its frame. {_REBUILD}.')
TASK_INDEX_OUT_OF_RANGE = Kind('task-index-out-of-range', _E, f'{_TAKE_OUT}.', True)
NOT_FINITE = Kind('not-finite', _E, f'Training on such values fails. {_TAKE_OUT}.', True)
UNREADABLE_PICTURE = Kind('unreadable-picture', _E, f'{_TAKE_OUT}.', True)

# Videos
FRAME_COUNT = Kind('frame-count', _E, f'{_TAKE_OUT}.', True)
TRUNCATED_VIDEO = Kind(
    'truncated-video',
    _E,
    'Restore the file from a backup; the frames that are still there can be kept.',
)
BROKEN_FRAMES = Kind('broken-frames', _E, f'{_TAKE_OUT}.', True)
FRAMES_OFF_GRID = Kind('frames-off-grid', _E, f'Readers miss such frames. {_TAKE_OUT}.', True)
SURPLUS_FRAMES = Kind(
    'surplus-frames',
    _E,
    'The surplus frame may be in the middle, so that all later frames belong to other rows. '
    'Compare the frames of the episode with its rows.',
)
WRONG_PICTURE_SIZE = Kind('wrong-picture-size', _E, f'{_TAKE_OUT}.', True)
WRONG_FRAME_RATE = Kind(
    'wrong-frame-rate', _E, f'Readers look up frames by the rate. {_TAKE_OUT}.', True
)
VIDEO_TOO_LONG = Kind(
    'video-too-long',
    _W,
    'Readers that compute in single precision miss frames beyond 1024 s. Split the file between '
    'two episodes.',
)

# Statistics
MISSING_STATISTICS = Kind('missing-statistics', _E, 'Recompute meta/stats.json.')
MISSING_QUANTILES = Kind(
    'missing-quantiles',
    _W,
    'Policies that normalise with quantiles need them. Recompute meta/stats.json.',
)
MISSING_EPISODE_STATISTICS = Kind(
    'missing-episode-statistics', _W, f'Only tools that edit datasets need them. {_REBUILD}.'
)
WRONG_STATISTICS_SHAPE = Kind('wrong-statistics-shape', _E, f'{_RECOMPUTE}.')
WRONG_STATISTICS = Kind(
    'wrong-statistics', _E, f'Training would normalise with them. {_RECOMPUTE}.'
)
WRONG_CAMERA_STATISTICS = Kind(
    'wrong-camera-statistics', _E, f'Training may normalise with them. {_RECOMPUTE}.'
)
WRONG_QUANTILES = Kind('wrong-quantiles', _E, f'{_RECOMPUTE}.')
WRONG_NUMBERING_STATISTICS = Kind(
    'wrong-numbering-statistics',
    _W,
    'No policy learns from them. Leave them as they are, or recompute them.',
)
