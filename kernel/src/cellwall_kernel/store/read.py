"""Reading the log: lists, one conversation's messages, counts.

Nothing here writes. An answer that is still running, or whose host died, is put together from its chunks, so
that a list is complete on a read-only disk too.
"""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from cellwall_kernel.errors import NotFound, UsageProblem
from cellwall_kernel.store.answer import fold
from cellwall_kernel.store.content import (
    PartRow,
    messages_of,
    parts_of_rows,
    rows_of_answer,
    stored_answer_rows,
)
from cellwall_kernel.store.host import Host, life_of
from cellwall_kernel.store.records import (
    Conversation,
    LoggedAttachment,
    LoggedResponse,
    LogStatus,
    LogToolCall,
    ResponseFilter,
    Status,
)
from cellwall_kernel.store.write import arrived_items
from cellwall_wire import Message, TextPart, ToolCallPart, Usage

__all__ = ["conversation", "conversation_messages", "count_rows", "response", "responses"]

_PLAIN = (  # columns that are members of LoggedResponse as they are
    "conversation_id",
    "resolved_model",
    "plugin",
    "sandbox",
    "asked_by",
    "finish",
    "error_kind",
    "error_message",
    "prompt",
    "system",
    "first_token_ms",
    "duration_ms",
)
_USAGE = ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "usage_details_json")
_HOST = ("host_pid", "host_started", "host_machine")
_SELECT = """
    SELECT responses.id AS id, responses.datetime_utc AS datetime_utc, responses.model AS model,
        resolved_model, plugin, sandbox, asked_by, status, finish, error_kind, error_message,
        prompt, system, options_json, schema_json, first_token_ms, duration_ms,
        conversation_id, conversations.name AS conversation_name,
        input_tokens, output_tokens, cached_input_tokens, reasoning_tokens, usage_details_json,
        host_pid, host_started, host_machine
    FROM responses JOIN conversations ON conversations.id = conversation_id
"""


def responses(connection: sqlite3.Connection, wanted: ResponseFilter) -> list[LoggedResponse]:
    """Return the newest responses that fit the filter, the oldest of them first.

    Raises:
        NotFound: the filter names a conversation that does not exist.
        UsageProblem: the filter's query has no words.
        sqlite3.Error: it cannot be read.
    """
    if wanted.conversation_id is not None:
        conversation(connection, wanted.conversation_id)
    if wanted.query is None:
        return _select(connection, wanted, None)
    words = wanted.query.split()
    if not words:
        raise UsageProblem("the search has no words; give some with -q.")
    try:
        return _select(connection, wanted, wanted.query)
    except sqlite3.OperationalError:
        # Not in the syntax of FTS5 ("what's", "c++", "a-b"): then every word is meant as it is.
        quoted = " ".join('"' + word.replace('"', '""') + '"' for word in words)
        return _select(connection, wanted, quoted)


def response(connection: sqlite3.Connection, response_id: str) -> LoggedResponse:
    """Return one response.

    Raises:
        NotFound: there is none of that id.
        sqlite3.Error: it cannot be read.
    """
    found = _rows(connection, "WHERE responses.id = ?", [response_id])
    if not found:
        raise NotFound(f"there is no response '{response_id}'; 'llm logs -s' shows the ids there are.")
    return _logged(connection, found[0])


def conversation(connection: sqlite3.Connection, conversation_id: str | None) -> Conversation:
    """Return a conversation; None means that of the user's newest prompt, whatever plugins have asked since.

    Raises:
        NotFound: there is none.
        sqlite3.Error: it cannot be read.
    """
    last = connection.execute(
        "SELECT conversations.id, name, responses.model, conversations.datetime_utc FROM responses "
        "JOIN conversations ON conversations.id = conversation_id "
        "WHERE (? IS NULL AND asked_by IS NULL) OR conversation_id = ? ORDER BY number DESC LIMIT 1",
        [conversation_id, conversation_id],
    ).fetchone()
    if last is None:
        if conversation_id is None:
            raise NotFound("there is no conversation yet; a prompt without --continue begins one.")
        raise NotFound(f"there is no conversation '{conversation_id}'; 'llm logs -s' shows their ids.")
    found_id, name, model, datetime_utc = last
    system = connection.execute(
        "SELECT system FROM responses WHERE conversation_id = ? AND system IS NOT NULL "
        "ORDER BY number DESC LIMIT 1",
        [found_id],
    ).fetchone()
    return Conversation(
        id=found_id, name=name, model=model, system=system[0] if system else None, datetime_utc=datetime_utc
    )


def conversation_messages(
    connection: sqlite3.Connection, conversation_id: str | None
) -> tuple[Conversation, list[Message]]:
    """Return a conversation and its history; `Store.conversation_messages` says what that is.

    Raises:
        NotFound: there is no such conversation.
        sqlite3.Error: it cannot be read.
    """
    found = conversation(connection, conversation_id)
    messages: list[Message] = []
    if found.system is not None:
        messages.append(Message(role="system", parts=[TextPart(text=found.system)]))
    turns = connection.execute(
        "SELECT id, status FROM responses WHERE conversation_id = ? ORDER BY number", [found.id]
    ).fetchall()
    for response_id, status in turns:
        messages += _turn(connection, response_id, status)
    return found, messages


def count_rows(connection: sqlite3.Connection, size_bytes: int) -> LogStatus:
    """Return the log in numbers.

    Args:
        connection: the database.
        size_bytes: how large its files are.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    by_status: dict[str, int] = {}
    counted = connection.execute(
        "SELECT status, count(*) FROM responses WHERE status <> 'running' GROUP BY status ORDER BY status"
    )
    by_status.update(counted.fetchall())
    for host in connection.execute(
        "SELECT host_pid, host_started, host_machine FROM responses WHERE status = 'running'"
    ):
        seen = _seen_status("running", Host(*host))
        by_status[seen] = by_status.get(seen, 0) + 1
    return LogStatus(
        conversations=_count(connection, "SELECT count(*) FROM conversations"),
        responses=sum(by_status.values()),
        by_status=by_status,
        attachments=_count(connection, "SELECT count(*) FROM attachments"),
        size_bytes=size_bytes,
    )


def _select(
    connection: sqlite3.Connection, wanted: ResponseFilter, query: str | None
) -> list[LoggedResponse]:
    conditions: list[str] = []
    values: list[Any] = []
    if query is not None:
        conditions.append("number IN (SELECT rowid FROM responses_fts WHERE responses_fts MATCH ?)")
        values.append(query)
    if wanted.model is not None:
        conditions.append("? IN (responses.model, resolved_model)")
        values.append(wanted.model)
    if wanted.conversation_id is not None:
        conditions.append("conversation_id = ?")
        values.append(wanted.conversation_id)
    if wanted.is_of_user:
        conditions.append("asked_by IS NULL")
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    limit = -1 if wanted.limit is None else wanted.limit
    rows = _rows(connection, f"{where} ORDER BY number DESC LIMIT ?", [*values, limit])
    return [_logged(connection, row) for row in reversed(rows)]


def _rows(connection: sqlite3.Connection, clauses: str, values: list[Any]) -> list[sqlite3.Row]:
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(_SELECT + clauses, values).fetchall()


def _logged(connection: sqlite3.Connection, row: sqlite3.Row) -> LoggedResponse:
    if row["status"] == "running":
        answer = fold(arrived_items(connection, row["id"]))
        parts, usage = rows_of_answer(answer), answer.usage
    else:
        parts, usage = stored_answer_rows(connection, row["id"]), _usage(*(row[name] for name in _USAGE))
    return LoggedResponse(
        id=row["id"],
        conversation_name=row["conversation_name"],
        datetime_utc=row["datetime_utc"],
        model=row["model"],
        status=_seen_status(row["status"], Host(*(row[name] for name in _HOST))),
        options=msgspec.json.decode(row["options_json"]),
        schema=None if row["schema_json"] is None else msgspec.json.decode(row["schema_json"]),
        attachments=_attachments(connection, row["id"]),
        reasoning=_joined(parts, "reasoning"),
        response=_joined(parts, "text"),
        tool_calls=[_tool_call(part) for part in parts if part.type == "tool_call"],
        usage=usage,
        **{name: row[name] for name in _PLAIN},
    )


def _joined(parts: list[PartRow], part_type: str) -> str:
    return "".join(part.text or "" for part in parts if part.type == part_type)


def _tool_call(part: PartRow) -> LogToolCall:
    members = msgspec.json.decode(part.payload_json or "{}")
    return LogToolCall(
        call_id=members.get("call_id", ""), name=members.get("name", ""), arguments=part.text or ""
    )


def _attachments(connection: sqlite3.Connection, response_id: str) -> list[LoggedAttachment]:
    found = connection.execute(
        "SELECT payload_json, attachments.id, length(content) FROM messages "
        "JOIN parts ON message_id = messages.id JOIN part_attachments ON part_id = parts.id "
        "JOIN attachments ON attachments.id = attachment_id "
        "WHERE response_id = ? AND type = 'attachment' ORDER BY messages.position, parts.position",
        [response_id],
    )
    result: list[LoggedAttachment] = []
    for payload_json, attachment_id, size in found:
        members = msgspec.json.decode(payload_json)
        names = {name: members.get(name) for name in ("media_type", "name", "url")}
        result.append(LoggedAttachment(id=attachment_id, size=size, **names))
    return result


def _usage(
    read: int | None, written: int | None, cached: int | None, reasoning: int | None, details: str | None
) -> Usage | None:
    if (read, written, cached, reasoning, details) == (None,) * 5:
        return None
    known = None if details is None else msgspec.json.decode(details)
    return Usage(input=read, output=written, cached_input=cached, reasoning=reasoning, details=known)


def _seen_status(status: Status, host: Host) -> Status:
    """Return the status as it is now: nobody finishes an answer whose host is gone, or of another boot."""
    return "interrupted" if status == "running" and life_of(host) != "alive" else status


def _turn(connection: sqlite3.Connection, response_id: str, status: Status) -> list[Message]:
    """Return what a prompt and its answer add to the history.

    An answer that ended badly counts with what had arrived, but for its tool calls, which nobody answered. A
    question that got no answer at all is left out: most models refuse two questions in a row.
    """
    asked = messages_of(connection, response_id, "in")
    if status == "running":
        parts = parts_of_rows(rows_of_answer(fold(arrived_items(connection, response_id))))
        answered = [Message(role="assistant", parts=parts)]
    else:
        answered = messages_of(connection, response_id, "out")
    if status != "done":
        answered = [_without_open_calls(message) for message in answered]
    answered = [message for message in answered if message.parts]
    if not answered and all(message.role == "user" for message in asked):
        return []
    return asked + answered


def _without_open_calls(message: Message) -> Message:
    kept = [part for part in message.parts if not isinstance(part, ToolCallPart) or part.server_executed]
    return Message(role=message.role, parts=kept, provider=message.provider)


def _count(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])
