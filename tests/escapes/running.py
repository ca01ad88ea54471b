"""Carries out runs: lays out their code, starts the host part as is wanted, and reads its report."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cellwall_kernel
from tests.escapes.attempts import all_attempts
from tests.escapes.host import HOST_KEY, Outcome, Run

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["ORDINARY_USER", "Report", "Setting", "carry_out", "python_for"]

HERE = Path(__file__).parent

ORDINARY_USER = 60_997
"""A user without a name, a home or any right: what root becomes to be an ordinary one."""

PASSED_ON = frozenset({"PATH", "LANG", "LD_LIBRARY_PATH", "TMPDIR"})
"""Variables that the host part gets from us."""

BOUND_S = 200.0
"""How long a run may take on a busy machine; a test has a little more (seconds)."""

BROKEN = (
    "AttributeError",
    "ImportError",
    "IndexError",
    "KeyError",
    "ModuleNotFound",
    "NameError",
    "TypeError",
)
"""Errors by which an attempt shows that it is wrong itself, and that nothing has stopped it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """Where and how a run takes place; see `Run` for what is not said here.

    Args:
        mode: "bare" or "walled".
        user: the user to become; None stays who we are.
        is_contained: whether it happens behind the imitation of a container's profile.
        with_heavy: whether attempts that take a lot of memory are part of it.
    """

    mode: Literal["bare", "walled"]
    user: int | None = None
    is_contained: bool = False
    with_heavy: bool = True
    landlock: int | None = None
    bubblewrap: bool = True
    seccomp: bool = True
    network: Literal["none", "any"] = "none"
    spawn: bool = False

    @property
    def is_root(self) -> bool:
        """Whether the attempts are made by root."""
        return self.user is None and os.geteuid() == 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """What came of a run.

    Args:
        outcomes: by the names of the attempts.
        layers: what the wall was made of.
    """

    outcomes: dict[str, Outcome]
    layers: dict[str, Any]

    @property
    def escaped(self) -> dict[str, list[str]]:
        """The attempts that got out, and how."""
        return {name: found.escapes for name, found in self.outcomes.items() if found.escapes}

    @property
    def unsound(self) -> dict[str, Outcome]:
        """The attempts that say nothing: they never ran, or were wrong themselves."""
        return {
            name: found
            for name, found in self.outcomes.items()
            if not found.has_run or found.error.startswith(BROKEN)
        }


@functools.cache
def python_for(user: int | None) -> str | None:
    """Return an interpreter that a user can run and that can load our libraries; None if there is none."""
    if user is None:
        return sys.executable
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    here = str(getattr(sys, "_base_executable", sys.executable))
    for candidate in (here, f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"):
        question = "import sys; print(sys.version_info[:2] == " + repr(tuple(sys.version_info[:2])) + ")"
        try:
            done = subprocess.run(
                [candidate, "-I", "-c", question],
                user=user,
                group=user,
                extra_groups=[],
                capture_output=True,
                text=True,
                timeout=BOUND_S,
                check=False,
                cwd="/",
            )
        except OSError:
            continue
        if done.stdout.strip() == "True":
            return candidate
    return None


def carry_out(setting: Setting) -> Report:
    """Carry out a run.

    Raises:
        AssertionError: the host part failed.
    """
    python = python_for(setting.user)
    assert python is not None
    with laid_out(python) as folder:
        if setting.user is not None:
            os.chown(folder, setting.user, setting.user)
        names = [name for name, found in all_attempts().items() if setting.with_heavy or not found.is_heavy]
        run = Run(
            mode=setting.mode,
            folder=str(folder),
            names=names,
            landlock=setting.landlock,
            bubblewrap=setting.bubblewrap,
            seccomp=setting.seccomp,
            network=setting.network,
            spawn=setting.spawn,
        )
        (folder / "payload" / "run.json").write_text(json.dumps(dataclasses.asdict(run)))
        return read_report(start(setting, python, folder))


def start(setting: Setting, python: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Start the host part and wait for its end."""
    payload = folder / "payload"
    command = [python, "-m", "tests.escapes.host", str(payload / "run.json")]
    if setting.is_contained:
        command = [python, "-m", "tests.escapes.imitation", *command]
    environ = {name: value for name, value in os.environ.items() if name in PASSED_ON}
    environ |= {
        "PYTHONPATH": str(payload),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(folder),
        HOST_KEY: secrets.token_hex(12),
    }
    return subprocess.run(
        command,
        user=setting.user,
        group=setting.user,
        extra_groups=[] if setting.user is not None else None,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )


def read_report(done: subprocess.CompletedProcess[str]) -> Report:
    """Read what the host part printed."""
    assert done.returncode == 0, done.stderr[-4000:]
    report = json.loads(done.stdout)
    outcomes = {name: Outcome(**found) for name, found in report["outcomes"].items()}
    return Report(outcomes=outcomes, layers=report["layers"])


@contextmanager
def laid_out(python: str) -> Generator[Path]:
    """Make a folder that everybody can look into, with the code of a run in `payload`, compiled."""
    folder = Path(tempfile.mkdtemp(prefix="cellwall-escapes-"))
    try:
        folder.chmod(0o755)
        payload = folder / "payload"
        target = payload / "tests" / "escapes"
        ignore = shutil.ignore_patterns("__pycache__", "test_*")
        shutil.copytree(HERE, target, ignore=ignore)
        for package in (payload / "tests", target):
            (package / "__init__.py").touch()  # so that no installed package of that name is found first
        for package in needed_packages():
            shutil.copytree(package, payload / package.name, ignore=ignore)
        subprocess.run([python, "-m", "compileall", "-q", str(payload)], check=True, timeout=BOUND_S)
        yield folder
    finally:
        shutil.rmtree(folder)


def needed_packages() -> list[Path]:
    """List the packages that the host part needs and another user may not be able to read."""
    import msgspec

    import cellwall_wire

    return [Path(next(iter(package.__path__))) for package in (cellwall_kernel, cellwall_wire, msgspec)]
