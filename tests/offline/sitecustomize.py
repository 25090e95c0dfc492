"""No network while tests run: connections to anything but this machine fail as they do without a cable.

Python imports this file by itself in every process that has its folder on PYTHONPATH, so commands run by tests are covered too.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

LOCAL = ("127.", "::1", "localhost", "0.0.0.0")
_connect, _connect_ex, _getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo


def _is_local(address: Any) -> bool:
    return not isinstance(address, tuple) or str(address[0]).startswith(LOCAL)


def connect(self: socket.socket, address: Any) -> None:
    """As socket.connect, on this machine only."""
    if not _is_local(address):
        raise OSError(errno.ENETUNREACH, f"tests have no network, and {address} was asked for")
    _connect(self, address)


def connect_ex(self: socket.socket, address: Any) -> int:
    """As socket.connect_ex, on this machine only."""
    return _connect_ex(self, address) if _is_local(address) else errno.ENETUNREACH


def getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
    """As socket.getaddrinfo, for names of this machine only."""
    if host is not None and not _is_local((host,)) and host != socket.gethostname():
        raise socket.gaierror(socket.EAI_NONAME, f"tests have no network, and {host} was asked for")
    return _getaddrinfo(host, *rest, **named)


socket.socket.connect = connect  # type: ignore[method-assign]
socket.socket.connect_ex = connect_ex  # type: ignore[method-assign]
socket.getaddrinfo = getaddrinfo
