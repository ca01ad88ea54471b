"""The distributions fit together: one version, one licence, one list of members."""

from __future__ import annotations

import re

import pytest

import cellwall_kernel.version
import cellwall_sdk
from tests.house.checkout import MEMBERS, ROOT, project, read

VERSION: str = project(".")["version"]


@pytest.mark.parametrize("member", MEMBERS)
def test_every_member_has_the_version_of_the_umbrella(member: str) -> None:
    """House rule: the distributions are released together."""
    assert VERSION == project(member)["version"]


def test_the_versions_in_the_code_are_those_of_the_distributions() -> None:
    """They are constants because reading them from metadata costs every command 35 ms."""
    assert VERSION == cellwall_kernel.version.VERSION
    assert VERSION == cellwall_sdk.__version__


def test_the_kernel_takes_exactly_its_own_sdk() -> None:
    """Both sides of the wire come from one commit; plugins ask for a range."""
    assert f"cellwall-sdk=={VERSION}" in project("kernel")["dependencies"]


@pytest.mark.parametrize("member", [member for member in MEMBERS if member.startswith("plugins/")])
def test_a_bundled_plugin_asks_for_a_range_of_sdks(member: str) -> None:
    """A pinned SDK would tie a plugin to one release of Cellwall."""
    (line,) = [line for line in project(member)["dependencies"] if line.startswith("cellwall-sdk")]

    assert re.fullmatch(r"cellwall-sdk>=\d+\.\d+(\.\d+)?,<\d+\.\d+", line)


def test_the_umbrella_brings_every_member() -> None:
    """A member that nobody installs would look installed in the developer's environment only."""
    expected = [
        f"{project(member)['name']}{{env:CELLWALL_PIN: @ {{root:uri}}/{member}}}" for member in MEMBERS
    ]

    assert sorted(expected) == sorted(project(".")["dependencies"])


def test_the_developers_environment_holds_every_member() -> None:
    """`scripts/setup` reads the members from requirements-dev.txt."""
    assert sorted(f"-e ./{member}" for member in MEMBERS) == sorted(
        re.findall(r"^-e .*$", read("requirements-dev.txt"), re.MULTILINE)
    )


def test_the_umbrella_alone_declares_the_commands() -> None:
    """Pipx and `uv tool` expose only the commands of the package that was named."""
    assert {"llm", "cellwall"} == set(project(".")["scripts"])
    assert [member for member in MEMBERS if "scripts" in project(member)] == []


@pytest.mark.parametrize("member", MEMBERS)
def test_every_member_is_complete(member: str) -> None:
    """A wheel carries the licence, says that it is typed, and describes itself on the index."""
    table = project(member)
    packages = [path.parent for path in (ROOT / member / "src").glob("*/__init__.py")]

    assert read("LICENSE") == read(f"{member}/LICENSE")
    assert packages
    assert [package for package in packages if not (package / "py.typed").exists()] == []
    assert table["description"].endswith(".")
    assert len(read(f"{member}/README.md").split()) > 20


@pytest.mark.parametrize("member", [".", *MEMBERS])
def test_every_distribution_says_where_it_runs(member: str) -> None:
    """The classifiers name the Python versions that CI runs."""
    classifiers = project(member)["classifiers"]

    assert project(member)["requires-python"] == ">=3.11"
    assert {"3.11", "3.12", "3.13"} <= {line.rpartition(" :: ")[2] for line in classifiers}
