"""Which program fetches and unpacks wheels, what it inherits, and what it is asked."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cellwall_kernel.errors import InstallProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwall_kernel.environments._programs import Program
    from cellwall_kernel.environments._records import Locked

__all__ = ["Installer", "Order", "find_installer", "inherited", "install"]

OLDEST = {"uv": (0, 7), "pip": (22, 3)}
"""Older ones cannot say what they install: `uv pip compile --format pylock.toml`, `pip install --report`."""

REDIRECTING = re.compile(
    r"""PYTHON.*|__PYVENV_LAUNCHER__|VIRTUAL_ENV|CONDA_PREFIX|
    PIP_(TARGET|PREFIX|ROOT|USER|PYTHON|REQUIREMENT|EDITABLE|SRC|NO_DEPS|DRY_RUN|REPORT|UPGRADE|IGNORE_INSTALLED|
         FORCE_REINSTALL|ONLY_BINARY|NO_BINARY|REQUIRE_HASHES|QUIET|VERBOSE|LOG|COMPILE|NO_COMPILE|
         PLATFORM|PYTHON_VERSION|IMPLEMENTATION|ABI)|
    UV_(PYTHON.*|SYSTEM_PYTHON|BREAK_SYSTEM_PACKAGES|MANAGED_PYTHON|NO_MANAGED_PYTHON|PROJECT.*|WORKING_DIR.*|
        TARGET|PREFIX|NO_BUILD.*|NO_BINARY.*|COMPILE_BYTECODE|LINK_MODE|REQUIRE_HASHES|NO_VERIFY_HASHES|
        NO_DEPS|OVERRIDE|EXCLUDE|DRY_RUN|QUIET|VERBOSE|NO_PROGRESS|COLOR)""",
    re.VERBOSE,
)
"""Variables that would send an installation elsewhere or change its kind. Indexes, certificates, proxies,
constraints and caches stay as the user has set them."""


@dataclass(frozen=True, slots=True)
class Installer:
    """A program that can install.

    Attributes:
        kind: which one.
        place: uv's path, or the folder or archive that holds the package `pip`.
        version: for the record.
    """

    kind: Literal["uv", "pip"]
    place: str
    version: str

    def __str__(self) -> str:
        return f"{self.kind} {self.version}"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be installed, and where to.

    Attributes:
        root: the new environment, still empty.
        scratch: a folder for notes to and from the installer.
        requirements: what it is asked for.
        constraints: bounds on the versions of all.
    """

    root: Path
    scratch: Path
    requirements: tuple[str, ...]
    constraints: tuple[str, ...]

    @property
    def python(self) -> str:
        """The environment's interpreter."""
        return str(self.root / "bin" / "python")

    def constraints_file(self) -> list[str]:
        """Write the constraints down and return the words that name the file; none without constraints."""
        if not self.constraints:
            return []
        path = self.scratch / "constraints.txt"
        path.write_text("".join(f"{line}\n" for line in self.constraints), "utf-8")
        return ["--constraint", str(path)]


def find_installer(kind: str | None = None) -> Installer:
    """Find a program to install with: uv, else pip.

    Args:
        kind: the one that the user wants, or None.

    Raises:
        InstallProblem: it is not there.
    """
    found = _find_uv() if kind in (None, "uv") else None
    if found is None and kind in (None, "pip"):
        found = _find_pip()
    if found is None:
        what = "neither uv nor pip" if kind is None else f"no {kind}"
        raise InstallProblem(
            f"{what} was found that is new enough (uv 0.7, pip 22.3); install one, for instance by "
            "'pip install uv'."
        )
    return found


def install(installer: Installer, order: Order, program: Program) -> list[Locked]:
    """Install what was ordered.

    Returns:
        what is inside now, by name.

    Raises:
        InstallProblem: it cannot be found, fetched, verified or written.
    """
    if installer.kind == "uv":
        from cellwall_kernel.environments._uv import install_with_uv

        locked = install_with_uv(installer.place, order, program)
    else:
        from cellwall_kernel.environments._pip import install_with_pip

        locked = install_with_pip(installer.place, order, program)
    return sorted(locked, key=lambda each: each.name)


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that an installer may have: all but those that would redirect it.

    A `pip.conf` in the environment that we run in counts for us, so it counts for pip as well.
    """
    kept = {name: value for name, value in environ.items() if not REDIRECTING.fullmatch(name)}
    settings = os.path.join(sys.prefix, "pip.conf")  # noqa: PTH118 - a text for a variable
    if sys.prefix != sys.base_prefix and os.path.exists(settings):  # noqa: PTH110 - as above
        kept.setdefault("PIP_CONFIG_FILE", settings)
    return kept


def _find_uv() -> Installer | None:
    import shutil
    import subprocess

    beside = os.path.dirname(sys.executable)  # noqa: PTH120 - a search path
    path = shutil.which("uv", path=f"{beside}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    if path is None:
        return None
    try:
        said = subprocess.run(
            [path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(rb"\d+(?:\.\d+)+", said.stdout)
    if said.returncode or version is None or _numbers(version[0].decode()) < OLDEST["uv"]:
        return None
    return Installer("uv", os.path.abspath(path), version[0].decode())  # noqa: PTH100 - a text


def _find_pip() -> Installer | None:
    """Find pip beside us, else beside the interpreter that we were made from, else Python's own."""
    import sysconfig
    from importlib.util import find_spec

    places: list[str] = []
    spec = find_spec("pip")
    if spec is not None and spec.submodule_search_locations:
        places.append(str(Path(spec.submodule_search_locations[0]).parent))
    places.append(sysconfig.get_path("purelib", "posix_prefix", {"base": sys.base_prefix}))
    places.append(f"{sys.base_prefix}/lib/python3/dist-packages")
    for place in places:
        version = _version_in(Path(place, "pip", "__init__.py"))
        if version is not None:
            return Installer("pip", place, version)
    folders = [Path(os.__file__).with_name("ensurepip") / "_bundled"]
    folders += [Path(folder) for folder in [sysconfig.get_config_var("WHEEL_PKG_DIR")] if folder]
    wheels = [wheel for folder in folders for wheel in sorted(folder.glob("pip-*.whl"))]
    usable = [wheel for wheel in wheels if _numbers(wheel.name.split("-")[1]) >= OLDEST["pip"]]
    return Installer("pip", str(usable[0]), usable[0].name.split("-")[1]) if usable else None


def _version_in(module: Path) -> str | None:
    try:
        found = re.search(r"""^__version__ = ["']([^"']+)["']""", module.read_text("utf-8"), re.MULTILINE)
    except (OSError, ValueError):
        return None
    return found[1] if found is not None and _numbers(found[1]) >= OLDEST["pip"] else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
