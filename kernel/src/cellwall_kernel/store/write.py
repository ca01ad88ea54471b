"""Writing the log: a prompt, what arrives, the end; and the end of what a dead host left behind.

Durability, in the order of an answer: the prompt is on the disk before the child sees it; every batch that
arrives is committed before it is printed, which outlives this process at once and a power cut after
`SYNC_EVERY_S` at most; the end is one transaction on the disk. Nothing here decides what becomes of the
answer on the screen when the log fails.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from cellwall_kernel.errors import NotFound
from cellwall_kernel.store.answer import fold, merged
from cellwall_kernel.store.connection import transaction
from cellwall_kernel.store.content import encode, insert_answer, insert_message, storable
from cellwall_kernel.store.host import Host, life_of, this_host
from cellwall_kernel.store.records import Outcome, PromptRow
from cellwall_kernel.store.ulid import new_ulid
from cellwall_wire import Item, Message, TextPart, UnknownItem, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["OpenAnswer", "append", "arrived_items", "begin", "finish", "recover"]

SYNC_EVERY_S = 1.0  # how much of an answer a power cut may take
RETRY_AFTER_S = 5.0  # a locked file takes ten seconds to fail; the answer shall not stand still for each word
NAME_CHARACTERS = 100  # of a conversation's name
UNKNOWN_HOST_GIVEN_UP_AFTER = timedelta(days=1)  # of another boot or container; no answer takes that long

# Small, so that opening the log for reading never stands in line behind many writers for long.
RECOVERIES_AT_ONCE = 50


@dataclass(slots=True)
class OpenAnswer:
    """An answer that this process is writing.

    Attributes:
        response_id: its id.
        conversation_id: the conversation it belongs to.
        began_s: when it began, on the monotonic clock, in seconds.
        first_token_ms: how long the first arrival took, in milliseconds; None before it.
        synced_s: when what has arrived was last forced to the disk, on the monotonic clock.
        position: how many chunks are committed.
        pending: what has arrived but could not be committed; it goes with a later chunk.
        retry_s: when to try that, on the monotonic clock.
    """

    response_id: str
    conversation_id: str
    began_s: float
    first_token_ms: int | None = None
    synced_s: float = 0.0
    position: int = 0
    pending: list[Item] = field(default_factory=list[Item])
    retry_s: float = 0.0


def begin(connection: sqlite3.Connection, row: PromptRow) -> OpenAnswer:
    """Log a prompt; it is on the disk when this returns.

    Raises:
        NotFound: it continues a conversation that does not exist.
        KeyError: an attachment names a blob that `row.blobs` does not hold.
        sqlite3.Error: it cannot be written.
    """
    began_s, now = time.monotonic(), datetime.now(UTC).isoformat()
    response_id, prompt = new_ulid(), storable(_prompt_text(row.messages))
    members = {
        "id": response_id,
        "model": row.model,
        "plugin": row.plugin,
        "sandbox": row.sandbox,
        "asked_by": row.asked_by,
        "system": None if row.system is None else storable(row.system),
        "prompt": prompt,
        "options_json": encode(row.options),
        "schema_json": None if row.schema is None else encode(row.schema),
        "datetime_utc": now,
        **{f"host_{name}": value for name, value in this_host()._asdict().items()},
    }
    with transaction(connection):
        conversation_id = row.conversation_id or _begin_conversation(connection, prompt, row.model, now)
        if not connection.execute("SELECT 1 FROM conversations WHERE id = ?", [conversation_id]).fetchone():
            raise NotFound(f"there is no conversation '{conversation_id}'; 'llm logs -s' shows their ids.")
        _insert(connection, "responses", {"conversation_id": conversation_id, **members})
        for position, message in enumerate(row.messages):
            insert_message(connection, response_id, position, message, row.blobs)
    return OpenAnswer(response_id, conversation_id, began_s, synced_s=began_s)


def append(connection: sqlite3.Connection, answer: OpenAnswer, items: Sequence[Item | UnknownItem]) -> None:
    """Commit what has arrived. What cannot be committed stays pending and goes with a later call.

    Raises:
        sqlite3.Error: it cannot be written.
    """
    answer.pending = merged([*answer.pending, *items]) if answer.pending else merged(items)
    now_s = time.monotonic()
    if not answer.pending or now_s < answer.retry_s:
        return
    if answer.first_token_ms is None:
        answer.first_token_ms = round((now_s - answer.began_s) * 1000)
    is_sync_due = now_s - answer.synced_s >= SYNC_EVERY_S
    if is_sync_due:
        connection.execute("PRAGMA synchronous = FULL")
    try:
        _insert_chunk(connection, answer)
    except sqlite3.Error:
        answer.retry_s = time.monotonic() + RETRY_AFTER_S
        raise
    finally:
        if is_sync_due:
            connection.execute("PRAGMA synchronous = NORMAL")
            answer.synced_s = now_s


def finish(connection: sqlite3.Connection, answer: OpenAnswer, outcome: Outcome) -> None:
    """Log how an answer ended and make its chunks parts, in one transaction. It may be repeated if it fails.

    Raises:
        sqlite3.Error: it cannot be written.
    """
    duration_ms = round((time.monotonic() - answer.began_s) * 1000)
    with transaction(connection):
        if answer.pending:
            _insert_chunk(connection, answer, commits=False)
        times = {"first_token_ms": answer.first_token_ms, "duration_ms": duration_ms}
        _consolidate(connection, answer.response_id, outcome, times)


def recover(connection: sqlite3.Connection) -> None:
    """End the answers whose hosts are gone as interrupted: what had arrived becomes parts, and searchable.

    An answer of a host that cannot be seen from here is left alone for a day, and its chunks are kept after
    that: should the host live, its own `finish` still has the last word.

    Raises:
        sqlite3.Error: it cannot be written; nothing is half done.
    """
    given_up_before = (datetime.now(UTC) - UNKNOWN_HOST_GIVEN_UP_AFTER).isoformat()
    running = connection.execute(
        "SELECT id, datetime_utc, host_pid, host_started, host_machine FROM responses "
        "WHERE status = 'running' ORDER BY number LIMIT ?",
        [RECOVERIES_AT_ONCE],
    ).fetchall()
    for response_id, datetime_utc, *host in running:
        life = life_of(Host(*host))
        if life == "gone" or (life == "unknown" and datetime_utc < given_up_before):
            with transaction(connection):
                still_running = "SELECT 1 FROM responses WHERE id = ? AND status = 'running'"
                if connection.execute(still_running, [response_id]).fetchone():
                    outcome = Outcome(status="interrupted")
                    _consolidate(connection, response_id, outcome, {}, keep_chunks=life == "unknown")


def arrived_items(connection: sqlite3.Connection, response_id: str) -> Iterator[Item]:
    """Yield the committed items of an answer that is not consolidated yet."""
    rows = connection.execute(
        "SELECT items_json FROM chunks WHERE response_id = ? ORDER BY position", [response_id]
    )
    for (items_json,) in rows:
        yield from _DECODE_ITEMS.decode(items_json)


def _consolidate(
    connection: sqlite3.Connection,
    response_id: str,
    outcome: Outcome,
    times: Mapping[str, int | None],
    *,
    keep_chunks: bool = False,
) -> None:
    answer = fold(arrived_items(connection, response_id))
    usage = outcome.usage or answer.usage or Usage()
    insert_answer(connection, response_id, answer, outcome.provider)
    members = {
        "status": outcome.status,
        "response": answer.text_of("text"),
        "finish": outcome.finish,
        "resolved_model": outcome.resolved_model,
        "error_kind": outcome.error_kind,
        "error_message": None if outcome.error_message is None else storable(outcome.error_message),
        "input_tokens": _countable(usage.input),
        "output_tokens": _countable(usage.output),
        "cached_input_tokens": _countable(usage.cached_input),
        "reasoning_tokens": _countable(usage.reasoning),
        "usage_details_json": None if usage.details is None else encode(usage.details),
        **times,
    }
    settings = ", ".join(f"{name} = ?" for name in members)
    connection.execute(
        f"UPDATE responses SET {settings} WHERE id = ?",  # noqa: S608 -- our own names
        [*members.values(), response_id],
    )
    if not keep_chunks:
        connection.execute("DELETE FROM chunks WHERE response_id = ?", [response_id])


def _insert_chunk(connection: sqlite3.Connection, answer: OpenAnswer, *, commits: bool = True) -> None:
    """Insert what is pending; if that is a commit of its own, nothing is pending any more."""
    connection.execute(
        "INSERT INTO chunks (response_id, position, items_json) VALUES (?, ?, ?)",
        [answer.response_id, answer.position, _ENCODER.encode(answer.pending).decode()],
    )
    if commits:
        answer.position += 1
        answer.pending = []


def _insert(connection: sqlite3.Connection, table: str, members: Mapping[str, Any]) -> None:
    names, marks = ", ".join(members), ", ".join("?" * len(members))
    connection.execute(
        f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608 -- our own names
        list(members.values()),
    )


def _begin_conversation(connection: sqlite3.Connection, prompt: str, model: str, now: str) -> str:
    conversation_id = new_ulid()
    members = {"id": conversation_id, "name": _name_from(prompt), "model": model, "datetime_utc": now}
    _insert(connection, "conversations", members)
    return conversation_id


def _countable(number: int | None) -> int | None:
    """Return the number if SQLite can hold it; a plugin may say anything."""
    return number if number is not None and abs(number) < 2**63 else None


def _prompt_text(messages: Sequence[Message]) -> str:
    return "\n".join(
        part.text
        for message in messages
        if message.role == "user"
        for part in message.parts
        if isinstance(part, TextPart)
    )


def _name_from(prompt: str) -> str:
    words = " ".join(prompt[: NAME_CHARACTERS * 10].split())
    return words if len(words) <= NAME_CHARACTERS else words[: NAME_CHARACTERS - 1] + "…"


_ENCODER = msgspec.json.Encoder()
_DECODE_ITEMS: msgspec.json.Decoder[list[Item]] = msgspec.json.Decoder(list[Item])
