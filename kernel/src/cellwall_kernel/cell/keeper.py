"""The keeper: the process that the host started. It stays, and ends everything when plugin or host ends.

It adopts what the plugin leaves behind, so nothing can outlive it; it lets go of the wire, and its own end
looks like the plugin's.
"""

from __future__ import annotations

import os
import signal
import time

from cellwall_kernel.cell.system import LINUX, prctl

__all__ = ["EXIT_KEEPER_FAILED", "adopt_orphans", "follow_parent", "keep"]

EXIT_KEEPER_FAILED = 98
"""The exit code of a keeper that met an error of its own; the plugin's process is killed."""

WATCH_S = 1.0
"""How often the keeper looks whether the host lives, in case no signal told it (seconds)."""

POLL_S = 0.05
"""How often the keeper looks where the system offers no way to wait for a signal with a bound (seconds)."""

SWEEP_S = 1.0
"""How long the keeper kills descendants one by one before it takes the whole group with itself (seconds)."""

SWEEP_STEP_S = 0.01
"""How long the keeper waits for the killed to end before it looks for new ones (seconds)."""

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36
WATCHED = {signal.SIGCHLD, signal.SIGUSR1}


def keep(child: int, host: int, childs_own: list[int]) -> None:
    """Watch over `child` until it or the host ends; never returns.

    Args:
        child: the plugin's process.
        host: the keeper's parent.
        childs_own: descriptors that are for the child alone.
    """
    try:
        let_go_of_wire()
        for fd in childs_own:
            close(fd)
        prctl(PR_SET_DUMPABLE, 0)  # a plugin cannot trace its keeper, and the keeper leaves no core file
        status = None
        while status is None and os.getppid() == host:
            if next_signal(WATCH_S) == signal.SIGUSR1:
                break
            status, _ = reap(child, status)
        end_as(sweep(child, status))
    except BaseException as error:  # noqa: BLE001 - dying here must not leave the plugin behind
        os.write(2, f"the keeper of a plugin failed: {type(error).__name__}: {error}\n".encode())
        os.kill(child, signal.SIGKILL)
    os._exit(EXIT_KEEPER_FAILED)


def let_go_of_wire() -> None:
    """Point descriptors 0 and 1 at nothing: held here, they would hide the plugin's end from the host."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)


def close(fd: int) -> None:
    """Close a descriptor; one that is none is the child's affair, whose wall then fails."""
    try:
        os.close(fd)
    except OSError:
        return


def next_signal(patience_s: float) -> int | None:
    """Wait for SIGCHLD or SIGUSR1, both blocked, for at most `patience_s` seconds; None when neither came."""
    if hasattr(signal, "sigtimedwait"):
        found = signal.sigtimedwait(WATCHED, patience_s)
        return found.si_signo if found is not None else None
    time.sleep(min(patience_s, POLL_S))
    return signal.SIGUSR1 if signal.SIGUSR1 in signal.sigpending() else None


def reap(child: int, status: int | None) -> tuple[int | None, bool]:
    """Collect all descendants that have ended.

    Returns:
        the wait status of `child` once it has ended (else `status`), and whether any descendant is left.
    """
    while True:
        try:
            pid, ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status, False
        if pid == 0:
            return status, True
        if pid == child:
            status = ended


def sweep(child: int, status: int | None) -> int | None:
    """Kill every descendant; each round frees the next generation, which the keeper adopts.

    Returns:
        the wait status of `child`. Does not return if descendants appear faster than they can be killed: then
        the whole group goes, and the keeper with it.
    """
    give_up = time.monotonic() + SWEEP_S
    status, any_left = reap(child, status)
    while any_left:
        for pid in living_children(child):
            os.kill(pid, signal.SIGKILL)
        next_signal(SWEEP_STEP_S)
        status, any_left = reap(child, status)
        if any_left and time.monotonic() > give_up:
            os.killpg(0, signal.SIGKILL)
    return status


def living_children(child: int) -> list[int]:
    """List the keeper's children, adopted ones included; until reaped, no number is a stranger's."""
    me = os.getpid()
    try:
        with open(f"/proc/self/task/{me}/children", "rb") as listing:
            return [int(pid) for pid in listing.read().split()]
    except OSError:
        return children_by_scan(me) if LINUX else [child]


def children_by_scan(parent: int) -> list[int]:
    """List the children of `parent` by reading every status: for kernels without a list of children."""
    found: list[int] = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as status:
                fields = status.read().rpartition(b")")[2].split()  # a name in brackets may hold anything
        except OSError:
            continue  # it has ended meanwhile
        if int(fields[1]) == parent:
            found.append(int(name))
    return found


def end_as(status: int | None) -> None:
    """End as the process with that wait status did, so that the host sees the plugin's own fate."""
    if status is None:
        os._exit(EXIT_KEEPER_FAILED)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number not in {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def follow_parent(death_signal: int, parent: int) -> bool:
    """Ask for `death_signal` when the parent dies.

    Args:
        death_signal: a signal's number.
        parent: the process that must be our parent.

    Returns:
        False when the parent had already gone, in which case no signal will come.
    """
    prctl(PR_SET_PDEATHSIG, death_signal)
    return os.getppid() == parent


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that none can hide from sweep()."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
