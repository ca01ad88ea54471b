"""The rules that bind a plugin, against a real process that runs the Python SDK."""

from __future__ import annotations

import base64
import hashlib
import signal
from typing import TYPE_CHECKING, Any

import pytest

from cellwall_wire import (
    PROTOCOL,
    AssetFile,
    AttachmentPart,
    Cancel,
    Code,
    Credit,
    Data,
    Delta,
    DescribeParams,
    DescribeResult,
    ErrorInfo,
    ErrorResponse,
    Event,
    Junk,
    KeysGetParams,
    KeysGetResult,
    Message,
    Meta,
    PartEnd,
    PartStart,
    PingParams,
    PromptParams,
    PromptResult,
    Request,
    Response,
    ShutdownParams,
    TextPart,
    UsageItem,
)
from tests.support.cell import Cell
from tests.support.pair import WINDOW, hello, question

if TYPE_CHECKING:
    from pathlib import Path

MODEL = """
from cellwall_sdk import Model, hookimpl

class Sample(Model):
    model_id = "sample"
{body}

@hookimpl
def register_models(register):
    register(Sample())
"""


def plugin(body: str, before: str = "") -> str:
    """Make the source of a plugin whose one model has this body."""
    indented = "\n".join(f"    {line}" if line else "" for line in body.strip("\n").splitlines())
    return before + MODEL.format(body=indented)


ECHO = plugin("def execute(self, prompt):\n    yield prompt.prompt")
ENDLESS = plugin("def execute(self, prompt):\n    while True:\n        yield 'x' * 100")


def text_of(events: list[Event]) -> str:
    """Join the text of all deltas."""
    items = [item for event in events if isinstance(event, Data) for item in event.items]
    return "".join(item.text for item in items if isinstance(item, Delta))


def items_of(events: list[Event]) -> list[Any]:
    """List all items."""
    return [item for event in events if isinstance(event, Data) for item in event.items]


def test_whatever_prints_lands_in_the_log_and_never_on_the_wire(tmp_path: Path) -> None:
    """[P-1] [P-2] At import and in a call; by Python, by descriptor, by a program it starts."""
    noise = "import os, subprocess\nprint('PRINTED')\nos.write(1, b'WRITTEN\\n')\n"
    body = (
        "def execute(self, prompt):\n"
        "    subprocess.run(['echo', 'STARTED'])\n"
        "    print('LATER')\n"
        "    yield 'hi'"
    )
    with Cell(tmp_path, plugin(body, noise)) as cell:
        cell.initialize()
        answer = cell.answer_to(cell.asks("model/prompt", question()))
        assert cell.close_input() == 0
        log = cell.log()

    assert isinstance(answer, Response)
    assert not [event for event in cell.events if isinstance(event, Junk)]
    assert text_of(cell.events) == "hi"
    assert {"PRINTED", "WRITTEN", "STARTED", "LATER"} <= set(log.split())


def test_a_program_that_the_plugin_starts_reads_nothing(tmp_path: Path) -> None:
    """[P-2] Descriptor 0 is empty, so a grandchild can neither steal a message nor wait for one."""
    body = (
        "def execute(self, prompt):\n"
        "    yield repr(subprocess.run(['cat'], capture_output=True, timeout=10).stdout)"
    )
    with Cell(tmp_path, plugin(body, "import subprocess\n")) as cell:
        cell.initialize()
        cell.answer_to(cell.asks("model/prompt", question()))

    assert text_of(cell.events) == "b''"


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_the_end_of_input_ends_the_plugin(tmp_path: Path, *, busy: bool) -> None:
    """[P-4] [P-5] With exit code 0 when idle, and soon when its code never returns."""
    source = plugin("def execute(self, prompt):\n    yield 'begun'\n    while True:\n        pass")
    with Cell(tmp_path, source) as cell:
        cell.initialize()
        if busy:
            cell.asks("model/prompt", question())
            cell.wait_for(lambda event: isinstance(event, Data))
        code = cell.close_input()

    assert code == 0 if not busy else code is not None


def test_lines_in_pieces_and_blank_lines_are_read(tmp_path: Path) -> None:
    """[P-10] [P-12] A host may write as it likes."""
    with Cell(tmp_path, ECHO) as cell:
        line = cell.host.send(Request("h1", "initialize", hello()))
        cell.write(b"\n \r\n")
        for i in range(0, len(line), 7):
            cell.write(line[i : i + 7])
        answer = cell.answer_to("h1")

    assert isinstance(answer, Response)


def test_the_highest_common_version_is_chosen(tmp_path: Path) -> None:
    """[P-30] [P-80] A newer host that still speaks this one gets it."""
    with Cell(tmp_path, ECHO) as cell:
        assert cell.initialize(protocols=[PROTOCOL + 1, PROTOCOL]).protocol == PROTOCOL


def test_without_a_common_version_the_error_says_who_is_too_old(tmp_path: Path) -> None:
    """[P-32] With both lists, for a program to read."""
    with Cell(tmp_path, ECHO) as cell:
        answer = cell.answer_to(cell.asks("initialize", hello(protocols=[77])))

    assert isinstance(answer, ErrorResponse)
    assert answer.error.code == Code.UNSUPPORTED_VERSION
    assert answer.error.data is not None
    assert (answer.error.data.supported, answer.error.data.requested) == ([1], [77])
    assert "upgrade" in answer.error.message.lower()


def test_a_plugin_that_cannot_be_imported_says_where(tmp_path: Path) -> None:
    """[P-34] initialize is answered all the same."""
    with Cell(tmp_path, "\n\nimport no_such_library\n") as cell:
        error = cell.initialize().load_error

    assert error is not None
    assert (error.type, error.line) == ("ModuleNotFoundError", 3)
    assert error.file is not None
    assert error.file.endswith("sample.py")
    assert "no_such_library" in error.message


def test_shutdown_is_answered_and_the_end_of_input_without_it_is_fine(tmp_path: Path) -> None:
    """[P-36] [P-5] Both ways lead to exit code 0."""
    with Cell(tmp_path, ECHO) as cell:
        cell.initialize()
        answer = cell.answer_to(cell.asks("shutdown", ShutdownParams()))
        assert isinstance(answer, Response)
        assert cell.close_input() == 0


def test_without_credit_nothing_is_sent_and_text_is_joined(tmp_path: Path) -> None:
    """[P-42] [P-45] The text arrives whole, in fewer items than the author yielded."""
    body = (
        "def execute(self, prompt):\n"
        "    for number in range(1000):\n"
        "        yield f'{number} '\n"
        "    print('all yielded', flush=True)"
    )
    with Cell(tmp_path, plugin(body)) as cell:
        cell.initialize()
        call = cell.asks("model/prompt", question(credit=400))
        assert cell.log_line() == "all yielded\n"
        cell.answer_to(cell.asks("ping", PingParams()))
        sent = [event for event in cell.events if isinstance(event, Data)]
        assert 0 < sum(event.cost for event in sent) <= 400
        cell.says(Credit(call, WINDOW))
        answer = cell.answer_to(call)

    assert isinstance(answer, Response)
    assert text_of(cell.events) == "".join(f"{number} " for number in range(1000))
    assert len(items_of(cell.events)) < 10


def test_a_large_text_is_cut_into_lines_that_fit(tmp_path: Path) -> None:
    """[P-44] However the author yields it."""
    body = "def execute(self, prompt):\n    return '\\x00é🦉' * 30_000"
    with Cell(tmp_path, plugin(body)) as cell:
        cell.initialize()
        call = cell.asks("model/prompt", question(credit=10 * WINDOW))
        answer = cell.answer_to(call)

    assert isinstance(answer, Response)
    assert text_of(cell.events) == "\x00é🦉" * 30_000


@pytest.mark.parametrize(
    "body",
    [
        "def execute(self, prompt):\n    while True:\n        yield 'x'",
        "def execute(self, prompt):\n    yield 'x'\n    while True:\n        pass",
        "def execute(self, prompt):\n    yield 'x'\n    time.sleep(600)",
        "async def execute(self, prompt):\n    yield 'x'\n    await asyncio.sleep(600)",
    ],
    ids=["streaming", "computing", "sleeping", "awaiting"],
)
def test_a_cancelled_call_is_answered_and_the_plugin_lives(tmp_path: Path, body: str) -> None:
    """[P-46] [P-22] Whatever the author's code was doing."""
    with Cell(tmp_path, plugin(body, "import asyncio, time\n")) as cell:
        cell.initialize()
        call = cell.asks("model/prompt", question())
        cell.wait_for(lambda event: isinstance(event, Data))
        cell.says(Cancel(call, "enough"))
        answer = cell.answer_to(call)
        pong = cell.answer_to(cell.asks("ping", PingParams()))

    assert isinstance(answer, ErrorResponse)
    assert answer.error.code == Code.CANCELLED
    assert isinstance(pong, Response)


def test_cancel_ping_and_credit_overtake_data_that_waits(tmp_path: Path) -> None:
    """[P-47] [P-48] A producer without credit still answers a ping and a cancel."""
    with Cell(tmp_path, ENDLESS) as cell:
        cell.initialize()
        call = cell.asks("model/prompt", question(credit=1000))
        assert isinstance(cell.answer_to(cell.asks("ping", PingParams())), Response)
        cell.says(Cancel(call))
        answer = cell.answer_to(call)

    assert isinstance(answer, ErrorResponse)


def test_a_ping_is_answered_while_a_handler_computes(tmp_path: Path) -> None:
    """[P-48] [P-23] The reader never waits for the author's code."""
    body = "def execute(self, prompt):\n    yield 'x'\n    while True:\n        pass"
    with Cell(tmp_path, plugin(body)) as cell:
        cell.initialize()
        cell.asks("model/prompt", question())
        cell.wait_for(lambda event: isinstance(event, Data))

        assert isinstance(cell.answer_to(cell.asks("ping", PingParams())), Response)


def test_an_exception_after_some_text_keeps_the_text(tmp_path: Path) -> None:
    """[P-53] [P-70] The error has a kind, a sentence, and the number of items sent."""
    body = (
        "def execute(self, prompt):\n    yield 'so far'\n    raise RateLimited('slow down', retry_after_s=3)"
    )
    with Cell(tmp_path, plugin(body, "from cellwall_sdk import RateLimited\n")) as cell:
        cell.initialize()
        answer = cell.answer_to(cell.asks("model/prompt", question()))

    assert isinstance(answer, ErrorResponse)
    assert text_of(cell.events) == "so far"
    data = answer.error.data
    assert data is not None
    assert (answer.error.message, data.kind, data.retryable) == ("slow down", "RateLimited", True)
    assert (data.retry_after_ms, data.items_sent) == (3000, len(items_of(cell.events)))


def test_the_whole_chain_of_messages_reaches_the_author(tmp_path: Path) -> None:
    """[P-60] [P-61] System prompt, history, and the last message to answer."""
    body = (
        "def execute(self, prompt, conversation):\n"
        "    past = [(r.prompt.prompt, r.text()) for r in conversation.responses]\n"
        "    yield f'{prompt.system}|{past}|{prompt.prompt}|{len(prompt.messages)}'"
    )
    messages = [
        Message(role="system", parts=[TextPart("Be kind.")]),
        Message(role="user", parts=[TextPart("one")]),
        Message(role="assistant", parts=[TextPart("two")]),
        Message(role="user", parts=[TextPart("three")]),
    ]
    with Cell(tmp_path, plugin(body)) as cell:
        cell.initialize()
        params = PromptParams(model="sample", messages=messages, meta=Meta(credit=WINDOW))
        cell.answer_to(cell.asks("model/prompt", params))

    assert text_of(cell.events) == "Be kind.|[('one', 'two')]|three|4"


def test_attachments_arrive_inline_and_as_files_of_the_scratch_folder(tmp_path: Path) -> None:
    """[P-62] The author sees bytes either way."""
    body = (
        "def execute(self, prompt):\n"
        "    for attachment in prompt.attachments:\n"
        "        yield hashlib.sha256(attachment.content_bytes()).hexdigest() + ' '"
    )
    tmp_path.joinpath("blob-1").write_bytes(b"large")
    parts = [
        AttachmentPart(media_type="text/plain", data=base64.b64encode(b"small").decode()),
        AttachmentPart(media_type="text/plain", blob="blob-1"),
    ]
    message = Message(role="user", parts=[TextPart("look"), *parts])
    source = plugin("attachment_types = {'text/plain'}\n" + body, "import hashlib\n")
    with Cell(tmp_path, source) as cell:
        cell.initialize()
        params = PromptParams(model="sample", messages=[message], meta=Meta(credit=WINDOW))
        cell.answer_to(cell.asks("model/prompt", params))

    expected = [hashlib.sha256(content).hexdigest() for content in (b"small", b"large")]
    assert text_of(cell.events).split() == expected


def test_a_blob_outside_the_scratch_folder_is_not_opened(tmp_path: Path) -> None:
    """[P-62] A name is a name, never a path."""
    body = (
        "attachment_types = {'text/plain'}\n"
        "def execute(self, prompt):\n"
        "    yield prompt.attachments[0].content_bytes().decode()"
    )
    message = Message(role="user", parts=[AttachmentPart(media_type="text/plain", blob="../../etc/hostname")])
    with Cell(tmp_path, plugin(body)) as cell:
        cell.initialize()
        params = PromptParams(model="sample", messages=[message], meta=Meta(credit=WINDOW))
        answer = cell.answer_to(cell.asks("model/prompt", params))

    assert isinstance(answer, ErrorResponse)


def test_an_answer_streams_as_parts(tmp_path: Path) -> None:
    """[P-63] [P-41] Text, reasoning, a tool call, usage; part numbers count up, the result counts."""
    body = """
supports_tools = True
def execute(self, prompt, response):
    yield StreamEvent(type="reasoning", chunk="hm")
    yield "text"
    response.add_tool_call(ToolCall(name="look", arguments={"x": 1}, tool_call_id="c1"))
    response.set_usage(input=3, output=4)
    response.set_resolved_model("sample-2")
"""
    with Cell(tmp_path, plugin(body, "from cellwall_sdk import StreamEvent, ToolCall\n")) as cell:
        cell.initialize()
        answer = cell.answer_to(cell.asks("model/prompt", question()))

    items = items_of(cell.events)
    starts = [item for item in items if isinstance(item, PartStart)]
    assert [(start.part, start.type) for start in starts] == [(0, "reasoning"), (1, "text"), (2, "tool_call")]
    assert [(start.call_id, start.name) for start in starts[2:]] == [("c1", "look")]
    assert {item.part for item in items if isinstance(item, PartEnd)} <= {0, 1, 2}
    usage = [item.usage for item in items if isinstance(item, UsageItem)]
    assert isinstance(answer, Response)
    assert isinstance(answer.result, PromptResult)
    usage += [answer.result.usage] if answer.result.usage else []
    assert [(found.input, found.output) for found in usage[-1:]] == [(3, 4)]
    assert (answer.result.items, answer.result.model_resolved) == (len(items), "sample-2")
    assert answer.result.finish == "tool_calls"


def test_options_are_validated_where_the_author_declared_them(tmp_path: Path) -> None:
    """[P-64] Strings in, types out; a bad one is named."""
    body = """
class Options(Options):
    count: Annotated[int, Meta(ge=1, le=9, description="how often")] = 1
def execute(self, prompt):
    yield str(prompt.options.count + 1)
"""
    before = "from typing import Annotated\nfrom cellwall_sdk import Options\nfrom msgspec import Meta\n"
    with Cell(tmp_path, plugin(body, before)) as cell:
        cell.initialize()
        good = PromptParams(
            model="sample", messages=question().messages, options={"count": "3"}, meta=Meta(credit=WINDOW)
        )
        assert isinstance(cell.answer_to(cell.asks("model/prompt", good)), Response)
        for name, value in (("count", "12"), ("count", "many"), ("cuont", "3")):
            options: dict[str, str | bool | float | None] = {name: value}
            bad = PromptParams(model="sample", messages=[], options=options, meta=Meta(credit=WINDOW))
            answer = cell.answer_to(cell.asks("model/prompt", bad))
            assert isinstance(answer, ErrorResponse)
            assert answer.error.code == Code.BAD_OPTIONS
            assert name in answer.error.message
        described = cell.answer_to(cell.asks("plugin/describe", DescribeParams()))

    assert text_of(cell.events) == "4"
    assert isinstance(described, Response)
    assert isinstance(described.result, DescribeResult)
    assert described.result.models[0].options_schema["properties"]["count"]["description"] == "how often"


def test_describing_twice_gives_the_same_answer(tmp_path: Path) -> None:
    """[P-66] So that its digest can stand for it."""
    with Cell(tmp_path, ECHO) as cell:
        cell.initialize()
        first = cell.answer_to(cell.asks("plugin/describe", DescribeParams()))
        second = cell.answer_to(cell.asks("plugin/describe", DescribeParams()))

    assert isinstance(first, Response)
    assert isinstance(second, Response)
    assert first.result == second.result


def test_a_key_is_asked_for_with_its_parent(tmp_path: Path) -> None:
    """[P-67] [P-51] [P-24] A model gets the key it declares when it asks; a missing one is a sentence."""
    body = """
needs_key = "weather"
key_env_var = "WEATHER_API_KEY"
def execute(self, prompt):
    yield self.get_key()
"""
    with Cell(tmp_path, plugin(body)) as cell:
        cell.initialize()
        call = cell.asks("model/prompt", question())
        asked = cell.wait_for(lambda event: isinstance(event, Request))
        assert isinstance(asked, Request)
        assert isinstance(asked.params, KeysGetParams)
        assert (asked.method, asked.meta.parent, asked.params.alias) == ("keys/get", call, "weather")
        cell.says(Response(asked.id, KeysGetResult(value="secret")))
        assert isinstance(cell.answer_to(call), Response)

        call = cell.asks("model/prompt", question())
        asked = cell.wait_for(lambda event: isinstance(event, Request) and event.id == "p2")
        assert isinstance(asked, Request)
        cell.says(
            ErrorResponse(asked.id, ErrorInfo.of(Code.KEY_MISSING, "no key", hint="llm keys set weather"))
        )
        answer = cell.answer_to(call)

    assert text_of(cell.events) == "secret"
    assert isinstance(answer, ErrorResponse)
    assert answer.error.code == Code.KEY_MISSING
    assert b"secret" not in cell.raw.replace(b'"text":"secret"', b"")


def test_data_files_are_paths_for_reading(tmp_path: Path) -> None:
    """[P-68] They come with initialize and the author looks them up by name."""
    tmp_path.joinpath("weights.bin").write_bytes(b"1234")
    body = "def execute(self, prompt):\n    yield open(assets()['weights'].path, 'rb').read().decode()"
    with Cell(tmp_path, plugin(body, "from cellwall_sdk import assets\n")) as cell:
        cell.initialize(assets={"weights": AssetFile(path=str(tmp_path / "weights.bin"))})
        cell.answer_to(cell.asks("model/prompt", question()))

    assert text_of(cell.events) == "1234"


def test_a_signal_for_the_terminal_does_not_disturb_an_idle_plugin(tmp_path: Path) -> None:
    """[P-46] SIGINT is the SDK's own way to interrupt a cancelled handler; at other times it does nothing."""
    with Cell(tmp_path, ECHO) as cell:
        cell.initialize()
        cell.process.send_signal(signal.SIGINT)
        answer = cell.answer_to(cell.asks("model/prompt", question()))

    assert isinstance(answer, Response)
