"""A web server and a user folder for the tests of data files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kernel.assets.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def site() -> Iterator[Site]:
    """A server that is stopped at the end."""
    with Site() as server:
        yield server
