"""How a child is started: its argument list, its environment, its folder and its wall, as pure functions.

Nothing is inherited by accident: the environment is built from an allowlist, and what the interpreter is told
(`-I -S`) keeps PYTHON* variables, the working folder and user site folders from adding code before
`bootstrap.py` has run. A cell without a wall is only what its user asked for in so many words.
"""

# ruff: noqa: PTH100, PTH118, PTH120 - paths are texts in an argument list

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.errors import PluginBroken
from cellwall_kernel.wall import Mechanisms, Policy, WallPlan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwall_kernel.discovery import PluginRecord

__all__ = ["BOOTSTRAP", "Launch", "child_environment", "plan", "walled_command"]

BOOTSTRAP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bootstrap.py")
"""The file that every child runs first."""

ALLOWED_VARIABLES = frozenset({"PATH", "LANG", "LANGUAGE", "TZ", "TERM", "NO_COLOR"})
"""What a plugin sees of the caller's environment, beside LC_*: where programs are, and how text, dates and
terminals look. Keys come over the protocol; all else is granted by name."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the system needs to know to start one child.

    Args:
        plugin: the plugin's name, for messages.
        argv: the program and its arguments.
        env: the whole environment.
        cwd: the working folder, which exists.
        wall: what stands around it; None if nothing does.
    """

    plugin: str
    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    wall: WallPlan | None = None


def plan(
    record: PluginRecord,
    *,
    data: str,
    tmp: str,
    wall: WallPlan | None,
    environ: Mapping[str, str] | None = None,
) -> Launch:
    """Work out how to start a plugin's child; the calling process must be the one that starts it.

    Args:
        record: the plugin.
        data: its own folder: HOME, and the working folder unless its wall says another.
        tmp: its folder for temporary files.
        wall: what shall stand around it; None if its user wants no wall.
        environ: the variables to choose from; by default this process's.

    Raises:
        PluginBroken: it is not written in Python, and without a wall nobody starts its program.
    """
    if wall is None and record.manifest is not None and record.manifest.command:
        raise PluginBroken(
            record.name,
            f"plugin '{record.name}' is a program of its own, which is started behind a wall only.",
        )
    env = child_environment(os.environ if environ is None else environ, home=data, tmp=tmp)
    return Launch(
        plugin=record.name,
        argv=(
            *_beginning(record.python, wall),
            f"target={record.target}",
            *(f"{kind}={folder}" for kind, folder in record.folders),
        ),
        env=env if wall is None else env | wall.policy.variables,
        cwd=data if wall is None else wall.policy.cwd,
        wall=wall,
    )


def walled_command(
    argv: Sequence[str], policy: Policy, *, mechanisms: Mechanisms, environ: Mapping[str, str] | None = None
) -> Launch:
    """Work out how to run a program behind a wall, for instance a build; it has no wire and no plugin.

    Args:
        argv: the program, by its full path, and its arguments.
        policy: what it may do; `own` names its home and its folder for temporary files.
        mechanisms: what this machine can enforce.
        environ: the variables to choose from; by default this process's.
    """
    policy = msgspec.structs.replace(policy, program=tuple(argv))
    wall = WallPlan(policy=policy, mechanisms=mechanisms, is_attended=False)
    home, tmp = policy.own
    env = child_environment(os.environ if environ is None else environ, home=home, tmp=tmp)
    return Launch(
        plugin=os.path.basename(argv[0]),  # noqa: PTH119
        argv=(*_beginning(os.path.realpath(sys.executable), wall), "target="),  # of no environment
        env=env | policy.variables,
        cwd=policy.cwd,
        wall=wall,
    )


def _beginning(python: str, wall: WallPlan | None) -> tuple[str, ...]:
    # Inside a namespace of processes nobody has the host's number; bubblewrap itself dies with the host.
    host = 0 if wall is not None and wall.has_namespaces else os.getpid()
    return (python, "-I", "-S", "-X", "utf8", BOOTSTRAP, f"host={host}")


def child_environment(environ: Mapping[str, str], *, home: str, tmp: str) -> dict[str, str]:
    """Build a child's environment: what is allowed of `environ`, and folders of the plugin's own."""
    chosen = {
        name: value for name, value in environ.items() if name in ALLOWED_VARIABLES or name.startswith("LC_")
    }
    library = _own_library(environ)
    return {**chosen, **library, "HOME": home, "TMPDIR": tmp}


def _own_library(environ: Mapping[str, str]) -> dict[str, str]:
    """Keep of LD_LIBRARY_PATH the folder without which our interpreter would not start, if it is there."""
    folder = os.path.join(sys.base_prefix, "lib")
    has_it = folder in environ.get("LD_LIBRARY_PATH", "").split(":")
    return {"LD_LIBRARY_PATH": folder} if has_it else {}
