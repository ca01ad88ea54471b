"""The documents cannot go stale: commands, links, names and generated pages are compared with what exists."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click
import pytest

import cellwall_kernel.errors
import cellwall_sdk
from cellwall_wire import Code
from tests.house.checkout import ROOT, files, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOUND_S = 40
PAGES = [path for path in files() if path.suffix == ".md"]


def relative(path: Path) -> str:
    """Give a path as people write it."""
    return str(path.relative_to(ROOT))


def test_the_readme_sets_up_with_exactly_the_two_commands_that_ci_runs() -> None:
    """README: one line that ends in an answer, one that passes the tests; CI runs both from a bare clone."""
    lines = [line.strip() for line in read("README.md").splitlines() if "scripts/setup" in line]
    commands = [line for line in lines if line.startswith("sh scripts/setup")]

    assert len(commands) == 2
    assert [line for line in commands if line not in read(".ci/run")] == []
    assert re.search(r"^sh scripts/setup && \.venv/bin/llm \".+\"$", commands[0])
    assert re.search(r"^sh scripts/setup --dev && \.venv/bin/pytest$", commands[1])


def test_the_readme_shows_the_plugin_of_the_sdk() -> None:
    """README and SDK show one example, so that it can be tested once."""
    example = re.search(r"```python\n(from cellwall_sdk import .*?)```", read("README.md"), re.DOTALL)
    assert example is not None
    given = [line.strip() for line in example[1].splitlines() if line.strip()]
    shown = [line.strip() for line in (cellwall_sdk.__doc__ or "").splitlines()]

    assert [line for line in given if line not in shown] == []


@pytest.mark.parametrize("script", ["docs", "protocol"])
def test_the_generated_pages_are_fresh(script: str) -> None:
    """House rule: what can be made from the code is made from the code."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / script, "--check"],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Walk a command and all below it, with their full names."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None, f"{name} {child} is listed and does not exist"
            yield from commands(found, f"{name} {child}")


def test_every_command_has_help_and_is_documented() -> None:
    """House rule: what cannot be found does not exist."""
    root = import_module("cellwall_kernel.cli._root").root
    page = read("docs/cli.md")
    for name, command in commands(root, "llm"):
        assert command.help, name
        assert "\\b" not in command.help, f"{name}: a raw docstring hides click's mark from click"
        assert f"## {name}\n" in page
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.help, f"{name} {parameter.opts[0]}"


def test_every_error_is_documented() -> None:
    """A script that tests exit codes or kinds finds all of them on one page."""
    page = read("docs/errors.md")
    names = [*cellwall_kernel.errors.__all__, *import_module("cellwall_sdk.errors").__all__]

    assert [name for name in names if f"`{name}`" not in page] == []
    assert [code.kind for code in Code if f"| {int(code)} | `{code.kind}` |" not in page] == []


def test_every_name_of_the_sdk_is_documented() -> None:
    """An author finds every public name in docs/plugins.md."""
    page = read("docs/plugins.md")

    assert [name for name in cellwall_sdk.__all__ if not re.search(rf"`[^`]*\b{name}\b[^`]*`", page)] == []


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_between_the_documents_lead_somewhere(page: Path) -> None:
    """A relative link names a file of the checkout, and a heading that is in it."""
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text("utf-8")):
        name, _, anchor = target.partition("#")
        path = (page.parent / name) if name else page

        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, target


def slug(heading: str) -> str:
    """Give the anchor that a Markdown page makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
