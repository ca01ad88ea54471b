"""`llm plugins check`: the report for people and scripts, and its exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cellwall_kernel.conformance import CHECKS

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

MEMBERS = {"plugin", "version", "model", "conforms", "passed", "failed", "skipped", "checks"}
CHECK_MEMBERS = {"id", "rules", "level", "what", "outcome", "sent", "came", "why", "advice"}

KEYED = """
    from cellwall_sdk import KeyModel, hookimpl

    class Keyed(KeyModel):
        model_id = "keyed"
        needs_key = "keyed"

        def execute(self, prompt, key):
            return prompt.prompt

    @hookimpl
    def register_models(register):
        register(Keyed())
"""

SAYS_BACK = """
    from cellwall_sdk import Model, hookimpl

    class Fibber(Model):
        model_id = "fibber"

        def execute(self, prompt):
            return prompt.prompt

    @hookimpl
    def register_models(register):
        register(Fibber())
"""

TOO_CHATTY = """
    import os

    WIRE = [fd for fd in range(3, 64) if os.path.exists(f"/proc/self/fd/{fd}")]

    from cellwall_sdk import Model, hookimpl

    class Chatty(Model):
        model_id = "chatty"

        def execute(self, prompt):
            for fd in WIRE:
                try:
                    os.write(fd, b"thinking...\\n")
                except OSError:
                    pass
            return prompt.prompt

    @hookimpl
    def register_models(register):
        register(Chatty())
"""


def members_of(llm: CommandLine, *arguments: str, code: int = 0) -> dict[str, Any]:
    """What `llm plugins check --json` prints."""
    ended = llm("plugins", "check", "--json", *arguments)
    assert (code, "") == (ended.code, ended.err)
    members: dict[str, Any] = json.loads(ended.out)
    return members


def test_a_conforming_plugin_gets_one_line_with_the_counts(llm: CommandLine) -> None:
    """Issue 3: exit code 0, and what passed is listed only when asked for."""
    ended = llm("plugins", "check", "echo")
    *lines, last = ended.out.splitlines()

    assert (0, "") == (ended.code, ended.err)
    assert last.startswith("'echo ")
    assert "speaks the protocol" in last
    assert all(line.startswith("skipped  ") for line in lines)


def test_the_verbose_report_lists_every_check(llm: CommandLine) -> None:
    """Issue 3: who wants to know what was tried is told."""
    words = {line.split()[1] for line in llm("plugins", "check", "-v", "echo").out.splitlines()[:-1]}

    assert {check.id for check in CHECKS} <= words


def test_the_members_for_scripts_are_always_there(llm: CommandLine) -> None:
    """Issue 3: a script finds the same members for every outcome."""
    members = members_of(llm, "echo")

    assert set(members) == MEMBERS
    assert {frozenset(check) for check in members["checks"]} == {frozenset(CHECK_MEMBERS)}
    ids = [check["id"] for check in members["checks"]]
    assert [each for each in ids if not each.startswith("example-")] == [check.id for check in CHECKS]
    assert (members["plugin"], members["model"], members["conforms"], members["failed"]) == (
        *("echo", "echo", True),
        0,
    )


def test_a_plugin_that_needs_a_key_is_checked_without_one(llm: CommandLine) -> None:
    """Issue 3: no key is given, and what cannot be tried without is skipped with the reason."""
    llm.plugin("keyed", KEYED)
    checks = {check["id"]: check for check in members_of(llm, "keyed")["checks"]}

    assert checks["prompt"]["why"] == "the model 'keyed' answers KeyMissing"
    assert checks["no-key"]["outcome"] == "passed"
    assert checks["keys-parent"]["outcome"] == "passed"


def test_a_failure_comes_first_with_what_came_and_advice(llm: CommandLine) -> None:
    """Issue 3: exit code 1, and the author reads what to do."""
    llm.plugin("chatty", TOO_CHATTY)
    ended = llm("plugins", "check", "chatty")
    first, second, third, fourth, *_ = ended.out.splitlines()

    assert 1 == ended.code
    assert first.startswith("FAILED   only-protocol")
    assert "MUST [P-2, P-15]" in first
    assert ["sent:", "came:    thinking...", "advice:"] == [
        second.split()[0],
        third.strip(),
        fourth.split()[0],
    ]


def test_a_plugin_that_cannot_be_loaded_has_exit_code_five(llm: CommandLine) -> None:
    """Issue 3: its own sentence, and no list of failures that have one cause."""
    llm.plugin("broken", "import no_such_library\n")
    ended = llm("plugins", "check", "broken")

    assert (5, "") == (ended.code, ended.out)
    assert "'broken' cannot be loaded" in ended.err
    assert "no_such_library" in ended.err


def test_a_model_that_is_not_offered_skips_the_prompts(llm: CommandLine) -> None:
    """Issue 3: `--model` chooses; a wrong name is told where it matters."""
    checks = {check["id"]: check for check in members_of(llm, "echo", "--model", "nobody")["checks"]}

    assert checks["prompt"]["why"] == "the plugin has no model 'nobody'"


def test_another_model_and_prompt_can_be_chosen(llm: CommandLine) -> None:
    """Issue 3: `--model`, `--prompt`, `--timeout`."""
    members = members_of(llm, "echo", "--model", "echo-async", "--prompt", "Hi.", "--timeout", "15")
    checks = {check["id"]: check for check in members["checks"]}

    assert members["model"] == "echo-async"
    assert members["failed"] == 0
    assert "longer --prompt" in checks["small-credit"]["why"]


def test_a_name_that_is_not_installed_has_exit_code_three(llm: CommandLine) -> None:
    """Kernel policy: as everywhere."""
    ended = llm("plugins", "check", "ecco")

    assert 3 == ended.code
    assert "did you mean 'echo'?" in ended.err


def test_the_examples_of_a_manifest_are_checked_behind_the_wall(llm: CommandLine) -> None:
    """Issue 3, anchor 39: those that need a key are left out, with the reason."""
    checks = {check["id"]: check for check in members_of(llm, "echo")["checks"]}

    assert [checks[f"example-{number}"]["outcome"] for number in (1, 2, 3)] == ["passed"] * 3
    assert checks["example-4"]["why"] == "it needs the key 'echo', and no key is given to a plugin here"


def test_an_example_that_does_not_hold_is_shown_with_both_texts(llm: CommandLine) -> None:
    """Issue 3, anchor 39: the exit code is 1, and the last line says that it is not about the protocol."""
    module = llm.plugin("fibber", SAYS_BACK)
    module.with_name("fibber.plugin.toml").write_text('[[examples]]\nprompt = "hi"\nanswer = "ho"\n')
    ended = llm("plugins", "check", "fibber")

    assert ended.code == 1
    assert "MUST [plugin.toml]" in ended.out
    assert "the text hi, but the example's is ho" in ended.out
    assert "speaks the protocol, but does not answer as its manifest says" in ended.out


def test_a_plugin_and_the_host_are_not_checked_at_once(llm: CommandLine) -> None:
    """Issue 3: exit code 2 for neither and for both."""
    for arguments in ([], ["--host", "echo"]):
        ended = llm("plugins", "check", *arguments)

        assert 2 == ended.code
        assert "name a plugin, or give --host" in ended.err
