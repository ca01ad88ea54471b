"""What runs first in every child: a keeper that outlives every mishap, and then the plugin's process.

The host runs this file by path (`python -I -S -X utf8 bootstrap.py KEY=VALUE…`), so it imports the standard
library only, and little of that: its imports are paid by every child. The arguments:

    host=PID        the host's process, 0 when it cannot be known
    target=TEXT     MODULE or MODULE:ATTRIBUTE, handed on to the SDK
    site=FOLDER     a site folder (its `.pth` files count); may be given many times, in the order of the
    search path=FOLDER     a folder that is only searched; likewise

The order, which is the point of this file:
1. The process that the host started stays as the *keeper*. It adopts orphans, hears of the host's death,
   forks the plugin's process and lets go of the wire.
2. The plugin's process ties its life to the keeper's and moves the wire away from descriptors 0 and 1, so
   that no later print, read or child process can touch it.
3. The wall is built here, by an issue to come: still before a line of foreign code, which includes `.pth`
    files.
4. The site folders are opened and the SDK takes over: `cellwall_sdk._child.run(target, read_fd, write_fd)`.

What the keeper promises: when the plugin's process ends, everything that it started is killed, and only then
the keeper ends, with the same exit code or signal. When the host dies, or sends SIGUSR1, all of them are
killed at once, even when the plugin ignores signals, is stopped, or never lets go of the interpreter lock.
Every other signal leaves the keeper alone: a SIGTERM to the group is for the plugin.

Linux has all this. Elsewhere the keeper polls and kills what is in its group; that path has not been run.
"""

from __future__ import annotations

import _ctypes
import atexit
import gc
import importlib
import io
import os
import signal
import sys
import time

EXIT_ORPHAN = 96
"""The exit code of a child whose host or keeper had died before it could begin."""

EXIT_NO_SDK = 97
"""The exit code of a child whose environment has no SDK; the sentence is on stderr."""

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

LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36
WATCHED = {signal.SIGCHLD, signal.SIGUSR1}


def main(arguments: list[str]) -> None:
    """Split into keeper and plugin; neither returns from here."""
    options = [argument.partition("=")[::2] for argument in arguments]
    host = next(int(value) for key, value in options if key == "host") or os.getppid()
    target = next(value for key, value in options if key == "target")

    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)  # `nohup` and some daemons leave them ignored
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    if not follow_parent(signal.SIGUSR1, host):
        os._exit(EXIT_ORPHAN)
    adopt_orphans()
    keeper = os.getpid()
    child = os.fork()
    if child:
        keep(child, host)
    if not follow_parent(signal.SIGKILL, keeper):
        os._exit(EXIT_ORPHAN)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    read_fd, write_fd = claim_wire()
    open_sites([(key, value) for key, value in options if key in {"site", "path"}])
    hand_over(target, read_fd, write_fd)


# -- the keeper ----------------------------------------------------------------------------------------------


def keep(child: int, host: int) -> None:
    """Watch over `child` until it or the host ends; never returns."""
    try:
        let_go_of_wire()
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


# -- both ----------------------------------------------------------------------------------------------------


def call_c(name: str, *numbers: int) -> None:
    """Call a function of the C library with small numbers.

    `ctypes` would do the same after three milliseconds of preparing for everything else that it can do.
    """
    _ctypes.call_cdeclfunction(_ctypes.dlsym(_ctypes.dlopen(None, 0), name), numbers)  # type: ignore[arg-type]  # None is this process


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process, on Linux; if that is refused, the other precautions must do."""
    if LINUX:
        call_c("prctl", option, value, 0, 0, 0)


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


# -- the plugin's process ------------------------------------------------------------------------------------


def claim_wire() -> tuple[int, int]:
    """Move the wire to private descriptors; 0 becomes empty and 1 the log.

    Returns:
        the descriptors to read from and to write to; neither is inherited by programs that the plugin starts.
    """
    read_fd, write_fd = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a crash must not swallow what was printed
    return read_fd, write_fd


def open_sites(folders: list[tuple[str, str]]) -> None:
    """Make `sys.path` what the host's is: library, folders in their order, what `.pth` files add."""
    import site

    library = list(sys.path)
    site.main()
    for kind, folder in folders:
        if folder in sys.path:
            continue
        if kind == "site":
            site.addsitedir(folder)
        else:
            sys.path.append(folder)
    first = [*library, *(folder for _, folder in folders)]
    sys.path[:] = dict.fromkeys([*first, *sys.path])


def hand_over(target: str, read_fd: int, write_fd: int) -> None:
    """Let the SDK run the plugin until the wire is closed and nothing is left to do; does not return."""
    sys.argv = [target]
    # msgspec would look for three names there that `typing` has too, and `inspect` and more would come along:
    # as much as all the rest of the SDK's imports. The plugin itself finds the module as usual.
    hidden = sys.modules.setdefault("typing_extensions", None) is None  # type: ignore[arg-type]
    try:
        sdk = importlib.import_module("cellwall_sdk._child")
    except ImportError as error:
        sys.stderr.write(
            f"the environment of this plugin has no usable cellwall-sdk: {error} "
            f"(interpreter {sys.executable}); install cellwall-sdk there.\n"
        )
        sys.exit(EXIT_NO_SDK)
    finally:
        if hidden:
            del sys.modules["typing_extensions"]
    try:
        sdk.run(target, read_fd, write_fd)
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            raise
        leave(end.code or 0)
    leave(0)


def leave(code: int) -> None:
    """End as the interpreter does, without taking it apart, which takes milliseconds and is of use to nobody.

    What an author may count on still happens, in the usual order: threads that are no daemons are waited for,
    what is registered with `atexit` is called, and what was written to a file reaches it. The SDK bounds all
    of it together: a second after the host has closed our input, it ends the process. Only `__del__` of what
    lives until the end is not called.
    """
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()  # noqa: SLF001 - as `multiprocessing` does before it leaves in this way
    atexit._run_exitfuncs()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # likewise
    files = (io.BufferedWriter, io.BufferedRandom, io.TextIOWrapper)
    for found in [*(thing for thing in gc.get_objects() if type(thing) in files), sys.stdout, sys.stderr]:
        try:
            found.flush()
        except (AttributeError, OSError, ValueError):  # closed, or replaced by the author, or nobody reads it
            continue
    call_c("fflush", 0)
    os._exit(code & 0xFF)


if __name__ == "__main__":
    main(sys.argv[1:])
