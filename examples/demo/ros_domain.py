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
"""A ROS domain for one process and its children, in which nobody else of this machine is."""

from __future__ import annotations

import atexit
import errno
import os
import socket

# Domains above 101 collide with the ports that Linux gives to outgoing connections.
NUM_DOMAINS = 101

# Ports by the RTPS specification 2.5, section 9.6.2: multicast discovery, and the first
# participant's unicast discovery.
_FIRST_PORT, _PORTS_PER_DOMAIN, _DISCOVERY_PORTS = 7400, 250, (0, 10)


def claim_domain_id() -> int:
    """
    Choose a ROS domain that is free, and keep it from other callers until this process ends.

    A domain looks free between two programs that use it one after the other, so a look at its
    ports is not enough. The claim is a name in Linux' abstract socket namespace, which is as wide
    as that of the ports, and which the kernel frees whatever ends the process.

    :return: from 1 to 101
    :raises RuntimeError: all are in use
    """
    for offset in range(NUM_DOMAINS):
        domain_id = 1 + (37 * os.getpid() + offset) % NUM_DOMAINS
        claim = _claim(domain_id)
        if claim is None:
            continue
        if _is_unused(domain_id):
            atexit.register(claim.close)
            return domain_id
        claim.close()
    raise RuntimeError(f'all ROS domains of this machine from 1 to {NUM_DOMAINS} are in use')


def _claim(domain_id: int) -> socket.socket | None:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f'\0lerobot_streamrec ROS domain {domain_id}')
    except OSError as error:
        claim.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return claim


def _is_unused(domain_id: int) -> bool:
    first_port = _FIRST_PORT + _PORTS_PER_DOMAIN * domain_id
    for offset in _DISCOVERY_PORTS:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            try:
                one.bind(('', first_port + offset))
            except OSError:
                return False
    return True
