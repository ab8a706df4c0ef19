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
A FAKE of ros2cli, which is not on the package index: as much of it as a plug-in meets.

Written anew after reading ros2cli 0.32.2 (Jazzy), whose module `ros2cli.command` is the same in
0.18.11 (Humble) and 0.36.1. Like the real one it finds commands by the entry points
`ros2cli.command`, makes one parser for each, parses once before a command has added its arguments,
during which requests for help are passed over, and hands the exit status on.
"""
