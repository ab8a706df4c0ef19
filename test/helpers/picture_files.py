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
"""Pictures as JPEG and PNG files, made by Pillow."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def jpeg_file(rgb, mode='RGB', **options):
    """Make a JPEG; Pillow's subsampling is 0 for 4:4:4, 1 for 4:2:2, 2 for 4:2:0."""
    return _file(Image.fromarray(rgb).convert(mode), 'JPEG', quality=95, **options)


def png_file(rgb, mode='RGB', **options):
    """Make a PNG; mode I;16 is gray in 16 bits."""
    if mode == 'I;16':
        gray = np.asarray(Image.fromarray(rgb).convert('L')).astype(np.uint16)
        return _file(Image.fromarray(gray * 257), 'PNG', **options)
    return _file(Image.fromarray(rgb).convert(mode), 'PNG', **options)


def _file(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
