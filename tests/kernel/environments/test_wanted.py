"""What a user may type after `llm install`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.environments import Wanted
from cellwall_kernel.environments.making import is_sources, understand
from cellwall_kernel.errors import NotFound, UsageProblem

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("llm-foo", "llm-foo"),
        ("LLM_Foo.x", "llm-foo-x"),
        ("llm-foo>=1.2", "llm-foo"),
        ("llm-foo == 1.2", "llm-foo"),
        ("llm-foo>=1,<2", "llm-foo"),
        ("llm-foo[all,more]~=1.0", "llm-foo"),
    ],
)
def test_a_name_may_say_versions_and_extras(text: str, name: str) -> None:
    """The packaging specification's requirements, without addresses and markers."""
    assert understand(text) == Wanted(name=name, requirement=text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-r",
        "--index-url=x",
        "llm-foo @ git+https://example.com/x",
        "llm-foo; os_name == 'posix'",
        "llm-foo\nother",
        "git+https://example.com/x.git",
        "a b",
        "cellwall-sdk",
        "Cellwall_SDK==1",
        "x" * 101,
    ],
)
def test_what_is_neither_name_nor_wheel_is_refused(text: str) -> None:
    """An installer must not take it for an option, and the SDK comes from the host alone."""
    with pytest.raises(UsageProblem):
        understand(text)


def test_a_wheel_is_named_by_its_path_or_its_address(tmp_path: Path) -> None:
    """The distribution's name stands in the file's."""
    wheel = tmp_path / "llm_foo-1.0-1-py3-none-any.whl"
    wheel.touch()
    address = "https://example.com/w/llm_foo-1.0-py3-none-any.whl"

    found = [understand(text) for text in (str(wheel), address)]

    assert found == [
        Wanted(name="llm-foo", requirement="llm-foo", source="wheel", origin=origin)
        for origin in (str(wheel), address)
    ]


def test_a_wheel_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    """The sentence names the absolute path."""
    with pytest.raises(NotFound, match=str(tmp_path)):
        understand(str(tmp_path / "llm_foo-1.0-py3-none-any.whl"))


def test_a_wheel_with_another_name_is_refused(tmp_path: Path) -> None:
    """Its distribution could only be guessed."""
    (tmp_path / "foo.whl").touch()

    with pytest.raises(UsageProblem, match="is not named as a wheel"):
        understand(str(tmp_path / "foo.whl"))


def test_an_extra_requirement_may_be_a_wheel_and_never_an_option(tmp_path: Path) -> None:
    """`--with` is handed on to the installer."""
    wheel = tmp_path / "dep_x-1.0-py3-none-any.whl"
    wheel.touch()

    assert understand("llm-foo", extra=(str(wheel), " httpx<1 ")).extra == (
        f"dep-x @ {wheel.as_uri()}",
        "httpx<1",
    )
    for wrong in ("-e .", "", "a\n--pre", "#x"):
        with pytest.raises(UsageProblem):
            understand("llm-foo", extra=(wrong,))
        with pytest.raises(UsageProblem):
            understand("llm-foo", constraints=(wrong,))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("llm-foo", False),
        ("llm-foo>=1.2", False),
        (".", True),
        ("./llm-foo", True),
        ("~/llm-foo", True),
        ("llm-foo-1.0.tar.gz", True),
        ("a/llm_foo-1.0-py3-none-any.whl", False),
        ("https://example.com/llm_foo-1.0-py3-none-any.whl", False),
    ],
)
def test_sources_are_told_by_the_way_they_are_written(text: str, expected: bool) -> None:
    """As pip does: a folder that happens to be called like a plugin hides nothing."""
    assert is_sources(text) == expected
