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
"""The address on which the console listens, and the links by which people reach it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
import fcntl
from ipaddress import ip_address, IPv4Address, IPv6Address
from pathlib import Path
import socket
import struct

from lerobot_streamrec.errors import ConfigError

_LOCAL_NAMES = ('127.0.0.1', 'localhost', '[::1]')
_IPV6_FILE = Path('/proc/net/if_inet6')
# From linux/sockios.h: the IPv4 address of a network interface.
_SIOCGIFADDR = 0x8915
# A browser that reads nothing is dropped after this time.
_SILENT_MS = 20_000
# What lies in a buffer is late: no more than about ten pictures.
_SEND_BUFFER_BYTES = 256 * 1024
_BACKLOG = 64


def listen(host: str, port: int) -> socket.socket:
    """
    Return a socket that listens on an address of this machine.

    :param host: an address or name of this machine
    :param port: TCP port; 0: any free one
    :raise ConfigError: if the address is not one of this machine, or the port is in use
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        why = f'an address of this machine is needed, such as 127.0.0.1 or 0.0.0.0 ({error})'
        raise ConfigError('host', host, why) from error
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # The sockets of the connections inherit these. Linux also ends a connection whose other
        # end only answers that it has no room.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENT_MS)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _refused(host, port, error) from error
    listener.setblocking(False)
    return listener


def _refused(host: str, port: int, error: OSError) -> ConfigError:
    if isinstance(error, PermissionError):
        return ConfigError('port', port, f'ports below 1024 need more rights ({error.strerror})')
    if 'in use' in str(error):
        why = (
            f'another program listens on it at {host}, perhaps another console: choose another '
            'one with --ros-args -p port:=N'
        )
        return ConfigError('port', port, why)
    why = f'this machine has {", ".join(sorted(local_addresses()))} ({error.strerror})'
    return ConfigError('host', host, why)


def is_loopback(listener: socket.socket) -> bool:
    """Return True if only this machine reaches a socket."""
    return ip_address(listener.getsockname()[0]).is_loopback


def local_addresses() -> list[str]:
    """Return the addresses of this machine, the ones for other machines first; IPv4 before 6."""
    found: list[IPv4Address | IPv6Address] = [*_ipv4_addresses(), *_ipv6_addresses()]
    return [str(one) for one in sorted(found, key=lambda one: one.is_loopback)]


def _ipv4_addresses() -> Iterator[IPv4Address]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            request = struct.pack('256s', name.encode()[:15])
            try:
                answer = fcntl.ioctl(asking.fileno(), _SIOCGIFADDR, request)
            except OSError:
                # An interface without an IPv4 address.
                continue
            yield IPv4Address(answer[20:24])


def _ipv6_addresses() -> Iterator[IPv6Address]:
    try:
        lines = _IPV6_FILE.read_text('ascii').splitlines()
    except OSError:
        return
    for line in lines:
        address = IPv6Address(bytes.fromhex(line.split()[0]))
        # Browsers cannot open a link-local address, which needs the name of an interface.
        if not address.is_link_local:
            yield address


def reached_addresses(listener: socket.socket) -> list[str]:
    """
    Return the addresses that lead to a socket, the ones for other machines first.

    :param listener: socket that ``listen`` returned
    """
    bound = ip_address(listener.getsockname()[0])
    if not bound.is_unspecified:
        return [str(bound)]
    return [one for one in local_addresses() if bound.version == 6 or ':' not in one]


def host_names(listener: socket.socket, more: Collection[str]) -> frozenset[str]:
    """
    Return the names under which browsers may address a socket, in lower case.

    :param listener: socket that ``listen`` returned
    :param more: further names, such as an alias or the host of a container
    """
    names = {*_LOCAL_NAMES, *map(bracketed, reached_addresses(listener)), *more}
    if not is_loopback(listener):
        name = socket.gethostname()
        names |= {name, f'{name.partition(".")[0]}.local', socket.getfqdn()}
    return frozenset(one.lower() for one in names)


def bracketed(address: str) -> str:
    """Return an address as it stands in a link."""
    return f'[{address}]' if ':' in address else address
