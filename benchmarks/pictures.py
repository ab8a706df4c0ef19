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
"""A ring of camera-like pictures: a slow pan over a photograph, with sensor noise."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
import sys

import numpy as np
import numpy.typing as npt
from PIL import Image

RING_FRAMES = 75
"""The number of pictures in a ring; after the last one comes the first again."""

NOISE_SIGMA = 3.0
"""The standard deviation of the noise, in levels of 256."""

REQUIREMENTS = 'requirements/bench.txt'

# A garage with wood, metal, cardboard and concrete, taken by a real camera, 741x500.
_PACKAGE = 'skimage'
_PHOTO = 'data/motorcycle_left.png'
# The share of the photograph that a picture shows; the rest leaves space for the pan.
_VIEW = 0.85
# Radius of the pan, relative to the picture's width: 16 pixels of 640, 1.3 pixels a frame.
_PAN_RADIUS = 0.025
_NOISE_FIELDS = 8
_NOISE_MARGIN = 16

Ring = npt.NDArray[np.uint8]


class PhotoMissingError(Exception):
    """The package with the photograph is not installed; the message says how to install it."""


def find_photo() -> Path:
    """
    Find the photograph, without importing the package that ships it.

    :raises PhotoMissingError: if the photograph does not exist
    """
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / _PHOTO
        if path.is_file():
            return path
    raise PhotoMissingError(
        f"scikit-image's photograph {_PHOTO}, from which the pictures are made, is missing. "
        'Install it with\n'
        f'  {sys.executable} -m pip install --no-deps -r {REQUIREMENTS}'
    )


def make_ring(photo_path: Path, width: int, height: int) -> Ring:
    """
    Make the pictures of a camera.

    :param photo_path: photograph that the camera looks at
    :param width: width of a picture, in pixels
    :param height: height of a picture, in pixels
    :return: ``(RING_FRAMES, height, width, 3)`` RGB; equal arguments give equal pictures
    """
    random = np.random.default_rng(0)
    fields = _noise_fields(random, width, height)
    ring = np.empty((RING_FRAMES, height, width, 3), dtype=np.uint8)
    with Image.open(photo_path) as opened:
        photo = opened.convert('RGB')
    for number, picture in enumerate(ring):
        field = fields[number % _NOISE_FIELDS]
        # A different part of the field each time gives every picture its own noise.
        top, left = random.integers(0, _NOISE_MARGIN, 2)
        noise = field[top : top + height, left : left + width]
        np.clip(_view(photo, width, height, number) + noise, 0, 255, out=picture, casting='unsafe')
    return ring


def _noise_fields(random: np.random.Generator, width: int, height: int) -> list[npt.NDArray]:
    size = (height + _NOISE_MARGIN, width + _NOISE_MARGIN, 3)
    return [
        np.rint(random.normal(0.0, NOISE_SIGMA, size)).astype(np.int16)
        for _ in range(_NOISE_FIELDS)
    ]


def _view(photo: Image.Image, width: int, height: int, number: int) -> npt.NDArray[np.int16]:
    """Return the view from one place on the circle along which the camera pans."""
    scale = _VIEW * min(photo.width / width, photo.height / height)
    turn = 2.0 * math.pi * number / RING_FRAMES
    radius = _PAN_RADIUS * width * scale
    left = (photo.width - width * scale) / 2.0 + radius * math.cos(turn)
    top = (photo.height - height * scale) / 2.0 + radius * math.sin(turn)
    # The box may lie between pixels, because a real camera moves continuously.
    box = (left, top, left + width * scale, top + height * scale)
    seen = photo.resize((width, height), Image.Resampling.BICUBIC, box=box)
    return np.asarray(seen, dtype=np.int16)
