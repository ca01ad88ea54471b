"""The order in which a cell begins: keeper, wall, wire, folders, and then the SDK or the plugin's program."""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import os
import signal
import sys

from cellwall_kernel.cell.hints import tell_attempts
from cellwall_kernel.cell.keeper import adopt_orphans, follow_parent, keep
from cellwall_kernel.cell.system import call_c
from cellwall_kernel.cell.wall import build_wall, is_fd, read_plan

__all__ = ["EXIT_NO_SDK", "EXIT_ORPHAN", "main"]

EXIT_ORPHAN = 96
"""The exit code of a child whose host or keeper had died before it could begin."""

EXIT_NO_SDK = 97
"""The exit code of a child whose environment has no SDK, or whose program cannot be executed; the sentence is
on stderr."""


def main(arguments: list[str]) -> None:
    """Split into keeper and plugin; neither returns from here."""
    options = [argument.partition("=")[::2] for argument in arguments]
    host = next(int(value) for key, value in options if key == "host") or os.getppid()
    target = next(value for key, value in options if key == "target")
    plan = read_plan([int(value) for key, value in options if key == "wall"])
    reports = [int(value) for key, value in options if key == "report"]
    for number, fd in enumerate(int(value) for key, value in options if key == "wire"):
        os.dup2(fd, number)
        os.close(fd)

    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)  # `nohup` and some daemons leave them ignored
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    if not follow_parent(signal.SIGUSR1, host) or any(map(is_deserted, reports)):
        os._exit(EXIT_ORPHAN)
    adopt_orphans()
    keeper = os.getpid()
    child = os.fork()
    if child:
        keep(child, host, [*reports, *filter(is_fd, [plan.get("ruleset", -1)])])
    if not follow_parent(signal.SIGKILL, keeper):
        os._exit(EXIT_ORPHAN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # whatever was blocked around us
    program = plan.get("program")
    read_fd, write_fd = (0, 1) if program else claim_wire()
    if plan:
        build_wall(plan, reports[0])
        if plan["hints"]:
            tell_attempts(reports[0], plan["hints"])
    if program:
        become(program)
    open_sites([(key, value) for key, value in options if key in {"site", "path"}])
    hand_over(target, read_fd, write_fd)


def is_deserted(report: int) -> bool:
    """Whether the host's end of the channel is closed: the host has gone.

    Bubblewrap asks for its death signal after it has begun, and a host that died before that is not missed by
    anybody else: inside a namespace the parent is bubblewrap in any case. Until now nobody has written.
    """
    os.set_blocking(report, False)
    try:
        return os.read(report, 1) == b""
    except BlockingIOError:
        os.set_blocking(report, True)
        return False


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


def become(program: tuple[str, ...]) -> None:
    """Turn this process into a program in another language, whose wire is on 0 and 1; does not return."""
    try:
        os.execve(program[0], program, os.environ)  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(2, f"{program[0]} cannot be executed: {error.strerror}.\n".encode())
        os._exit(EXIT_NO_SDK)


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
