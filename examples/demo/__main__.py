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
Records two episodes of a simulated arm and checks them against what the arm published.

``python -m examples.demo`` from the checkout. DEMO_ROOT is the dataset's folder (default
demo_dataset), DEMO_SECONDS the length of an episode (default 8). Logs, truth and contact sheet
go to the folder beside it, DEMO_ROOT with _report appended. The exit status is 0 if every row
and every frame is what was published at its instant.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import math
import os
import sys
import time

from examples.demo.child import Child
from examples.demo.contact_sheet import make_contact_sheet
from examples.demo.drawing import VIEWS
from examples.demo.episode_client import ClientError, EpisodeClient
from examples.demo.report import format_verdict
from examples.demo.settings import (
    CHECKOUT,
    read_settings,
    ros_environment,
    Settings,
    SettingsError,
)
from examples.demo.stop_flag import StopFlag
from examples.demo.verdict import judge, Verdict

TASKS = ('Follow the leader arm', 'Reach for the red cube')
"""The first one stands in demo.yaml, the second one is sent on /episode/task."""

ROTATE_BUTTON = 0
"""The button of the gamepad that demo.yaml binds to rotate."""

TOPICS = {
    **{f'observation.images.{name}': f'/{name}/image_raw' for name in VIEWS},
    'observation.state': '/joint_states',
    'action': '/leader/joint_states',
}

_UP_TIMEOUT_S = 90.0
_START_TIMEOUT_S = 90.0
_PRESS_TIMEOUT_S = 90.0
_SAVE_TIMEOUT_S = 300.0
_FINALIZE_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 30.0
# The arm ends by itself some time after the demo should have, should the demo be killed.
_ARM_SPARE_S = 1000.0

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


class InterruptedDemoError(Exception):
    """The user wants the demo to end."""


class ChildEndedError(Exception):
    """A child ended on its own."""


def main() -> int:
    """Run the demo and return its exit status."""
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        print(f'demo: {error}', file=sys.stderr)
        return EXIT_USAGE
    stop = StopFlag()
    settings.report.mkdir(parents=True, exist_ok=True)
    os.environ.update(ros_environment(os.environ))
    say(f'dataset  {settings.root}')
    say(f'report   {settings.report}')
    say(f'ROS_DOMAIN_ID {os.environ["ROS_DOMAIN_ID"]}')
    children: list[Child] = []
    try:
        record(settings, stop, children)
    except InterruptedDemoError:
        say('interrupted')
        return EXIT_INTERRUPTED
    except (ClientError, ChildEndedError) as error:
        say(f'FAILED: {error}')
        show_logs(children)
        return EXIT_FAILED
    stop.restore_signals()
    return report(settings, children)


def record(settings: Settings, stop: StopFlag, children: list[Child]) -> None:
    """
    Record two episodes; when this returns or raises, both children have ended.

    :param settings: where to, and how long
    :param stop: raised when the user wants to end
    :param children: takes up the arm and the recorder
    """

    def check() -> None:
        if stop.is_raised:
            raise InterruptedDemoError
        for child in children:
            if not child.is_running:
                raise ChildEndedError(f'the {child.name} ended with status {child.exit_status}')

    with stopping(children):
        children.append(start_arm(settings))
        children.append(start_recorder(settings))
        client = EpisodeClient(check, say)
        try:
            operate(client, settings.episode_s)
        finally:
            client.close()


def operate(client: EpisodeClient, episode_s: float) -> None:
    """Do what an operator would do: start, next task, rotate by a button, save, finalize."""
    client.wait_for_recorder(_UP_TIMEOUT_S)
    say('the recorder is up')
    client.start(_START_TIMEOUT_S)
    watch(client, 0, episode_s)
    say(f'encoders: {client.status.get("encoders")}')
    client.set_task(TASKS[1])
    # The first episode is written while the second one is recorded.
    client.press(ROTATE_BUTTON, 'rotate', _PRESS_TIMEOUT_S)
    watch(client, 1, episode_s)
    saving = client.call('save')
    say(f'saved {client.wait_for_saved(_SAVE_TIMEOUT_S)}')
    client.finish(saving, _SAVE_TIMEOUT_S)
    client.finish(client.call('finalize'), _FINALIZE_TIMEOUT_S)


def watch(client: EpisodeClient, episode_index: int, episode_s: float) -> None:
    """Let the recording go on for the length of an episode, and say so each second."""
    begin_s = time.monotonic()
    for second in range(1, math.ceil(episode_s) + 1):
        end_s = min(float(second), episode_s)
        client.spin(begin_s + end_s - time.monotonic())
        head_room = client.status.get('head_room')
        told = f', head-room {head_room}' if head_room else ''
        say(f'episode {episode_index}: recording "{TASKS[episode_index]}", {end_s:g} s{told}')


def start_arm(settings: Settings) -> Child:
    """Start the simulated arm."""
    duration_s = 2.0 * settings.episode_s + _ARM_SPARE_S
    options = ['--truth', str(settings.truth_path), '--duration', str(duration_s)]
    return start_module(settings, 'arm', 'examples.demo.simulated_arm', options)


def start_recorder(settings: Settings) -> Child:
    """Start the recorder as ros2 run would."""
    parameters = CHECKOUT / 'examples' / 'demo' / 'demo.yaml'
    options = ['--ros-args', '--params-file', str(parameters), '-p', f'root:={settings.root}']
    return start_module(settings, 'recorder', 'lerobot_streamrec.nodes.record_main', options)


def start_module(settings: Settings, name: str, module: str, options: list[str]) -> Child:
    """Start a Python module of the checkout."""
    return Child(
        name,
        [sys.executable, '-m', module, *options],
        log_path=settings.log_path(name),
        folder=CHECKOUT,
        environment=os.environ,
    )


@contextmanager
def stopping(children: list[Child]) -> Iterator[None]:
    """End all children in the end, the recorder while the arm still publishes."""
    try:
        yield
    finally:
        # Nothing may come between, not even a standard output that nobody reads any more.
        statuses = {child.name: child.stop(_STOP_TIMEOUT_S) for child in reversed(children)}
        for name, status in statuses.items():
            say(f'the {name} ended with status {status}')


def report(settings: Settings, children: list[Child]) -> int:
    """Judge the recording, show what there is, and return the exit status."""
    try:
        make_contact_sheet(settings.root, settings.contact_sheet_path)
        verdict = judge(settings.root, settings.truth_path, topics=TOPICS)
    except (OSError, ValueError, LookupError) as error:
        say(f'FAILED: the dataset cannot be read: {error!r}')
        show_logs(children)
        return EXIT_FAILED
    print(f'\n{format_verdict(verdict)}')
    print(f'contact sheet: {settings.contact_sheet_path}', flush=True)
    faults = demo_faults(verdict, children)
    for fault in faults:
        say(f'FAILED: {fault}')
    if verdict.ok and not faults:
        return EXIT_OK
    show_logs(children)
    return EXIT_FAILED


def demo_faults(verdict: Verdict, children: list[Child]) -> list[str]:
    """Return what is not as the demo wants it, besides the recording itself."""
    faults = [
        f'the {child.name} ended with status {child.exit_status}'
        for child in children
        if child.exit_status != 0
    ]
    tasks = tuple(episode.task for episode in verdict.episodes)
    if tasks != TASKS:
        faults.append(f'the tasks of the episodes are {tasks}, not {TASKS}')
    return faults


def show_logs(children: list[Child]) -> None:
    """Print the end of each log."""
    for child in children:
        print(f'--- the end of {child.log_path}\n{child.log_tail()}', flush=True)


def say(line: str) -> None:
    """Print one line of progress."""
    print(f'demo: {line}', flush=True)


if __name__ == '__main__':
    sys.exit(main())
