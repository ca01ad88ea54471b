"""An author who has started a plugin by hand, so that `llm --attach` can connect to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from textwrap import dedent
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S = 30
"""Seconds that a test waits for one thing; long, because machines are busy."""

PROJECT = """
    [project]
    name = "llm-{name}"
    [project.entry-points.llm]
    {name} = "llm_{name}"
"""


@dataclass
class Author:
    """Starts programs in a project's folder and reads what they say on stderr.

    Attributes:
        project: the folder of the project.
        runtime: XDG_RUNTIME_DIR, below which sockets are made; its path is short.
    """

    project: Path
    runtime: Path
    running: list[subprocess.Popen[str]] = field(default_factory=list[subprocess.Popen[str]])

    def write(self, name: str, code: str) -> None:
        """Write a project of one module, `llm_NAME`, which is not installed."""
        (self.project / f"llm_{name}.py").write_text(dedent(code))
        (self.project / "pyproject.toml").write_text(dedent(PROJECT.format(name=name)))

    def socket(self, name: str) -> Path:
        """Return where a plugin of that name waits."""
        return self.runtime / "cellwall" / f"{name}.sock"

    def start(self, *words: str, piped: str = "") -> subprocess.Popen[str]:
        """Run Python with these words; what is piped in stays open behind its end."""
        running = subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.project,
            env={"XDG_RUNTIME_DIR": str(self.runtime), "PATH": os.environ["PATH"]},
        )
        self.running.append(running)
        assert running.stdin is not None
        running.stdin.write(piped)
        running.stdin.flush()
        return running

    def attachable(self, *words: str, piped: str = "") -> subprocess.Popen[str]:
        """Start the SDK in attach mode and return when it waits; `words` stand before the module's name."""
        running = self.start(*words, "-m", "cellwall_sdk", "--", "--attach", piped=piped)
        hear(running, "llm --attach")
        return running

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for running in self.running:
            if running.poll() is None:
                running.kill()
            running.communicate(timeout=PATIENCE_S)


def hear(running: subprocess.Popen[str], words: str) -> str:
    """Read a program's stderr up to the line that holds these words, and return that line."""
    assert running.stderr is not None
    alarm = threading.Timer(PATIENCE_S, running.kill)  # which ends its stderr
    alarm.start()
    try:
        heard: list[str] = []
        for line in running.stderr:
            heard.append(line)
            if words in line:
                return line
    finally:
        alarm.cancel()
    raise AssertionError(f"it never said {words!r}: {''.join(heard)}")


def end(running: subprocess.Popen[str]) -> int:
    """Press Ctrl-C and return the exit code."""
    running.send_signal(signal.SIGINT)
    return running.wait(PATIENCE_S)
