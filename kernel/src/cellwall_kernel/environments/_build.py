"""From sources to a wheel. Building runs whatever the sources say, so it happens behind the wall.

The build tools that `pyproject.toml` names are installed, as wheels only, into an environment of their own,
which is run behind the wall and nowhere else: it reads itself and a copy of the sources, writes into that
copy, may start programs (compilers), and has no network, no keys and nothing of the user's. What comes out is
a wheel like any other.
"""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cellwall_kernel.environments._installer import Order, find_installer, install
from cellwall_kernel.environments._make import program_for
from cellwall_kernel.environments._records import ENVIRONMENTS
from cellwall_kernel.environments._slot import LOCK_WAIT_S, remove
from cellwall_kernel.environments._sources import copy_sources
from cellwall_kernel.environments._venv import make_venv
from cellwall_kernel.environments._wanted import checked, existing
from cellwall_kernel.errors import CellwallError, InstallProblem
from cellwall_kernel.private_files import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cellwall_kernel.environments._installer import Installer
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.wall import Policy

__all__ = ["built_wheel"]

BUILDS = ".builds"
LOG = ".builds"
HOOKS = Path(__file__).with_name("_build_hooks.py")

EXIT_NO_WALL = 95

WRITABLE = ("project", "out", "home", "tmp")
BASE_PARTS = ("bin", "lib", "lib64", "include", "share")
"""What of the base interpreter a build needs; `include` for compilers."""

MAX_ANSWER_BYTES = 65_536
"""A build backend that asks for more tools than that is no build backend."""

OLD_TOOLS, OLD_BACKEND = ("setuptools>=40.8.0",), "setuptools.build_meta:__legacy__"
"""What sources without a `[build-system]` mean, by the packaging specification."""


class BuildSystem(msgspec.Struct):
    """The table `[build-system]` of a project.

    Args:
        requires: the build tools.
        backend: MODULE or MODULE:ATTRIBUTE with the hooks.
        path: folders of the project in which the backend is, if it is the project's own.
    """

    requires: list[str] = []
    backend: str = msgspec.field(default=OLD_BACKEND, name="build-backend")
    path: list[str] = msgspec.field(default_factory=list[str], name="backend-path")


@contextmanager
def built_wheel(
    paths: Paths, text: str, *, installer: str | None = None, say: Callable[[str], None] = lambda _: None
) -> Generator[Path]:
    """Build a wheel from a folder or an archive of sources; it is there until the block is left.

    Args:
        paths: the user folder.
        text: the folder or archive, as the user named it.
        installer: "uv" or "pip", if the user chose.
        say: is told what happens.

    Raises:
        NotFound: there are no such sources.
        InstallProblem: they cannot be built, or there is no wall here behind which to do so.
    """
    sources = existing(text)
    with _workshop(paths.folder(ENVIRONMENTS, BUILDS)) as work:
        say(f"copying {sources.name}")
        system = build_system(copy_sources(sources, work / "project"))
        build = _Build(paths, work, find_installer(installer), say)
        root = build.tools("tools", system.requires)
        say(f"building {sources.name}")
        more = build.call("get_requires_for_build_wheel", system, root)
        if more:
            root = build.tools("more-tools", [*system.requires, *map(checked, more)])
        build.call("build_wheel", system, root)
        wheels = [path for path in (work / "out").glob("*.whl") if path.is_file() and not path.is_symlink()]
        if len(wheels) != 1:
            raise InstallProblem(
                f"the build of {sources} left no wheel; its words are in {build.program.log}."
            )
        yield wheels[0]


class _Build:
    """One build.

    Args:
        paths: the user folder.
        work: the folder of the build: what runs may write to `project`, `out`, `home` and `tmp` in it.
        installer: fetches the build tools.
        say: is told what happens.
    """

    def __init__(self, paths: Paths, work: Path, installer: Installer, say: Callable[[str], None]) -> None:
        self.paths = paths
        self.work = work
        self.installer = installer
        self.program = program_for(paths, LOG, installer, say, work)
        for name in WRITABLE:
            (work / name).mkdir(exist_ok=True)
        shutil.copyfile(HOOKS, work / HOOKS.name)

    def tools(self, name: str, requirements: list[str]) -> Path:
        """Install build tools into a new environment, which is not run until then."""
        root, scratch = self.work / name, self.work / f"{name}-notes"
        root.mkdir()
        scratch.mkdir()
        make_venv(root)
        if requirements:
            self.program.say("fetching build tools")
            install(self.installer, Order(root, scratch, tuple(requirements), ()), self.program)
        return root

    def call(self, hook: str, system: BuildSystem, root: Path) -> list[str]:
        """Call a hook of the build backend behind the wall; returns the strings that it answers with."""
        answer = self.work / "out" / f"{hook}.json"
        folders = (str(self.work / name) for name in ("project", "out"))
        argv = (
            *(str(root / "bin" / "python"), "-I", str(self.work / HOOKS.name), hook, *folders),
            *(str(answer), system.backend, *system.path),
        )
        code = self.run_walled(argv, root)
        where = f"its words are in {self.program.log}"
        if code == EXIT_NO_WALL:
            raise InstallProblem(f"the wall around the build could not be built; {where}.")
        if code != 0:
            raise InstallProblem(f"the build failed (exit code {code}); {where}.")
        try:
            return msgspec.json.decode(_read_foreign(answer), type=list[str])
        except (OSError, ValueError) as error:
            raise InstallProblem(f"the build left no answer ({error}); {where}.") from error

    def run_walled(self, argv: tuple[str, ...], root: Path) -> int:
        """Run a program of the build behind the wall.

        Args:
            argv: the program and its arguments.
            root: the environment with the build tools, to be read.

        Returns:
            its exit code.

        Raises:
            InstallProblem: this machine has no wall.
        """
        from cellwall_kernel.launch import walled_command
        from cellwall_kernel.wall import Mechanisms, raise_wall

        mechanisms = Mechanisms.detect(self.paths)
        if not mechanisms.confines:
            raise InstallProblem(
                "sources are only built behind a wall, and this machine has none ('llm doctor' tells more); "
                "install a wheel instead."
            )
        launch = walled_command(argv, build_policy(self.work, root), mechanisms=mechanisms)
        if launch.wall is None:
            raise InstallProblem("the build has no wall.")
        with raise_wall(launch.wall) as wall:
            try:
                return self.program.attend(
                    wall.around(launch.argv),
                    env=launch.env | wall.variables,
                    cwd=launch.cwd,
                    shown=argv,
                    descriptors=wall.descriptors,
                )
            finally:
                wall.abandon()


def build_policy(work: Path, root: Path) -> Policy:
    """Return what a build may do: everything inside its own folders, and nothing else.

    Args:
        work: the folder of the build.
        root: the environment with its tools.
    """
    from cellwall_kernel.wall import SYSTEM_FILES, SYSTEM_FOLDERS, Policy

    prefixes = dict.fromkeys((sys.base_prefix, sys.base_exec_prefix))
    base = [f"{prefix}/{part}" for prefix in prefixes for part in BASE_PARTS]
    writable = tuple(str(work / name) for name in WRITABLE)
    return Policy(
        cwd=str(work / "project"),
        own=(str(work / "home"), str(work / "tmp")),
        read=(*SYSTEM_FOLDERS, *SYSTEM_FILES, *base, str(root), str(work / HOOKS.name)),
        write=writable,
        execute=(*SYSTEM_FOLDERS, *base, str(root), *writable),
        spawn=True,
    )


def _read_foreign(path: Path) -> bytes:
    """Read a file that a stranger has written: it may be a link, a pipe, or endless."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MAX_ANSWER_BYTES)


@contextmanager
def _workshop(folder: Path) -> Generator[Path]:
    """Make the folder of one build, and remove it with what interrupted ones have left; one at a time."""
    with locked(folder, wait_s=LOCK_WAIT_S):
        try:
            for left in folder.iterdir():
                remove(left)
            work = folder.resolve() / "build"
            work.mkdir(mode=0o700)
            yield work
        finally:
            for left in folder.iterdir():
                remove(left)


def build_system(project: Path) -> BuildSystem:
    """Read what a project is built with.

    Raises:
        InstallProblem: it is no Python project, or its `pyproject.toml` makes no sense.
    """
    file = project / "pyproject.toml"
    if not file.is_file():
        if (project / "setup.py").is_file():
            return BuildSystem(requires=list(OLD_TOOLS))
        raise InstallProblem("they hold neither a pyproject.toml nor a setup.py: nothing to build.")
    try:
        table: dict[str, Any] = tomllib.loads(file.read_text("utf-8")).get("build-system", {})
        system = msgspec.convert({"requires": list(OLD_TOOLS)} | table, BuildSystem)
        return msgspec.structs.replace(system, requires=[checked(line) for line in system.requires])
    except (ValueError, CellwallError, RecursionError) as error:
        raise InstallProblem(f"the pyproject.toml of these sources cannot be used: {error}.") from error
