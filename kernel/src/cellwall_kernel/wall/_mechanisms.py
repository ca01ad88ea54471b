"""What this machine can enforce: asked of the kernel itself, never concluded from a version.

Landlock and seccomp are asked with one system call each. Whether bubblewrap works shows only when it is run,
which takes some ten milliseconds, so that answer is kept in the user folder until something changes.
"""

# ruff: noqa: PTH115, PTH116, PTH123 - questions to the kernel

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.cell.system import LINUX, system_call

if TYPE_CHECKING:
    from cellwall_kernel.paths import Paths

__all__ = ["SYS_SECCOMP", "Mechanisms"]

SYS_SECCOMP = {"x86_64": 317, "aarch64": 277}
"""The number of seccomp() on the architectures that there are tables for."""

SYS_PIDFD_GETFD = 438
SYS_LANDLOCK_CREATE_RULESET = 444
LANDLOCK_CREATE_RULESET_VERSION = 1
SECCOMP_GET_ACTION_AVAIL = 2
SECCOMP_RET_ERRNO, SECCOMP_RET_USER_NOTIF = 0x0005_0000, 0x7FC0_0000
EBADF = 9

PROBE_S = 5.0
"""How long bubblewrap may take to show that it works (seconds)."""

RETRY_S = 24 * 3600.0
"""After how long it is tried again where it did not work: an administrator may have allowed it (seconds)."""

SANDBOX_EXEC = "/usr/bin/sandbox-exec"


class Mechanisms(msgspec.Struct, frozen=True, kw_only=True):
    """What this machine can enforce.

    Args:
        landlock: the version of Landlock's interface; 0 without Landlock.
        seccomp: the architecture whose table of system calls is used; None where there is no filter.
        notifies: whether the host can be asked about a call.
        asks: whether it can take over the call's socket, too: listed hosts need that where there is no
            network namespace.
        bubblewrap: the path of a bubblewrap that works; None without one.
        bubblewrap_problem: why there is none, as half a sentence.
        bounds_folders: whether that bubblewrap can bound the size of a private folder.
        seatbelt: the path of macOS's sandbox-exec; None elsewhere.
    """

    landlock: int = 0
    seccomp: str | None = None
    notifies: bool = False
    asks: bool = False
    bubblewrap: str | None = None
    bubblewrap_problem: str | None = None
    bounds_folders: bool = False
    seatbelt: str | None = None

    @property
    def layers(self) -> list[str]:
        """What a wall is made of here, in words, outermost first."""
        return [
            *(["sandbox-exec"] if self.seatbelt is not None else []),
            *(["bubblewrap"] if self.bubblewrap is not None else []),
            *([f"Landlock {self.landlock}"] if self.landlock else []),
            *(["seccomp"] if self.seccomp is not None else []),
        ]

    @classmethod
    def detect(cls, paths: Paths | None = None, *, is_fresh: bool = False) -> Mechanisms:
        """Ask this machine.

        Args:
            paths: the user folder, for what is known of bubblewrap; None asks and keeps nothing.
            is_fresh: do not believe what is known.
        """
        if not LINUX:
            has_seatbelt = sys.platform == "darwin" and os.access(SANDBOX_EXEC, os.X_OK)
            return cls(
                seatbelt=SANDBOX_EXEC if has_seatbelt else None, bubblewrap_problem="this is not Linux"
            )
        arch = _seccomp_architecture()
        notifies = arch is not None and _notifies(arch)
        landlock = system_call(SYS_LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_CREATE_RULESET_VERSION)
        path, problem, bounds = _bubblewrap(paths, is_fresh=is_fresh)
        return cls(
            landlock=max(0, landlock),
            seccomp=arch,
            notifies=notifies,
            asks=notifies
            and system_call(SYS_PIDFD_GETFD, -1, 0, 0) == -EBADF,  # else unknown or forbidden here
            bubblewrap=path,
            bubblewrap_problem=problem,
            bounds_folders=bounds,
        )

    @property
    def confines(self) -> bool:
        """Whether there is a wall at all: files by Landlock or bubblewrap, and system calls by seccomp."""
        if self.seatbelt is not None:
            return True
        return self.seccomp is not None and (self.landlock > 0 or self.bubblewrap is not None)


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of bubblewrap, and when that was."""

    circumstances: list[str]
    problem: str | None
    bounds: bool
    found_at: float


def _seccomp_architecture() -> str | None:
    machine = os.uname().machine
    if machine not in SYS_SECCOMP or sys.maxsize < 2**32:
        return None
    action = SECCOMP_RET_ERRNO.to_bytes(4, sys.byteorder)
    return machine if system_call(SYS_SECCOMP[machine], SECCOMP_GET_ACTION_AVAIL, 0, action) == 0 else None


def _notifies(machine: str) -> bool:
    action = SECCOMP_RET_USER_NOTIF.to_bytes(4, sys.byteorder)
    return system_call(SYS_SECCOMP[machine], SECCOMP_GET_ACTION_AVAIL, 0, action) == 0


def _bubblewrap(paths: Paths | None, *, is_fresh: bool) -> tuple[str | None, str | None, bool]:
    path = shutil.which("bwrap", path=os.environ.get("PATH", os.defpath))
    if path is None:
        return None, "bubblewrap is not installed", False
    path = os.path.realpath(path)
    circumstances = _circumstances(path)
    known = None if is_fresh or paths is None else _recall(paths)
    if known is None or known.circumstances != circumstances or _is_old(known):
        bounds, problem = True, _try(path, bounds=True)
        if problem is not None:  # versions before 0.8 know no sizes
            bounds, problem = False, _try(path, bounds=False)
        known = _Known(circumstances=circumstances, problem=problem, bounds=bounds, found_at=time.time())
        if paths is not None:
            _remember(paths, known)
    return (path if known.problem is None else None), known.problem, known.bounds


def _is_old(known: _Known) -> bool:
    return known.problem is not None and not 0 <= time.time() - known.found_at < RETRY_S


def _circumstances(path: str) -> list[str]:
    """What decides whether bubblewrap works: the program, the kernel, who we are, what confines us."""
    try:
        status = os.stat(path)
        program = f"{path} {status.st_size} {status.st_mtime_ns}"
    except OSError:
        program = path
    return [program, os.uname().release, str(os.geteuid()), _text("/proc/self/attr/current"), _namespace()]


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/user")
    except OSError:
        return ""


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(200).strip(b"\0\n ").decode("utf-8", "replace")
    except OSError:
        return ""


def _try(path: str, *, bounds: bool) -> str | None:
    """Run bubblewrap as a cell would; returns why it does not work, None if it does."""
    import subprocess

    from cellwall_kernel.wall._bubblewrap import probe_arguments

    try:
        done = subprocess.run(
            probe_arguments(path, bounds=bounds),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={},
            timeout=PROBE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not start: {error}"
    if done.returncode == 0:
        return None
    words = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2].removeprefix("bwrap: ")
    return f"bubblewrap does not start: {words or f'exit code {done.returncode}'}"


def _recall(paths: Paths) -> _Known | None:
    try:
        return msgspec.json.decode((paths.root / "wall.json").read_bytes(), type=_Known)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _remember(paths: Paths, known: _Known) -> None:
    """Keep the answer; a folder that cannot be written costs the next command another try."""
    from contextlib import suppress

    from cellwall_kernel.errors import StoreProblem
    from cellwall_kernel.private_files import locked, replace

    path = paths.root / "wall.json"
    with suppress(StoreProblem):
        paths.folder()
        with locked(path):
            replace(path, msgspec.json.encode(known))
