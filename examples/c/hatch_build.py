"""Compiles the program into the package before the wheel is packed."""

# ruff: noqa: INP001 - hatchling loads this file by its path

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror", "-std=c11")
COMPILER_BOUND_S = 120


class ModelBuild(BuildHookInterface[Any]):
    """Runs the C compiler, and says that the wheel is for this kind of machine only."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's
        """Make `llm_example_c/model`; hatchling calls this before it collects the files."""
        if self.target_name != "wheel":
            return
        compiler = shutil.which("cc")
        if compiler is None:
            raise RuntimeError("this plugin is written in C; install a C compiler, called cc")
        root = Path(self.root)
        program = root / "llm_example_c" / "model"
        subprocess.run(
            [compiler, *FLAGS, "-o", program, root / "model.c"], check=True, timeout=COMPILER_BOUND_S
        )
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{next(iter(platform_tags()))}"
