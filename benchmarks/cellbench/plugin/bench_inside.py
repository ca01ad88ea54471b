"""A plugin that measures from inside its cell: the prompt says what and how often, the answer is JSON.

It lies in a folder of its own, which is all that its cell sees of the benchmarks. Measurements:

    getppid N     the cheapest system call        open N      opening and closing a file of the library
    id N          the commonest audit event       import X    importing a module that is not loaded yet
    connect N     a connection of one byte        stream N    N bytes over one connection

The last two reach a server on this machine, whose port is in the prompt, through the proxy if the environment
names one. Each answers with `unit_s`, the time of one, and `cpu_s`, the CPU time of this thread for one.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import time
from typing import TYPE_CHECKING

from cellwall_sdk import Model, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwall_sdk import Prompt

__all__ = ["register_models"]

_CHUNK_BYTES = 1 << 18
_MOST_HEAD_BYTES = 4096


class Inside(Model):
    """Measures."""

    model_id = "bench-inside"

    def execute(self, prompt: Prompt) -> str:
        """Measure what the prompt says."""
        what, how_much, *rest = prompt.prompt.split()
        wall, cpu = time.perf_counter(), time.thread_time()
        repetitions = _MEASUREMENTS[what](how_much, *rest)
        cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
        return json.dumps({"unit_s": wall / repetitions, "cpu_s": cpu / repetitions})


def _getppid(count: str) -> int:
    call = os.getppid
    for _ in range(int(count)):
        call()
    return int(count)


def _id(count: str) -> int:
    thing = object()
    for _ in range(int(count)):
        id(thing)
    return int(count)


def _open(count: str) -> int:
    path, flags = os.__file__, os.O_RDONLY | os.O_CLOEXEC
    for _ in range(int(count)):
        os.close(os.open(path, flags))
    return int(count)


def _import(module: str) -> int:
    importlib.import_module(module)
    return 1


def _connect(count: str, port: str) -> int:
    for _ in range(int(count)):
        _read(1, int(port))
    return int(count)


def _stream(size: str, port: str) -> int:
    return _read(int(size), int(port))


def _read(size: int, port: int) -> int:
    """Have the server send `size` bytes, and return how many came."""
    have = 0
    with _dial(port) as sock:
        sock.sendall(size.to_bytes(8, "big"))
        while chunk := sock.recv(_CHUNK_BYTES):
            have += len(chunk)
    if have != size:
        raise ValueError(f"{have} bytes came instead of {size}")
    return have


def _dial(port: int) -> socket.socket:
    sock = socket.socket()
    proxy = os.environ.get("HTTPS_PROXY")
    if proxy is None:
        sock.connect(("127.0.0.1", port))
        return sock
    sock.connect(("127.0.0.1", int(proxy.rpartition(":")[2])))
    sock.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):  # the server says nothing before it is asked
        chunk = sock.recv(_MOST_HEAD_BYTES)
        if not chunk or len(head) > _MOST_HEAD_BYTES:
            raise ValueError(f"the proxy answered {head!r}")
        head += chunk
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ValueError(f"the proxy answered {head!r}")
    return sock


_MEASUREMENTS: dict[str, Callable[..., int]] = {
    "connect": _connect,
    "getppid": _getppid,
    "id": _id,
    "import": _import,
    "open": _open,
    "stream": _stream,
}


@hookimpl
def register_models(register: Callable[[Model], None]) -> None:
    """Offer the model."""
    register(Inside())
