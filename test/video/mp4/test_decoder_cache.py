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
"""The cache of open videos: bounded, for many threads, and never out of date."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
import os
import shutil
import threading

from lerobot_streamrec.errors import ConfigError, VideoError
from lerobot_streamrec.video.mp4.decoder_cache import DecoderCache
from lerobot_streamrec.video.mp4.frames_at import frames_at
import numpy as np
import pytest


class FakeDecoder:
    """Remembers whether it is open, and that nobody shares it."""

    shape = (1, 1, 3)

    def __init__(self, path, opened):
        self.path = path
        self.is_closed = False
        self.in_use = threading.Lock()
        opened.append(self)

    def read(self, times_s):
        raise NotImplementedError

    def close(self):
        self.is_closed = True


@pytest.fixture
def opened():
    return []


@pytest.fixture
def lease(opened):
    def lease_one(cache, path, kind='x'):
        return cache.lease(path, kind, lambda path: FakeDecoder(path, opened))

    return lease_one


@pytest.fixture
def files(tmp_path):
    made = [tmp_path / f'{name}.mp4' for name in 'abcd']
    for path in made:
        path.write_bytes(b'x')
    return made


def test_a_file_stays_open_and_the_oldest_is_closed_first(files, opened, lease):
    a, b, c, _ = files
    cache = DecoderCache(2)
    for path in (a, b, a, b, a, c, a, c):
        with lease(cache, path):
            pass
    assert [one.path for one in opened] == [a, b, c]
    assert [one.is_closed for one in opened] == [False, True, False]
    assert cache.num_open == 2
    with lease(cache, a, 'other'):
        pass
    assert [one.path for one in opened] == [a, b, c, a]
    cache.close()
    assert all(one.is_closed for one in opened)
    assert cache.num_open == 0


@pytest.mark.parametrize('how', ['size', 'time', 'replaced'])
def test_a_file_that_changed_is_opened_anew(how, files, opened, lease):
    path = files[0]
    cache = DecoderCache()
    with lease(cache, path):
        pass
    if how == 'size':
        path.write_bytes(b'xy')
    elif how == 'time':
        os.utime(path, ns=(1, 1))
    else:
        at = path.stat().st_mtime_ns
        os.utime(files[1], ns=(at, at))
        files[1].replace(path)
    for _ in range(2):
        with lease(cache, path) as decoder:
            assert decoder is opened[1]
    assert (len(opened), opened[0].is_closed, cache.num_open) == (2, True, 1)


def test_a_second_user_of_a_file_gets_a_decoder_of_its_own(files, lease):
    cache = DecoderCache(2)
    with lease(cache, files[0]) as one, lease(cache, files[0]) as other:
        assert one is not other
    assert cache.num_open == 2


def test_whoever_comes_when_all_are_in_use_waits(files, opened, lease):
    cache = DecoderCache(1)
    has_got = threading.Event()

    def want(path):
        with lease(cache, path) as decoder:
            has_got.set()
            return decoder.path

    with ThreadPoolExecutor(1) as pool:
        with lease(cache, files[0]):
            waiting = pool.submit(want, files[1])
            assert not has_got.wait(0.05)
        assert waiting.result(120) == files[1]
    assert opened[0].is_closed
    assert cache.num_open == 1


def test_many_threads_never_share_a_decoder_nor_open_too_many(files, opened, lease):
    cache = DecoderCache(3)
    most = []

    def use(number):
        with lease(cache, files[number % 4]) as decoder:
            assert decoder.path == files[number % 4]
            assert not decoder.is_closed
            assert decoder.in_use.acquire(blocking=False)
            most.append(sum(not one.is_closed for one in list(opened)))
            decoder.in_use.release()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(400)))
    assert max(most) <= 3
    assert cache.num_open <= 3
    cache.close()
    assert all(one.is_closed for one in opened)


def test_what_is_in_use_is_closed_when_it_is_given_back(files, opened, lease):
    cache = DecoderCache(1)
    refused = []

    def want():
        with pytest.raises(VideoError, match='the decoder cache is closed') as caught, lease(
            cache, files[1]
        ):
            pass
        refused.append(caught.value)

    waiting = threading.Thread(target=want)
    with lease(cache, files[0]) as decoder:
        waiting.start()
        cache.close()
        waiting.join(120)
        assert not decoder.is_closed
    assert opened[0].is_closed
    assert len(refused) == 1
    cache.close()
    assert cache.num_open == 0


def test_a_decoder_that_failed_is_not_kept(files, opened, lease):
    cache = DecoderCache(1)
    with pytest.raises(RuntimeError), lease(cache, files[0]):
        raise RuntimeError
    assert opened[0].is_closed
    with pytest.raises(ZeroDivisionError), cache.lease(files[0], 'x', lambda path: 1 / 0):
        pass
    assert cache.num_open == 0
    with pytest.raises(VideoError, match='No such file'), lease(cache, files[0].parent / 'none'):
        pass
    with lease(cache, files[0]):
        assert cache.num_open == 1


def test_a_forked_process_opens_files_of_its_own(files, opened, lease, monkeypatch):
    cache = DecoderCache(1)
    with lease(cache, files[0]):
        pass
    monkeypatch.setattr('os.getpid', lambda: 1)
    for _ in range(2):
        with lease(cache, files[0]) as decoder:
            assert decoder is opened[1]
    cache.close()
    assert [one.is_closed for one in opened] == [False, True]


def test_at_least_one_file_has_to_be_open():
    with pytest.raises(ConfigError, match='max_open is 0'):
        DecoderCache(0)


def test_threads_get_the_right_frames_of_files_that_are_replaced(
    moving_video, pixels_of, tmp_path
):
    paths = [moving_video(f'{seed}.mp4', 20, codec='close', seed=seed) for seed in range(3)]
    frames = [pixels_of(path) for path in paths]
    with DecoderCache(2) as cache, ThreadPoolExecutor(4) as pool:

        def look(number):
            wanted = np.random.default_rng(number).integers(0, 20, 3)
            found = frames_at(paths[number % 3], wanted / 30, cache=cache)
            return [frames[number % 3][index] for index in wanted], found

        for expected, found in pool.map(look, range(120)):
            np.testing.assert_array_equal(found, expected)
        assert cache.num_open <= 2
        shutil.copyfile(paths[1], tmp_path / 'copy.mp4')
        (tmp_path / 'copy.mp4').replace(paths[0])
        np.testing.assert_array_equal(frames_at(paths[0], [0.1], cache=cache)[0], frames[1][3])
    assert cache.num_open == 0
