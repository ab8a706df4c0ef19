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
"""A setting is described at the field that keeps it, and its values are checked against that."""

from __future__ import annotations

from dataclasses import dataclass, field

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.option import check_choices, Option, option, options_of
import pytest


@dataclass(frozen=True)
class Config:
    """Some settings, and a field that is none."""

    root: str
    speed: float = option(1.5, 'Speed, metres per second', 0.0, 3.0)
    names: tuple[str, ...] = option((), 'Names')
    mode: str = option('slow', 'Mode', choices=('slow', 'fast'), name='drive.mode')
    more: dict[str, str] = option(dict, 'Pairs', shown=(), is_live=True)
    other: list[int] = field(default_factory=list)


def test_options_are_the_fields_that_users_can_set():
    assert options_of(Config) == {
        'speed': Option('speed', 1.5, 'Speed, metres per second', 0.0, 3.0),
        'names': Option('names', (), 'Names'),
        'mode': Option('drive.mode', 'slow', 'Mode', choices=('slow', 'fast')),
        'more': Option('more', (), 'Pairs', is_live=True),
    }
    assert Config('') == Config('', 1.5, (), 'slow', {}, [])


def test_a_prefix_makes_the_whole_name():
    speed = options_of(Config)['speed']
    assert speed.below('limits').name == 'limits.speed'
    assert speed.below('') == speed


@pytest.mark.parametrize(
    ('field_name', 'given', 'kept'),
    [
        ('speed', 2, 2.0),
        ('speed', 0.0, 0.0),
        ('names', ['a', '', 'b'], ('a', 'b')),
        ('names', [''], ()),
        ('names', (), ()),
        ('mode', 'fast', 'fast'),
    ],
)
def test_an_allowed_value_gets_the_type_of_the_setting(field_name, given, kept):
    value = options_of(Config)[field_name].check(given)
    assert (value, type(value)) == (kept, type(kept))


@pytest.mark.parametrize(
    ('field_name', 'given', 'words'),
    [
        ('speed', 3.1, "speed is '3.1': allowed is 0 to 3 (Speed, metres per second)"),
        ('speed', float('nan'), "speed is 'nan': allowed is 0 to 3"),
        ('speed', True, "speed is 'True': a number is needed"),
        ('speed', 'fast', "speed is 'fast': a number is needed"),
        ('names', 'a', "names is 'a': a list of texts is needed"),
        ('names', [1, 2], "names is '[1, 2]': a list of texts is needed"),
        ('mode', 'medium', "drive.mode is 'medium': allowed are slow, fast"),
        ('mode', 'null', "drive.mode is 'null': ROS takes it for a text"),
    ],
)
def test_another_value_is_refused_with_what_is_allowed(field_name, given, words):
    with pytest.raises(ConfigError) as caught:
        options_of(Config)[field_name].check(given)
    assert words.replace("'", '') in str(caught.value).replace("'", '')


def test_choices_hold_for_whoever_makes_the_dataclass():
    check_choices(Config(''))
    with pytest.raises(ConfigError, match=r'drive\.mode'):
        check_choices(Config('', mode='medium'))
