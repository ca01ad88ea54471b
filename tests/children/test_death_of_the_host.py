"""The host is killed by SIGKILL at any moment: nothing it started lives two seconds later (anchor 30)."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.paths import Paths
from tests.children.kit import DEATH_S, HERE, PATIENCE_S, install_from_zoo, install_obedient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.children.kit import Lifeline

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere the keeper only polls; nothing is promised"
)


class Host:
    """A running host; killed at the end of the test, if it lives so long."""

    def __init__(self, *arguments: str) -> None:
        path = HERE / "programs" / "host.py"
        self.process = subprocess.Popen([sys.executable, str(path), *arguments], stdout=subprocess.PIPE)

    def word(self) -> str:
        """Wait for its next line."""
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], PATIENCE_S)
        assert readable, "the host says nothing"
        return self.process.stdout.readline().decode().strip()

    def kill(self) -> None:
        """Kill it without warning."""
        self.process.kill()
        self.process.wait(PATIENCE_S)


@pytest.fixture
def hosts() -> Iterator[list[Host]]:
    """The hosts of a test; they end with it."""
    running: list[Host] = []
    yield running
    for host in running:
        host.kill()
        assert host.process.stdout is not None
        host.process.stdout.close()


@pytest.mark.usefixtures("both_walls")
@pytest.mark.parametrize("orders", ["sleep", "spin", "hold", "deaf,hold", "stop", "daemon,child,deaf,hold"])
def test_a_plugin_and_all_it_started_end_with_the_host(
    orders: str, tmp_path: Path, site: Path, lifeline: Lifeline, hosts: list[Host]
) -> None:
    """Whatever its main thread does: the keeper hears of the death, and it is another process."""
    install_obedient(site, Paths(tmp_path / "home"), lifeline, "spawn=any")
    host = Host(str(site), str(tmp_path / "home"), "obeys", orders)
    hosts.append(host)
    assert host.word() == "begun"
    lifeline.wait_for("plugin", *(name for name in ("daemon", "child") if name in orders))

    host.kill()

    lifeline.wait_until_all_are_dead(DEATH_S)


@pytest.mark.usefixtures("both_walls")
@pytest.mark.parametrize("delay_ms", [0, 2, 5, 10, 20, 40, 80])
def test_a_host_that_dies_while_a_plugin_starts_leaves_nothing(
    delay_ms: int, tmp_path: Path, site: Path, hosts: list[Host]
) -> None:
    """The keeper may have run a line or none: it asks whether its host lives before it does anything."""
    record = install_from_zoo(site, "sleeps_at_import")
    host = Host(str(site), str(tmp_path / "home"), record.name)
    hosts.append(host)
    keeper = os.pidfd_open(int(host.word()))
    alive = select.poll()
    alive.register(keeper, select.POLLIN)

    assert not alive.poll(delay_ms)
    host.kill()

    assert alive.poll(DEATH_S * 1000), "the keeper lives"
    os.close(keeper)
    end = time.monotonic() + DEATH_S
    while left := processes_with(str(site)):  # around a namespace, the process that we know ends first
        assert time.monotonic() < end, left


def processes_with(text: str) -> list[str]:
    """List the command lines that contain a text and are not about this test itself."""
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if text.encode() in line:
            found.append(line.replace(b"\0", b" ").decode())
    return found
