"""An empty virtual environment, where its distributions go, and the bytecode of what was installed.

The environment is made by the standard library, from the interpreter that we were made from, without pip. Its
own interpreter is not run for any of this: bytecode is written by ours, which is of the same version.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from cellwall_kernel.environments._programs import KILLED_S, followed
from cellwall_kernel.errors import InstallProblem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["base_interpreter", "compile_all", "make_venv", "site_folder", "tag"]

COMPILE_S = 300.0
"""How long compiling may take, in seconds: some hundred megabytes of sources, on a slow machine."""


def make_venv(root: Path) -> None:
    """Make a virtual environment in a folder that exists.

    Raises:
        InstallProblem: the standard library cannot.
        OSError: the disk cannot.
    """
    try:
        import venv
    except ImportError as error:
        raise InstallProblem(
            "this Python cannot make virtual environments; install its package for that, for instance "
            f"python{sys.version_info[0]}.{sys.version_info[1]}-venv."
        ) from error

    class Bare(venv.EnvBuilder):
        """No scripts for shells: nobody activates a plugin's environment."""

        def setup_scripts(self, context: object) -> None:
            pass

    Bare(symlinks=True, with_pip=False).create(root)


def site_folder() -> str:
    """Return the folder of a new environment's distributions, relative to the environment."""
    return f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"


def base_interpreter() -> str:
    """Return the interpreter that environments are made from."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def tag() -> str:
    """Stand for that interpreter's version and build, as discovery does for our own."""
    return f"{sys.implementation.cache_tag} {sys.platform} {sys.version}"


def compile_all(site: Path, environ: Mapping[str, str]) -> None:
    """Write bytecode, since a plugin cannot write it itself; what does not compile stays as it is.

    It runs apart and bounded, because a stranger's source may take a compiler any time or even its life; in
    one process, because those of a pool would outlive us if we were killed.
    """
    import subprocess

    argv = [sys.executable, "-I", "-S", "-m", "compileall", "-q", "-q", str(site)]
    with suppress(OSError):
        running = subprocess.Popen(
            followed(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            start_new_session=True,
        )
        try:
            running.wait(COMPILE_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, 9)
            with suppress(subprocess.TimeoutExpired):
                running.wait(KILLED_S)
