"""The examples of docs/plugins.md and the README are real: each is a module of its own, its tests pass."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cellwall_kernel.manifest import parse_manifest
from cellwall_kernel.permissions import Permissions
from cellwall_sdk import Model
from cellwall_sdk.testing import run_model

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/plugins.md")


def examples(language: str) -> list[Any]:
    """List the blocks of a language in the pages, each with the line where it stands."""
    found: list[Any] = []
    for page in PAGES:
        text = (ROOT / page).read_text("utf-8")
        for block in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            line = text[: block.start()].count("\n") + 2
            found.append(pytest.param(block[1], id=f"{page}:{line}"))
    return found


def load(source: str) -> dict[str, Any]:
    """Run an example as the module it would be."""
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(source, "example", "exec"), names)
    return names


@pytest.mark.parametrize("source", examples("python"))
def test_an_example_loads_and_its_own_tests_pass(source: str) -> None:
    """What readers copy works as it stands."""
    names = load(source)
    tests: list[Callable[[], None]] = [value for name, value in names.items() if name.startswith("test_")]
    models = [value for value in names.values() if isinstance(value, type) and value.__module__ == "example"]
    for test in tests:
        test()

    assert models
    assert tests or all(run_model(model(), "hello") for model in models if issubclass(model, Model))


@pytest.mark.parametrize("source", examples("toml"))
def test_an_example_of_a_file_is_valid(source: str) -> None:
    """A pyproject names an entry point in the group `llm`; a manifest is one that discovery accepts."""
    table = tomllib.loads(source)
    if "project" in table:
        assert table["project"]["entry-points"]["llm"]
    else:
        manifest = parse_manifest(source.encode())

        # Each member of the example has become one of the manifest: none is read and then lost.
        assert table.keys() == {
            name for name in ("assets", "files", "command") if getattr(manifest, name)
        } | ({"permissions"} if manifest.permissions != Permissions() else set())
        assert [asset.name for asset in manifest.assets] == ["weights"] * ("assets" in table)
