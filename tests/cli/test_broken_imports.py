"""A plugin whose import fails, or whose code has changed: what every later command says about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine

WORKS = """
    from cellwall_sdk import Model, hookimpl

    class Frail(Model):
        model_id = "frail-model"

        def execute(self, prompt, response):
            yield "works"

    @hookimpl
    def register_models(register):
        register(Frail())
"""

PLACE = ("frail.py, line 3", "ModuleNotFoundError: No module named 'nowhere_at_all'")


@pytest.fixture
def module(llm: CommandLine) -> Path:
    """A plugin that is installed and has been described; its module."""
    module = llm.plugin("frail", WORKS)
    assert llm("-m", "frail-model", "hi").out == "works\n"
    return module


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param(("-m", "frail-model", "hi"), 5, id="a prompt"),
        pytest.param(("plugins", "list", "--json"), 0, id="the list"),
        pytest.param(("plugins", "show", "frail"), 0, id="the plugin"),
        pytest.param(("plugins", "show", "frail", "--json"), 0, id="for programs"),
        pytest.param(("plugins", "check", "frail"), 5, id="the check"),
    ],
)
def test_an_import_error_is_told_with_file_and_line_every_time(
    llm: CommandLine, module: Path, words: tuple[str, ...], code: int
) -> None:
    """Issue 3, anchor 44: in each message about the plugin, the first and the later ones."""
    module.write_text("# It has worked so far.\n\nimport nowhere_at_all\n")
    llm("-m", "frail-model", "hi")

    for _ in range(3):
        ended = llm(*words)

        assert ended.code == code
        for place in PLACE:
            assert place in ended.out + ended.err


def test_a_plugin_that_never_worked_is_told_with_file_and_line_when_its_model_is_asked_for(
    llm: CommandLine,
) -> None:
    """Issue 3, anchor 44: nobody knows that it would have had the model, so its cause stands beside."""
    llm.plugin("frail", "# It never worked.\n\nimport nowhere_at_all\n")

    for _ in range(2):
        ended = llm("-m", "frail-model", "hi")

        assert ended.code == 3
        for words in PLACE:
            assert words in ended.err


def test_the_log_keeps_the_place_of_an_import_error(llm: CommandLine, module: Path) -> None:
    """Issue 3, anchor 44: who reads the log later finds file and line, too."""
    module.write_text("# It has worked so far.\n\nimport nowhere_at_all\n")
    llm("-m", "frail-model", "hi")

    record = json.loads(llm("logs", "list", "-n", "1", "--json").out)[0]

    assert record["error_kind"] == "PluginBroken"
    for words in PLACE:
        assert words in record["error_message"]


def test_changed_code_is_reported_before_it_runs_where_something_was_granted(
    llm: CommandLine, module: Path
) -> None:
    """Issue 3, anchor 46: the first run after the change does not happen; accepting it lets it run."""
    llm.grant("frail", "env=FRAIL")
    assert llm("-m", "frail-model", "hi").code == 0
    module.write_text(module.read_text() + "\nopen('ran', 'w')\n")

    refused = llm("-m", "frail-model", "hi")
    has_run = (llm.data_of("frail") / "ran").exists()
    llm("plugins", "grant", "frail", "--accept-change")
    accepted = llm("-m", "frail-model", "hi")

    assert (refused.code, refused.out) == (5, "")
    assert "plugin 'frail' has changed since it was granted what it may do" in refused.err
    assert "llm plugins grant frail --accept-change" in refused.err
    assert not has_run
    assert (accepted.code, accepted.out) == (0, "works\n")
    assert (llm.data_of("frail") / "ran").exists()


def test_changed_code_runs_where_nothing_was_granted(llm: CommandLine, module: Path) -> None:
    """Issue 3, anchor 46: nothing is locked for a plugin that may do nothing."""
    module.write_text(module.read_text() + "\nopen('ran', 'w')\n")

    ended = llm("-m", "frail-model", "hi")

    assert (ended.code, ended.out) == (0, "works\n")
    assert (llm.data_of("frail") / "ran").exists()
