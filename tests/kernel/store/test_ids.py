"""Ids, and who writes a row: both must hold across threads, forks and dead processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from cellwall_kernel.store.host import Host, life_of, this_host
from cellwall_kernel.store.ulid import new_ulid
from tests.kernel.store.scene import WAIT_S


def test_ids_grow_and_are_crockfords_base_32() -> None:
    """Within a millisecond too; 26 characters without i, l, o and u."""
    ids = [new_ulid() for _ in range(5000)]
    assert ids == sorted(set(ids))
    assert set("".join(ids)) <= set("0123456789abcdefghjkmnpqrstvwxyz")
    assert {len(each) for each in ids} == {26}


def test_ids_of_threads_are_distinct() -> None:
    """Counting on within a millisecond is not a race."""
    with ThreadPoolExecutor(8) as pool:
        ids = [job.result() for job in [pool.submit(new_ulid) for _ in range(8000)]]
    assert len(set(ids)) == 8000


def test_ids_of_forked_children_are_distinct() -> None:
    """A child that counts on from its parent's last id would give its brother's ids."""
    program = (
        "import os\n"
        "from cellwall_kernel.store.ulid import new_ulid\n"
        "new_ulid()\n"
        "for _ in range(4):\n"
        "    if os.fork() == 0:\n"
        "        os.write(1, ''.join(new_ulid() + '\\n' for _ in range(500)).encode())\n"
        "        os._exit(0)\n"
        "for _ in range(4):\n"
        "    os.wait()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=WAIT_S, check=True
    )
    assert len(set(ended.stdout.split())) == 2000


def test_this_process_is_alive() -> None:
    """Also when asked about by its numbers."""
    assert life_of(this_host()) == "alive"


def test_a_process_that_ended_is_gone() -> None:
    """Before and after its parent has taken notice: a zombie writes nothing any more."""
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from cellwall_kernel.store.host import this_host; print(*this_host(), flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    pid, started, machine = child.stdout.readline().rstrip("\n").split(" ", 2)
    host = Host(int(pid), int(started), machine)
    assert life_of(host) == "alive"
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert life_of(host) == "gone"
    child.communicate(timeout=WAIT_S)
    assert life_of(host) == "gone"


def test_another_process_with_the_same_number_is_not_meant() -> None:
    """Process ids are reused; the moment of the start tells them apart."""
    assert life_of(this_host()._replace(started=1)) == "gone"


def test_a_host_of_another_boot_is_unknown() -> None:
    """Its process id means nothing here."""
    assert life_of(this_host()._replace(machine="another")) == "unknown"


def test_numbers_that_no_process_has_are_gone() -> None:
    """A file may hold anything."""
    assert life_of(this_host()._replace(pid=2**70)) == "gone"
