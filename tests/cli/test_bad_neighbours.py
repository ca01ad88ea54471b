"""Five plugins that would break a host that imports them, beside one that works (issue 2, "How we know")."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import PARROT

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Finished

RAISES = "import nothing_of_that_name\n"
EXITS = "import os\nos._exit(7)\n"
SLEEPS = "import time\ntime.sleep(60)\n"
PRINTS = """
    import os, sys
    print("chatter from print")
    sys.__stdout__.write("chatter from __stdout__")
    os.write(1, b"chatter from write")
    os.system("echo chatter from a grandchild")
    from cellwall_sdk import Model, hookimpl

    class Chatty(Model):
        model_id = "chatty"
        def execute(self, prompt):
            print("chatter while it answers")
            return "an answer"

    @hookimpl
    def register_models(register):
        print("chatter while it registers")
        register(Chatty())
"""
SEGFAULTS = """
    import ctypes
    from cellwall_sdk import Model, hookimpl

    class Faulty(Model):
        model_id = "faulty"
        def execute(self, prompt, stream, response):
            yield "an answer that "
            ctypes.string_at(0)

    @hookimpl
    def register_models(register):
        register(Faulty())
"""


@pytest.fixture
def zoo(llm: CommandLine) -> CommandLine:
    """A command line with all of them installed, and used for the first time."""
    for name, code in {
        "raises": RAISES,
        "exits": EXITS,
        "sleeps": SLEEPS,
        "prints": PRINTS,
        "segfaults": SEGFAULTS,
        "parrot": PARROT,
    }.items():
        llm.plugin(name, code)
    llm.grant("prints", "spawn=any")
    return llm


def test_every_command_works_beside_them(zoo: CommandLine) -> None:
    """First the prompt on a cold catalogue, then each command: exit code 0 and nothing foreign on stdout."""
    assert zoo("-m", "parrot", "hi").out == "hi\n"
    for arguments in (["--version"], ["--help"], ["keys", "list"], ["logs", "list"], ["models", "list"]):
        ended = zoo(*arguments)
        assert ended.code == 0, ended.err
        assert "chatter" not in ended.out
    listed = [row.split("\t")[0] for row in zoo("models", "list").out.splitlines()]
    assert {"chatty", "faulty", "parrot", "miser"} <= set(listed)
    answered = zoo("-m", "parrot", "hi")
    assert (answered.code, answered.out, answered.err) == (0, "hi\n", "")


def test_a_plugin_that_prints_keeps_its_words_out_of_the_answer(zoo: CommandLine) -> None:
    """Whatever it prints, and whoever it starts that prints, ends in its own file."""
    ended = zoo("-m", "chatty", "hi")
    assert (ended.code, ended.out, ended.err) == (0, "an answer\n", "")
    kept = (zoo.home / "plugins" / "prints" / "stderr.log").read_text()
    for words in ("from print", "from __stdout__", "from write", "from a grandchild", "while it answers"):
        assert f"chatter {words}" in kept


def test_a_segfault_costs_one_answer(zoo: CommandLine) -> None:
    """The part of the answer that had arrived is printed and kept; the next prompt works."""
    ended = zoo("-m", "faulty", "hi")
    assert (ended.code, ended.out) == (5, "an answer that \n")
    assert "signal SIGSEGV" in ended.err
    assert zoo("-m", "parrot", "hi").out == "hi\n"


def test_the_list_of_plugins_names_each_cause(zoo: CommandLine) -> None:
    """Statement 44: an import error with file and line; a death with its exit code; slowness as such."""
    ended = zoo("plugins", "list", "--json")
    assert ended.code == 0, ended.err
    plugins = {entry["name"]: entry for entry in json.loads(ended.out)}
    assert {name: plugins[name]["state"] for name in ("raises", "exits", "sleeps")} == dict.fromkeys(
        ("raises", "exits", "sleeps"), "failed"
    )
    assert "ModuleNotFoundError: No module named 'nothing_of_that_name'" in plugins["raises"]["cause"]
    assert "raises.py, line 1" in plugins["raises"]["cause"]
    assert "exit code 7" in plugins["exits"]["cause"]
    assert "within 10 s" in plugins["sleeps"]["cause"]
    for name in ("prints", "segfaults", "parrot"):
        assert (plugins[name]["state"], plugins[name]["cause"]) == ("ready", None)
    shown = zoo("plugins", "show", "raises")
    assert shown.code == 0
    assert "raises.py, line 1" in shown.out


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_many_prompts_at_once_on_a_fresh_folder_all_succeed_and_are_all_logged(parrot: CommandLine) -> None:
    """8 × 24 prompts (issue 2): the catalogue, the log and the folders are made by whoever comes first."""

    def ask(number: int) -> Finished:
        return parrot("-m", "parrot", f"prompt {number}")

    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(ask, range(8 * 24)))
    assert [(a.code, a.out, a.err) for a in answers] == [(0, f"prompt {n}\n", "") for n in range(8 * 24)]
    rows = json.loads(parrot("logs", "list", "-n", "0", "--json").out)
    assert sorted(row["prompt"] for row in rows) == sorted(f"prompt {number}" for number in range(8 * 24))
    assert {row["status"] for row in rows} == {"done"}
    assert {row["response"] for row in rows} == {row["prompt"] for row in rows}
