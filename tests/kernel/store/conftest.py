"""A user folder without a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.paths import Paths

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A user folder that does not exist yet."""
    return Paths(tmp_path / "home")
