"""The process that stands in for the host: started, asked and ended here; what it runs is `_stand_in`."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from cellwall_kernel.errors import CellwallError

__all__ = ["Victim"]

PROGRAM = Path(__file__).with_name("_stand_in.py")

PATIENCE_S = 10.0
"""How long it may take to answer (seconds); it needs a few milliseconds."""


class Victim:
    """A process that probes may try to harm.

    Args:
        canary: a file that it holds open.
        token: what its memory and its environment hold.

    Attributes:
        facts: what a probe needs to know in order to find the token in it.

    Raises:
        CellwallError: it does not start.
    """

    def __init__(self, canary: Path, token: str) -> None:
        asking, self._questions = os.pipe()
        self._answers, answering = os.pipe()
        library = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(PROGRAM), str(canary)],
                stdin=asking,
                stdout=answering,
                env={"CELLWALL_TOKEN": token, **library},
                start_new_session=True,
            )
        except OSError as error:
            self._close_pipes()
            raise CellwallError(f"the sandbox cannot be looked at: {error}.") from error
        finally:
            os.close(asking)
            os.close(answering)
        try:
            self.facts = self._line()
            self._before = self._state()
        except BaseException:
            self.close()
            raise

    def changes(self) -> dict[str, bool]:
        """Say of each of its numbers whether it is another one than at the beginning."""
        return {name: value != self._before[name] for name, value in self._state().items()}

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        os.close(self._questions)
        os.close(self._answers)

    def _state(self) -> dict[str, Any]:
        with suppress(BrokenPipeError):
            os.write(self._questions, b"?\n")
        return self._line()

    def _line(self) -> dict[str, Any]:
        line = b""
        while not line.endswith(b"\n"):
            is_there = bool(select.select([self._answers], [], [], PATIENCE_S)[0])
            piece = os.read(self._answers, 4096) if is_there else b""
            if not piece:
                raise CellwallError("the sandbox cannot be looked at: our stand-in says nothing.")
            line += piece
        facts: dict[str, Any] = json.loads(line)
        return facts
