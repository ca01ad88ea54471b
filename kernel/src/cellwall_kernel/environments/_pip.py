"""Installing with pip: one call, made while the environment is empty, and its report of what it installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.discovery import normal_name
from cellwall_kernel.environments._records import Locked
from cellwall_kernel.environments._words import file_name, problem_of, sha256_of
from cellwall_kernel.errors import InstallProblem

if TYPE_CHECKING:
    from cellwall_kernel.environments._installer import Order
    from cellwall_kernel.environments._programs import Program

__all__ = ["install_with_pip"]

RUN_PIP = str(Path(__file__).with_name("_run_pip.py"))

WHEELS_ONLY = (
    *("--only-binary", ":all:", "--no-compile", "--no-user", "--no-input", "--disable-pip-version-check"),
    *("--no-warn-script-location", "--no-color", "--progress-bar", "off"),
)


class _Archive(msgspec.Struct):
    hash: str = ""
    hashes: dict[str, str] = {}


class _Download(msgspec.Struct):
    url: str
    archive_info: _Archive | None = None


class _Metadata(msgspec.Struct):
    name: str
    version: str


class _Item(msgspec.Struct):
    download_info: _Download
    metadata: _Metadata


class _Report(msgspec.Struct):
    install: list[_Item]


def install_with_pip(source: str, order: Order, program: Program) -> list[Locked]:
    """Install into an environment in which nothing is yet; see `_installer.install`."""
    report = order.scratch / "report.json"
    argv = (
        *(order.python, "-I", RUN_PIP, source, "install", *WHEELS_ONLY, "--report", str(report)),
        *(*order.constraints_file(), "--", *order.requirements),
    )
    if program.run(argv) != 0:
        raise problem_of(program)
    try:
        items = msgspec.json.decode(report.read_bytes(), type=_Report).install
    except (OSError, ValueError) as error:
        raise InstallProblem(
            f"pip has left no report of what it installed ({error}); see {program.log}."
        ) from error
    return [_locked(item) for item in items]


def _locked(item: _Item) -> Locked:
    url, archive = item.download_info.url, item.download_info.archive_info or _Archive()
    file = file_name(url)
    if not file.endswith(".whl"):
        raise InstallProblem(
            f"pip installed {file}, which is no wheel; this is a mistake in Cellwall or pip."
        )
    old = archive.hash.removeprefix("sha256=") if archive.hash.startswith("sha256=") else ""
    return Locked(
        name=normal_name(item.metadata.name),
        version=item.metadata.version,
        file=file,
        sha256=archive.hashes.get("sha256") or old or sha256_of(url),
    )
