"""Reaching the network, and this machine's services over it: every family and every way to connect."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import select
import socket
import struct

from ._registry import attempt
from ._system import call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._registry import Scene

IPPROTO_MPTCP = 262
MSG_FASTOPEN = 0x20000000
TCP_FASTOPEN_CONNECT = 30
AF_VSOCK, AF_TIPC, AF_BLUETOOTH, AF_RXRPC = 40, 30, 31, 33
WORD = b"plugin was here"
OP_CONNECT, OP_SEND, OP_SOCKET = 16, 26, 45
OFFSET_SQ, OFFSET_CQ, OFFSET_ENTRIES = 0, 0x8000000, 0x10000000
NETLINK_ROUTE, NETLINK_AUDIT, NETLINK_KOBJECT = 0, 9, 15


@attempt("tcp", kind="network")
def tcp(scene: Scene) -> None:
    """Connect to a server on this machine."""
    with socket.create_connection(("127.0.0.1", scene.tcp), 2) as line:
        line.sendall(WORD)


@attempt("tcp_by_mapped_address", kind="network")
def tcp_by_mapped_address(scene: Scene) -> None:
    """Connect by the IPv6 name of an IPv4 address."""
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as line:
        line.connect(("::ffff:127.0.0.1", scene.tcp))
        line.sendall(WORD)


@attempt("tcp_without_waiting", kind="network")
def tcp_without_waiting(scene: Scene) -> None:
    """Begin to connect and let it happen behind one's back."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as line:
        line.setblocking(False)
        line.connect_ex(("127.0.0.1", scene.tcp))
        select.select([], [line], [], 2)
        line.send(WORD)


@attempt("tcp_fast_open", kind="network")
def tcp_fast_open(scene: Scene) -> None:
    """Connect without connect(): the first sent byte does it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as line:
        line.sendto(WORD, MSG_FASTOPEN, ("127.0.0.1", scene.tcp))


@attempt("tcp_fast_open_by_message", kind="network")
def tcp_fast_open_by_message(scene: Scene) -> None:
    """Likewise by sendmsg()."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as line:
        line.sendmsg([WORD], [], MSG_FASTOPEN, ("127.0.0.1", scene.tcp))


@attempt("tcp_by_other_protocol", kind="network")
def tcp_by_other_protocol(scene: Scene) -> None:
    """Speak multipath TCP, which rules about TCP forget."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP) as line:
        line.connect(("127.0.0.1", scene.tcp))
        line.sendall(WORD)


@attempt("tcp_after_disconnecting", kind="network")
def tcp_after_disconnecting(scene: Scene) -> None:
    """Dissolve a connection and make another one with the same socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as line:
        line.connect(("127.0.0.1", scene.tcp))
        ctypes.CDLL(None).connect(line.fileno(), struct.pack("HHI8x", socket.AF_UNSPEC, 0, 0), 16)
        line.connect(("127.0.0.1", scene.tcp))
        line.sendall(WORD)


@attempt("listen", kind="network", takes_word=True)
def listen(scene: Scene) -> object:
    """Wait for others to connect."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1] > 0


@attempt("listen_without_binding", kind="network", takes_word=True)
def listen_without_binding(scene: Scene) -> object:
    """Likewise, on a port that the kernel chooses because none was asked for."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.listen()
        return server.getsockname()[1] > 0


@attempt("udp", kind="network")
def udp(scene: Scene) -> None:
    """Send a datagram, as a lookup of a name is one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.sendto(WORD, ("127.0.0.1", scene.udp))


@attempt("udp_by_mapped_address", kind="network")
def udp_by_mapped_address(scene: Scene) -> None:
    """Send a datagram by the IPv6 name of an IPv4 address."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as line:
        line.sendto(WORD, ("::ffff:127.0.0.1", scene.udp))


@attempt("udp_lite", kind="network", takes_word=True)
def udp_lite(scene: Scene) -> object:
    """Open a socket of UDP's little sister, which rules about UDP forget."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 136):
        return True


@attempt("ping_socket", kind="network", takes_word=True)
def ping_socket(scene: Scene) -> object:
    """Carry a message out in an echo request, for which no rights are needed in many places."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as line:
        return line.sendto(struct.pack("BBHHH", 8, 0, 0, 0, 1) + WORD, ("127.0.0.1", 0)) > 0


@attempt("sctp", kind="network", takes_word=True)
def sctp(scene: Scene) -> object:
    """Open a socket of another transport."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132):
        return True


@attempt("raw_socket", kind="network", takes_word=True)
def raw_socket(scene: Scene) -> object:
    """Write packets by hand."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP):
        return True


@attempt("packet_socket", kind="network", takes_word=True)
def packet_socket(scene: Scene) -> object:
    """Listen to everything that passes by."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0):
        return True


@attempt("netlink", kind="network", takes_word=True)
def netlink(scene: Scene) -> object:
    """Ask the kernel for the machine's addresses."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE) as line:
        line.send(struct.pack("IHHIIBxxx", 20, 22, 0x301, 1, 0, 0))
        return len(line.recv(8192)) > 20


@attempt("netlink_device_events", kind="network", takes_word=True)
def netlink_device_events(scene: Scene) -> object:
    """Hear which devices are plugged in."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_KOBJECT) as line:
        line.bind((0, 1))
        return True


@attempt("netlink_audit", kind="network", takes_word=True)
def netlink_audit(scene: Scene) -> object:
    """Open the line to the kernel's audit."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_AUDIT):
        return True


@attempt("vsock", kind="network", takes_word=True)
def vsock(scene: Scene) -> object:
    """Open the line to the machine around this machine, which no network namespace holds back."""
    with socket.socket(AF_VSOCK, socket.SOCK_STREAM):
        return True


@attempt("crypto_socket", kind="kernel", takes_word=True)
def crypto_socket(scene: Scene) -> object:
    """Open the kernel's cryptography, a rich source of bugs."""
    with socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET) as line:
        line.bind(("hash", "sha256"))
        return True


@attempt("odd_socket_families", kind="network", takes_word=True)
def odd_socket_families(scene: Scene) -> object:
    """Open any family that hardly anybody uses, which makes the kernel load its module."""
    opened: list[int] = []
    for family in (AF_TIPC, AF_BLUETOOTH, AF_RXRPC, 9, 17, 21, 29, 35, 38, 41, 42, 44):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
            with contextlib.suppress(OSError), socket.socket(family, kind, 0):
                opened.append(family)
    return opened


@attempt("connect_by_ring", kind="network")
def connect_by_ring(scene: Scene) -> None:
    """Have the kernel make, connect and use a socket on its own: no call of ours says so."""
    ring = Ring()
    fd = ring.does(OP_SOCKET, fd=socket.AF_INET, address=0, length=0, offset=socket.SOCK_STREAM)
    port = struct.pack("!H", scene.tcp)
    to = ctypes.create_string_buffer(struct.pack("H", socket.AF_INET) + port + b"\x7f\0\0\1" + bytes(8), 16)
    ring.does(OP_CONNECT, fd=fd, address=ctypes.addressof(to), length=0, offset=16)
    text = ctypes.create_string_buffer(WORD)
    ring.does(OP_SEND, fd=fd, address=ctypes.addressof(text), length=len(WORD), offset=0)


@attempt("read_secret_by_ring", kind="files")
def read_secret_by_ring(scene: Scene) -> object:
    """Have the kernel open and read the secret on its own."""
    ring = Ring()
    path, room = ctypes.create_string_buffer(scene.secret.encode()), ctypes.create_string_buffer(4096)
    fd = ring.does(18, fd=-100, address=ctypes.addressof(path), length=0, offset=0)
    ring.does(22, fd=fd, address=ctypes.addressof(room), length=4096, offset=0)
    return room.raw


class Ring:
    """The smallest use of io_uring: one request after another, each waited for."""

    def __init__(self) -> None:
        parameters = ctypes.create_string_buffer(120)
        self.fd = call("io_uring_setup", 4, parameters)
        fields = struct.unpack("10I", parameters.raw[:40])
        self.entries, self.done = fields[0], fields[1]
        self.places = struct.unpack("6I", parameters.raw[40:64])  # head, tail, mask, entries, flags, dropped
        self.array = struct.unpack("I", parameters.raw[64:68])[0]
        self.answers = struct.unpack(
            "6I", parameters.raw[80:104]
        )  # head, tail, mask, entries, overflow, cqes
        self.asked = mmap.mmap(self.fd, self.array + self.entries * 4, offset=OFFSET_SQ)
        self.answered = mmap.mmap(self.fd, self.answers[5] + self.done * 16, offset=OFFSET_CQ)
        self.requests = mmap.mmap(self.fd, self.entries * 64, offset=OFFSET_ENTRIES)

    def does(self, operation: int, *, fd: int, address: int, length: int, offset: int) -> int:
        """Carry out one operation.

        Raises:
            OSError: it was refused.
        """
        tail = struct.unpack_from("I", self.asked, self.places[1])[0]
        slot = tail % self.entries
        request = struct.pack("BBHiQQII32x", operation, 0, 0, fd, offset, address, length, 0)
        self.requests[slot * 64 : slot * 64 + 64] = request
        struct.pack_into("I", self.asked, self.array + slot * 4, slot)
        struct.pack_into("I", self.asked, self.places[1], tail + 1)
        call("io_uring_enter", self.fd, 1, 1, 1, None, 0)
        head = struct.unpack_from("I", self.answered, self.answers[0])[0]
        place = self.answers[5] + (head % self.done) * 16
        result: int = struct.unpack_from("i", self.answered, place + 8)[0]
        struct.pack_into("I", self.answered, self.answers[0], head + 1)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result
