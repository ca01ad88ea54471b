"""What the manifests of our own plugins say that they answer, asked of them by the SDK's testing kit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.manifest import parse_manifest
from cellwall_sdk.testing import ExampleFailed, PluginUnderTest, Project, find_project, read_project

if TYPE_CHECKING:
    from tests.examples.driving import Example as Built

ROOT = Path(__file__).resolve().parents[2]
JAVASCRIPT = ROOT / "examples" / "javascript"
C_PACKAGE = ROOT / "examples" / "c" / "llm_example_c"
ECHO = ROOT / "plugins" / "echo"


def all_hold(project: Project, transport: str, **keys: str) -> int:
    """Ask for every example; gives how many there were."""
    with PluginUnderTest(lambda folder: project.transport(transport, folder)) as plugin:
        for example in project.examples:
            example.run(plugin, keys=keys)
    return len(project.examples)


@pytest.mark.parametrize("transport", ["memory", "child"])
def test_the_echo_answers_as_its_manifest_says(transport: str) -> None:
    """Issue 3, anchor 39: a plugin in Python, in memory and as a process."""
    assert all_hold(find_project(ECHO), transport, echo="12345") == 4


def test_the_example_in_javascript_answers_as_its_manifest_says(node: str) -> None:
    """Issue 3, anchor 39: a script beside its manifest, found by its entry point."""
    keys = {"example-js": "12345"}

    assert all_hold(find_project(JAVASCRIPT), "child", **keys) == 2


def test_the_example_in_c_answers_as_its_manifest_says(c_program: Built, tmp_path: Path) -> None:
    """Issue 3, anchor 39: a program that was built beside its manifest."""
    shutil.copy(C_PACKAGE / "plugin.toml", tmp_path)
    shutil.copy(c_program.argv[0], tmp_path / "model")

    assert all_hold(read_project(tmp_path / "plugin.toml"), "child") == 2


def test_an_example_that_does_not_hold_is_found_out(node: str) -> None:
    """House rule: the tests above could fail."""
    project = find_project(JAVASCRIPT)
    with PluginUnderTest(lambda folder: project.transport("child", folder)) as plugin:
        answer = plugin.prompt("Hello")
    with pytest.raises(ExampleFailed, match=r"(?s)-Hello there Hello there.*\+Hello"):
        project.examples[0].check(answer)


@pytest.mark.parametrize(
    "manifest", [JAVASCRIPT / "llm_example_js", C_PACKAGE, ECHO / "src" / "cellwall_echo"]
)
def test_the_kit_and_the_kernel_read_the_same_examples(manifest: Path) -> None:
    """Two readers of one table, which may not import each other, must not drift apart."""
    path = manifest / "plugin.toml"
    kernel = parse_manifest(path.read_bytes()).examples
    kit = read_project(path, "x", "target").examples

    assert [each.prompt for each in kernel] == [each.prompt for each in kit]
    assert type(kernel[0]).__struct_fields__ == type(kit[0]).__struct_fields__
