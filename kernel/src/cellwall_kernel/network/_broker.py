"""The broker: where there is no network namespace, it connects a plugin's sockets to the proxy, itself.

The filter sends every `connect` of the plugin here, where it waits. Only the proxy's own address is accepted,
and the host makes the connection on a copy of the plugin's descriptor, to an address that it writes itself:
what the plugin's threads do to their memory meanwhile changes nothing. No call ever goes on by itself.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from cellwall_kernel.network._attending import attend
from cellwall_kernel.network._notices import is_valid, take_descriptor
from cellwall_kernel.network._rules import Refusals
from cellwall_kernel.permissions import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwall_kernel.network._notices import Notice
    from cellwall_kernel.network._proxy import Proxy

__all__ = ["Broker"]

PROXY_ADDRESS = "127.0.0.1"
MAPPED_ADDRESS = "::ffff:127.0.0.1"
"""The same for a socket of IPv6."""

FAMILY = struct.Struct("=H")
IPV4_SOCKADDR = struct.Struct("!2xH4s")
IPV6_SOCKADDR = struct.Struct("!2xH4x16s")
MAX_SOCKADDR_BYTES = 128
"""The size of `struct sockaddr_storage`; the kernel takes no more."""


class Broker:
    """Answers the notices of one plugin.

    Args:
        notify_fd: the filter's descriptor; it belongs to this object from now on.
        proxy: is told of each connection before it can see it.
        port: where the proxy listens, on 127.0.0.1.
        on_refused: is called with each refusal, once for each address and port.
    """

    def __init__(
        self, notify_fd: int, proxy: Proxy, port: int, *, on_refused: Callable[[Refusal], None]
    ) -> None:
        self._notify_fd = notify_fd
        self._proxy = proxy
        self._port = port
        self._refusals = Refusals(on_refused)

    async def run(self) -> None:
        """Answer notices until the plugin has gone, or until cancelled; then the descriptor is closed."""
        await attend(self._notify_fd, self._connect)

    def _connect(self, notice: Notice) -> int:
        """Make the connection that a plugin asks for, if it is the one to the proxy.

        Returns:
            what `connect` returns there, as a positive error number; 0 for success.
        """
        if notice.call != "connect" or notice.thread == 0:
            return errno.EPERM
        descriptor, address, size = notice.arguments[:3]
        size &= 0xFFFFFFFF
        if not FAMILY.size <= size <= MAX_SOCKADDR_BYTES:
            return errno.EINVAL
        sockaddr = notice.read_memory(address, size)
        if not is_valid(self._notify_fd, notice):
            return errno.ESRCH  # nobody hears it
        wanted = _read_sockaddr(sockaddr)
        if wanted not in {(PROXY_ADDRESS, self._port), (MAPPED_ADDRESS, self._port)}:
            self._refuse(wanted)
            return errno.ECONNREFUSED
        taken = take_descriptor(self._notify_fd, notice, descriptor & 0xFFFFFFFF)
        try:
            sock = socket.socket(fileno=taken)
        except OSError as error:
            os.close(taken)
            return error.errno or errno.ENOTSOCK
        with sock:
            return self._connect_to_proxy(sock)

    def _connect_to_proxy(self, sock: socket.socket) -> int:
        """Connect a plugin's socket and announce it.

        A connection to this machine is made while it is asked for, unless more wait than the proxy can take.
        So this never waits: a socket that would have waited is told so by `ETIMEDOUT`.
        """
        if sock.type != socket.SOCK_STREAM or sock.family not in {socket.AF_INET, socket.AF_INET6}:
            return errno.EPERM
        address = PROXY_ADDRESS if sock.family == socket.AF_INET else MAPPED_ADDRESS
        flags = fcntl.fcntl(sock, fcntl.F_GETFL)  # shared with the plugin, as all of an open file is
        fcntl.fcntl(sock, fcntl.F_SETFL, flags | os.O_NONBLOCK)
        try:
            number = sock.connect_ex((address, self._port))
            if number in {0, errno.EINPROGRESS}:
                self._proxy.admit(sock.getsockname()[1])
            if number == errno.EINPROGRESS:
                number = sock.connect_ex((address, self._port))  # takes note that it has been made
        finally:
            fcntl.fcntl(sock, fcntl.F_SETFL, flags)
        if number == errno.EALREADY:
            return errno.EINPROGRESS if flags & os.O_NONBLOCK else errno.ETIMEDOUT
        return number

    def _refuse(self, wanted: tuple[str, int] | str) -> None:
        if isinstance(wanted, str):
            refusal = Refusal(tried=f"connect to {wanted}", reason="only the host's proxy can be reached")
            self._refusals.add(wanted, 0, refusal)
            return
        host, port = wanted
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        reason = "hosts that are granted by name are reached through the proxy that HTTPS_PROXY names"
        refusal = Refusal(tried=f"reach {shown} without the proxy", grant="network=any", reason=reason)
        self._refusals.add(host, port, refusal)


def _read_sockaddr(data: bytes) -> tuple[str, int] | str:
    """Return the address and the port, or what else it is, in words.

    Raises:
        OSError: it is too short, as the kernel would say.
    """
    family = FAMILY.unpack_from(data)[0]
    layouts = {socket.AF_INET: IPV4_SOCKADDR, socket.AF_INET6: IPV6_SOCKADDR}
    layout = layouts.get(family)
    if layout is None:
        return "a Unix socket" if family == socket.AF_UNIX else f"an address of family {family}"
    if len(data) < layout.size:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    port, packed = layout.unpack_from(data)
    address = ip_address(packed)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return f"::ffff:{address.ipv4_mapped}", port
    return address.compressed, port
