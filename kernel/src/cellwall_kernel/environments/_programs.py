"""Running a program of an installation: its output goes to a log, its last line to the user; it ends with us.

It runs in a session of its own, so that Ctrl-C on a terminal reaches us only; we then end it. If we are
killed, `_follow` has asked the system to end it.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cellwall_kernel.errors import InstallProblem

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Program", "followed"]

FOLLOW = str(Path(__file__).with_name("_follow.py"))

PROGRAM_S = 3600.0
"""How long an installer may take, in seconds: two gigabytes over a line of half a megabyte a second."""

KILLED_S = 10.0
"""How long to wait for a killed program to end, in seconds; a dead disk may hold it."""

READ_BYTES = 65_536


class Program:
    """A way to run programs for one installation.

    Args:
        log: the file that their output is appended to.
        say: is told what they are doing, line by line.
        environ: their whole environment.
        cwd: their working folder.
    """

    def __init__(
        self, *, log: Path, say: Callable[[str], None], environ: Mapping[str, str], cwd: str
    ) -> None:
        self.log = log
        self.say = say
        self.environ = dict(environ)
        self.cwd = cwd

    def run(self, argv: Sequence[str]) -> int:
        """Run a program to its end.

        Returns:
            its exit code, negative for a signal.

        Raises:
            InstallProblem: it cannot be started, or took an hour.
        """
        return self.attend(followed(argv), env=self.environ, cwd=self.cwd, shown=argv)

    def attend(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        shown: Sequence[str],
        descriptors: tuple[int, ...] = (),
    ) -> int:
        """Run a program that ends with us by its own means; as `run` otherwise.

        Args:
            argv: the program and its arguments.
            env: its environment.
            cwd: its working folder.
            shown: the words that the log shows.
            descriptors: what it inherits.
        """
        import subprocess

        with self.log.open("ab") as log:
            log.write(f"$ {' '.join(shown)}\n".encode("utf-8", "surrogateescape"))
            log.flush()
            try:
                running = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env=env,
                    cwd=cwd,
                    pass_fds=descriptors,
                    start_new_session=True,
                )
            except OSError as error:
                raise InstallProblem(f"{argv[0]} cannot be started: {error.strerror}.") from error
            try:
                self._listen(running, log)
                return running.wait(KILLED_S)
            finally:
                end(running)

    def text(self) -> str:
        """Return the last part of the log, in which the cause of a failure stands."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - READ_BYTES))
            return log.read().decode("utf-8", "replace")

    def _listen(self, running: subprocess.Popen[bytes], log: BinaryIO) -> None:
        """Copy the output until its end."""
        import selectors
        import time

        assert running.stdout is not None  # noqa: S101 - it is a pipe
        give_up, line = time.monotonic() + PROGRAM_S, b""
        with selectors.DefaultSelector() as selector:
            selector.register(running.stdout, selectors.EVENT_READ)
            while selector.select(max(0.0, give_up - time.monotonic())):
                chunk = os.read(running.stdout.fileno(), READ_BYTES)
                if not chunk:
                    return
                log.write(chunk)
                log.flush()
                *whole, line = (line + chunk).split(b"\n")
                line = line[-READ_BYTES:]
                told = [words for words in whole if words.strip() and not words.startswith(b"WARNING")]
                if told:
                    self.say(told[-1].decode("utf-8", "replace").strip())
        raise InstallProblem(f"the installation took longer than {PROGRAM_S / 60:.0f} minutes and was ended.")


def followed(argv: Sequence[str]) -> list[str]:
    """Return the words that start a program so that it ends when this process does."""
    return [sys.executable, "-I", "-S", FOLLOW, str(os.getpid()), *argv]


def end(running: subprocess.Popen[bytes]) -> None:
    """Kill the program and all of its group, and collect it."""
    import subprocess

    if running.stdout is not None:
        running.stdout.close()
    if running.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        running.wait(KILLED_S)
