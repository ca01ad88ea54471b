"""What the filter decides, for every rule one call that is refused and one that is not, on both machines.

The programs run in the simulator here; `test_seccomp_in_the_kernel.py` loads them.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_kernel.wall._seccomp import ARCHITECTURES, Filter, FilterPolicy, build_filter
from cellwall_kernel.wall._seccomp_rules import rules
from cellwall_kernel.wall._syscalls import CALLS, NEWER
from tests.kernel.wall.bpf_simulator import describe, instructions, run
from tests.kernel.wall.seccomp_cases import (
    ABSENT,
    ALLOW,
    ALWAYS_ABSENT,
    ALWAYS_ALLOWED,
    ALWAYS_REFUSED,
    ANY,
    DESCRIPTOR_CASES,
    EVERY_SOCKET,
    FILE_CASES,
    KILL,
    ME,
    NETWORK_CASES,
    NETWORKS,
    POLICIES,
    PROCESS_CASES,
    REFUSE,
    TIGHT,
    Case,
    is_allowed_socket,
)

MACHINES = sorted(ARCHITECTURES)
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def patched(filter_: Filter, pid: int) -> bytes:
    """Do what the bootstrap does before it loads a program."""
    program = bytearray(filter_.program)
    for slot in filter_.pid_slots:
        struct.pack_into("<I", program, slot, pid)
    return bytes(program)


def verdict(policy: FilterPolicy, machine: str, number: int, arguments: tuple[int, ...] = ()) -> int:
    """Return what the filter of the process `ME` says."""
    program = patched(build_filter(policy, machine), ME)
    return run(program, describe(number, CALLS[machine].audit, arguments)).value


def check(machine: str, table: list[Case]) -> None:
    """Compare all cases whose call the machine has."""
    numbers = CALLS[machine].numbers
    programs = {
        policy: patched(build_filter(policy, machine), ME) for policy in {case.policy for case in table}
    }
    for case in table:
        if case.name not in numbers:
            continue
        data = describe(numbers[case.name], CALLS[machine].audit, case.arguments)

        assert case.expected == run(programs[case.policy], data).value, case


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    "table",
    [PROCESS_CASES, FILE_CASES, DESCRIPTOR_CASES, NETWORK_CASES],
    ids=["processes", "files", "descriptors", "network"],
)
def test_every_rule_refuses_one_call_and_lets_another_pass(machine: str, table: list[Case]) -> None:
    """The tables of this file say which (sandbox.md §3, §5)."""
    check(machine, table)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("names", "expected"), [(ALWAYS_REFUSED, REFUSE), (ALWAYS_ABSENT, ABSENT), (ALWAYS_ALLOWED, ALLOW)]
)
def test_what_no_policy_changes_is_the_same_in_all(machine: str, names: list[str], expected: int) -> None:
    """Calls that nobody may make, and calls that everybody may make (sandbox.md §5)."""
    check(machine, [Case(policy, name, (), expected) for policy in POLICIES for name in names])


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    "policy",
    [FilterPolicy(network=network, unix=unix) for network in NETWORKS for unix in (False, True)],
    ids=str,
)
def test_only_the_sockets_of_the_policy_can_be_made(machine: str, policy: FilterPolicy) -> None:
    """No MPTCP, vsock, netlink, AF_ALG, XDP, packet or raw socket, whatever is granted (sandbox.md §3)."""
    table = [
        Case(policy, "socket", one, ALLOW if is_allowed_socket(policy, *one) else REFUSE)
        for one in EVERY_SOCKET
    ]

    check(machine, table)


def test_every_rule_has_a_case_in_this_file() -> None:
    """A rule that nobody tests is one that a typing mistake may have emptied (sandbox.md §15)."""
    tables = (PROCESS_CASES, FILE_CASES, DESCRIPTOR_CASES, NETWORK_CASES)
    tested = {case.name for table in tables for case in table} | {*ALWAYS_REFUSED, *ALWAYS_ABSENT, "socket"}
    known = {name for calls in CALLS.values() for name in calls.numbers}
    named = {name for policy in POLICIES for name in rules(policy)}

    assert set() == named - tested
    assert set() == (named | tested | {*ALWAYS_ALLOWED}) - known


@pytest.mark.parametrize("machine", MACHINES)
def test_another_architecture_is_killed(machine: str) -> None:
    """`int 0x80` has other numbers: 3 is `read` there and `close` here (sandbox.md §3)."""
    others = {0x40000003, 0x40000028, 0xC000003E, 0xC00000B7, 0} - {CALLS[machine].audit}
    program = build_filter(TIGHT, machine).program

    assert {KILL} == {
        run(program, describe(number, audit)).value for number in (0, 3, 101) for audit in others
    }


@given(number=st.integers(0x40000000, 2**32 - 1))
def test_numbers_of_x32_are_refused(number: int) -> None:
    """They are the same calls with another bit, and the kernel may have them (sandbox.md §3)."""
    assert REFUSE == verdict(ANY, "x86_64", number)


@given(number=st.integers(max(NEWER.values()) + 1, 0x3FFFFFFF), machine=st.sampled_from(MACHINES))
def test_a_call_that_is_newer_than_the_tables_does_not_exist(number: int, machine: str) -> None:
    """Nobody has thought yet about what it does past the wall (kernel policy)."""
    assert ABSENT == verdict(FilterPolicy(network="any", spawn=True), machine, number)


def test_numbers_between_the_old_and_the_new_calls_do_not_exist() -> None:
    """A kernel may put something there later, as it did with 335 and 336 on x86_64 (kernel policy)."""
    assert {ABSENT} == {verdict(ANY, "x86_64", number) for number in (337, 423)}
    assert {ABSENT} == {verdict(ANY, "aarch64", number) for number in (244, 259, 295, 423)}
    assert ALLOW == verdict(ANY, "x86_64", 336)


@given(pid=st.integers(1, 2**22), other=st.integers(1, 2**22), machine=st.sampled_from(MACHINES))
def test_only_the_own_process_can_be_signalled(pid: int, other: int, machine: str) -> None:
    """The number is written into the slots by the process itself (sandbox.md §3)."""
    calls = CALLS[machine]
    program = patched(build_filter(TIGHT, machine), pid)
    data = describe(calls.numbers["kill"], calls.audit, (other, 9))

    assert (ALLOW if pid == other else REFUSE) == run(program, data).value


@pytest.mark.parametrize("machine", MACHINES)
def test_a_filter_without_the_own_number_lets_nobody_be_signalled(machine: str) -> None:
    """A bootstrap that forgot it must not open a way to anybody (kernel policy)."""
    calls, built = CALLS[machine], build_filter(TIGHT, machine)

    for pid in (0, 1, -1, ME, 2**22):
        data = describe(calls.numbers["kill"], calls.audit, (pid, 9))

        assert REFUSE == run(built.program, data).value


@pytest.mark.parametrize("machine", MACHINES)
def test_what_programs_do_all_the_time_is_decided_soon(machine: str) -> None:
    """A binary tree over numbers, weighted by how often they come (house rule)."""
    calls = CALLS[machine]
    for policy in POLICIES:
        program = build_filter(policy, machine).program
        assert len(instructions(program)) <= 1000
        for name in ("read", "write", "close", "mmap", "futex", "epoll_pwait", "newfstatat", "recvfrom"):
            assert run(program, describe(calls.numbers[name], calls.audit)).steps <= 15, name


@pytest.mark.parametrize("machine", MACHINES)
def test_the_tables_say_what_the_kernel_headers_say(machine: str) -> None:
    """A wrong number would refuse one call and allow another (sandbox.md §15)."""
    header = HEADERS[machine]
    if not header.exists():
        pytest.skip(f"{header} is not installed: linux-libc-dev has it")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text(encoding="ascii"))
    there = {name: int(number) for name, number in reversed(found)}
    there.setdefault("newfstatat", there.get("fstatat", -1))
    newest = max(number for name, number in there.items() if name != "syscalls")
    ours = {name: number for name, number in CALLS[machine].numbers.items() if number <= newest}

    assert {name: there.get(name) for name in ours} == ours


@pytest.mark.parametrize("machine", MACHINES)
def test_no_number_stands_for_two_calls(machine: str) -> None:
    """One of the two rules would be lost (house rule)."""
    numbers = CALLS[machine].numbers

    assert len(numbers) == len(set(numbers.values()))


def test_a_machine_without_a_table_has_no_filter() -> None:
    """Fail closed: a filter for another machine would mean other calls (kernel policy)."""
    with pytest.raises(ValueError, match="riscv64"):
        build_filter(TIGHT, "riscv64")


@pytest.mark.parametrize("policy", [TIGHT, ANY], ids=["none", "any"])
def test_only_listed_hosts_are_reached_through_the_broker(policy: FilterPolicy) -> None:
    """Elsewhere there is nothing to ask the host about (sandbox.md §5)."""
    with pytest.raises(ValueError, match="listed hosts"):
        build_filter(msgspec.structs.replace(policy, brokered=True), "x86_64")
