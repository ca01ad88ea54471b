"""A shelf of wheels, and a way to install from it in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.environments import installed
from cellwall_kernel.environments.making import make, slot, understand
from tests.support.wheels import Shelf, need_installer, stock

if TYPE_CHECKING:
    from pathlib import Path

    from cellwall_kernel.environments import Installed
    from cellwall_kernel.environments.making import Fresh
    from cellwall_kernel.paths import Paths


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """All the wheels that there are, for this process and its children."""
    shelf = stock(tmp_path / "shelf", tmp_path / "scratch")
    for name, value in shelf.variables.items():
        monkeypatch.setenv(name, value)
    return shelf


@pytest.fixture(params=["pip", "uv"])
def installer(request: pytest.FixtureRequest) -> str:
    """Each of the two programs, if it is here."""
    return need_installer(request.param)


class Installing:
    """Installs into a user folder.

    Args:
        paths: the user folder.
        installer: the program to do it with.
    """

    def __init__(self, paths: Paths, installer: str) -> None:
        self.paths = paths
        self.installer = installer

    def __call__(self, text: str, *, extra: tuple[str, ...] = (), constraints: tuple[str, ...] = ()) -> Fresh:
        """Install, and make the result the current one."""
        wanted = understand(text, extra=extra, constraints=constraints)
        with slot(self.paths, wanted.name) as place:
            fresh = make(self.paths, place, wanted, installer=self.installer)
            place.switch(fresh.installed.file)
        return fresh

    @property
    def all(self) -> dict[str, Installed]:
        """What is installed, by distribution."""
        return {found.name: found for found in installed(self.paths)}


@pytest.fixture
def install(paths: Paths, shelf: Shelf, installer: str) -> Installing:
    """Install with each of the two programs."""
    return Installing(paths, installer)
