"""An API key stands in the key file and nowhere else, whatever happens to the prompt that used it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

CANARY = "canary-5f3a91c7"

USES_KEY = """
    import os
    from cellwall_sdk import KeyModel, hookimpl

    class Careful(KeyModel):
        model_id = "careful"
        needs_key = "careful"

        def execute(self, prompt, key):
            assert key
            yield "canary" in " ".join(os.environ.values()) and "leaked" or "clean"
            if prompt.prompt == "raise":
                raise RuntimeError("boom")
            if prompt.prompt == "die":
                os.abort()

    @hookimpl
    def register_models(register):
        register(Careful())
"""


@pytest.mark.parametrize("fate", ["answer", "raise", "die"])
def test_a_key_reaches_the_plugin_that_asks_and_no_file_and_no_output(llm: CommandLine, fate: str) -> None:
    """[P-90] [P-67] Neither the log database nor a plugin's log, stdout, stderr or a traceback holds it."""
    llm.plugin("careful", USES_KEY)
    llm.variables = {"OTHER_API_KEY": CANARY}
    assert llm("keys", "set", "careful", piped=CANARY).code == 0
    llm.grant("careful", "key=careful")

    ended = llm("--debug", "-m", "careful", fate)

    assert (ended.code, ended.out.strip()) == (0 if fate == "answer" else 5, "clean")
    assert CANARY not in ended.err
    found = [
        path.name for path in llm.home.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()
    ]
    assert found == ["keys.json"]
