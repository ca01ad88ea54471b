"""The other way: a plugin alone in a network namespace hands its listener to the host."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import anyio
import pytest

from cellwall_kernel.network import Proxy
from cellwall_kernel.permissions import HostPattern
from tests.kernel.network.origin import Origin

if TYPE_CHECKING:
    from cellwall_kernel.permissions import Refusal

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="network namespaces exist on Linux only"),
]

NO_NAMESPACE = 77
"""How the child says that this machine does not allow it a namespace."""

CODE = f"""
import ctypes, fcntl, os, socket, struct, sys, urllib.request, urllib.error
CLONE_NEWUSER, CLONE_NEWNET, SIOCSIFFLAGS, IFF_UP = 0x10000000, 0x40000000, 0x8914, 1
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
    sys.exit({NO_NAMESPACE})
try:
    with socket.socket() as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
except OSError:
    sys.exit({NO_NAMESPACE})
listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
with socket.socket(fileno=int(sys.argv[1])) as host:
    socket.send_fds(host, [b"x"], [listener.fileno()])
listener.close()
os.environ["HTTP_PROXY"] = f"http://127.0.0.1:{{port}}"
print(urllib.request.urlopen(sys.argv[2]).read().decode())
try:
    urllib.request.urlopen("http://evil.example/")
except urllib.error.HTTPError as error:
    print(error.code)
print(socket.socket().connect_ex(("127.0.0.1", int(sys.argv[3]))))
"""

OWN = f"""
import ctypes, fcntl, socket, struct, sys
from cellwall_kernel.network._addresses import objection
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x50000000):
    sys.exit({NO_NAMESPACE})
address = struct.pack("=HH4s8x", socket.AF_INET, 0, bytes([8, 8, 8, 8]))
mask = struct.pack("=HH4s8x", socket.AF_INET, 0, bytes([255] * 4))
try:
    with socket.socket() as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", b"lo", 1))
        print(objection("8.8.8.8"))
        fcntl.ioctl(control, 0x8916, struct.pack("16s16s", b"lo:1", address))
        fcntl.ioctl(control, 0x891C, struct.pack("16s16s", b"lo:1", mask))
except OSError:
    sys.exit({NO_NAMESPACE})
print(objection("8.8.8.8"))
print(objection("8.8.4.4"))
"""


async def test_a_public_address_of_this_machine_is_still_its_own() -> None:
    """House rule: a firewall may keep the world from a service, but not this machine from itself."""
    done = await anyio.run_process([sys.executable, "-c", OWN], check=False)
    if done.returncode == NO_NAMESPACE:
        pytest.skip("this machine allows no network namespace")

    assert ["", "an address of this machine", ""] == done.stdout.decode().split("\n")[:-1]


async def test_a_listener_of_another_namespace_is_served() -> None:
    """sandbox.md §5 (a): no relay process; there is nothing else to reach in there."""
    refusals: list[Refusal] = []
    printed: list[str] = []
    ours, theirs = socket.socketpair()
    with ours, Origin() as origin:
        url = f"http://localhost:{origin.port}/a"
        argv = [sys.executable, "-c", CODE, str(theirs.fileno()), url, str(origin.port)]
        process = subprocess.Popen(  # noqa: ASYNC220 - it takes a millisecond
            argv,
            pass_fds=[theirs.fileno()],
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"]},
            text=True,
        )
        theirs.close()
        with process:
            ours.settimeout(15)
            _, descriptors, _, _ = await anyio.to_thread.run_sync(socket.recv_fds, ours, 1, 1)
            if not descriptors:
                assert NO_NAMESPACE == await anyio.to_thread.run_sync(process.wait)
                pytest.skip("this machine allows no network namespace")
            hosts = [HostPattern.parse(f"localhost:{origin.port}")]
            proxy = Proxy("p", hosts, on_refused=refusals.append, environ={})
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(proxy.serve, socket.socket(fileno=descriptors[0]))
                printed = (await anyio.to_thread.run_sync(process.communicate))[0].split("\n")
                tasks.cancel_scope.cancel()

            assert ["GET /a ", "403", "111", ""] == printed
            assert ["network=evil.example:80"] == [refusal.grant for refusal in refusals]
