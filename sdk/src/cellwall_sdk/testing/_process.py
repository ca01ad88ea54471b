"""The plugin as a process of its own: pipes, a log, an end.

It is started as anybody can start a plugin, without Cellwall: no wall, but an environment built from nothing,
an empty working folder and a session of its own, so that all it has started can be ended with it.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from tempfile import TemporaryFile
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Process", "command_of", "python_command"]

READ_BYTES = 65_536
"""As much as a pipe holds."""

END_S = 3.0
"""How long a plugin may take to end once its input is closed, in seconds."""

LOG_BYTES = 16_384
"""How much of the end of what it printed is read."""

LOG_LINES = 20
"""How many lines of it are shown."""

KEPT_VARIABLES = ("PATH", "LANG", "LANGUAGE", "TZ", "TERM", "NO_COLOR")
"""What a plugin sees of its caller's environment, as behind Cellwall's wall."""

MEASURING = ("COVERAGE_", "COV_CORE_")
"""How the names of variables begin that let coverage be measured in a child."""


def python_command(target: str) -> list[str]:
    """Give the command of a plugin in Python, in this interpreter.

    Args:
        target: "module" or "module:attribute".
    """
    return [sys.executable, "-m", "cellwall_sdk", target]


def command_of(words: Sequence[str], folder: Path) -> list[str]:
    """Give the command of a plugin in another language.

    Args:
        words: `command` of its manifest; a word that names a file beside the manifest becomes its full path.
        folder: where the manifest is.
    """
    return [
        str(folder / word) if word and not word.startswith(("-", "/")) and (folder / word).exists() else word
        for word in words
    ]


class Process:
    """A plugin as a process.

    Args:
        command: the program and its arguments.
        folder: an empty folder: its home and working folder.
        variables: more environment variables for it.
        paths: folders that it imports from before those of this process.
    """

    name = "child"

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        variables: Mapping[str, str],
        paths: Sequence[str] = (),
    ) -> None:
        self._command = list(command)
        self._folder = folder
        self._variables = dict(variables)
        self._paths = list(paths)
        self._unwritten = b""
        self._is_timed_out = False

    def begin(self, take: Callable[[bytes], None]) -> None:
        """Start it.

        Raises:
            OSError: the program cannot be started.
        """
        self._take = take
        self._log = TemporaryFile()  # noqa: SIM115 - closed in end()
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                cwd=self._folder,
                env=self._environment(),
                start_new_session=True,
                bufsize=0,
            )
        except OSError:
            self._log.close()
            raise
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        assert self._process.stdout is not None  # noqa: S101 - likewise
        self._in, self._out = self._process.stdin, self._process.stdout
        os.set_blocking(self._in.fileno(), False)

    def write(self, data: bytes) -> None:
        """Write as much as the pipe takes now; the rest is written while waiting."""
        self._unwritten += data
        self._write_some()

    def pump(self, until: float | None) -> None:
        """Wait until the plugin has written something, or has ended."""
        while True:
            left = None if until is None else max(0.0, until - monotonic())
            wanted = [self._in] if self._unwritten else []
            readable, writable, _ = select.select([self._out], wanted, [], left)
            if writable:
                self._write_some()
            if readable:
                self._take(os.read(self._out.fileno(), READ_BYTES))
                return
            if not writable:
                self._is_timed_out = True
                raise TimeoutError

    def printed(self) -> str:
        """Give the last lines on its standard error."""
        if self._log.closed:
            return self._last
        size = os.fstat(self._log.fileno()).st_size
        kept = os.pread(self._log.fileno(), LOG_BYTES, max(0, size - LOG_BYTES))
        return "\n".join(kept.decode("utf-8", "replace").splitlines()[-LOG_LINES:])

    def ending(self) -> str:
        """Say how the process ended."""
        code = self._process.poll()
        if code is None:
            return "closed its output"
        if code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def end(self) -> None:
        """Close its input and give it some time; then end it, and all that it has started."""
        if self._log.closed:
            return
        if self._is_timed_out:
            # A plugin in Python then says where it was (faulthandler), whatever it was doing.
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGABRT)
        with suppress(OSError):
            self._in.close()
        with suppress(OSError):
            self._out.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(END_S)
        self._last = self.printed()
        self._log.close()

    def _write_some(self) -> None:
        try:
            while self._unwritten:
                written = os.write(self._in.fileno(), self._unwritten)
                self._unwritten = self._unwritten[written:]
        except BlockingIOError:
            return
        except (BrokenPipeError, ValueError):  # it has ended; reading tells how
            self._unwritten = b""

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in KEPT_VARIABLES or name.startswith(("LC_", *MEASURING))
        }
        paths = [os.path.abspath(path) for path in [*self._paths, *sys.path] if path and os.path.exists(path)]
        own = {"HOME": str(self._folder), "TMPDIR": str(self._folder), "PYTHONPATH": os.pathsep.join(paths)}
        return {**kept, **own, "PYTHONUTF8": "1", "PYTHONSAFEPATH": "1", **self._variables}
