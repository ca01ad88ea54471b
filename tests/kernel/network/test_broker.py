"""The broker: real children behind a real filter, and what they can reach."""

from __future__ import annotations

import os
import platform
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from cellwall_kernel.network import Broker
from cellwall_kernel.network._notices import answer, is_valid, receive, take_descriptor
from cellwall_kernel.wall import proxy_variables
from tests.kernel.network.origin import Origin
from tests.kernel.network.scene import Scene, echo, proxied, server

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncGenerator

    from cellwall_kernel.permissions import Refusal

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"},
        reason="seccomp user notification exists on Linux only, and its numbers are known for two machines",
    ),
]

PROGRAM = Path(__file__).with_name("behind_filter.py")
PREFACE = "import ctypes, errno, http.client, os, socket, struct, threading, urllib.request\n"


class Cell:
    """A child behind the filter.

    Attributes:
        process: itself.
        notify_fd: the descriptor of its filter.
        told: what the broker refused.
    """

    def __init__(self, process: subprocess.Popen[str], notify_fd: int, host: socket.socket) -> None:
        self.process = process
        self.notify_fd = notify_fd
        self.told: list[Refusal] = []
        self._host = host

    def begin(self) -> None:
        """Let its code run."""
        self._host.send(b"x")

    async def end(self) -> str:
        """Wait for its end and return what it printed."""
        printed, complaint = await anyio.to_thread.run_sync(self.process.communicate)
        assert 0 == self.process.returncode, complaint
        return printed.strip()


@asynccontextmanager
async def cell(code: str, port: int) -> AsyncGenerator[Cell]:
    """Start a child behind the filter; it is killed at the end."""
    ours, theirs = socket.socketpair()
    with ours:
        environ = {"PATH": os.environ["PATH"], "PORT": str(port), **proxy_variables(port)}
        argv = [sys.executable, str(PROGRAM), str(theirs.fileno()), PREFACE + code]
        process = subprocess.Popen(  # noqa: ASYNC220 - it takes a millisecond
            argv,
            env=environ,
            pass_fds=[theirs.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        theirs.close()
        with process:
            try:
                ours.settimeout(15)
                _, (notify_fd,), _, _ = await anyio.to_thread.run_sync(socket.recv_fds, ours, 1, 1)
                yield Cell(process, notify_fd, ours)
            finally:
                process.kill()


@asynccontextmanager
async def brokered(code: str, *hosts: str) -> AsyncGenerator[tuple[Cell, Scene]]:
    """Run code in a child behind the filter, with a broker that attends to it until it has gone."""
    async with proxied(*hosts, by_invitation=True) as scene, cell(code, scene.port) as child:
        broker = Broker(child.notify_fd, scene.proxy, scene.port, on_refused=child.told.append)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(broker.run)
            child.begin()
            yield child, scene
        with pytest.raises(OSError, match=r"Bad file descriptor"):
            os.fstat(child.notify_fd)


async def printed_by(code: str, *hosts: str) -> tuple[str, list[str]]:
    """Return what such a child prints, and the sentences that its user reads."""
    async with brokered(code, *hosts) as (child, scene):
        printed = await child.end()
    refusals = [*child.told, *scene.refusals]
    return printed, [refusal.sentence("p") for refusal in refusals]


async def test_a_library_reaches_a_granted_host() -> None:
    """sandbox.md §5 (b): through the proxy, without a network namespace."""
    with Origin() as origin:
        url = f"http://localhost:{origin.port}/a"
        printed, told = await printed_by(
            f"print(urllib.request.urlopen('{url}').read().decode())", f"localhost:{origin.port}"
        )

    assert "GET /a" == printed
    assert [] == told


async def test_many_threads_connect_at_once() -> None:
    """sandbox.md §5 (b): each notice is answered, whoever asks first."""
    code = (
        "answers = []\n"
        "def ask(number):\n"
        "    answers.append(urllib.request.urlopen(f'{URL}{number}').read().decode())\n"
        "threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
        "print(len(set(answers)))\n"
    )
    with Origin() as origin:
        url = f"http://localhost:{origin.port}/"
        printed, told = await printed_by(code.replace("{URL}", url), f"localhost:{origin.port}")

    assert "40" == printed
    assert [] == told


@pytest.mark.parametrize(
    "code",
    [
        # a socket that does not wait
        "sock = socket.socket(); sock.setblocking(False); print(sock.connect_ex(('127.0.0.1', port)))",
        # one that waits for a while only
        "sock = socket.create_connection(('127.0.0.1', port), timeout=10); print(0)",
        # the other family
        "sock = socket.socket(socket.AF_INET6); print(sock.connect_ex(('::ffff:127.0.0.1', port)))",
        (  # a program that it starts
            "pid = os.fork()\n"
            "if pid: os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
            "sock = socket.socket(); print(sock.connect_ex(('127.0.0.1', port)), flush=True)"
        ),
        (  # an event loop
            "import asyncio\nasync def main():\n"
            "    global sock\n"
            "    reader, writer = await asyncio.open_connection('127.0.0.1', port)\n"
            "    sock = writer.get_extra_info('socket'); print(0)\n"
            "    writer.write(b'CONNECT evil.example:443 HTTP/1.1\\r\\n\\r\\n')\n"
            "    print((await reader.readline()).decode())\n"
            "asyncio.run(main()); os._exit(0)"
        ),
    ],
)
async def test_the_proxy_is_reached_in_every_way_of_connecting(code: str) -> None:
    """sandbox.md §5 (b): what libraries do."""
    talk = (
        "\nsock.setblocking(True); sock.sendall(b'CONNECT evil.example:443 HTTP/1.1\\r\\n\\r\\n')\n"
        "print(sock.makefile('rb').readline().decode())"
    )
    if "os._exit(0)" in code:
        code = code.replace("os._exit(0)", "import sys; sys.stdout.flush(); os._exit(0)")
    printed, told = await printed_by(code + talk)

    assert ["0", "HTTP/1.1 403 Forbidden"] == printed.split("\n")[:2]
    assert 1 == len(told)
    assert "reach evil.example:443" in told[0]


@pytest.mark.parametrize(
    ("family", "address", "shown"),
    [
        ("AF_INET", "('127.0.0.1', OTHER)", "reach 127.0.0.1:OTHER without the proxy"),
        ("AF_INET", "('127.0.0.2', port)", "reach 127.0.0.2:PORT without the proxy"),
        ("AF_INET", "('0.0.0.0', port)", "reach 0.0.0.0:PORT without the proxy"),
        ("AF_INET", "('93.184.216.34', 443)", "reach 93.184.216.34:443 without the proxy"),
        ("AF_INET6", "('::1', port)", "reach [::1]:PORT without the proxy"),
        ("AF_INET6", "('::', port)", "reach [::]:PORT without the proxy"),
        ("AF_INET6", "('::ffff:93.184.216.34', 443)", "reach [::ffff:93.184.216.34]:443 without the proxy"),
        ("AF_INET6", "('2001:db8::1', 443)", "reach [2001:db8::1]:443 without the proxy"),
        ("AF_UNIX", "'/run/docker.sock'", "connect to a Unix socket"),
        ("AF_UNIX", "b'\\0abstract'", "connect to a Unix socket"),
    ],
)
async def test_every_other_address_is_refused_and_told(family: str, address: str, shown: str) -> None:
    """sandbox.md §5 (b): only 127.0.0.1 and the proxy's port; the rest needs `any`."""
    async with server(echo) as other:
        place = address.replace("OTHER", str(other))
        async with brokered(f"print(socket.socket(socket.{family}).connect_ex({place}))") as (child, scene):
            printed = await child.end()
        shown = shown.replace("OTHER", str(other)).replace("PORT", str(scene.port))

    assert str(111) == printed  # ECONNREFUSED
    assert [shown] == [refusal.tried for refusal in child.told]
    assert ["network=any" if "reach" in shown else None] == [refusal.grant for refusal in child.told]


@pytest.mark.parametrize(
    ("code", "number"),
    [
        ("connect(999, good, 16)", "EBADF"),
        ("connect(-1, good, 16)", "EBADF"),
        ("connect(os.pipe()[0], good, 16)", "ENOTSOCK"),
        ("connect(stream(), ctypes.c_void_p(8), 16)", "EFAULT"),
        ("connect(stream(), ctypes.c_void_p(1 << 63), 16)", "EFAULT"),
        ("connect(stream(), good, 0)", "EINVAL"),
        ("connect(stream(), good, 1)", "EINVAL"),
        ("connect(stream(), good, 7)", "EINVAL"),
        ("connect(stream(), good, 129)", "EINVAL"),
        ("connect(stream(), good, -1)", "EINVAL"),
        ("connect(stream(), struct.pack('=H', 0) + bytes(14), 16)", "ECONNREFUSED"),
        ("connect(stream(), struct.pack('=H', 99) + bytes(14), 16)", "ECONNREFUSED"),
        ("connect(socket.socket(type=socket.SOCK_DGRAM).detach(), good, 16)", "EPERM"),
        ("connect(socket.socket(socket.AF_UNIX).detach(), good, 16)", "EPERM"),
        ("[connect(fd := stream(), good, 16), connect(fd, good, 16)][1]", "EISCONN"),
        ("[0, ctypes.CDLL(None).prctl(4, 0, 0, 0, 0), connect(stream(), good, 16)][2]", "NOT DUMPABLE"),
    ],
)
async def test_odd_calls_fail_as_they_would_have_and_reach_nothing(code: str, number: str) -> None:
    """House rule: the broker survives every argument, and answers each call."""
    helpers = (
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "good = struct.pack('=H', 2) + struct.pack('!H4s', port, b'\\x7f\\0\\0\\1') + bytes(8)\n"
        "def stream(): return socket.socket().detach()\n"
        "def connect(fd, address, size):\n"
        "    return 0 if libc.connect(fd, address, size) == 0 else ctypes.get_errno()\n"
        f"number = {code}\n"
        "print(errno.errorcode.get(number, number))"
    )
    printed, _ = await printed_by(helpers)

    if number == "NOT DUMPABLE":  # root may look into it, others may not
        assert printed in {"0", "EPERM", "EACCES"}
    else:
        assert number == printed


async def test_memory_that_changes_while_the_host_looks_changes_nothing() -> None:
    """sandbox.md §5 (b): never CONTINUE: that races. A thread writes another port over the good one."""
    reached: list[int] = []

    async def forbidden(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(1)
        writer.close()

    code = (
        "libc = ctypes.CDLL(None)\n"
        "pack = lambda port: struct.pack('=H', 2) + struct.pack('!H4s', port, b'\\x7f\\0\\0\\1') + bytes(8)\n"
        "good, bad = pack(port), pack(OTHER)\n"
        "memory = ctypes.create_string_buffer(good, 16)\n"
        "done = False\n"
        "def flip():\n"
        "    while not done:\n"
        "        memory.raw = bad; memory.raw = good\n"
        "thread = threading.Thread(target=flip); thread.start()\n"
        "results = set()\n"
        "for _ in range(100):\n"
        "    with socket.socket() as sock:\n"
        "        results.add(libc.connect(sock.fileno(), memory, 16))\n"
        "        if sock.getsockname()[1]: assert sock.getpeername() == ('127.0.0.1', port)\n"
        "done = True; thread.join(); print(max(results))"
    )
    async with server(forbidden) as other:
        printed, _ = await printed_by(code.replace("OTHER", str(other)))

    assert "0" == printed
    assert [] == reached


async def test_a_child_that_dies_in_the_middle_ends_the_broker_alone() -> None:
    """House rule: nothing waits for a plugin that has gone."""
    code = (
        "def ask():\n"
        "    while True:\n"
        "        with socket.socket() as sock: sock.connect_ex(('127.0.0.1', port))\n"
        "threads = [threading.Thread(target=ask, daemon=True) for _ in range(8)]\n"
        "[thread.start() for thread in threads]\n"
        "print('on', flush=True)\n"
        "threads[0].join()"
    )
    async with brokered(code) as (child, _):
        assert child.process.stdout is not None
        assert "on\n" == await anyio.to_thread.run_sync(child.process.stdout.readline)
        child.process.send_signal(signal.SIGKILL)


async def test_a_notice_of_the_dead_is_no_notice() -> None:
    """The kernel takes it back; the broker must not wait for another."""
    async with (
        proxied(by_invitation=True) as scene,
        cell("socket.socket().connect(('127.0.0.1', port))", 9) as child,
    ):
        child.begin()
        await anyio.wait_readable(child.notify_fd)
        child.process.kill()
        await anyio.to_thread.run_sync(child.process.wait)

        await Broker(child.notify_fd, scene.proxy, scene.port, on_refused=child.told.append).run()

        assert [] == child.told


async def test_what_was_read_from_the_dead_does_not_count() -> None:
    """The kernel's manual: another process may have its number by now."""
    async with cell("socket.socket().connect(('127.0.0.1', port))", 9) as child:
        child.begin()
        await anyio.wait_readable(child.notify_fd)
        notice = receive(child.notify_fd)
        assert notice is not None
        assert notice.call == "connect"
        assert is_valid(child.notify_fd, notice)

        child.process.kill()
        await anyio.to_thread.run_sync(child.process.wait)

        assert not is_valid(child.notify_fd, notice)
        answer(child.notify_fd, notice, 0)  # nobody hears it
        with pytest.raises(OSError, match=r"No such file|No such process"):
            take_descriptor(child.notify_fd, notice, 0)
        os.close(child.notify_fd)


async def test_a_cancelled_broker_lets_calls_fail() -> None:
    """House rule: no thread of a plugin waits for ever; the kernel answers for who has gone."""
    code = "print(socket.socket().connect_ex(('127.0.0.1', port)))"
    async with proxied(by_invitation=True) as scene, cell(code, scene.port) as child:
        broker = Broker(child.notify_fd, scene.proxy, scene.port, on_refused=child.told.append)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(broker.run)
            await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        child.begin()

        assert "38" == await child.end()  # ENOSYS


@pytest.mark.slow
async def test_more_connections_than_the_proxy_takes_never_block_the_host() -> None:
    """Kernel policy: the broker never waits, not even for a proxy that accepts nobody."""
    code = (
        "socks = []\n"
        "for _ in range(600):\n"
        "    sock = socket.socket(); socks.append(sock)\n"
        "    number = sock.connect_ex(('127.0.0.1', port))\n"
        "    if number: break\n"
        "print(len(socks) > 128, errno.errorcode.get(number, number))"
    )
    printed = ""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as deaf:
        port = deaf.getsockname()[1]
        async with proxied(by_invitation=True) as scene, cell(code, port) as child:
            broker = Broker(child.notify_fd, scene.proxy, port, on_refused=child.told.append)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(broker.run)
                child.begin()
                printed = await child.end()

            assert printed in {"True ETIMEDOUT", "True ECONNREFUSED"}
