"""Runs a command once and says what it cost: wall time, and the CPU time of everything it started.

The runner makes itself the reaper of orphans. A process that a command leaves behind is thereby waited
for and its CPU time counted, so that no contender looks cheaper by doing its work after it has "ended".
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cellbench.rows import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

__all__ = ["Command", "CommandFailed", "become_subreaper", "check", "run_once", "run_probe", "running"]

_TIMEOUT_S = 300.0
"""No measured command may take longer; the slowest good one streams a million deltas on a busy machine."""

_ORPHAN_GRACE_S = 5.0
"""How long processes may outlive the command that started them before that is an error of the contender."""

_PR_SET_CHILD_SUBREAPER = 36


class CommandFailed(Exception):
    """Raised when a command ends badly, prints the wrong thing, hangs, or leaves processes behind."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command line with the whole environment it runs in.

    Args:
        argv: the program and its arguments.
        env: its environment variables, complete.
        cwd: its working folder.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path

    def with_env(self, **variables: str) -> Command:
        """The same command with more environment variables."""
        return Command(self.argv, {**self.env, **variables}, self.cwd)

    @property
    def text(self) -> str:
        """The command as a person would name it."""
        return " ".join([Path(self.argv[0]).name, *self.argv[1:]])


def become_subreaper() -> None:
    """Adopt every orphan among the processes started from here on (Linux)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this machine cannot adopt orphans (prctl)")


def check(command: Command, expected: str = "") -> str:
    """Run a command unmeasured and return its standard output.

    Raises:
        CommandFailed: it did not exit with 0, or `expected` is not in what it printed.
    """
    try:
        done = subprocess.run(
            command.argv, env=command.env, cwd=command.cwd, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise CommandFailed(f"{command.argv[0]} does not exist") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"`{command.text}` did not end in {_TIMEOUT_S:.0f} s") from error
    if done.returncode != 0:
        raise CommandFailed(f"`{command.text}` exited with {done.returncode}: {done.stderr.strip()[-600:]}")
    if expected not in done.stdout:
        raise CommandFailed(f"`{command.text}` printed {done.stdout[:200]!r}, without {expected!r}")
    return done.stdout


def run_once(command: Command, stdout: int | IO[bytes] = subprocess.DEVNULL) -> Sample:
    """Run a command to its end; the sample is its wall time, and the CPU time of its whole tree.

    Raises:
        CommandFailed: it did not exit with 0 in time, or left processes behind.
    """
    with tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            command.argv, env=command.env, cwd=command.cwd,
            stdin=subprocess.DEVNULL, stdout=stdout, stderr=errors,
        )  # fmt: skip
        cpu_s = _reap(process, command)
        wall_s = time.perf_counter() - started
        cpu_s += _reap_orphans(command)
        if process.returncode != 0:
            errors.seek(0)
            text = errors.read().decode(errors="replace").strip()[-600:]
            raise CommandFailed(f"`{command.text}` exited with {process.returncode}: {text}")
    return Sample(wall_s, cpu_s)


def run_probe(command: Command, read: Callable[[Mapping[str, float]], Sample]) -> Sample:
    """Run a probe, which prints one JSON object of figures, and let `read` make the sample of them."""
    with tempfile.TemporaryFile() as output:
        run_once(command, output)
        output.seek(0)
        lines = output.read().decode().strip().splitlines()
    if not lines:
        raise CommandFailed(f"`{command.text}` printed no figures")
    return read(json.loads(lines[-1]))


@contextmanager
def running(command: Command, stdout: int) -> Generator[subprocess.Popen[bytes]]:
    """Start a command for a measurement while it runs, and end it (SIGINT, then SIGKILL) with the block."""
    process = subprocess.Popen(
        command.argv, env=command.env, cwd=command.cwd,
        stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(_ORPHAN_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_ORPHAN_GRACE_S)
        if process.stdout is not None:
            process.stdout.close()
        _reap_orphans(command)


def _reap(process: subprocess.Popen[bytes], command: Command) -> float:
    """Wait for the command itself and return its CPU seconds, those of its reaped children included."""
    pidfd = os.pidfd_open(process.pid)
    try:
        if not select.select([pidfd], [], [], _TIMEOUT_S)[0]:
            process.kill()
            process.wait(_ORPHAN_GRACE_S)
            raise CommandFailed(f"`{command.text}` did not end in {_TIMEOUT_S:.0f} s")
    finally:
        os.close(pidfd)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def _reap_orphans(command: Command) -> float:
    """Wait for what the command left behind and return its CPU seconds."""
    cpu_s = 0.0
    deadline = time.monotonic() + _ORPHAN_GRACE_S
    while True:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return cpu_s
        if pid:
            cpu_s += usage.ru_utime + usage.ru_stime
        elif time.monotonic() > deadline:
            raise CommandFailed(f"`{command.text}` left processes behind for {_ORPHAN_GRACE_S:.0f} s")
        else:
            time.sleep(0.001)
