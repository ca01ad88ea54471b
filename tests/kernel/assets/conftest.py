"""A web server and a user folder for the tests of data files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.paths import Paths
from tests.kernel.assets.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def site() -> Iterator[Site]:
    """A server that is stopped at the end."""
    with Site() as server:
        yield server


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """An empty user folder."""
    return Paths(tmp_path / "home")
