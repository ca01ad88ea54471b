"""Attempts to reach something: servers of the host that wait for nothing else, and its proxy."""

from __future__ import annotations

import os
import socket

from ._scene import Unusable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._scene import Attempt, Scene

__all__ = ["ATTEMPTS"]

PATIENCE_S = 3.0
FORBIDDEN, ESTABLISHED = b" 403 ", b" 200 "
NETLINK_ROUTE = 0
AF_VSOCK = 40


def greeted(sock: socket.socket, scene: Scene, address: object) -> None:
    """Connect, and hear the server's word: then it was reached for certain."""
    with sock:
        sock.settimeout(PATIENCE_S)
        sock.connect(address)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # of its family
        heard = b""
        while chunk := sock.recv(4096):
            heard += chunk
        if heard != scene["token"].encode():
            raise Unusable("another server answers")


def by_ipv4(scene: Scene) -> None:
    greeted(socket.socket(socket.AF_INET, socket.SOCK_STREAM), scene, ("127.0.0.1", scene["port"]))


def by_ipv6(scene: Scene) -> None:
    if not scene["port6"]:
        raise Unusable("this machine has no IPv6")
    greeted(socket.socket(socket.AF_INET6, socket.SOCK_STREAM), scene, ("::1", scene["port6"]))


def by_datagram(scene: Scene) -> None:
    """The host looks whether it arrived."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(scene["mark"].encode(), ("127.0.0.1", scene["udp_port"]))


def by_unix_path(scene: Scene) -> None:
    here = os.getcwd()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.chdir(scene["outside"])  # the whole path may be too long for an address
    try:
        greeted(sock, scene, "s")
    finally:
        os.chdir(here)


def by_abstract_name(scene: Scene) -> None:
    if not scene["abstract"]:
        raise Unusable("this system has no such names")
    greeted(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), scene, "\0" + scene["abstract"])


def by_pair_of_datagrams(scene: Scene) -> None:
    """The host looks whether it arrived."""
    here = os.getcwd()
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        os.chdir(scene["outside"])
        try:
            one.sendto(scene["mark"].encode(), "d")
        finally:
            os.chdir(here)


def by_netlink(_scene: Scene) -> None:
    if not hasattr(socket, "AF_NETLINK"):
        raise Unusable("this system has no netlink")
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE).close()


def by_vsock(_scene: Scene) -> None:
    socket.socket(AF_VSOCK, socket.SOCK_STREAM).close()


def asked_of_proxy(target: str) -> tuple[socket.socket, bytes]:
    """Ask the proxy for a tunnel; gives the connection and the first line of the answer."""
    proxy = os.environ.get("HTTPS_PROXY", "").rpartition("/")[2]
    host, _, port = proxy.partition(":")
    if not port:
        raise Unusable("there is no proxy")
    sock = socket.create_connection((host, int(port)), PATIENCE_S)
    sock.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head and (byte := sock.recv(1)):
        head += byte
    return sock, head.partition(b"\r\n")[0]


def through_proxy(target: str) -> None:
    sock, answer = asked_of_proxy(target)
    sock.close()
    if FORBIDDEN in answer:
        raise PermissionError(13, "403")
    if ESTABLISHED not in answer:
        raise Unusable(f"the proxy says {answer.decode('latin-1')!r}")


def to_foreign_name(_scene: Scene) -> None:
    through_proxy("canary.invalid:443")


def to_other_port(scene: Scene) -> None:
    through_proxy(f"localhost:{scene['port']}")


def to_granted_host(scene: Scene) -> None:
    sock, answer = asked_of_proxy(f"localhost:{scene['granted_port']}")
    with sock:
        heard = b""
        while chunk := sock.recv(4096):
            heard += chunk
    if ESTABLISHED not in answer or heard != scene["token"].encode():
        raise Unusable(f"the proxy says {answer.decode('latin-1')!r}")


ATTEMPTS: dict[str, Attempt] = {
    "ipv4": by_ipv4,
    "ipv6": by_ipv6,
    "udp": by_datagram,
    "unix": by_unix_path,
    "abstract": by_abstract_name,
    "unix_datagram": by_pair_of_datagrams,
    "netlink": by_netlink,
    "vsock": by_vsock,
    "foreign_name": to_foreign_name,
    "other_port": to_other_port,
    "granted_host": to_granted_host,
}
