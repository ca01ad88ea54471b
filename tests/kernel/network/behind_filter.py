"""A program that puts itself behind a filter that sends every `connect` to its host, and then runs some code.

    python behind_filter.py SOCKET CODE

It is what the bootstrap of a real cell does, in little: the descriptor of the filter goes to the host over
SOCKET, and the code runs only after that. `port` is the proxy's port, from the environment.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys

CALLS = {"x86_64": (317, 42), "aarch64": (277, 203)}
"""The numbers of `seccomp` and `connect`."""

PR_SET_NO_NEW_PRIVS = 38
SET_MODE_FILTER, NEW_LISTENER = 1, 8
LOAD_NUMBER, IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, USER_NOTIF = 0x7FFF0000, 0x7FC00000


def install() -> int:
    """Install the filter for this process and all that it starts; return its descriptor."""
    seccomp, connect = CALLS[os.uname().machine]
    rows = [
        (LOAD_NUMBER, 0, 0, 0),
        (IF_EQUAL, 0, 1, connect),
        (RETURN, 0, 0, USER_NOTIF),
        (RETURN, 0, 0, ALLOW),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *row) for row in rows))
    head = struct.pack("@HP", len(rows), ctypes.addressof(program))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    notify_fd = int(libc.syscall(ctypes.c_long(seccomp), SET_MODE_FILTER, NEW_LISTENER, head))
    if notify_fd < 0:
        sys.exit(f"no filter: {os.strerror(ctypes.get_errno())}")
    return notify_fd


def main() -> None:
    """Go behind the filter and run the code."""
    with socket.socket(fileno=int(sys.argv[1])) as host:
        notify_fd = install()
        socket.send_fds(host, [b"x"], [notify_fd])
        os.close(notify_fd)
        host.recv(1)
    exec(sys.argv[2], {"port": int(os.environ.get("PORT", "0"))})


if __name__ == "__main__":
    main()
