"""Prepares the virtual environments that are measured, once, in `benchmarks/.envs` (ignored by git).

Peers are installed from the package index by plain pip. Our own environments hold wheels built from the
present tree, because that is what a user runs, and are renewed when a file of the tree changed. An
environment is complete when its stamp file says so, so that an interrupted installation starts again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from cellbench.synthetic import add_trivial_plugins, write_small_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["MAINSTREAM_PLUGINS", "OURS", "PEERS", "Preparation", "PreparationFailed"]

LLM = "llm==0.36"
"""The release that the budgets are about."""

MAINSTREAM_PLUGINS = (
    "llm-anthropic==0.30",
    "llm-gemini==0.35",
    "llm-mistral==0.16",
    "llm-openrouter==0.7.1",
    "llm-ollama==0.19.1",
    "llm-echo==0.5",
)

PEERS: dict[str, tuple[str, ...]] = {
    "llm": (LLM, "llm-echo==0.5"),
    "llm-six": (LLM, *MAINSTREAM_PLUGINS),
    "mcp": ("mcp==2.3.0",),
    "uv": ("uv==0.13.9",),
}
"""Peer environments and what is in them; pinned, so that two runs compare with the same thing."""

OURS: dict[str, tuple[str, ...]] = {
    "ours": (),
    "ours-fifty": (),
    "ours-numpy": ("numpy==2.4.6",),
    "ours-six": (LLM, *MAINSTREAM_PLUGINS),
}
"""Our environments and what is installed in them before Cellwall itself."""

TRIVIAL_PLUGINS = 50

_GIVEN = frozenset({"ours", "ours-numpy"})
"""For what an environment that is named by `--ours` may stand; a probe says what it misses there."""

_PROJECTS = ("sdk", "kernel", "plugins/echo", "plugins/local", ".")
_PIP_TIMEOUT_S = 1800


class PreparationFailed(Exception):
    """Raised when an environment cannot be made; the message ends with what pip said."""


class Preparation:
    """Makes environments on demand.

    Args:
        root: the repository.
        home: where the environments live.
        ours: an existing environment to measure instead of building one from the tree; rows that need
            more are then left out. say: gets a sentence whenever something slow starts.
    """

    def __init__(self, root: Path, home: Path, *, ours: Path | None, say: Callable[[str], None]) -> None:
        self._root = root
        self._home = home
        self._given = ours.absolute() if ours else None
        self._say = say
        self._digest = _digest(root)  # once: somebody may be editing

    def peer(self, name: str) -> Path:
        """Return the folder of a peer environment, after making it if need be.

        Raises:
            PreparationFailed: pip could not install the peer.
        """
        wanted = PEERS[name]
        folder = self._home / name
        if self._stamp_of(folder) != _stamp(wanted):
            self._create(folder, wanted)
            self._seal(folder, _stamp(wanted))
        return folder

    def ours(self, name: str = "ours") -> Path:
        """Return the folder of one of our environments, made of the tree as it is now.

        Raises:
            PreparationFailed: the tree does not build or install, or `--ours` names an environment
                without what is needed.
        """
        if self._given is not None:
            if name not in _GIVEN:
                raise PreparationFailed(f"the '{name}' environment is not made when --ours is given")
            return self._given
        folder = self._home / name
        stamp = _stamp((*OURS[name], self._digest))
        if self._stamp_of(folder) != stamp:
            if not (folder / "bin" / "python").exists():
                self._create(folder, OURS[name])
            self._install_tree(folder)
            if name == "ours-fifty":
                add_trivial_plugins(_site_packages(folder), TRIVIAL_PLUGINS)
            self._seal(folder, stamp)
        return folder

    def shelf(self) -> Path:
        """Return a folder with all wheels that a small plugin consists of: itself, the SDK, msgspec.

        Raises:
            PreparationFailed: they cannot be built or fetched.
        """
        folder = self._home / "shelf"
        if self._stamp_of(folder) != self._digest:
            [sdk] = [wheel for wheel in self._wheels() if wheel.name.startswith("cellwall_sdk-")]
            self._say("filling the shelf that plugins are installed from")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            _run([sys.executable, "-m", "pip", "wheel", "-q", "-w", str(folder), str(sdk)])
            write_small_wheel(folder)
            self._seal(folder, self._digest)
        return folder

    def _install_tree(self, folder: Path) -> None:
        wheels = self._wheels()
        umbrella = [wheel for wheel in wheels if wheel.name.startswith("cellwall-")]
        parts = [wheel for wheel in wheels if wheel not in umbrella]
        self._say(f"installing the tree into {folder.name}")
        self._pip(folder, "install", "--force-reinstall", "--no-deps", *map(str, [*parts, *umbrella]))
        self._pip(folder, "install", *map(str, parts))

    def _wheels(self) -> list[Path]:
        """Build one wheel per distribution of the tree, once per state of the tree."""
        folder = self._home / "wheels"
        if self._stamp_of(folder) != self._digest:
            self._say("building wheels of the tree")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            projects = [str(self._root / project) for project in _PROJECTS]
            _run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), *projects])
            self._seal(folder, self._digest)
        return sorted(folder.glob("*.whl"))

    def _create(self, folder: Path, requirements: Sequence[str]) -> None:
        self._say(f"making environment {folder.name} ({', '.join(requirements) or 'empty'})")
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        _run([sys.executable, "-m", "venv", str(folder)])
        if requirements:
            self._pip(folder, "install", *requirements)

    def _pip(self, folder: Path, *args: str) -> None:
        _run([str(folder / "bin" / "python"), "-m", "pip", args[0], "-q", *args[1:]])

    @staticmethod
    def _stamp_of(folder: Path) -> str | None:
        try:
            return (folder / "bench-stamp").read_text()
        except OSError:
            return None

    @staticmethod
    def _seal(folder: Path, stamp: str) -> None:
        (folder / "bench-stamp").write_text(stamp)


def _run(argv: Sequence[str]) -> None:
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    environment.pop("PYTHONPATH", None)
    try:
        done = subprocess.run(
            argv, env=environment, capture_output=True, text=True, timeout=_PIP_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PreparationFailed(f"`{' '.join(argv[1:])}` took more than {_PIP_TIMEOUT_S} s") from error
    if done.returncode != 0:
        tail = (done.stderr or done.stdout).strip()[-800:]
        raise PreparationFailed(f"`{' '.join(argv[1:])}` failed: {tail}")


def _stamp(requirements: Sequence[str]) -> str:
    return json.dumps([sys.version, *requirements])


def _digest(root: Path) -> str:
    """Hash what the wheels are made of."""
    digest = hashlib.sha256()
    for project in _PROJECTS:
        top = root / project
        files = [top / "pyproject.toml", top / "README.md", *sorted((top / "src").rglob("*"))]
        for file in files:
            if file.is_file() and file.suffix != ".pyc":
                digest.update(str(file.relative_to(root)).encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _site_packages(folder: Path) -> Path:
    return next((folder / "lib").glob("python3*/site-packages"))
