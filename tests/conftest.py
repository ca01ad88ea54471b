"""What all tests share: hypothesis settings and common fixtures; nothing here patches or pretends.

Fixtures for one subject live beside its tests. A fixture belongs here only when several folders need it.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from cellwall_kernel.paths import Paths
from cellwall_kernel.wall import Mechanisms

if TYPE_CHECKING:
    from pathlib import Path

# `pytest &` in a script and `nohup pytest` begin with signals ignored; commands inherit that and rightly keep
# to it, and then the tests of Ctrl-C would wait for something that never comes.
for _number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number is signal.SIGINT else signal.SIG_DFL)

# Property tests never assert time: the machine may be busy. On CI they draw the same examples every time, so
# that a red run can be repeated; at home they explore.
settings.register_profile(
    "home",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("ci", settings.get_profile("home"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "home")


def pytest_xdist_auto_num_workers() -> int:
    """Run two test files for each processor side by side: most tests wait for other processes."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture
def anyio_backend() -> str:
    """The kernel runs on asyncio."""
    return "asyncio"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A user folder that does not exist yet."""
    return Paths(tmp_path / "home")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder for installed packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


@pytest.fixture(params=["with bubblewrap", "without bubblewrap"])
def both_walls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test twice: with bubblewrap around the wall, and where it is not to be found.

    The product has no switch for it, so the search path loses every folder that holds the program.
    """
    wanted: str = request.param
    if wanted == "without bubblewrap":
        monkeypatch.setenv("PATH", path_without("bwrap"))
    elif (found := Mechanisms.detect()).bubblewrap is None:
        pytest.skip(f"no bubblewrap around the wall here: {found.bubblewrap_problem}")
    return wanted


def path_without(program: str) -> str:
    """Return the search path without the folders in which a program is."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if not os.access(f"{folder}/{program}", os.X_OK))
