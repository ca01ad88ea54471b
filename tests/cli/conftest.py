"""Runs the real command line as a subprocess, in a user folder of its own, with plugins for the test."""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import sys
import time
from dataclasses import dataclass, field
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

TIMEOUT_S = 45
"""Seconds that one command may take on a busy machine before the test gives up on it."""


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str


@dataclass
class CommandLine:
    """The `llm` command in a user folder of its own; plugins in `site` join the installed ones."""

    home: Path
    site: Path
    variables: dict[str, str] = field(default_factory=dict[str, str])
    started: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the command: few of the caller's, so that no setting of the machine leaks in."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        own = {"CELLWALL_HOME": str(self.home), "PYTHONPATH": str(self.site), "PYTHONWARNINGS": "error"}
        return kept | own | self.variables

    def argv(self, *arguments: str) -> list[str]:
        """The words that start the command."""
        return [sys.executable, "-m", "cellwall_kernel", *arguments]

    def __call__(self, *arguments: str, piped: str | bytes = b"") -> Finished:
        """Run the command to its end."""
        ended = subprocess.run(
            self.argv(*arguments),
            input=piped.encode() if isinstance(piped, str) else piped,
            capture_output=True,
            env=self.environment,
            timeout=TIMEOUT_S,
            check=False,
        )
        return Finished(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the command with pipes for its output and nothing to read; the caller ends it."""
        running = subprocess.Popen(
            self.argv(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
        )
        self.started.append(running)
        return running

    def on_terminal(self, *arguments: str, **variables: str) -> tuple[int, int]:
        """Start the command on a terminal of its own.

        Returns:
            its process id, and the descriptor of the terminal's other side.
        """
        pid, terminal = pty.fork()
        if pid == 0:
            try:
                os.execve(self.argv()[0], self.argv(*arguments), self.environment | variables)
            finally:
                os._exit(127)  # a copy of the test that went on would start copies, too
        return pid, terminal

    def end_all(self) -> None:
        """Kill what a failed test has left running."""
        for running in self.started:
            if running.poll() is None:
                running.kill()
                running.communicate(timeout=TIMEOUT_S)

    def plugin(self, name: str, code: str, *, version: str = "1.0") -> Path:
        """Install a plugin of one module, as a wheel would be unpacked.

        Returns:
            the module.
        """
        module = self.site / f"{name}.py"
        module.write_text(dedent(code))
        info = self.site / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[llm]\n{name} = {name}\n")
        (info / "RECORD").write_text(f"{name}.py,,\n{info.name}/METADATA,,\n{info.name}/entry_points.txt,,\n")
        return module

    def grant(self, plugin: str, *permissions: str) -> None:
        """Grant a plugin something, as its user would."""
        ended = self("plugins", "grant", plugin, *permissions)
        assert ended.code == 0, ended.err

    def data_of(self, plugin: str) -> Path:
        """Return a plugin's own folder, the working folder of its process."""
        return self.home / "plugins" / plugin / "data"

    def is_alive(self, plugin: str) -> bool:
        """Whether a process lives that holds the lock of a plugin which begins with HOLDS_LOCK.

        Process ids would not tell: behind bubblewrap a plugin has one of its own.
        """
        try:
            with (self.data_of(plugin) / "alive").open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False


HOLDS_LOCK = """
    import fcntl
    ALIVE = open("alive", "w")
    fcntl.flock(ALIVE, fcntl.LOCK_EX)
"""
"""Begins a plugin whose life shall be seen from outside: `CommandLine.is_alive`."""


def until(happened: Callable[[], bool], what: str, within_s: float = 20) -> None:
    """Wait for something that only shows from outside: a file, the end of a process."""
    limit = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < limit, f"not within {within_s} s: {what}"
        time.sleep(0.01)


@pytest.fixture
def llm(tmp_path: Path, site: Path) -> Generator[CommandLine]:
    """The command line of somebody who uses it for the first time."""
    command = CommandLine(home=tmp_path / "home", site=site)
    yield command
    command.end_all()


PARROT = """
    from cellwall_sdk import KeyModel, Model, hookimpl

    class Parrot(Model):
        model_id = "parrot"
        supports_schema = True
        attachment_types = {"image/png", "application/octet-stream"}

        class Options(Model.Options):
            times: int = 1

        def execute(self, prompt, stream, response, conversation):
            for attachment in prompt.attachments:
                yield f"[{attachment.type} {len(attachment.content_bytes())}] "
            if prompt.schema:
                yield f"[schema {sorted(prompt.schema)}] "
            if prompt.system:
                yield f"[system {prompt.system}] "
            for turn in conversation.responses:
                yield f"[{turn.prompt.prompt} -> {turn.text()}] "
            yield "" if stream else "[whole] "
            for _ in range(prompt.options.times):
                yield prompt.prompt
            response.set_usage(input=3, output=4)

    class Miser(KeyModel):
        model_id = "miser"
        needs_key = "miser-key"
        key_env_var = "MISER_KEY"
        supports_conversation = False

        def execute(self, prompt, stream, response, conversation, key):
            yield f"key {key}"

    @hookimpl
    def register_models(register):
        register(Parrot(), aliases=("polly",))
        register(Miser())
"""
"""A model that says what it was given, and one that needs a key."""


@pytest.fixture
def parrot(llm: CommandLine) -> CommandLine:
    """A command line with the parrot installed."""
    llm.plugin("parrot", PARROT)
    return llm
