"""What the measuring plugin finds inside cells of different modes, which take turns.

    python -m cellbench.probes.inside lasting|fresh COUNT MODE,MODE... WORD...

The WORDs are the prompt, see `plugin/bench_inside.py`; `PORT` among them becomes the port of a server that
sends bytes. With `lasting`, one cell per mode is asked COUNT times; with `fresh`, each question has a cell of
its own. For each MODE, `MODE_s` is the median of what it says one unit takes, `MODE_cpu_s` that of its
thread's CPU time, and `MODE_all_cpu_s` that of all processes of the probe, for all units of a question: with
a proxy, the work is in the host.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING

import anyio

from cellbench.probes.cells import ask, measuring_plugin, start
from cellbench.probes.trips import print_figures, tree_cpu_s
from cellwall_kernel.paths import Paths
from cellwall_kernel.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Generator

    from cellwall_kernel.session import Session

__all__: list[str] = []


class _Bench:
    """Cells by mode, and what was measured in them.

    Args:
        supervisor: owns the cells.
        paths: the user folder.
        port: of the server.
    """

    def __init__(self, supervisor: Supervisor, paths: Paths, port: int) -> None:
        self._supervisor = supervisor
        self._paths = paths
        self._port = port
        self._record = measuring_plugin()
        self.taken: dict[str, list[dict[str, float]]] = {}

    async def open(self, mode: str) -> Session:
        """Start a cell."""
        spawned = start(self._record, self._paths, mode, port=self._port)
        return await self._supervisor.start(self._record, spawned=spawned)

    async def measure(self, session: Session, mode: str, prompt: str, *, keep: bool) -> None:
        """Ask once."""
        cpu_before = tree_cpu_s()
        figures = await ask(session, prompt)
        if keep:
            figures["all_cpu_s"] = tree_cpu_s() - cpu_before
            self.taken.setdefault(mode, []).append(figures)


async def _main(kind: str, count: int, modes: list[str], prompt: str) -> None:
    paths = Paths.from_environment()
    with _server() as port:
        async with Supervisor(paths) as supervisor:
            bench = _Bench(supervisor, paths, port)
            measure = _fresh if kind == "fresh" else _lasting
            await measure(bench, supervisor, count, modes, prompt.replace("PORT", str(port)))
    print_figures(
        {
            name: median(figures[key] for figures in taken)
            for mode, taken in bench.taken.items()
            for name, key in (
                (f"{mode}_s", "unit_s"),
                (f"{mode}_cpu_s", "cpu_s"),
                (f"{mode}_all_cpu_s", "all_cpu_s"),
            )
        }
    )


async def _lasting(bench: _Bench, _: Supervisor, count: int, modes: list[str], prompt: str) -> None:
    sessions = {mode: await bench.open(mode) for mode in modes}
    for number in range(count + 1):
        for mode, session in sessions.items():
            await bench.measure(session, mode, prompt, keep=number > 0)


async def _fresh(bench: _Bench, supervisor: Supervisor, count: int, modes: list[str], prompt: str) -> None:
    for number in range(count + 1):
        for mode in modes:
            session = await bench.open(mode)
            await bench.measure(session, mode, prompt, keep=number > 0)
            await supervisor.stop(session)


@contextmanager
def _server() -> Generator[int]:
    """Run the server that sends bytes, in a process of its own; yields its port."""
    argv = [sys.executable, "-I", "-c", _SERVER]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.stdin.close()


_SERVER = """
import os, socket, sys, threading
BLOCK = bytes(1 << 18)
def attend(sock):
    with sock:
        left = int.from_bytes(sock.recv(8), "big")
        while left > 0:
            left -= sock.send(BLOCK[:left])
def serve(listener):
    while True:
        threading.Thread(target=attend, args=(listener.accept()[0],), daemon=True).start()
listener = socket.create_server(("127.0.0.1", 0), backlog=128)
print(listener.getsockname()[1], flush=True)
threading.Thread(target=serve, args=(listener,), daemon=True).start()
sys.stdin.read()
os._exit(0)
"""


if __name__ == "__main__":
    anyio.run(_main, sys.argv[1], int(sys.argv[2]), sys.argv[3].split(","), " ".join(sys.argv[4:]))
