"""Fixtures for plugins that misbehave: a folder to install them in, a user folder, proofs of death."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.paths import Paths
from tests.children.kit import Lifeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def anyio_backend() -> str:
    """The kernel runs on asyncio."""
    return "asyncio"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder for installed packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A user folder that nobody has used."""
    return Paths(tmp_path / "home")


@pytest.fixture
def lifeline(tmp_path: Path) -> Iterator[Lifeline]:
    """A line that ends when the last process that holds it has ended."""
    line = Lifeline(tmp_path / "lifeline")
    yield line
    line.close()
