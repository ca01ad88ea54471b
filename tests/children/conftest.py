"""Fixtures for plugins that misbehave: a folder to install them in, a user folder, proofs of death."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.children.kit import Lifeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def lifeline(tmp_path: Path) -> Iterator[Lifeline]:
    """A line that ends when the last process that holds it has ended."""
    line = Lifeline(tmp_path / "lifeline")
    yield line
    line.close()
