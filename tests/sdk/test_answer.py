"""How what a model yields becomes parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cellwall_sdk import Model, StreamEvent, ToolCall
from cellwall_sdk.testing import run_model
from cellwall_wire import Args, Delta, PartEnd, PartStart

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwall_sdk.testing import Reply


def _answer(*pieces: Any, calls: Sequence[ToolCall] = ()) -> Reply:
    class Yields(Model):
        model_id = "yields"

        def execute(self, response: Any) -> Iterator[Any]:
            for call in calls:
                response.add_tool_call(call)
            yield from pieces

    return run_model(Yields())


def _starts(reply: Reply) -> list[tuple[int, str]]:
    return [(item.part, item.type) for item in reply.items if isinstance(item, PartStart)]


def test_plain_strings_make_one_part() -> None:
    """Begun with the first text, ended with the answer."""
    reply = _answer("a", "b")

    assert reply.items == [PartStart(0, "text"), Delta(0, "a"), Delta(0, "b"), PartEnd(0)]


def test_an_answer_without_text_has_no_parts() -> None:
    """Empty strings begin nothing."""
    assert _answer("", "").items == []


def test_text_events_and_strings_share_a_part() -> None:
    """They are two ways to say the same."""
    reply = _answer("a", StreamEvent("text", "b"), "c")

    assert reply == "abc"
    assert _starts(reply) == [(0, "text")]


def test_reasoning_before_text_is_a_part_of_its_own() -> None:
    """A new kind ends the part before it."""
    reply = _answer(StreamEvent("reasoning", "hm"), StreamEvent("reasoning", "…"), "yes")

    assert reply.items == [
        PartStart(0, "reasoning"),
        Delta(0, "hm"),
        Delta(0, "…"),
        PartEnd(0),
        PartStart(1, "text"),
        Delta(1, "yes"),
        PartEnd(1),
    ]
    assert (reply, reply.reasoning) == ("yes", "hm…")


def test_text_after_reasoning_after_text_is_a_new_part() -> None:
    """Neighbours belong together, others do not."""
    reply = _answer("a", StreamEvent("reasoning", "b"), "c")

    assert _starts(reply) == [(0, "text"), (1, "reasoning"), (2, "text")]


def test_an_explicit_index_joins_what_is_apart() -> None:
    """part_index overrides the neighbourhood."""
    reply = _answer(
        StreamEvent("text", "a", part_index=7),
        StreamEvent("reasoning", "b", part_index=8),
        StreamEvent("text", "c", part_index=7),
    )

    assert _starts(reply) == [(0, "text"), (1, "reasoning")]
    assert reply == "ac"


def test_parallel_tool_calls_are_told_apart_by_their_ids() -> None:
    """Their arguments may come interleaved."""
    reply = _answer(
        StreamEvent("tool_call_name", "add", tool_call_id="x"),
        StreamEvent("tool_call_name", "sub", tool_call_id="y"),
        StreamEvent("tool_call_args", '{"a"', tool_call_id="x"),
        StreamEvent("tool_call_args", '{"b"', tool_call_id="y"),
        StreamEvent("tool_call_args", ":1}", tool_call_id="x"),
        StreamEvent("tool_call_args", ":2}", tool_call_id="y"),
    )

    assert reply.tool_calls == [("add", '{"a":1}'), ("sub", '{"b":2}')]
    assert reply.finish == "tool_calls"


def test_tool_calls_without_ids_are_given_some() -> None:
    """Each name begins a call, arguments belong to the last one, and every call gets an id of its own."""
    reply = _answer(
        StreamEvent("tool_call_name", "add"),
        StreamEvent("tool_call_args", "{}"),
        StreamEvent("tool_call_name", "add"),
        StreamEvent("tool_call_args", '{"a":1}'),
    )

    ids = [item.call_id for item in reply.items if isinstance(item, PartStart)]
    assert reply.tool_calls == [("add", "{}"), ("add", '{"a":1}')]
    assert len(set(ids)) == 2
    assert all(ids)


def test_a_call_that_is_both_yielded_and_added_counts_once() -> None:
    """Plugins written for `llm` do both."""
    reply = _answer(
        StreamEvent("tool_call_name", "add", tool_call_id="x"),
        StreamEvent("tool_call_args", '{"a":1}', tool_call_id="x"),
        calls=[ToolCall("add", {"a": 1}, "x"), ToolCall("sub", {"b": [2]}, "y"), ToolCall("sub", {})],
    )

    assert reply.tool_calls == [("add", '{"a":1}'), ("sub", '{"b":[2]}'), ("sub", "{}")]


def test_a_call_without_an_id_is_matched_by_its_name() -> None:
    """One yielded call stands for one added call of that name."""
    reply = _answer(
        StreamEvent("tool_call_name", "add"),
        StreamEvent("tool_call_args", "{}"),
        calls=[ToolCall("add", {}), ToolCall("add", {"a": 2})],
    )

    assert reply.tool_calls == [("add", "{}"), ("add", '{"a":2}')]


def test_a_call_that_the_provider_runs_does_not_ask_the_host() -> None:
    """server_executed calls and results are told, not asked."""
    reply = _answer(
        StreamEvent("tool_call_name", "search", tool_call_id="s", server_executed=True),
        StreamEvent("tool_call_args", "{}", tool_call_id="s"),
        StreamEvent("tool_result", "found", tool_call_id="s", tool_name="search", server_executed=True),
        "done",
    )

    assert (reply, reply.finish) == ("done", "stop")
    result = next(item for item in reply.items if isinstance(item, PartStart) and item.type == "tool_result")
    assert (result.call_id, result.name, result.server_executed) == ("s", "search", True)


def test_opaque_data_of_the_provider_ends_the_part() -> None:
    """The last value of each key wins; a part may hold nothing else."""
    reply = _answer(
        StreamEvent("reasoning", "hm", provider_metadata={"a": 1, "b": 1}),
        StreamEvent("reasoning", "", provider_metadata={"b": 2}),
    )

    assert PartEnd(0, {"a": 1, "b": 2}) in reply.items


def test_redacted_reasoning_is_marked() -> None:
    """It took place, and its text is withheld."""
    reply = _answer("a", StreamEvent("reasoning", "", redacted=True))

    assert PartStart(1, "reasoning", redacted=True) in reply.items


def test_another_message_begins_another_part() -> None:
    """Text on either side of a message boundary is not joined."""
    reply = _answer(
        StreamEvent("text", "a", message_index=0),
        StreamEvent("text", "b", message_index=1),
        StreamEvent("text", "c", message_index=1),
    )

    assert _starts(reply) == [(0, "text"), (1, "text")]


def test_long_arguments_are_cut_into_pieces() -> None:
    """A tool call with a whole file in it travels in lines like everything else."""
    big = {"text": "x" * 50_000}
    reply = _answer(calls=[ToolCall("write", big)])

    assert len([item for item in reply.items if isinstance(item, Args)]) > 5
    assert len(reply.tool_calls[0][1]) > 50_000


def test_every_part_is_begun_once_and_ended_once() -> None:
    """[P-63] Whatever a model yields, the host can count on it."""
    reply = _answer(
        "a",
        StreamEvent("reasoning", "b"),
        StreamEvent("tool_call_name", "t", tool_call_id="1"),
        StreamEvent("text", "c", part_index=3),
        StreamEvent("tool_call_args", "{}", tool_call_id="1"),
        StreamEvent("tool_result", "r", tool_call_id="1"),
        StreamEvent("tool_result", "s", tool_call_id="1"),
        StreamEvent("text", "d", part_index=3),
        "e",
    )

    started = [item.part for item in reply.items if isinstance(item, PartStart)]
    ended = [item.part for item in reply.items if isinstance(item, PartEnd)]
    assert started == list(range(len(started)))
    assert sorted(ended) == started
    open_parts: set[int] = set()
    for item in reply.items:
        if isinstance(item, PartStart):
            open_parts.add(item.part)
        elif isinstance(item, PartEnd):
            open_parts.remove(item.part)
        else:
            assert item.part in open_parts
