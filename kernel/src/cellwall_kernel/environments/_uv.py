"""Installing with uv: it first says which wheels, with their hashes; then exactly those are installed."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.discovery import normal_name
from cellwall_kernel.environments._records import Locked
from cellwall_kernel.environments._words import file_name, problem_of
from cellwall_kernel.errors import InstallProblem

if TYPE_CHECKING:
    from cellwall_kernel.environments._installer import Order
    from cellwall_kernel.environments._programs import Program

__all__ = ["install_with_uv"]


class _Wheel(msgspec.Struct):
    url: str = ""
    path: str = ""
    hashes: dict[str, str] = {}


class _Package(msgspec.Struct):
    name: str
    version: str = ""
    wheels: list[_Wheel] = []
    archive: _Wheel | None = None


class _Lock(msgspec.Struct):
    packages: list[_Package] = []


def install_with_uv(uv: str, order: Order, program: Program) -> list[Locked]:
    """Install into an environment in which nothing is yet; see `_installer.install`.

    Files are copied from uv's cache: hard links would let a plugin that can change its own files change those
    of others. uv asks the environment's interpreter about itself once, before anything is installed.
    """
    asked, lock, exact = (order.scratch / name for name in ("asked.txt", "pylock.toml", "exact.txt"))
    asked.write_text("".join(f"{line}\n" for line in order.requirements), "utf-8")
    common = ("--no-build", "--python", order.python, "--no-progress", "--color", "never")
    compiled = (uv, "pip", "compile", *common, "--quiet", "--format", "pylock.toml", "-o", str(lock))
    if program.run((*compiled, *order.constraints_file(), str(asked))) != 0:
        raise problem_of(program)
    packages = read_lock(lock.read_text("utf-8"))
    exact.write_text("".join(_line(package) for package in packages), "utf-8")
    installed = (uv, "pip", "install", *common, "--no-deps", "--require-hashes", "--link-mode", "copy")
    if program.run((*installed, "-r", str(exact))) != 0:
        raise problem_of(program)
    return [_locked(package) for package in packages]


def read_lock(text: str) -> list[_Package]:
    """Read a `pylock.toml`.

    Raises:
        InstallProblem: it cannot be understood, or names something that is not one wheel with a hash.
    """
    try:
        packages = msgspec.convert(tomllib.loads(text), _Lock).packages
    except ValueError as error:
        raise InstallProblem(f"uv's list of what it would install cannot be read: {error}.") from error
    for package in packages:
        wheel = _wheel(package)
        if wheel is None or not file_name(wheel.url or wheel.path).endswith(".whl"):
            raise InstallProblem(f"there is no single wheel of {package.name} for this machine.")
        if "sha256" not in wheel.hashes:
            raise InstallProblem(f"the package index gives no SHA-256 of {file_name(wheel.url)}.")
    return packages


def _wheel(package: _Package) -> _Wheel | None:
    if package.archive is not None:
        return package.archive
    return package.wheels[0] if len(package.wheels) == 1 else None


def _line(package: _Package) -> str:
    """Return the line of a requirements file that only this very wheel satisfies."""
    wheel = _wheel(package)
    assert wheel is not None  # noqa: S101 - read_lock has looked
    exactly = f"=={package.version}"
    if package.archive is not None:
        from pathlib import Path

        exactly = f" @ {wheel.url or Path(wheel.path).as_uri()}"
    return f"{package.name}{exactly} --hash=sha256:{wheel.hashes['sha256']}\n"


def _locked(package: _Package) -> Locked:
    wheel = _wheel(package)
    assert wheel is not None  # noqa: S101 - as above
    return Locked(
        name=normal_name(package.name),
        version=package.version,
        file=file_name(wheel.url or wheel.path),
        sha256=wheel.hashes["sha256"],
    )
