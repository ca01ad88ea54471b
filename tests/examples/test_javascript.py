"""What only the example in JavaScript does: tools, reasoning, keys, waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cellwall_wire import (
    Args,
    Cancel,
    Code,
    Data,
    Delta,
    ErrorInfo,
    ErrorResponse,
    KeysGetParams,
    KeysGetResult,
    Message,
    PartStart,
    PromptResult,
    Request,
    Response,
    TextPart,
    ToolCallPart,
    ToolInfo,
    ToolResultPart,
)
from tests.examples.driving import Example, Program, prompt_of, text_of

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

LOOK = ToolInfo(
    name="look_outside",
    description="Say what the sky looks like.",
    input_schema={"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
)


@pytest.fixture
def program(javascript: Example, tmp_path: Path) -> Generator[Program]:
    """The example, ready."""
    with Program(javascript, tmp_path) as running:
        running.initialize()
        yield running


def items_of(program: Program) -> list[Any]:
    """List all items that have come."""
    return [item for event in program.events if isinstance(event, Data) for item in event.items]


def asked_key(program: Program) -> tuple[str, Request]:
    """Start the model that needs a key; gives its call and what it asks the host."""
    call = program.asks("model/prompt", prompt_of("js-courier", "two words"))
    before = len(program.events)
    program.wait_for(lambda event: isinstance(event, Request))
    (asked,) = [event for event in program.events[before:] if isinstance(event, Request)]
    return call, asked


def test_it_asks_for_a_tool_that_it_is_offered(program: Program) -> None:
    """[P-60] [P-63] The arguments come as JSON text, in a part of its own."""
    _, response = program.answer(prompt_of("js-clerk", 'Pa"ris', tools=[LOOK]))

    items = items_of(program)
    starts = [(item.type, item.call_id, item.name) for item in items if isinstance(item, PartStart)]
    assert starts == [("reasoning", None, None), ("tool_call", "call-1", "look_outside")]
    assert "".join(item.json for item in items if isinstance(item, Args)) == '{"city":"Pa\\"ris"}'
    assert isinstance(response, Response)
    assert isinstance(response.result, PromptResult)
    assert response.result.finish == "tool_calls"


def test_it_answers_with_what_the_tools_returned(program: Program) -> None:
    """[P-61] The results are in the messages; the plugin remembers nothing."""
    messages = [
        Message(role="user", parts=[TextPart(text="Paris")]),
        Message(role="assistant", parts=[ToolCallPart(call_id="call-1", name="look_outside", arguments={})]),
        Message(
            role="tool",
            parts=[
                ToolResultPart(call_id="call-1", name="look_outside", content=[TextPart(text="grey")]),
                ToolResultPart(call_id="call-2", content=[TextPart(text="no roof")], is_error=True),
            ],
        ),
    ]
    text, _ = program.answer(prompt_of("js-clerk", messages=messages, tools=[LOOK]))

    assert text == "look_outside says: grey\ncall-2 failed with: no roof\n"


def test_long_arguments_of_a_tool_are_cut(program: Program) -> None:
    """[P-44] [P-45] Joined, they are the JSON text that was cut."""
    import json

    text = '"\x00🦉\\' * 20_000
    program.answer(prompt_of("js-clerk", text, tools=[LOOK]))

    pieces = [item.json for item in items_of(program) if isinstance(item, Args)]
    assert json.loads("".join(pieces)) == {"city": text}
    assert len(pieces) > 1


def test_a_tool_whose_name_fits_into_no_line_is_an_error(program: Program) -> None:
    """[P-11] [P-44] A name cannot be cut; the call ends instead of waiting for ever."""
    _, response = program.answer(prompt_of("js-clerk", "x", tools=[ToolInfo(name="n" * 70_000)]))

    assert isinstance(response, ErrorResponse)
    assert response.error.kind == "TooLarge"


def test_reasoning_is_a_part_of_its_own(program: Program) -> None:
    """[P-63] The answer is the parts in the order of their numbers."""
    messages = [
        Message(role="system", parts=[TextPart(text="Be brief.")]),
        Message(role="user", parts=[TextPart(text="hello")]),
    ]
    program.answer(prompt_of("js-clerk", messages=messages))

    deltas = [(item.part, item.text) for item in items_of(program) if isinstance(item, Delta)]
    assert deltas == [(0, "I was told: Be brief."), (1, "hello")]


def test_a_key_is_asked_for_on_behalf_of_its_call(program: Program) -> None:
    """[P-51] [P-67] [P-90] It is used, and neither repeated nor logged."""
    call, asked = asked_key(program)
    assert isinstance(asked.params, KeysGetParams)
    assert (asked.method, asked.meta.parent, asked.params.alias) == ("keys/get", call, "example-js")
    program.says(Response(asked.id, KeysGetResult(value="canary-of-the-key")))
    assert isinstance(program.answer_to(call), Response)
    assert text_of(program.events) == "I would deliver your 2 words with a key of 17 characters."
    assert program.close_input() == 0

    assert b"canary" not in program.raw
    assert "canary" not in program.log()


@pytest.mark.parametrize("code", [Code.KEY_MISSING, Code.NOT_GRANTED])
def test_a_key_that_it_does_not_get_is_the_hosts_sentence(program: Program, code: Code) -> None:
    """[P-67] With the hint that says what the user can do."""
    call, asked = asked_key(program)
    program.says(ErrorResponse(asked.id, ErrorInfo.of(code, "no key here", hint="llm keys set example-js")))
    answer = program.answer_to(call)

    assert isinstance(answer, ErrorResponse)
    assert (answer.error.code, answer.error.message) == (Code.KEY_MISSING, "no key here")
    assert answer.error.data is not None
    assert answer.error.data.hint == "llm keys set example-js"


def test_a_key_that_the_provider_would_not_take_is_rejected(program: Program) -> None:
    """[P-70] The kind tells the host what the user can do."""
    call, asked = asked_key(program)
    program.says(Response(asked.id, KeysGetResult(value="abc")))
    answer = program.answer_to(call)

    assert isinstance(answer, ErrorResponse)
    assert answer.error.kind == "KeyRejected"


def test_a_call_that_waits_for_a_key_can_be_cancelled(program: Program) -> None:
    """[P-46] [P-51] What the host still answers then is nobody's answer any more."""
    call, asked = asked_key(program)
    program.says(Cancel(call))
    answer = program.answer_to(call)
    program.says(Response(asked.id, KeysGetResult(value="late")))

    assert isinstance(answer, ErrorResponse)
    assert answer.error.kind == "Cancelled"
    assert isinstance(program.answer(prompt_of("js-clerk"))[1], Response)


def test_a_call_that_sleeps_can_be_cancelled(program: Program) -> None:
    """[P-46] The signal reaches whatever the model waits for."""
    call = program.asks("model/prompt", prompt_of("js-clerk", "a b", options={"pause": "60000"}))
    program.wait_for(lambda event: isinstance(event, Data))
    program.says(Cancel(call))

    assert isinstance(program.answer_to(call), ErrorResponse)


def test_more_prompts_than_it_answers_at_once_are_refused(program: Program) -> None:
    """[P-70] Overloaded is retryable."""
    calls = [program.asks("model/prompt", prompt_of("js-clerk", credit=None)) for _ in range(17)]
    answer = program.answer_to(calls[-1])

    assert isinstance(answer, ErrorResponse)
    assert answer.error.data is not None
    assert (answer.error.data.kind, answer.error.data.retryable) == ("Overloaded", True)
