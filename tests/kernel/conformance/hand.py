"""Installs the plugin that is written by hand, and checks it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cellwall_kernel.conformance import Conformance, Report
from cellwall_kernel.discovery import PluginRecord, discover
from tests.children.kit import environment_of, install

if TYPE_CHECKING:
    from cellwall_kernel.paths import Paths

BY_HAND = Path(__file__).with_name("by_hand.py")
PROGRAMS = Path(__file__).parents[2] / "children" / "programs"


def install_program(site: Path, path: Path, *arguments: str) -> PluginRecord:
    """Install a program as a plugin in another language is.

    Args:
        site: the folder for packages.
        path: the program, in Python; files beside it come with it.
        arguments: what it is started with.
    """
    words = ", ".join(f'"{word}"' for word in ("python3", f"./{path.name}", *arguments))
    files = {
        "foreign/__init__.py": "",
        "foreign/plugin.toml": f"command = [{words}]\n",
        **{
            f"foreign/{each.name}": each.read_text("utf-8")
            for each in (path, path.with_name("speak.py"))
            if each.exists()
        },
    }
    install(site, "foreign", files, points={"foreign": "foreign"})
    return next(record for record in discover(environment_of(site)) if record.name == "foreign")


async def report_on(record: PluginRecord, paths: Paths, *, patience_s: float = 20.0) -> Report:
    """Check a plugin."""
    return await Conformance(record, paths, assets={}, patience_s=patience_s).run()
