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
A FAKE of the parts of ros2cli that a plug-in uses, since ros2cli is not on the package index.

It was written after reading ros2cli 0.32.2 (Jazzy), whose module `ros2cli.command` is the same in
0.18.11 (Humble) and 0.36.1. Like the real package, it finds commands by the entry points
`ros2cli.command`, makes a parser for each, parses once before a command has added its arguments
(ignoring requests for help meanwhile), and passes the exit status on.
"""
