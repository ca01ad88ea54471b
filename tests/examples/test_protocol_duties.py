"""What protocol.md asks of a plugin, asked of both examples over bare pipes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from cellwall_wire import (
    Cancel,
    Code,
    Credit,
    Data,
    DescribeParams,
    DescribeResult,
    ErrorResponse,
    PartEnd,
    PartStart,
    PingParams,
    PromptResult,
    Response,
    ShutdownParams,
    UsageItem,
    WireLimits,
)
from tests.cli.conftest import until
from tests.examples.driving import Example, Program, initialize_line, prompt_of, text_of

if TYPE_CHECKING:
    from cellwall_wire import Event

EXIT_HOST_BROKE_THE_PROTOCOL = 76
ENDLESS = {"times": "1000000"}

IDLE_LOOKS = 20
"""Looks at a process, 10 ms apart, between which it did nothing."""

MOST_IN_A_PIPE = 400_000
"""Bytes: what a pipe holds, what a runtime holds beside it, and what is read in one go."""


def code_of(event: Event) -> Code:
    """Give the code of a response that is an error."""
    assert isinstance(event, ErrorResponse), event
    return Code(event.error.code)


def ping(number: int) -> dict[str, Any]:
    """Make a ping by hand."""
    return {"jsonrpc": "2.0", "id": f"h{number}", "method": "ping", "params": {}}


# -- answers -------------------------------------------------------------------------------------------------


def test_an_example_describes_itself_twice_alike(program: Program, example: Example) -> None:
    """[P-66] What it contributes depends on nothing, so it never changes."""
    program.initialize()
    first, second = (program.answer_to(program.asks("plugin/describe", DescribeParams())) for _ in range(2))

    assert isinstance(first, Response)
    assert isinstance(second, Response)
    assert isinstance(first.result, DescribeResult)
    assert first.result == second.result
    assert example.model in [model.id for model in first.result.models]


def test_an_answer_streams_as_one_part_with_its_usage(program: Program, example: Example) -> None:
    """[P-40] [P-41] [P-63] The Connection counts what comes and compares it with what the result says."""
    program.initialize()
    text, response = program.answer(prompt_of(example.model, "What is a 🦉, naïvely?"))

    items = [item for event in program.events if isinstance(event, Data) for item in event.items]
    assert example.answers("What is a 🦉, naïvely?") == text
    assert [item.part for item in items if isinstance(item, PartStart)] == [0]
    assert [item.part for item in items if isinstance(item, PartEnd)] == [0]
    assert [item for item in items if isinstance(item, UsageItem)]
    assert isinstance(response, Response)
    assert isinstance(response.result, PromptResult)
    assert (response.result.finish, response.result.items) == ("stop", len(items))


def test_any_text_comes_back_as_it_was(program: Program, example: Example) -> None:
    """[P-10] [P-14] Escapes, pairs of surrogates and control characters, spelled in either way."""
    draw = random.Random(1)
    program.initialize()
    for _ in range(60):
        ranges = ((0, 0x7F), (0x80, 0x7FF), (0x800, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x10FFFF))
        characters = [chr(draw.randint(*draw.choice(ranges))) for _ in range(draw.randint(1, 200))]
        text = "".join(each for each in characters if not each.isspace()) + "."

        assert program.answer(prompt_of(example.model, text))[0] == example.answers(text)


def test_half_a_pair_of_surrogates_is_survived(program: Program, example: Example) -> None:
    """[P-14] It arrives as U+FFFD."""
    part = {"type": "text", "text": "a\ud800b\udc00c"}
    params = {
        "model": example.model,
        "messages": [{"role": "user", "parts": [part]}],
        "meta": {"credit": 9999},
    }
    program.tells(
        initialize_line(), {"jsonrpc": "2.0", "id": "h2", "method": "model/prompt", "params": params}
    )
    program.last_line_of("h1")

    items = program.line()["params"]["items"]
    assert example.answers("a\ufffdb\ufffdc") in [item.get("text") for item in items]


def test_several_prompts_are_answered_at_once(program: Program, example: Example) -> None:
    """[P-22] Each is answered once, whatever the others do."""
    program.initialize()
    calls = [program.asks("model/prompt", prompt_of(example.model, f"text {n}")) for n in range(6)]
    endless = program.asks("model/prompt", prompt_of(example.model, "x y", options=ENDLESS))
    program.wait_for(
        lambda _: set(calls) <= {each.id for each in program.events if isinstance(each, Response)}
    )
    program.says(Cancel(endless))

    assert code_of(program.answer_to(endless)) is Code.CANCELLED


# -- credit and limits ---------------------------------------------------------------------------------------


def test_an_answer_waits_for_credit_and_a_ping_does_not(program: Program, example: Example) -> None:
    """[P-42] [P-47] [P-48] The Connection breaks if a byte too much comes."""
    program.initialize()
    words = "word " * 400
    call = program.asks("model/prompt", prompt_of(example.model, words.strip(), credit=500))
    program.wait_for(lambda event: isinstance(event, Data))
    for _ in range(3):
        assert isinstance(program.answer_to(program.asks("ping", PingParams())), Response)
    assert len(text_of(program.events)) < 500
    program.says(Credit(call, 1000))
    response = program.finishes(call)

    assert isinstance(response, Response)
    assert text_of(program.events) == example.answers(words.strip())


def test_without_credit_nothing_comes(program: Program, example: Example) -> None:
    """[P-42] Absent means none."""
    program.initialize()
    call = program.asks("model/prompt", prompt_of(example.model, credit=None))
    program.answer_to(program.asks("ping", PingParams()))
    assert not [event for event in program.events if isinstance(event, Data)]
    program.says(Credit(call, 10_000))

    assert isinstance(program.answer_to(call), Response)


@pytest.mark.parametrize("data_line", [600, 65_536])
def test_long_text_is_cut_to_fit_the_lines(program: Program, example: Example, data_line: int) -> None:
    """[P-44] Also text whose characters cost six bytes each, and pairs that must not be torn."""
    program.initialize(limits=WireLimits(line=8 << 20, data_line=data_line))
    text = "\x01🦉é" * 40_000
    said, response = program.answer(prompt_of(example.model, text))

    longest = max(event.cost for event in program.events if isinstance(event, Data))
    assert isinstance(response, Response)
    assert example.answers(text) == said
    assert longest <= data_line


def test_a_ping_and_a_cancel_overtake_an_answer_that_nobody_reads(program: Program, example: Example) -> None:
    """[P-23] [P-46] [P-47] The pipe is full, and the credit is not used up."""
    program.initialize()
    call = program.asks("model/prompt", prompt_of(example.model, "x y", credit=1 << 40, options=ENDLESS))
    program.wait_for(lambda event: isinstance(event, Data))
    ping_id = program.asks("ping", PingParams())
    program.says(Cancel(call))

    assert isinstance(program.answer_to(ping_id), Response)
    assert code_of(program.answer_to(call)) is Code.CANCELLED


def test_a_reader_that_does_not_read_holds_the_model_up(program: Program, example: Example) -> None:
    """[P-47] Whatever the credit: a line is made when the pipe takes it, so no ping waits long."""
    program.initialize()
    program.asks("model/prompt", prompt_of(example.model, "x y", credit=1 << 40, options=ENDLESS))
    program.wait_for(lambda event: isinstance(event, Data))
    looks: list[int] = []

    def is_idle() -> bool:
        looks.append(program.processor_ticks())
        return len(looks) > IDLE_LOOKS and looks[-IDLE_LOOKS] == looks[-1]

    until(is_idle, "it stopped working")
    before = len(program.raw)
    assert isinstance(program.answer_to(program.asks("ping", PingParams())), Response)
    assert len(program.raw) - before < MOST_IN_A_PIPE


def test_a_cancelled_call_is_answered_and_the_plugin_lives(program: Program, example: Example) -> None:
    """[P-46] [P-22] [P-53] The error says how many items had been sent."""
    program.initialize()
    call = program.asks("model/prompt", prompt_of(example.model, "x y", credit=2000, options=ENDLESS))
    program.wait_for(lambda event: isinstance(event, Data))
    program.says(Cancel(call, "enough"))
    answer = program.answer_to(call)

    assert isinstance(answer, ErrorResponse)
    assert answer.error.data is not None
    items = sum(len(event.items) for event in program.events if isinstance(event, Data))
    assert (answer.error.data.kind, answer.error.data.items_sent) == ("Cancelled", items)
    assert isinstance(program.answer(prompt_of(example.model))[1], Response)


def test_an_answer_longer_than_a_line_is_an_error(program: Program, example: Example) -> None:
    """[P-11] The one call fails with TooLarge, and the connection goes on."""
    program.initialize(limits=WireLimits(line=280, data_line=65_536))

    assert code_of(program.answer_to(program.asks("plugin/describe", DescribeParams()))) is Code.TOO_LARGE
    text, response = program.answer(prompt_of(example.model, "word", options={"times": "50"}))
    assert isinstance(response, Response)
    assert text.replace(" ", "") == example.answers("word") * 50
    assert max(map(len, program.raw.splitlines())) <= 280


def test_a_line_may_be_as_long_as_the_host_said(program: Program, example: Example) -> None:
    """[P-11] The early limit ends with initialize."""
    program.initialize()
    text = " ".join(["long" * 1000] * 120)

    assert program.answer(prompt_of(example.model, text))[0] == example.answers(text)


@pytest.mark.parametrize("begin", [b"x", b'{"jsonrpc":"2.0","x":"'], ids=["junk", "json"])
def test_a_line_beyond_the_limit_ends_it(program: Program, begin: bytes) -> None:
    """[P-11] [P-5] It need not wait for the end of the line to know."""
    program.write(begin + b"a" * 65_536)

    assert program.process.wait(15) == EXIT_HOST_BROKE_THE_PROTOCOL
    assert program.raw == b""


# -- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected", "named"),
    [
        ({"model": "nobody"}, Code.UNKNOWN_MODEL, "nobody"),
        ({"options": {"times": "0"}}, Code.BAD_OPTIONS, "times"),
        ({"options": {"times": "many"}}, Code.BAD_OPTIONS, "times"),
        ({"options": {"times": ""}}, Code.BAD_OPTIONS, "times"),
        ({"options": {"tmies": "1"}}, Code.BAD_OPTIONS, "tmies"),
        ({"options": {'"\x1b\n': "1"}}, Code.BAD_OPTIONS, "option"),
    ],
)
def test_a_wrong_prompt_is_refused_by_name(
    program: Program, example: Example, changes: dict[str, Any], expected: Code, named: str
) -> None:
    """[P-64] [P-70] The sentence names what is wrong, and the next prompt is answered."""
    program.initialize()
    answer = program.answer_to(
        program.asks(
            "model/prompt", prompt_of(changes.get("model", example.model), options=changes.get("options", {}))
        )
    )

    assert code_of(answer) is expected
    assert isinstance(answer, ErrorResponse)
    assert named in answer.error.message
    assert isinstance(program.answer(prompt_of(example.model))[1], Response)


def test_before_initialize_requests_are_refused_and_notifications_ignored(program: Program) -> None:
    """[P-33] [P-30] The connection is ready when initialize is answered, and not before."""
    cancel = {"jsonrpc": "2.0", "method": "$/cancel", "params": {"id": "h1"}}
    program.tells(ping(1), cancel, {**ping(2), "method": "model/prompt"}, initialize_line(3), ping(4))

    assert [program.line().get("error", {}).get("code") for _ in range(4)] == [1001, 1001, None, None]


def test_a_version_that_it_does_not_speak_is_refused_with_the_older_side(program: Program) -> None:
    """[P-32] [P-31] The host may try again with another."""
    program.tells(initialize_line(1, protocols=[2, 3]), initialize_line(2, protocols=[2, 1]))
    refused, accepted = program.line(), program.line()

    assert (refused["error"]["code"], accepted["result"]["protocol"]) == (1002, 1)
    assert refused["error"]["data"]["supported"] == [1]
    assert refused["error"]["data"]["requested"] == [2, 3]
    assert "plugin is too old" in refused["error"]["message"]


def test_what_it_does_not_know_does_no_harm(program: Program, example: Example) -> None:
    """[P-13] [P-52] Members, notifications, methods, ids that are not open, answers to nothing [P-22]."""
    program.tells(
        initialize_line(1, features={"x.y": {"deep": [[{}]]}}, later={"a": 1}),
        {"jsonrpc": "2.0", "method": "$/later", "params": {"id": "h1", "n": 3}},
        {"jsonrpc": "2.0", "method": "$/credit", "params": {"id": "h99", "n": 3}},
        {"jsonrpc": "2.0", "method": "$/cancel", "params": {}},
        {"jsonrpc": "2.0", "method": "$/cancel"},
        {"jsonrpc": "2.0", "id": "p7", "result": {}},
        {"jsonrpc": "2.0", "id": "h2", "method": "later/thing", "params": {}},
        {"jsonrpc": "2.0", "id": "h3", "method": "ping", "params": {"later": 1}, "later": [2]},
    )
    lines = [program.line() for _ in range(3)]

    assert [line["id"] for line in lines] == ["h1", "h2", "h3"]
    assert [line.get("error", {}).get("code") for line in lines] == [None, -32601, None]
    part = {"type": "text", "text": "hi", "later": 1}
    messages = [{"role": "user", "parts": [part, {"type": "later", "text": 5}], "later": 2}]
    params = {"model": example.model, "messages": messages, "meta": {"credit": 9999, "later": 1}}
    program.tells({"jsonrpc": "2.0", "id": "h4", "method": "model/prompt", "params": params})
    assert program.last_line_of("h4")["result"]["finish"] == "stop"


def test_messages_that_do_not_fit_are_refused(program: Program, example: Example) -> None:
    """[P-20] [P-70] Whatever stands where a list or an object should."""
    wrong: list[Any] = [
        {},
        {"messages": 5},
        {"model": 5, "messages": []},
        {"options": [], "messages": []},
        {"messages": ["x"]},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "user", "parts": {}}]},
    ]
    program.tells(initialize_line())
    for number, params in enumerate(wrong, 2):
        filled = {"model": example.model, **params}
        program.tells({"jsonrpc": "2.0", "id": f"h{number}", "method": "model/prompt", "params": filled})
    program.tells({"jsonrpc": "2.0", "id": "h20", "method": "plugin/describe", "params": []})
    program.line()

    codes = [program.line()["error"]["code"] for _ in range(len(wrong) + 1)]
    assert codes == [-32602] * (len(wrong) + 1)


def test_junk_is_skipped_and_batches_and_strange_ids_are_refused(program: Program) -> None:
    """[P-12] [P-15] [P-16] [P-21] None of them keeps the next message from being answered."""
    junk = [
        b"hello",
        b"{",
        b'"text"',
        b"17",
        b"{}",
        b'{"jsonrpc":"1.0"}',
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"nul",
    ]
    program.write(b"\n \t \r\n".join([b"", *junk, b""]))
    program.tells([], [ping(1)], {**ping(1), "id": 1}, {**ping(1), "id": None}, {**ping(1), "id": "x1"})
    program.tells({**ping(1), "id": "h01"}, {**ping(1), "id": "h1\x00"}, initialize_line(2))
    lines = [program.line() for _ in range(8)]

    assert [line.get("error", {}).get("code") for line in lines] == [-32600] * 7 + [None]
    assert [line["id"] for line in lines[:5]] == [None, None, None, None, "x1"]


def test_too_much_junk_and_an_id_used_twice_end_it(example: Example, program: Program) -> None:
    """[P-15] [P-21] [P-5] A host that does so is no host; 76 says so."""
    program.tells(initialize_line(5))
    program.line()
    program.tells(ping(5))
    assert program.process.wait(15) == EXIT_HOST_BROKE_THE_PROTOCOL
    with Program(example, program.folder) as other:
        other.write(b"junk\n" * 200)

        assert other.process.wait(15) == EXIT_HOST_BROKE_THE_PROTOCOL


def test_bytes_in_pieces_and_carriage_returns_are_accepted(program: Program) -> None:
    """[P-10] A line is a line however it comes."""
    import json

    for byte in json.dumps(initialize_line()).encode() + b"\r\n" + json.dumps(ping(2)).encode() + b"\r\n":
        program.write(bytes([byte]))

    assert [program.line()["id"], program.line()["id"]] == ["h1", "h2"]


# -- the end -------------------------------------------------------------------------------------------------


def test_after_shutdown_open_calls_end_and_new_ones_do_not_begin(program: Program, example: Example) -> None:
    """[P-36] [P-22] And then the end of its input ends it with 0."""
    program.initialize()
    call = program.asks("model/prompt", prompt_of(example.model, "x y", credit=2000, options=ENDLESS))
    program.wait_for(lambda event: isinstance(event, Data))
    down = program.asks("shutdown", ShutdownParams(reason="done"))
    program.answer_to(down)
    program.write(b'{"jsonrpc":"2.0","id":"h90","method":"plugin/describe","params":{}}\n')
    program.says(Cancel(call))

    assert code_of(program.answer_to(call)) is Code.CANCELLED
    assert program.close_input() == 0
    assert b'"id":"h90","error":{"code":1009' in program.raw


@pytest.mark.parametrize("is_busy", [False, True], ids=["idle", "busy"])
def test_the_end_of_its_input_ends_it(program: Program, example: Example, is_busy: bool) -> None:
    """[P-4] Also in the middle of an answer, for which nobody is left."""
    program.initialize()
    if is_busy:
        program.asks("model/prompt", prompt_of(example.model, "x y", options=ENDLESS))
        program.wait_for(lambda event: isinstance(event, Data))

    assert program.close_input() == 0
