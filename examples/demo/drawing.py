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
Camera pictures of the simulated arm, each carrying a frame number that survives encoding.

The number is a row of black and white squares, so that whoever decodes the recorded video can
tell which picture stands in which row without trusting any timestamp on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
import math
from typing import NamedTuple

from examples.demo.painting import make_texture, paint_link, Picture
import numpy as np

BITS = 20
# Large squares: some encoders leave small details of a moving picture as they were in the frame
# before, and a frame would show the number of its predecessor though it is in its place.
CELL = 30
CELL_HEIGHT = 48
X = 8
Y = 8
NUMBERS = 1 << BITS
"""How many frame numbers there are; whoever counts further starts again at 0."""
MIN_WIDTH = 2 * X + BITS * CELL
MIN_HEIGHT = 2 * Y + CELL_HEIGHT

VIEWS = ('front', 'top', 'wrist')

_MARGIN = 12
_ORANGE = (232, 120, 40)
_CREAM = (236, 226, 200)
_STEEL = (90, 110, 140)
_CUBE = (200, 45, 50)
_CUBE_AT_M = (0.26, 0.07)
_LENGTHS_M = (0.16, 0.15, 0.09)
_SHOULDER_HEIGHT_M = 0.10
_WEIGHTS = (1 << np.arange(BITS - 1, -1, -1)).astype(np.int64)


class Point(NamedTuple):
    """A place on the arm in metres: x to the front, y to the left, z up from the table."""

    x: float
    y: float
    z: float


def write_frame_number(picture: Picture, number: int) -> None:
    """Paint the number into the top left corner of the picture, the highest bit first."""
    if not 0 <= number < NUMBERS:
        raise ValueError(f'frame number must be in 0..{NUMBERS - 1}, got {number}')
    bits = (number >> np.arange(BITS - 1, -1, -1)) & 1
    row = np.repeat((bits * 255).astype(np.uint8), CELL)
    # The whole width, and a whole block of 64 rows of the codec: nothing moves beside the number.
    picture[:MIN_HEIGHT] = _MARGIN
    picture[Y : Y + CELL_HEIGHT, X : X + BITS * CELL] = row[None, :, None]


def read_frame_number(picture: Picture) -> int:
    """
    Read the number back from a picture, also after lossy compression.

    :param picture: rows, columns, rgb
    :raises ValueError: if a square is neither black nor white, as in a blend of two pictures
    """
    quarter = CELL // 4
    squares = picture[Y : Y + CELL_HEIGHT, X : X + BITS * CELL]
    squares = squares.reshape(CELL_HEIGHT, BITS, CELL, 3)
    inner = squares[quarter:-quarter, :, quarter:-quarter].mean(axis=(0, 2, 3))
    if np.any((inner > 80) & (inner < 175)):
        raise ValueError('no readable frame number: a square is neither black nor white')
    return int(((inner > 127) * _WEIGHTS).sum())


class CameraView:
    """Draws what one camera sees of the arm; owned by one thread, as it reuses its canvas."""

    def __init__(self, name: str, width: int, height: int, *, seed: int = 0) -> None:
        """
        Prepare the background, which is the slow part.

        :param name: one of VIEWS; any other name sees the arm as the front camera does
        :param width: picture width in pixels
        :param height: picture height in pixels
        :param seed: of the background's texture
        :raises ValueError: if the frame number does not fit into the picture
        """
        if width < MIN_WIDTH or height < MIN_HEIGHT:
            raise ValueError(
                f'a picture needs at least {MIN_WIDTH}x{MIN_HEIGHT} pixels for its frame '
                f'number, got {width}x{height}'
            )
        self.name = name
        self.width = width
        self.height = height
        # Metres to pixels; every size below is written for a picture 480 pixels high.
        self._zoom = height / 480.0
        self._background = self._make_background(f'{seed}/{name}')

    def draw(self, picture: Picture, joints: Sequence[float], number: int) -> None:
        """
        Draw the arm in the given pose and the frame number over the whole picture.

        :param picture: the canvas, of this camera's height and width
        :param joints: angles in radians, ordered as motion.JOINT_NAMES
        :param number: the frame number
        """
        points = arm_points(joints)
        if self.name == 'wrist':
            self._draw_from_wrist(picture, points[-1], joints[-1])
        else:
            picture[:] = self._background
            self._draw_arm(picture, points, joints)
        write_frame_number(picture, number)

    def _make_background(self, seed: str) -> Picture:
        scale = 2 if self.name == 'wrist' else 1
        tint = {'top': (176, 184, 178), 'wrist': (186, 176, 158)}.get(self.name, (158, 172, 190))
        background = make_texture(self.height * scale, self.width * scale, tint, seed)
        if self.name == 'wrist':
            column, row = self._on_table(*_CUBE_AT_M)
            half = round(45 * self._zoom)
        else:
            column, row = self._project(Point(*_CUBE_AT_M, 0.02))
            half = round(16 * self._zoom)
        left, top = round(column) - half, round(row) - half
        background[top : top + 2 * half, left : left + 2 * half] = _CUBE
        background[top : top + half // 2, left : left + 2 * half] = (226, 90, 90)
        return background

    def _project(self, point: Point) -> tuple[float, float]:
        metre = 900.0 * self._zoom
        centre = self.width / 2.0
        if self.name == 'top':
            return centre - point.y * metre, self.height * 0.93 - point.x * metre
        # From the front, a little from above: what is nearer stands lower in the picture.
        return centre + point.y * metre, self.height * 0.72 + (0.30 * point.x - point.z) * metre

    def _draw_arm(
        self, picture: Picture, points: Sequence[Point], joints: Sequence[float]
    ) -> None:
        places = [self._project(point) for point in points]
        foot, shoulder, elbow, wrist, tip = places
        unit = self._zoom
        paint_link(picture, foot, shoulder, 30 * unit, _STEEL)
        paint_link(picture, shoulder, elbow, 19 * unit, _ORANGE)
        paint_link(picture, elbow, wrist, 16 * unit, _CREAM)
        for place, radius in ((shoulder, 13), (elbow, 11)):
            paint_link(picture, place, place, radius * unit, _STEEL)
        roll, opening = joints[4], joints[5]
        heading = math.atan2(tip[1] - wrist[1], tip[0] - wrist[0])
        length = max(math.dist(wrist, tip), 30 * unit)
        # Seen from the side, a rolled gripper shows less of its opening.
        spread = 0.15 + 0.6 * opening * abs(math.cos(roll))
        for side in (-spread, spread):
            end = (
                wrist[0] + length * math.cos(heading + side),
                wrist[1] + length * math.sin(heading + side),
            )
            paint_link(picture, wrist, end, 7 * unit, _STEEL)
        paint_link(picture, wrist, wrist, 11 * unit, _ORANGE)

    def _draw_from_wrist(self, picture: Picture, tip: Point, opening: float) -> None:
        height, width = self.height, self.width
        column, row = self._on_table(tip.x, tip.y)
        left = min(max(round(column) - width // 2, 0), width)
        top = min(max(round(row) - height // 2, 0), height)
        picture[:] = self._background[top : top + height, left : left + width]
        unit = self._zoom
        gap = (40 + 170 * opening) * unit
        for side in (-1, 1):
            root = (width / 2 + side * (30 * unit + gap * 0.5), height + 20 * unit)
            end = (width / 2 + side * gap * 0.5, height * 0.62)
            paint_link(picture, root, end, 22 * unit, _STEEL)

    def _on_table(self, x: float, y: float) -> tuple[float, float]:
        """Return where a place on the table lies in the wrist camera's large background."""
        metre = 1700.0 * self._zoom
        return self.width - y * metre, self.height - (x - 0.24) * metre


def arm_points(joints: Sequence[float]) -> tuple[Point, ...]:
    """Return foot, shoulder, elbow, wrist and tip of the arm for the given joint angles."""
    pan, *bends = joints[:4]
    radius, height, angle = 0.0, _SHOULDER_HEIGHT_M, 0.0
    points = [Point(0.0, 0.0, 0.02), Point(0.0, 0.0, height)]
    for length, bend in zip(_LENGTHS_M, bends, strict=True):
        angle += bend
        radius += length * math.sin(angle)
        height += length * math.cos(angle)
        points.append(Point(radius * math.cos(pan), radius * math.sin(pan), height))
    return tuple(points)
