"""The echo plugin, in memory."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from cellwall_echo import register_embedding_models, register_models
from cellwall_echo._models import AsyncEcho, Echo, KeyedEcho
from cellwall_sdk import Attachment, EmbeddingModel, Model, Tool
from cellwall_sdk.testing import PromptFailed, run_model

BOTH = pytest.mark.parametrize("model", [Echo(), AsyncEcho()], ids=lambda model: model.model_id)


def test_the_hook_offers_three_models() -> None:
    """The marked function is an ordinary one."""
    offered: list[Model] = []
    register_models(offered.append)

    assert [model.model_id for model in offered] == ["echo", "echo-async", "echo-needs-key"]


@BOTH
def test_a_bare_prompt_is_answered_with_exactly_its_text(model: Model) -> None:
    """`llm -m echo hi` prints `hi`."""
    assert run_model(model, "hi") == "hi"
    assert run_model(model, "two\nlines ") == "two\nlines "
    assert run_model(model, "") == ""


@BOTH
def test_everything_beside_the_prompt_is_shown_in_a_fixed_order(model: Model) -> None:
    """A line for each thing, the prompt last."""
    answer = run_model(
        model,
        "hi",
        system="Be brief.",
        history=[("a", "b"), ("c", "d")],
        attachments=[
            Attachment(content=b"\x89PNG\r\n\x1a\n", name="dot.png"),
            Attachment("application/pdf", url="https://example.org/x"),
        ],
        schema={"type": "object", "required": ["x"]},
        tools=[Tool("add"), Tool("subtract")],
        temperature="0.50",
    )

    digest = hashlib.sha256(b"\x89PNG\r\n\x1a\n").hexdigest()[:16]
    assert answer.text.splitlines() == [
        "system: Be brief.",
        "history: 4 messages",
        f"attachment: image/png, 8 bytes, sha256 {digest}, dot.png",
        "attachment: application/pdf, https://example.org/x",
        "option: temperature=0.5",
        'schema: {"required": ["x"], "type": "object"}',
        "tools: add, subtract",
        "prompt: hi",
    ]


@BOTH
def test_repeat_answers_in_that_many_pieces(model: Model) -> None:
    """Each is a delta of its own while there is credit."""
    answer = run_model(model, "word ", repeat="3", delay="0.001")

    assert answer == "word word word "
    assert len(answer.items) == 5
    assert run_model(model, "word", repeat=0) == ""


@BOTH
def test_what_is_not_text_is_sent_beside_it(model: Model) -> None:
    """Reasoning, a tool call, usage, a note, a reason to end."""
    answer = run_model(
        model,
        "one two",
        reasoning="hm",
        tool_call='{"name": "add", "arguments": {"a": 1}, "id": "c7"}',
        usage="true",
        note="mind the gap",
        finish="length",
    )

    assert (answer, answer.reasoning, answer.finish) == ("one two", "hm", "length")
    assert answer.tool_calls == [("add", '{"a":1}')]
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output) == (2, 2)
    assert answer.notes == ["mind the gap"]


def test_a_tool_call_may_be_only_a_name() -> None:
    """And it is what ends the answer."""
    answer = run_model(Echo(), "hi", tool_call="now")

    assert (answer.tool_calls, answer.finish) == ([("now", "{}")], "tool_calls")


def test_the_keyed_model_tells_the_length_of_its_key_and_not_the_key() -> None:
    """Without one it fails."""
    assert run_model(KeyedEcho(), "hi", keys={"echo": "12345"}) == "hi (with a key of 5 characters)"
    with pytest.raises(PromptFailed) as caught:
        run_model(KeyedEcho(), "hi")
    assert caught.value.kind == "KeyMissing"


def test_any_key_can_be_asked_for() -> None:
    """For tests of what the host grants."""
    assert run_model(Echo(), "hi", ask_key="other", keys={"other": "k"}) == "hi\nkey: k"


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"error": "RateLimited"}, "RateLimited", "told to end with RateLimited"),
        ({"error": "KeyRejected"}, "KeyRejected", "told to end with KeyRejected"),
        ({"crash": "raise"}, "InternalError", "RuntimeError: The echo was told to raise"),
        ({"crash": "sys.exit"}, "InternalError", "called sys.exit(7)"),
        ({"bad_output": "yes"}, "BadOutput", "yielded an int"),
        ({"tool_call": "{"}, "BadOptions", "tool_call: this is not a name"),
        ({"temperature": "9"}, "BadOptions", "temperature: "),
        ({"repeat": "-1"}, "BadOptions", "repeat: "),
    ],
)
@BOTH
def test_a_failure_comes_after_the_answer(
    model: Model, options: dict[str, Any], kind: str, message: str
) -> None:
    """Each ends with the kind that was asked for."""
    with pytest.raises(PromptFailed) as caught:
        run_model(model, "hi", **options)

    assert caught.value.kind == kind
    assert message in str(caught.value)
    assert caught.value.text == ("" if kind == "BadOptions" and "tool_call" not in options else "hi")


def test_the_embedding_model_knows_words_and_nothing_else() -> None:
    """Texts that share words are near; all vectors have length 1, or 0 without any word."""
    offered: list[EmbeddingModel] = []
    register_embedding_models(offered.append)
    (model,) = offered
    near, nearer, none = (list(vector) for vector in model.embed_batch(["a Red bird", "a red bird!", "…"]))

    assert near == nearer
    assert sum(number * number for number in near) == pytest.approx(1)
    assert set(none) == {0.0}
