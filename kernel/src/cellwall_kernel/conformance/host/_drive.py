"""Runs the host's command line: in a user folder of its own, with the probe installed."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cellwall_kernel.conformance.host._scenarios import ATTACHED, FOLDER
from cellwall_kernel.paths import HOME_VARIABLE, Paths

if TYPE_CHECKING:
    from cellwall_kernel.conformance.host._scenarios import Scenario, Step

__all__ = ["Ended", "Stage"]

COMMAND_S = 60.0
"""How long one command may take (seconds); the longest scenario takes some fifteen."""

CUE_S = 30.0
POLL_S = 0.02
KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "HOME")

CANARY = {"CELLWALL_PROBE_CANARY": "seen", "PROBE_API_KEY": "sk-probe-variable"}
"""What the host has in its environment and no plugin may see."""

PROBE = Path(__file__).with_name("probe")
NAME = "cellwall_probe"


class Ended(msgspec.Struct, frozen=True):
    """A command that has ended; a negative code is a signal, None stands for one that was given up."""

    code: int | None
    out: str
    err: str

    @property
    def told(self) -> str:
        """How it ended, in one line."""
        lines = self.err.strip().splitlines() or self.out.strip().splitlines()
        return f"exit code {self.code}: {lines[-1] if lines else 'not a word'}"


class Stage:
    """A folder with all that one scenario needs.

    Args:
        folder: where it is to be.
        scenario: what the probe shall do.
        program: the words that start the host's command line.
    """

    def __init__(self, folder: Path, scenario: Scenario, program: tuple[str, ...]) -> None:
        self.folder = folder
        self.home = folder / "home"
        self._program = program
        self._running: subprocess.Popen[bytes] | None = None
        self._is_over = False
        site = folder / "site"
        _install(site, scenario.name)
        (folder / FOLDER).mkdir(parents=True)
        for name, content in ATTACHED.items():
            (folder / FOLDER / name).write_bytes(content)
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        before = os.environ.get("PYTHONPATH")
        path = os.pathsep.join([str(site), before] if before else [str(site)])
        kept["PATH"] = os.pathsep.join([_python_folder(), kept.get("PATH", os.defpath)])
        self._env = kept | CANARY | {HOME_VARIABLE: str(self.home), "PYTHONPATH": path}

    @property
    def notes(self) -> list[dict[str, Any]]:
        """What the probe has written so far."""
        path = Paths(self.home).plugin_data("probe") / "report.jsonl"
        try:
            lines = path.read_text("utf-8").splitlines(keepends=True)
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def prepare(self, *arguments: str) -> Ended:
        """Run a command that makes ready."""
        return self._run(arguments, "plain")

    def run(self, step: Step) -> Ended:
        """Run a step's command to its end."""
        return self._run([each.replace("{folder}", str(self.folder)) for each in step.arguments], step.mode)

    def kill(self) -> None:
        """Kill what runs, and let nothing start any more; safe from wherever."""
        self._is_over = True
        running = self._running
        if running is not None and running.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)

    def _run(self, arguments: Any, mode: str) -> Ended:
        if self._is_over:
            return Ended(None, "", "")
        terminal, end = pty.openpty() if mode == "terminal" else (None, subprocess.PIPE)
        with subprocess.Popen(
            [*self._program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=end,
            stderr=end,
            env=self._env,
            cwd=self.folder,
            start_new_session=True,
        ) as running:
            self._running = running
            try:
                if terminal is not None:
                    os.close(end)
                    return self._on_terminal(running, terminal)
                return self._with_pipes(running, mode)
            finally:
                self._running = None
                if running.poll() is None:
                    os.killpg(running.pid, signal.SIGKILL)
                if terminal is not None:
                    os.close(terminal)

    def _with_pipes(self, running: subprocess.Popen[bytes], mode: str) -> Ended:
        if mode == "interrupt" and self._has_cue("slow", running):
            os.killpg(running.pid, signal.SIGINT)
        if mode == "stalled":
            self._has_cue("stalled", running)
        try:
            out, err = running.communicate(timeout=COMMAND_S)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            try:
                out, err = running.communicate(timeout=COMMAND_S)
            except subprocess.TimeoutExpired:  # who was killed has left a pipe to somebody who holds it
                return Ended(None, "", "")
            return Ended(None, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
        return Ended(running.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))

    def _on_terminal(self, running: subprocess.Popen[bytes], terminal: int) -> Ended:
        import select

        shown, end = b"", time.monotonic() + COMMAND_S
        while time.monotonic() < end:
            if not select.select([terminal], [], [], POLL_S)[0]:
                continue
            try:
                chunk = os.read(terminal, 65_536)
            except OSError:  # what Linux says when nobody has the other side any more
                break
            if not chunk:
                break
            shown += chunk
        text = shown.decode("utf-8", "replace")
        try:
            return Ended(running.wait(max(0.0, end - time.monotonic())), text, text)
        except subprocess.TimeoutExpired:
            return Ended(None, text, text)

    def _has_cue(self, name: str, running: subprocess.Popen[bytes]) -> bool:
        end = time.monotonic() + CUE_S
        while time.monotonic() < end and running.poll() is None:
            if any(note.get("cue") == name for note in self.notes):
                return True
            time.sleep(POLL_S)
        return False


def _python_folder() -> str:
    """Return our interpreter's folder: `python3` on the search path may be a script that looks for one."""
    return str(Path(sys.executable).resolve().parent)


def own_program() -> tuple[str, ...]:
    """Return the words that start this very command line."""
    return (sys.executable, "-m", "cellwall_kernel")


def _install(site: Path, scenario: str) -> None:
    """Lay out the probe as an installed distribution, in a program's form."""
    shutil.copytree(PROBE, site / NAME, ignore=shutil.ignore_patterns("__pycache__"))
    command = json.dumps(["python3", "./start.py", scenario])
    (site / NAME / "plugin.toml").write_text(f"command = {command}\n", "utf-8")
    info = site / f"{NAME}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cellwall-probe\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(f"[llm]\nprobe = {NAME}\n", "utf-8")
    files = sorted(str(path.relative_to(site)) for path in site.rglob("*") if path.is_file())
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in files), "utf-8")
