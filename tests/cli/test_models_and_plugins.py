"""`llm models` and `llm plugins`: lists for people and for scripts."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine


def on_terminal(llm: CommandLine, *arguments: str) -> str:
    """What a command shows on a terminal of its own."""
    pid, terminal = llm.on_terminal(*arguments)
    shown = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            chunk = b""
        if not chunk:
            break
        shown += chunk
    os.waitpid(pid, 0)
    os.close(terminal)
    return shown.decode().replace("\r\n", "\n")


def test_models_are_listed_with_plugin_aliases_and_remarks(parrot: CommandLine) -> None:
    """In a pipe: one line per model, tab-separated, no headings; the bundled model is the default."""
    rows = [row.split("\t") for row in parrot("models").out.splitlines()]
    assert ["parrot", "parrot", "polly", ""] in rows
    assert ["miser", "parrot", "", "key miser-key"] in rows
    assert [row[0] for row in rows if row[3] == "default"] == ["smollm2"]
    assert [row.split("\t")[0] for row in parrot("models", "-q", "POLLY").out.splitlines()] == ["parrot"]
    nothing = parrot("models", "-q", "polly", "-q", "miser")
    assert (nothing.code, nothing.out) == (0, "")
    assert "No model matches." in nothing.err


def test_models_on_a_terminal_stand_in_columns(parrot: CommandLine) -> None:
    """Headings and padding are for people."""
    lines = on_terminal(parrot, "models").splitlines()
    assert lines[0].split() == ["MODEL", "PLUGIN", "ALIASES", "REMARKS"]
    column = lines[0].index("PLUGIN")
    assert all(line[column - 1] == " " and line[column] != " " for line in lines)


def test_the_options_of_models_are_shown_in_words(parrot: CommandLine) -> None:
    """What `-o` takes, from the schema that the plugin gave."""
    shown = parrot("models", "--options", "-q", "parrot", "-q", "polly").out
    assert shown.startswith("parrot (parrot)\n  times: integer (default 1)\n")


def test_the_json_of_models_always_has_the_same_members(parrot: CommandLine) -> None:
    """A script need not know which members have default values."""
    models = {model["id"]: model for model in json.loads(parrot("models", "--json").out)}
    assert models["parrot"].keys() == models["miser"].keys() == models["smollm2"].keys()
    assert models["parrot"]["supports"].keys() == models["miser"]["supports"].keys()
    assert models["parrot"]["plugin"] == "parrot"
    assert models["miser"]["key"]["alias"] == "miser-key"
    assert models["smollm2"]["default"] is True


def test_a_model_that_two_plugins_offer_is_noted(parrot: CommandLine) -> None:
    """The note names both and says whose model is used; the settings may choose the other."""
    again = (parrot.site / "parrot.py").read_text()
    parrot.plugin("cuckoo", again.replace("Parrot", "Cuckoo"))
    ended = parrot("models")
    assert ended.code == 0
    assert "'cuckoo' and 'parrot' offer 'parrot'; that of 'cuckoo' is used" in ended.err
    (parrot.home / "config.json").write_text('{"owners": {"parrot": "parrot"}}')
    assert "that of 'parrot' is used" in parrot("models").err


def test_a_plugin_is_shown_with_all_that_is_known(parrot: CommandLine) -> None:
    """For its user and its author: where it comes from, what it offers, where its output is."""
    shown = parrot("plugins", "show", "parrot").out
    for words in ("parrot 1.0", str(parrot.site), "parrot (also polly)", "register_models", "stderr.log"):
        assert words in shown
    facts = json.loads(parrot("plugins", "show", "parrot", "--json").out)
    assert (facts["state"], facts["editable"], facts["error"]) == ("ready", False, None)
    missing = parrot("plugins", "show", "parot")
    assert missing.code == 3
    assert "did you mean 'parrot'?" in missing.err


def test_an_answer_cannot_drive_the_terminal(llm: CommandLine) -> None:
    """Control characters of a model are shown, not obeyed, on a terminal; a pipe gets the text as it is."""
    llm.plugin(
        "painter",
        r"""
        from cellwall_sdk import Model, hookimpl

        class Painter(Model):
            model_id = "painter"
            def execute(self, prompt):
                return "a\x1b[2J\x07b\nc"

        @hookimpl
        def register_models(register):
            register(Painter())
        """,
    )
    assert llm("-m", "painter", "hi").out == "a\x1b[2J\x07b\nc\n"
    assert on_terminal(llm, "-n", "-m", "painter", "hi") == "a␛[2J␇b\nc\n"


def test_a_new_version_of_a_plugin_is_noticed_at_once(parrot: CommandLine) -> None:
    """Statement 25: the next command sees an upgrade and an uninstallation without being told."""
    assert parrot("-m", "parrot", "hi").code == 0
    old = parrot.site / "parrot-1.0.dist-info"
    for file in old.iterdir():
        file.unlink()
    old.rmdir()
    gone = parrot("-m", "parrot", "hi")
    assert gone.code == 3
    assert "there is no model 'parrot'" in gone.err
    code = (parrot.site / "parrot.py").read_text().replace('"parrot"', '"parakeet"')
    parrot.plugin("parrot", code, version="2.0")
    assert parrot("-m", "parakeet", "hi").out == "hi\n"
    assert "parrot\t2.0\tready" in parrot("plugins").out


def test_a_plugin_that_failed_is_asked_again_on_demand(llm: CommandLine) -> None:
    """A cause outside of what is installed can go away; `--refresh` finds out."""
    llm.plugin("moody", "open('there')")
    assert "moody\t1.0\tfailed" in llm("plugins").out
    (llm.data_of("moody") / "there").touch()
    assert "moody\t1.0\tfailed" in llm("plugins").out
    assert "moody\t1.0\tready" in llm("plugins", "--refresh").out
