"""A plugin that crashes again and again, as its user sees it: said, listed, let go, and never in the way."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from cellwall_kernel.breaker import COOL_DOWN_S, CRASHES

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

AT_ONCE = 8

LOOPER = """
    import os

    from cellwall_sdk import Model, hookimpl

    class Looper(Model):
        model_id = "looper"

        class Options(Model.Options):
            deed: str = "crash"

        def execute(self, prompt, response):
            yield "one\\n"
            if prompt.options.deed == "crash":
                os._exit(7)
            if prompt.options.deed == "raise":
                raise ValueError("not this time")

    @hookimpl
    def register_models(register):
        register(Looper())
"""

NEVER_STARTS = """
    import os
    os._exit(7)
"""


@pytest.fixture
def looper(llm: CommandLine) -> CommandLine:
    """A command line with a model whose plugin crashes, unless it is asked for another deed."""
    llm.plugin("looper", LOOPER)
    assert llm("models").code == 0  # so that the tests are about prompts
    return llm


def crash_often(llm: CommandLine, times: int = CRASHES) -> None:
    """Have the plugin crash; each command tells the crash itself."""
    for _ in range(times):
        ended = llm("-m", "looper", "hi")
        assert (ended.code, ended.out) == (5, "one\n")
        assert "crashed (exit code 7)" in ended.err


def listed(llm: CommandLine, name: str) -> dict[str, Any]:
    """What the list says of a plugin."""
    (found,) = (entry for entry in json.loads(llm("plugins", "list", "--json").out) if entry["name"] == name)
    return dict(found)


def let_time_pass(llm: CommandLine, seconds: float) -> None:
    """Put all times in the file of crashes back, as if they were that much longer ago."""
    file = llm.home / "crashes.json"
    content = json.loads(file.read_bytes())
    for trouble in content["plugins"].values():
        trouble["last"] -= seconds
        trouble["until"] -= seconds
    file.write_text(json.dumps(content))


def test_after_three_crashes_one_sentence_says_that_the_plugin_is_not_started(looper: CommandLine) -> None:
    """Statement 29: exit code 5, until when, which command helps; nothing is logged that was not asked."""
    crash_often(looper)

    ended = looper("-m", "looper", "hi")

    assert (ended.code, ended.out) == (5, "")
    (sentence,) = ended.err.splitlines()
    assert sentence.startswith(
        "Error: plugin 'looper' crashed 3 times within 5 minutes and is quarantined until "
    )
    assert sentence.endswith("; 'llm plugins enable looper' lets it start at once.")
    assert CRASHES == len(json.loads(looper("logs", "list", "-n", "0", "--json").out))
    assert (0, "hi\n") == (looper("-m", "echo", "hi").code, looper("-m", "echo", "hi").out)


def test_a_quarantined_plugin_is_listed_with_the_cause_and_the_time(looper: CommandLine) -> None:
    """`llm plugins list` and `show`: its state stays what the catalogue knows, the cause says the rest."""
    assert listed(looper, "looper")["quarantined_until"] is None
    crash_often(looper)

    entry = listed(looper, "looper")
    row = next(line for line in looper("plugins").out.splitlines() if line.startswith("looper"))
    shown = json.loads(looper("plugins", "show", "looper", "--json").out)
    facts = looper("plugins", "show", "looper").out

    assert ("ready", ["looper"], "Quarantined") == (entry["state"], entry["models"], entry["kind"])
    assert "is quarantined until" in entry["cause"]
    assert entry["cause"] in row
    assert entry["quarantined_until"].endswith("Z")
    assert entry["quarantined_until"] == shown["quarantined_until"]
    assert "quarantined:" in facts
    assert "crashed (exit code 7)" in facts


def test_its_user_lets_a_quarantined_plugin_start_again(looper: CommandLine) -> None:
    """Statement 29: the command that the sentence names."""
    crash_often(looper)
    assert looper("plugins", "enable", "looper").code == 0

    ended = looper("-m", "looper", "-o", "deed", "well", "hi")

    assert (ended.code, ended.out) == (0, "one\n")
    assert listed(looper, "looper")["quarantined_until"] is None


def test_after_the_cool_down_it_is_tried_again(looper: CommandLine) -> None:
    """Half open: a start that goes well closes the breaker, one that crashes opens it for longer."""
    crash_often(looper)
    let_time_pass(looper, COOL_DOWN_S)
    crash_often(looper, 1)

    ended = looper("-m", "looper", "hi")
    assert "plugin 'looper' keeps crashing and is quarantined until" in ended.err

    let_time_pass(looper, 2 * COOL_DOWN_S)
    assert looper("-m", "looper", "-o", "deed", "well", "hi").code == 0
    crash_often(looper, CRASHES - 1)
    assert looper("-m", "looper", "-o", "deed", "well", "hi").code == 0


def test_a_new_version_is_not_held_responsible_for_the_old_one(looper: CommandLine) -> None:
    """Statement 29: the crashes of a version are those of its files."""
    crash_often(looper)
    shutil.rmtree(looper.site / "looper-1.0.dist-info")
    looper.plugin("looper", LOOPER, version="1.1")

    assert looper("-m", "looper", "-o", "deed", "well", "hi").code == 0


def test_errors_that_a_plugin_answers_with_never_quarantine_it(looper: CommandLine) -> None:
    """Kernel policy: it lives and says what is wrong."""
    for deed in ["raise", "no such option"] * CRASHES:
        words = ["-o", "deed", "raise"] if deed == "raise" else ["-o", "nonsense", "1"]
        assert looper("-m", "looper", *words, "hi").code in {2, 5}

    assert looper("-m", "looper", "-o", "deed", "well", "hi").code == 0
    assert not (looper.home / "crashes.json").exists()


def test_a_plugin_that_never_starts_is_listed_with_its_cause_and_can_be_asked_again(
    llm: CommandLine,
) -> None:
    """A quarantine must not stay in the catalogue for longer than it lasts."""
    llm.plugin("grave", NEVER_STARTS)
    assert "ended with exit code 7 while it was being loaded" in listed(llm, "grave")["cause"]
    llm("plugins", "list", "--refresh")
    assert "is quarantined until" in listed(llm, "grave")["cause"]
    llm("plugins", "list", "--refresh")
    assert "Quarantined" == listed(llm, "grave")["kind"]

    assert llm("plugins", "enable", "grave").code == 0
    entry = listed(llm, "grave")

    assert "ended with exit code 7 while it was being loaded" in entry["cause"]
    assert entry["quarantined_until"] is None


def test_commands_that_meet_a_crashing_plugin_at_once_all_end_with_one_sentence(
    looper: CommandLine,
) -> None:
    """Eight commands: each tells a crash or the quarantine, the log holds a row for each that was asked."""
    commands = [looper.start("-m", "looper", "hi") for _ in range(AT_ONCE)]
    ends = [command.communicate(timeout=60) for command in commands]
    crashed = [out for out, err in ends if b"crashed (exit code 7)" in err]
    refused = [out for out, err in ends if b"is quarantined until" in err]

    assert [5] * AT_ONCE == [command.returncode for command in commands]
    assert AT_ONCE == len(crashed) + len(refused)
    assert CRASHES <= len(crashed)
    assert {b"one\n"} == set(crashed)
    assert {b""} >= set(refused)
    rows = json.loads(looper("logs", "list", "-n", "0", "--json").out)
    assert [("error", "one\n")] * len(crashed) == [(row["status"], row["response"]) for row in rows]
    assert listed(looper, "looper")["quarantined_until"] is not None
    known = json.loads((looper.home / "crashes.json").read_bytes())["plugins"]["looper/looper"]
    assert 1 == known["openings"]
