"""The stand-in for the host: a process that has what a plugin must not reach, and tells what was done to it.

Run by path with the victim's home and token as arguments. It says hello with one line of JSON, and answers
each line on its input with another: what it has received and how it stands. It ends with its input.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import json
import os
import resource
import selectors
import signal
import socket
import sys

PATHS = ("agent.sock", "ssh/agent.sock", "docker.sock", "bus.sock")
PR_SET_PDEATHSIG, PR_SET_PTRACER = 1, 0x59616D61
IOPRIO_GET = {"x86_64": 252, "aarch64": 31}


class Victim:
    """What the process holds and what it has seen.

    Args:
        home: its home folder.
        token: the secret.
    """

    def __init__(self, home: str, token: str) -> None:
        self.home = home
        self.seen: list[str] = []
        self.secret = ctypes.create_string_buffer(token.encode(), 64)
        self.canvas = ctypes.create_string_buffer(b"." * 8_192, 8_192)
        self.fd = os.open(f"{home}/secret.txt", os.O_RDONLY)
        self.selector = selectors.DefaultSelector()
        self.abstract = f"cellwall-{os.urandom(8).hex()}"
        self.tcp = self.serve(socket.AF_INET6, socket.SOCK_STREAM, ("::", 0), "tcp")
        self.udp = self.serve(socket.AF_INET6, socket.SOCK_DGRAM, ("::", 0), "udp")
        for name in PATHS:
            self.serve(socket.AF_UNIX, socket.SOCK_STREAM, f"{home}/{name}", name)
        self.serve(socket.AF_UNIX, socket.SOCK_STREAM, f"{home}/broker.sock", "broker")
        self.serve(socket.AF_UNIX, socket.SOCK_DGRAM, f"{home}/notify.sock", "notify.sock")
        self.serve(socket.AF_UNIX, socket.SOCK_SEQPACKET, f"{home}/packets.sock", "packets.sock")
        self.serve(socket.AF_UNIX, socket.SOCK_STREAM, f"\0{self.abstract}", "abstract")
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGIO, signal.SIGURG):
            signal.signal(number, lambda found, _frame: self.seen.append(f"signal {found}"))

    def serve(self, family: int, kind: int, address: object, name: str) -> int:
        """Wait at an address; gives the port, where there is one."""
        try:
            server = socket.socket(family, kind)
            if family == socket.AF_INET6:
                server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            server.bind(address)  # type: ignore[arg-type]  # the type depends on the family
        except OSError:
            if family != socket.AF_INET6:
                raise
            return self.serve(socket.AF_INET, kind, ("127.0.0.1", 0), name)  # a machine without IPv6
        if kind != socket.SOCK_DGRAM:
            server.listen(16)
        server.setblocking(False)
        self.selector.register(server, selectors.EVENT_READ, (name, kind != socket.SOCK_DGRAM))
        return int(server.getsockname()[1]) if family != socket.AF_UNIX else 0

    def hello(self) -> dict[str, object]:
        """Say where everything is."""
        return {
            "host": os.getpid(),
            "host_fd": self.fd,
            "host_pipe": 1,
            "buffer": ctypes.addressof(self.secret),
            "canvas": ctypes.addressof(self.canvas),
            "tcp": self.tcp,
            "udp": self.udp,
            "abstract": self.abstract,
        }

    def state(self) -> dict[str, object]:
        """Say how the process stands."""
        with open("/proc/self/oom_score_adj", encoding="ascii") as file:  # noqa: PTH123 - pathlib is slow to import
            sacrifice = file.read().strip()
        number = IOPRIO_GET.get(os.uname().machine)
        return {
            "seen": self.seen,
            "nice": os.getpriority(os.PRIO_PROCESS, 0),
            "policy": os.sched_getscheduler(0),
            "processors": sorted(os.sched_getaffinity(0)),
            "files": resource.getrlimit(resource.RLIMIT_NOFILE),
            "sacrifice": sacrifice,
            "disk": ctypes.CDLL(None).syscall(number, 1, 0) if number else 0,
            "canvas": sorted(set(self.canvas.raw)),
            "group": os.getpgrp(),
        }

    def hear(self, server: socket.socket, name: str, *, is_stream: bool) -> None:
        """Take what has arrived at a server."""
        if not is_stream:
            self.seen.append(f"{name}: {server.recv(4096)!r}")
            return
        line, _ = server.accept()
        with line:
            line.settimeout(0.5)
            if name == "broker":
                line.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [self.fd]))])
            with contextlib.suppress(OSError):
                self.seen.append(f"{name}: {line.recv(4096)!r}")

    def hear_all(self, patience_s: float | None) -> bool:
        """Take what has arrived everywhere; gives whether the harness has spoken."""
        has_spoken = False
        for key, _ in self.selector.select(patience_s):
            if key.data is None:
                has_spoken = True
            else:
                name, is_stream = key.data
                with contextlib.suppress(OSError):
                    self.hear(key.fileobj, name, is_stream=is_stream)  # type: ignore[arg-type]  # all others are sockets
        return has_spoken

    def attend(self) -> None:
        """Answer the harness until it closes our input."""
        self.selector.register(0, selectors.EVENT_READ, None)
        tell(self.hello())
        while True:
            if not self.hear_all(None):
                continue
            if not os.read(0, 4096):
                return
            self.selector.unregister(0)
            before = -1
            while before != len(self.seen):
                before = len(self.seen)
                self.hear_all(0)
            self.selector.register(0, selectors.EVENT_READ, None)
            tell(self.state())


def tell(what: dict[str, object]) -> None:
    """Say one line."""
    os.write(1, json.dumps(what).encode() + b"\n")


def main() -> None:
    """Be the victim."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(
        PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0
    )  # some systems let only parents look: not this one
    home, token = sys.argv[1:3]
    os.chdir(home)
    Victim(home, token).attend()


if __name__ == "__main__":
    main()
