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
"""Checks that this machine can encode with the given settings, made before an episode begins."""

from __future__ import annotations

from concurrent import futures
from concurrent.futures import ThreadPoolExecutor

import av
from lerobot_streamrec.errors import CodecError, ConfigError
from lerobot_streamrec.video.codecs.codecs import codec_options, ffmpeg_encoder
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.codecs.scheduling import renounce_real_time
from lerobot_streamrec.video.codecs.settings_check import (
    check_settings,
    COLOUR_CHANNELS,
    guilty_option,
    opened,
    refuse_unknown_options,
    refuse_unread_parameters,
)

THREAD_NAME = 'try-encoder'

_TRIAL_FPS = 30
_TRIAL_TIMEOUT_S = 20.0

# SVT-AV1 writes beyond its buffers when a side is 8 pixels or less; x265 refuses less than 16.
_MIN_SIDE = 16
# Below this, the SVT-AV1 in older PyAV hangs or ends the process.
_MIN_SIDE_OF_OLD_AV1 = 32
_FIRST_SOUND_PYAV = (17, 1)
_MAX_SIDE = 16384
# SVT-AV1 rounds an odd side up by itself; the others refuse sides that chroma cannot halve.
_TAKES_ODD_SIZES = ('libsvtav1',)


def check_encoder(
    config: EncoderConfig, fps: int = _TRIAL_FPS, channels: int = COLOUR_CHANNELS
) -> None:
    """
    Encode two frames to make sure that the settings work on this machine.

    :param config: settings of a software encoder in this process
    :param fps: frames per second of the videos
    :param channels: channels of an image: 3 for colours, 1 for depth
    :raise CodecError: if a setting does not work, naming what is allowed
    :raise ConfigError: if the codec does not accept this frame rate
    """
    check_settings(config, channels)
    name = ffmpeg_encoder(config)
    problem = _trial(config, fps)
    if not problem:
        return
    if fps != _TRIAL_FPS and not _trial(config, _TRIAL_FPS):
        raise ConfigError(
            'fps', fps, f'{name} refuses this frame rate ({problem}); use another encoder.vcodec'
        )
    guilty = guilty_option(config, fps)
    if guilty:
        raise CodecError(
            'encoder.extra_options',
            f'{guilty}={config.extra_options[guilty]}',
            f'{name} does not accept this value ({problem}); '
            f'`ffmpeg -h encoder={name}` lists the allowed values',
        )
    raise CodecError(
        'encoder',
        ' '.join(f'{key}={value}' for key, value in codec_options(config).items()),
        f'{name} does not start with these options ({problem}); '
        'see encoder.preset and encoder.extra_options',
    )


def _trial(config: EncoderConfig, fps: int) -> str:
    """Encode two frames in a separate thread; return the problem, or an empty string."""
    pool = ThreadPoolExecutor(1, THREAD_NAME, initializer=renounce_real_time)
    try:
        num_packets = pool.submit(_encode_two_frames, config, fps).result(_TRIAL_TIMEOUT_S)
    except futures.TimeoutError:
        return f'two frames took more than {_TRIAL_TIMEOUT_S:g} s'
    except CodecError:
        raise
    except (av.FFmpegError, ValueError) as error:
        return str(error)
    finally:
        pool.shutdown(wait=False)
    return '' if num_packets == 2 else f'two frames became {num_packets} packets'


def _encode_two_frames(config: EncoderConfig, fps: int) -> int:
    context = opened(config, fps)
    refuse_unknown_options(config, context.options)
    refuse_unread_parameters(config, fps)
    num_packets = 0
    for pts in range(2):
        frame = av.VideoFrame(context.width, context.height, config.pix_fmt)
        frame.pts = pts
        num_packets += len(context.encode(frame))
    return num_packets + len(context.encode(None))


def min_side(vcodec: str) -> int:
    """Return the least number of pixels that a codec needs on each side of an image."""
    release = tuple(int(part) for part in av.__version__.split('.')[:2])
    is_unsound = vcodec == 'libsvtav1' and release < _FIRST_SOUND_PYAV
    return _MIN_SIDE_OF_OLD_AV1 if is_unsound else _MIN_SIDE


def check_picture_size(video_key: str, config: EncoderConfig, *, height: int, width: int) -> None:
    """
    Raise an error if the codec cannot encode images of a size.

    :param video_key: camera or file that the images come from, for the error message
    :param config: settings that passed ``check_encoder``
    :param height: height of the images, in pixels
    :param width: width of the images, in pixels
    :raise CodecError: if the size is not allowed, naming the camera, the size and what is allowed
    """
    name = f'picture size of {video_key}'
    size = f'{width}x{height}'
    low = min_side(config.vcodec)
    if not all(low <= side <= _MAX_SIDE for side in (height, width)):
        allowed = f'sides of {low} to {_MAX_SIDE} pixels are allowed'
        if low > _MIN_SIDE:
            allowed += f' with PyAV {av.__version__}; use h264, or install av>=17.1'
        raise CodecError(name, size, allowed)
    if config.vcodec in _TAKES_ODD_SIZES:
        return
    chroma = av.VideoFormat(config.pix_fmt, _MAX_SIDE, _MAX_SIDE)
    step_w, step_h = _MAX_SIDE // chroma.chroma_width(), _MAX_SIDE // chroma.chroma_height()
    if width % step_w or height % step_h:
        raise CodecError(
            name,
            size,
            f'{config.vcodec} with {config.pix_fmt} needs widths that are multiples of {step_w} '
            f'and heights that are multiples of {step_h}; use libsvtav1 or another camera mode',
        )
