"""What the doctor says in words: the mechanisms, what no line promises, what would help."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellwall_kernel.wall import Mechanisms, Resources

__all__ = ["advice_for", "limits_in_words", "mechanisms_in_words", "uncovered"]

GIB = 1024**3

VERSION_S = 5.0
"""How long bubblewrap may take to say its version (seconds)."""


def mechanisms_in_words(mechanisms: Mechanisms) -> str:
    """Name what walls are made of; empty if there is nothing."""
    if mechanisms.seatbelt is not None:
        return "Seatbelt (sandbox-exec); untested until run on a Mac"
    layers = [f"Landlock ABI {mechanisms.landlock}"] if mechanisms.landlock else []
    layers += ["seccomp"] if mechanisms.seccomp is not None else []
    inner = " + ".join(layers)
    if mechanisms.bubblewrap is None:
        return inner
    outer = f"{bubblewrap_version(mechanisms.bubblewrap)} around it"
    return f"{inner}; {outer}" if inner else outer.removesuffix(" around it")


def bubblewrap_version(path: str) -> str:
    """Return "bubblewrap 0.8.0", or only its name if it does not tell."""
    try:
        done = subprocess.run(
            [path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=VERSION_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "bubblewrap"
    words = done.stdout.decode("utf-8", "replace").split()
    return f"bubblewrap {words[-1]}" if done.returncode == 0 and words else "bubblewrap"


def limits_in_words(resources: Resources) -> str:
    """Name the numbers that a plugin lives with unless it is granted others."""
    memory, file = (f"{size / GIB:g} GiB" for size in (resources.memory_bytes, resources.file_size_bytes))
    return (
        f"each process {memory} of memory and {resources.files} open files; {resources.processes} processes "
        f"and threads; a file {file}; no core files"
    )


def uncovered(*, sees_names: bool) -> tuple[str, ...]:
    """Return the sentences about what no line promises.

    Args:
        sees_names: whether a cell could see the size of a file that it cannot open.
    """
    names = ["names, sizes and times of files can be seen, though not what is in them"] if sees_names else []
    root = (
        ["you are root, whose processes and threads only Cellwall counts, once a second"]
        if os.geteuid() == 0
        else []
    )
    return (
        *names,
        "mistakes in the kernel",
        "what a plugin sends to a host that it was granted",
        "the kernel bounds the memory of each process; all of a plugin's together are watched, once a second",
        *root,
    )


def advice_for(mechanisms: Mechanisms) -> tuple[str, ...]:
    """Return the sentences about what would make the sandbox stronger."""
    if mechanisms.seatbelt is not None or mechanisms.bubblewrap is not None:
        return ()
    problem = mechanisms.bubblewrap_problem or ""
    if problem == "bubblewrap is not installed":
        return (
            f"{problem}; it is an optional improvement: apt-get install bubblewrap, or your system's own way",
        )
    hint = ""
    if "Permission denied" in problem or "RTM_NEWADDR" in problem:
        hint = "; Ubuntu's AppArmor forbids it: ask your admin to load the profile bwrap-userns-restrict"
    elif "not permitted" in problem or "No permissions" in problem:
        hint = "; containers often forbid it, and it is an optional improvement"
    return (f"{problem}{hint}",) if problem else ()
