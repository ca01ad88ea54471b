"""docs/testing.md is true: its files make a project, its commands run in it, and its manifest is valid."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cellwall_kernel.manifest import parse_manifest
from tests.docs.test_tutorial import commands, fits
from tests.sdk.pytesting import run_pytest, write_files

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "testing.md"


def blocks() -> list[tuple[str, str]]:
    """List the blocks of the page: what stands after the fence, and the text."""
    fenced = re.compile(r"^```(console|\w+ \S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [(block[1], block[2]) for block in fenced.finditer(PAGE.read_text("utf-8"))]


@pytest.mark.slow
def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    """What readers copy works as it stands: each command with the files that the page has shown before it."""
    count = 0
    for kind, text in blocks():
        if kind != "console":
            write_files(tmp_path, {kind.split()[1]: text})
            continue
        for command, shown in commands(text):
            words = shlex.split(command)
            assert words[:3] == ["python", "-m", "pytest"]
            ran = run_pytest(tmp_path, *words[3:])
            count += 1

            assert fits(shown, ran.out), f"$ {command}\n{ran.out}"
            assert ran.code == 0
    assert count > 4
    assert run_pytest(tmp_path).code == 0
    script = [sys.executable, "without_pytest.py"]
    subprocess.run(
        script, cwd=tmp_path, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, timeout=50, check=True
    )


def test_the_pages_manifest_is_one_that_the_host_accepts() -> None:
    """The kit and the kernel read the same table."""
    [manifest] = [text for kind, text in blocks() if kind.endswith(".plugin.toml")]

    assert len(parse_manifest(manifest.encode()).examples) == 3
