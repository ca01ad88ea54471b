"""The filters in the kernel of this machine: they load, refuse, and let Python work."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cellwall_kernel.wall._seccomp import ARCHITECTURES, FilterPolicy, build_filter
from tests.kernel.wall.seccomp_cases import BROKERED, POLICIES

MACHINE = platform.machine()
PROGRAM = Path(__file__).with_name("filtered.py")
PATIENCE_S = 30

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or MACHINE not in ARCHITECTURES,
    reason=f"there is no filter for {sys.platform} on {MACHINE}",
)


def filtered(what: str, *policies: FilterPolicy) -> Any:
    """Run `filtered.py` in a fresh Python and return what it prints."""
    built = [(policy, build_filter(policy, MACHINE)) for policy in policies]
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(PROGRAM), what],
        input=json.dumps([[one.program.hex(), one.pid_slots, policy.brokered] for policy, one in built]),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)
    return json.loads(done.stdout)


def test_the_kernel_loads_the_filter_of_every_policy() -> None:
    """The brokered ones with a listener (SECCOMP_FILTER_FLAG_NEW_LISTENER; sandbox.md §5)."""
    assert [0] * len(POLICIES) == filtered("loads", *POLICIES)


REFUSED_WITHOUT_NETWORK_AND_PROGRAMS = {
    "socket",
    "unix socket",
    "datagram pair",
    "fork",
    "exec",
    "spawn",
    "signal to the parent",
    "memory file",
    "affinity of the parent",
    "typing",
    "owner",
    "emptying",
    "truncate",
    "death signal",
}


def test_a_plugin_without_grants_cannot_reach_out_and_can_still_work() -> None:
    """Sockets, programs and signals are refused; threads, loops and files go on (sandbox.md §2)."""
    found = filtered("tries", FilterPolicy(network="none", soft_metadata=True))

    assert {what for what, end in found.items() if end == "EPERM"} == REFUSED_WITHOUT_NETWORK_AND_PROGRAMS
    assert {"done"} == {
        found[what] for what in ("signal to itself", "affinity of itself", "thread", "loop", "copy", "fchmod")
    }


@pytest.mark.parametrize(("soft", "expected"), [(True, False), (False, True)])
def test_metadata_stays_as_it_was_where_landlock_alone_guards_files(soft: bool, expected: bool) -> None:
    """The call succeeds all the same, for `shutil.copy` must not fail (sandbox.md §5)."""
    assert expected == filtered("tries", FilterPolicy(network="none", soft_metadata=soft))["chmod"]


def test_a_brokered_connection_is_answered_by_who_holds_the_listener() -> None:
    """The host can connect in the plugin's place, and refuse (sandbox.md §5, listed hosts)."""
    assert ["EHOSTDOWN", "the child asked"] == filtered("connects", BROKERED)
