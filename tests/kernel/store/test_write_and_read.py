"""A prompt and its answer: what is written, and that it comes back as it was."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from cellwall_kernel.errors import NotFound, StoreProblem, UsageProblem
from cellwall_kernel.store import Outcome, PromptRow, ResponseFilter, Store
from cellwall_wire import (
    Args,
    AttachmentPart,
    Delta,
    Message,
    PartEnd,
    PartStart,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
    UsageItem,
)
from tests.kernel.store.scene import asked, assert_sound, exchange, query, streamed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwall_kernel.paths import Paths


@pytest.fixture
def store(paths: Paths) -> Iterator[Store]:
    """The log of a fresh user folder, which must be sound in the end."""
    with Store.open(paths) as opened:
        yield opened
    assert_sound(paths)


def test_the_prompt_is_in_the_file_before_there_is_an_answer(store: Store, paths: Paths) -> None:
    """What the user typed outlives everything that comes after (DESIGN 3.5)."""
    response_id = store.begin(
        asked("Why?", system="Be brief.", options={"t": 0.2}, schema={"type": "object"})
    )
    found = query(
        paths, "SELECT id, prompt, system, options_json, schema_json, status, response FROM responses"
    )
    assert found == [(response_id, "Why?", "Be brief.", '{"t":0.2}', '{"type":"object"}', "running", "")]


def test_what_arrived_is_in_the_file_before_it_is_printed(store: Store, paths: Paths) -> None:
    """Each batch is committed when `append` returns, and another process sees it as a running answer."""
    response_id = store.begin(asked("Why?"))
    for text in ("Be", "cause", "."):
        store.append(response_id, streamed(text))
        assert text in query(paths, "SELECT items_json FROM chunks ORDER BY position DESC LIMIT 1")[0][0]
    with Store.open_for_reading(paths) as other:
        (seen,) = other.responses()
    assert (seen.response, seen.status) == ("Because.", "running")


def test_a_finished_answer_has_its_parts_and_no_chunks(store: Store, paths: Paths) -> None:
    """One transaction makes chunks parts, and fills in text, usage and times."""
    response_id = store.begin(asked("Why?"))
    store.append(response_id, [PartStart(0, "reasoning"), Delta(0, "Hm."), PartEnd(0, provider={"sig": "x"})])
    store.append(response_id, [*streamed("Be", "cause.", part=1), UsageItem(Usage(input=3, output=2))])
    store.finish(
        response_id,
        Outcome(
            status="done",
            finish="stop",
            resolved_model="m-1",
            usage=Usage(input=3, output=4, details={"a": 1}),
        ),
    )
    (seen,) = store.responses()
    assert (seen.response, seen.reasoning, seen.status, seen.finish) == ("Because.", "Hm.", "done", "stop")
    assert (seen.resolved_model, seen.usage) == ("m-1", Usage(input=3, output=4, details={"a": 1}))
    assert seen.first_token_ms is not None
    assert seen.duration_ms is not None
    assert 0 <= seen.first_token_ms <= seen.duration_ms
    assert datetime.fromisoformat(seen.datetime_utc).tzinfo == UTC
    assert query(paths, "SELECT count(*) FROM chunks") == [(0,)]
    assert query(paths, "SELECT type, text FROM parts ORDER BY id") == [
        ("text", "Why?"),
        ("reasoning", "Hm."),
        ("text", "Because."),
    ]


def test_the_stream_s_usage_holds_if_the_end_tells_none(store: Store) -> None:
    """An answer that is cut off has cost something too."""
    response_id = store.begin(asked("Why?"))
    store.append(response_id, [UsageItem(Usage(input=3)), UsageItem(Usage(input=3, output=1))])
    store.finish(response_id, Outcome(status="cancelled"))
    assert store.responses()[0].usage == Usage(input=3, output=1)


def test_numbers_that_sqlite_cannot_hold_are_left_out(store: Store) -> None:
    """A plugin may say anything about its usage; the answer is logged nevertheless."""
    response_id = store.begin(asked("Why?"))
    store.finish(response_id, Outcome(status="done", usage=Usage(input=10**30, output=2)))
    assert store.responses()[0].usage == Usage(output=2)


def test_a_failed_answer_keeps_cause_and_text(store: Store) -> None:
    """The kind is for programs, the sentence for people."""
    response_id = store.begin(asked("Why?"))
    store.append(response_id, streamed("Be"))
    store.finish(response_id, Outcome(status="error", error_kind="RateLimited", error_message="too fast"))
    (seen,) = store.responses()
    assert (seen.status, seen.error_kind, seen.error_message, seen.response) == (
        "error",
        "RateLimited",
        "too fast",
        "Be",
    )


def test_closing_ends_what_is_open(paths: Paths) -> None:
    """An exception between begin and finish leaves an interrupted answer, not a running one."""
    with Store.open(paths) as store:
        store.append(store.begin(asked("Why?")), streamed("Be"))
    store.close()
    with Store.open_for_reading(paths) as again:
        assert [(seen.status, seen.response) for seen in again.responses()] == [("interrupted", "Be")]


def test_an_answer_ends_once(store: Store) -> None:
    """To go on after the end is a mistake of the caller."""
    response_id = exchange(store, "Why?", "Because.")
    with pytest.raises(KeyError):
        store.append(response_id, streamed("more"))
    with pytest.raises(KeyError):
        store.finish(response_id, Outcome(status="done"))


def test_a_full_disk_loses_nothing_that_can_be_written_later(store: Store) -> None:
    """`append` says it once, the next calls only collect, and `finish` writes all when there is room."""
    response_id = store.begin(asked("Why?"))
    store.append(response_id, streamed("Be"))
    connection = store._connection  # pyright: ignore[reportPrivateUsage]
    connection.execute("PRAGMA max_page_count = 1")  # it may not grow: SQLITE_FULL, as on a full disk
    with pytest.raises(StoreProblem, match="disk is full"):
        store.append(response_id, [Delta(0, "ca" * 10_000)])
    store.append(response_id, [Delta(0, "use")])
    with pytest.raises(StoreProblem, match="disk is full"):
        store.finish(response_id, Outcome(status="done"))
    connection.execute("PRAGMA max_page_count = 1000000")
    store.finish(response_id, Outcome(status="done"))
    assert store.responses()[0].response == "Be" + "ca" * 10_000 + "use"


def test_bytes_that_are_no_text_are_logged_as_question_marks(store: Store) -> None:
    """A command line may hold any bytes; a prompt is never lost for that."""
    exchange(store, "caf\udce9", "a\0b")
    assert [(seen.prompt, seen.response) for seen in store.responses()] == [("caf?", "a\0b")]


def test_a_conversation_continues(store: Store) -> None:
    """Its messages come back in order, the newest system prompt first; the name is the first prompt."""
    exchange(store, "One\n two?", "1", system="old")
    first = store.conversation()
    exchange(store, "Three?", "3", system="new", conversation_id=first.id)
    exchange(store, "Four?", "4", conversation_id=first.id, model="n")
    conversation, messages = store.conversation_messages()
    assert (conversation.id, conversation.name, conversation.model) == (first.id, "One two?", "n")
    assert conversation.system == "new"
    assert [(message.role, message.parts) for message in messages] == [
        (role, [TextPart(text=text)])
        for role, text in [
            ("system", "new"),
            ("user", "One\n two?"),
            ("assistant", "1"),
            ("user", "Three?"),
            ("assistant", "3"),
            ("user", "Four?"),
            ("assistant", "4"),
        ]
    ]


def test_the_latest_conversation_is_the_one_used_last(store: Store) -> None:
    """Not the one that began last."""
    exchange(store, "First?", "1")
    first = store.conversation()
    exchange(store, "Second?", "2")
    exchange(store, "First again?", "3", conversation_id=first.id)
    assert store.conversation() == first
    assert [seen.prompt for seen in store.responses(ResponseFilter(conversation_id=first.id))] == [
        "First?",
        "First again?",
    ]


def test_a_long_prompt_makes_a_short_name(store: Store) -> None:
    """A conversation is named by a hundred characters."""
    exchange(store, "word " * 1000, "1")
    name = store.conversation().name
    assert len(name) == 100
    assert name.endswith("…")


@pytest.mark.parametrize("conversation_id", [None, "01x"])
def test_a_conversation_that_does_not_exist_is_not_found(store: Store, conversation_id: str | None) -> None:
    """Each question for it says so, and a prompt that continues it is not logged."""
    with pytest.raises(NotFound, match="there is no conversation"):
        store.conversation_messages(conversation_id)
    with pytest.raises(NotFound, match="there is no conversation 'gone'"):
        store.begin(asked("Why?", conversation_id="gone"))
    with pytest.raises(NotFound):
        store.responses(ResponseFilter(conversation_id="gone"))
    assert store.responses() == []


@pytest.mark.parametrize("status", ["error", "cancelled", "interrupted"])
def test_a_partial_answer_counts_in_the_history(store: Store, status: str) -> None:
    """What arrived was read by the user; tool calls that nobody answered, or were cut off, are left out."""
    response_id = store.begin(asked("Why?"))
    store.append(response_id, streamed("Be"))
    store.append(response_id, [PartStart(1, "tool_call", call_id="c1", name="look"), Args(1, '{"a": 1}')])
    store.append(response_id, [PartStart(2, "tool_call", call_id="c2", name="look"), Args(2, '{"a"')])
    store.finish(response_id, Outcome(status=status))  # type: ignore[arg-type]  # the parameter's values are the type's
    _, messages = store.conversation_messages()
    assert [message.parts for message in messages] == [[TextPart(text="Why?")], [TextPart(text="Be")]]
    calls = store.responses()[0].tool_calls
    assert [(call.call_id, call.arguments) for call in calls] == [("c1", '{"a": 1}'), ("c2", '{"a"')]


def test_a_tool_call_that_nothing_can_read_does_not_cost_the_conversation(store: Store) -> None:
    """Arguments are a model's text: it may open a hundred thousand brackets (anchor 11)."""
    response_id = store.begin(asked("Why?"))
    endless = '{"a":' * 100_000 + "1" + "}" * 100_000
    store.append(response_id, [Delta(0, "Be"), PartStart(1, "tool_call", call_id="c", name="look")])
    store.append(response_id, [Args(1, endless)])
    store.finish(response_id, Outcome(status="done", finish="tool_calls"))
    _, messages = store.conversation_messages()
    assert messages[-1].parts == [TextPart(text="Be")]
    assert [call.arguments for call in store.responses()[0].tool_calls] == [endless]


def test_a_question_without_an_answer_is_not_asked_again(store: Store) -> None:
    """Two questions in a row are refused by most models."""
    exchange(store, "One?", "1")
    conversation_id = store.conversation().id
    failed = store.begin(asked("Two?", conversation_id=conversation_id))
    store.finish(failed, Outcome(status="error", error_kind="Crashed"))
    _, messages = store.conversation_messages()
    assert [message.role for message in messages] == ["user", "assistant"]
    assert [seen.prompt for seen in store.responses()] == ["One?", "Two?"]


def test_every_part_of_an_answer_comes_back(store: Store) -> None:
    """Reasoning, tool calls, results of the provider's own tools, and the opaque data of each."""
    response_id = store.begin(asked("Why?"))
    store.append(
        response_id,
        [
            PartStart(0, "reasoning", redacted=True, provider={"data": "…"}),
            PartStart(1, "tool_call", call_id="c", name="search", server_executed=True),
            Args(1, '{"q":'),
            Args(1, ' "x"}'),
            PartEnd(1),
            PartStart(2, "tool_result", call_id="c", name="search"),
            Delta(2, "found"),
            PartStart(3, "tool_call", call_id="d", name="now"),
            PartEnd(3, provider={"id": 7}),
        ],
    )
    store.finish(response_id, Outcome(status="done", finish="tool_calls", provider={"response_id": "r1"}))
    _, messages = store.conversation_messages()
    assert messages[-1] == Message(
        role="assistant",
        parts=[
            ReasoningPart(redacted=True, provider={"data": "…"}),
            ToolCallPart(call_id="c", name="search", arguments={"q": "x"}, server_executed=True),
            ToolResultPart(call_id="c", name="search", content=[TextPart(text="found")]),
            ToolCallPart(call_id="d", name="now", arguments={}, provider={"id": 7}),
        ],
        provider={"response_id": "r1"},
    )


def test_every_part_of_a_prompt_comes_back(store: Store, paths: Paths) -> None:
    """Attachments return as bytes, under the names they were sent with; the same bytes are stored once."""
    pixel = base64.b64encode(b"pixel").decode()
    messages = [
        Message(
            role="tool",
            parts=[
                ToolResultPart(
                    call_id="c",
                    name="draw",
                    content=[TextPart(text="there"), AttachmentPart(media_type="image/png", data=pixel)],
                    is_error=True,
                )
            ],
            provider={"k": 1},
        ),
        Message(
            role="user",
            parts=[
                AttachmentPart(media_type="image/png", data=pixel, name="a.png"),
                AttachmentPart(media_type="image/png", blob="b1", name="b.png"),
                AttachmentPart(url="https://example.org/c.pdf"),
                AttachmentPart(media_type="text/plain", data="", name="empty"),
                TextPart(text="What is it?", provider={"cache": True}),
            ],
        ),
    ]
    row = PromptRow(model="m", plugin="p", messages=messages, blobs={"b1": b"pixel"})
    response_id = store.begin(row)
    store.append(response_id, streamed("A pixel."))
    store.finish(response_id, Outcome(status="done"))
    expected = [messages[0], Message(role="user", parts=[*messages[1].parts])]
    expected[1].parts[1] = AttachmentPart(media_type="image/png", data=pixel, name="b.png")
    assert store.conversation_messages()[1][:2] == expected
    (seen,) = store.responses()
    assert seen.prompt == "What is it?"
    assert [(entry.name, entry.url, entry.size) for entry in seen.attachments] == [
        ("a.png", None, 5),
        ("b.png", None, 5),
        (None, "https://example.org/c.pdf", None),
        ("empty", None, 0),
    ]
    assert query(paths, "SELECT count(*) FROM attachments") == [(3,)]


def test_one_response_is_found_by_its_id(store: Store) -> None:
    """Whatever else is in the log."""
    exchange(store, "One?", "1")
    response_id = exchange(store, "Two?", "2")
    exchange(store, "Three?", "3")
    assert store.response(response_id).response == "2"
    with pytest.raises(NotFound, match="there is no response 'gone'"):
        store.response("gone")


def test_a_log_in_memory_touches_no_file(paths: Paths) -> None:
    """It is for a prompt that is not logged, and otherwise like any other."""
    with Store.in_memory() as store:
        exchange(store, "One?", "1")
        assert store.responses(ResponseFilter(query="one"))[0].response == "1"
        assert store.status().size_bytes == 0
    assert not paths.root.exists()


def test_newest_responses_come_last(store: Store) -> None:
    """A limit takes the newest; a model is its id or the name it resolved to."""
    for number in range(5):
        exchange(store, f"{number}?", str(number), model=f"m{number % 2}")
    assert [seen.prompt for seen in store.responses(ResponseFilter(limit=2))] == ["3?", "4?"]
    assert [seen.prompt for seen in store.responses(ResponseFilter(model="m0"))] == ["0?", "2?", "4?"]
    assert len(store.responses()) == 5


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("plugin", ["a", "b"]),
        ("plugin cell", ["a"]),
        ("wall OR pelican", ["b", "c"]),
        ("plug*", ["a", "b"]),
        ("prompt: pelican", ["c"]),
        ("C++", ["c"]),
        ("what's", ["c"]),
        ('"unclosed', []),
        ("AND", []),
        ("nothing-like-that", []),
    ],
)
def test_search_takes_fts_syntax_or_plain_words(store: Store, words: str, found: list[str]) -> None:
    """Whatever a person types is a search, never a syntax error."""
    names: dict[str, str] = {}
    names[exchange(store, "A plugin", "lives in a cell")] = "a"
    names[exchange(store, "Say plugin", "behind a wall")] = "b"
    names[exchange(store, "What's a pelican in C++", "a bird")] = "c"
    seen = store.responses(ResponseFilter(query=words))
    assert [names[each.id] for each in seen] == found


def test_a_search_without_words_is_refused(store: Store) -> None:
    """It would find nothing, and nobody means it."""
    with pytest.raises(UsageProblem, match="no words"):
        store.responses(ResponseFilter(query=" "))


def test_a_deleted_conversation_leaves_no_trace(store: Store, paths: Paths) -> None:
    """Rows that are removed with plain SQL take their parts and their place in the index along."""
    exchange(store, "Secret pelican", "yes")
    query(paths, "DELETE FROM conversations")
    assert store.responses(ResponseFilter(query="pelican")) == []
    assert query(paths, "SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM parts)") == [(0,)]


def test_the_status_counts(store: Store, paths: Paths) -> None:
    """Rows, answers by status, bytes on the disk."""
    exchange(store, "One?", "1")
    exchange(store, "Two?", "2", status="error")
    store.begin(asked("Three?"))
    status = store.status()
    assert (status.conversations, status.responses, status.attachments) == (3, 3, 0)
    assert status.by_status == {"done": 1, "error": 1, "running": 1}
    assert status.size_bytes >= paths.logs_db.stat().st_size


def test_members_of_a_row_are_what_they_were(store: Store) -> None:
    """Options and schema are JSON values of any kind."""
    options: dict[str, Any] = {"a": 1, "b": "x", "c": None, "d": True, "e": [1.5]}
    exchange(store, "One?", "1", options=options, schema={"type": "object", "ä": []})
    (seen,) = store.responses()
    assert (seen.options, seen.schema) == (options, {"type": "object", "ä": []})
