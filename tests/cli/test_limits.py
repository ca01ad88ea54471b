"""What a plugin may use, as its user sees it: one sentence, an exit code, and the grant that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

GREEDY = """
    import mmap
    import time
    from cellwall_sdk import Model, hookimpl

    class Greedy(Model):
        model_id = "greedy"

        def execute(self, prompt, stream, response, conversation):
            if prompt.prompt == "memory":
                shared = mmap.mmap(-1, 120 << 20)
                for start in range(0, len(shared), mmap.PAGESIZE):
                    shared[start] = 1
            yield "taken"
            time.sleep(300 if prompt.prompt == "wait" else 3)

    @hookimpl
    def register_models(register):
        register(Greedy())
"""


@pytest.fixture
def greedy(llm: CommandLine) -> CommandLine:
    """A command line with a plugin that takes a lot."""
    llm.plugin("greedy", GREEDY)
    return llm


def test_a_plugin_that_takes_too_much_is_stopped_and_the_named_grant_gives_it_more(
    greedy: CommandLine,
) -> None:
    """What had arrived is shown; the advice is a command that works."""
    greedy.grant("greedy", "memory=64M")

    ended = greedy("-m", "greedy", "memory")

    assert (ended.code, ended.out) == (5, "taken\n")
    assert "'greedy' was stopped: it used 1" in ended.err
    advice = ended.err.partition("'llm ")[2].partition("'")[0]
    assert advice == "plugins grant greedy memory=128M"
    assert greedy(*advice.split()).code == 0
    assert greedy("-m", "greedy", "memory").code == 0


def test_a_granted_deadline_ends_an_answer_before_the_users_own(greedy: CommandLine) -> None:
    """The smaller of the two counts."""
    greedy.grant("greedy", "deadline=1s")

    ended = greedy("-m", "greedy", "--timeout", "40", "wait")

    assert ended.code == 6
    assert "within 1 s" in ended.err
