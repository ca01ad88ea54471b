"""Messages and their parts to rows, and back.

A part's row holds its text in `text`, readable and searchable, and its other members in `payload_json` as
they stand in the protocol. The bytes of an attachment lie in the table `attachments` under their SHA-256,
once, however often they are sent; in the payload stands `sha256` in the place of `data` or `blob`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from cellwall_wire import Message, Part

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from cellwall_kernel.store.answer import Answer, AnswerPart

__all__ = [
    "PartRow",
    "encode",
    "insert_answer",
    "insert_message",
    "messages_of",
    "parts_of_rows",
    "rows_of_answer",
    "storable",
    "stored_answer_rows",
]

HASH_MEMBER = "sha256"


class PartRow(NamedTuple):
    """A part as it stands in the table."""

    type: str
    text: str | None
    payload_json: str | None


def encode(value: Any) -> str:
    """Return the JSON text of a value."""
    return msgspec.json.encode(value).decode()


def storable(text: str) -> str:
    """Return the text with what UTF-8 cannot express replaced: a command line may hold any bytes."""
    return text.encode("utf-8", "replace").decode()


def insert_message(
    connection: sqlite3.Connection,
    response_id: str,
    position: int,
    message: Message,
    blobs: Mapping[str, bytes],
) -> None:
    """Store a message that a prompt adds to its conversation, with its attachments."""
    message_id = _insert_message_row(connection, response_id, "in", position, message)
    for number, part in enumerate(message.parts):
        members: dict[str, Any] = msgspec.to_builtins(part)
        attachments = [_lift_content(connection, entry, blobs) for entry in _attachments_in(members)]
        part_id = _insert_part_row(connection, message_id, number, _row_of_members(members))
        connection.executemany(
            "INSERT OR IGNORE INTO part_attachments VALUES (?, ?)",
            [(part_id, entry) for entry in attachments],
        )


def insert_answer(
    connection: sqlite3.Connection, response_id: str, answer: Answer, provider: Mapping[str, Any] | None
) -> None:
    """Store the parts of an answer, in place of any that were stored for it before."""
    connection.execute("DELETE FROM messages WHERE response_id = ? AND direction = 'out'", [response_id])
    if not answer.parts and not provider:
        return
    message = Message(role="assistant", parts=[], provider=dict(provider) if provider else None)
    message_id = _insert_message_row(connection, response_id, "out", 0, message)
    for number, row in enumerate(rows_of_answer(answer)):
        _insert_part_row(connection, message_id, number, row)


def rows_of_answer(answer: Answer) -> list[PartRow]:
    """Return the rows that an answer will have."""
    return [_row_of_answer(part) for part in answer.parts]


def stored_answer_rows(connection: sqlite3.Connection, response_id: str) -> list[PartRow]:
    """Return the rows that an answer has."""
    found = connection.execute(
        "SELECT type, text, payload_json FROM parts JOIN messages ON messages.id = message_id "
        "WHERE response_id = ? AND direction = 'out' ORDER BY messages.position, parts.position",
        [response_id],
    )
    return [PartRow(*row) for row in found]


def parts_of_rows(rows: Iterable[PartRow]) -> list[Part]:
    """Return the parts of rows; a tool call whose arguments are cut off is left out."""
    return _decoded(_members_of_row(row) for row in rows)


def messages_of(connection: sqlite3.Connection, response_id: str, direction: str) -> list[Message]:
    """Return the stored messages of a response; a tool call whose arguments are cut off is left out.

    Args:
        connection: the database.
        response_id: the response.
        direction: "in" for what the prompt added, "out" for the answer.
    """
    found = connection.execute(
        "SELECT id, role, provider_json FROM messages "
        "WHERE response_id = ? AND direction = ? ORDER BY position",
        [response_id, direction],
    ).fetchall()
    return [
        Message(
            role=role,
            parts=_stored_parts(connection, message_id),
            provider=None if provider is None else msgspec.json.decode(provider),
        )
        for message_id, role, provider in found
    ]


def _stored_parts(connection: sqlite3.Connection, message_id: int) -> list[Part]:
    rows = connection.execute(
        "SELECT type, text, payload_json FROM parts WHERE message_id = ? ORDER BY position", [message_id]
    ).fetchall()
    tables = [_members_of_row(PartRow(*row)) for row in rows]
    for members in tables:
        for entry in _attachments_in(members or {}):
            _put_content_back(connection, entry)
    return _decoded(tables)


def _decoded(tables: Iterable[dict[str, Any] | None]) -> list[Part]:
    return [msgspec.convert(members, type=Part) for members in tables if members is not None]


def _row_of_members(members: dict[str, Any]) -> PartRow:
    part_type: str = members.pop("type")
    text: str | None = members.pop("text", None)
    if part_type == "tool_call":
        text = encode(members.pop("arguments"))
    return PartRow(part_type, None if text is None else storable(text), encode(members) if members else None)


def _row_of_answer(part: AnswerPart) -> PartRow:
    start = part.start
    members: dict[str, Any] = {}
    if start.type in ("tool_call", "tool_result"):
        members = {"call_id": start.call_id or "", "name": start.name or ""}
    if start.type == "tool_call" and start.server_executed:
        members["server_executed"] = True
    if start.type == "reasoning" and start.redacted:
        members["redacted"] = True
    if start.type == "tool_result":
        members["content"] = [{"type": "text", "text": part.text}]
    if part.provider:
        members["provider"] = part.provider
    text = None if start.type == "tool_result" else part.text
    return PartRow(start.type, text, encode(members) if members else None)


def _members_of_row(row: PartRow) -> dict[str, Any] | None:
    """Return the members of a part; None for a tool call whose arguments were cut off or cannot be read."""
    members: dict[str, Any] = msgspec.json.decode(row.payload_json) if row.payload_json else {}
    members["type"] = row.type
    if row.type == "tool_call":
        try:
            members["arguments"] = msgspec.json.decode(row.text or "{}", type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError):
            return None
    elif row.text is not None:
        members["text"] = row.text
    return members


def _attachments_in(members: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the attachments among the part itself and what a tool returned."""
    parts: list[dict[str, Any]] = [members, *members.get("content", [])]
    return [part for part in parts if part.get("type") == "attachment"]


def _lift_content(connection: sqlite3.Connection, members: dict[str, Any], blobs: Mapping[str, bytes]) -> str:
    """Move an attachment's bytes out of its members into the table, and return the id they have there."""
    data, blob = members.pop("data", None), members.pop("blob", None)
    content: bytes | None = None
    if blob is not None:
        content = blobs[blob]
    elif data is not None:
        content = _base64_bytes(data)
    url: str | None = members.get("url")
    attachment_id = hashlib.sha256(content if content is not None else (url or "").encode()).hexdigest()
    connection.execute(
        "INSERT OR IGNORE INTO attachments (id, media_type, name, url, content) VALUES (?, ?, ?, ?, ?)",
        [attachment_id, members.get("media_type"), members.get("name"), url, content],
    )
    members[HASH_MEMBER] = attachment_id
    return attachment_id


def _base64_bytes(data: str) -> bytes:
    """Return the bytes; text that is no base64 is kept as it is, since a log does not judge what was sent."""
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return data.encode("utf-8", "replace")


def _put_content_back(connection: sqlite3.Connection, members: dict[str, Any]) -> None:
    found = connection.execute(
        "SELECT content FROM attachments WHERE id = ?", [members.pop(HASH_MEMBER, None)]
    ).fetchone()
    if found is not None and found[0] is not None:
        members["data"] = base64.b64encode(found[0]).decode()


def _insert_message_row(
    connection: sqlite3.Connection, response_id: str, direction: str, position: int, message: Message
) -> int:
    provider = encode(message.provider) if message.provider else None
    cursor = connection.execute(
        "INSERT INTO messages (response_id, direction, position, role, provider_json) VALUES (?, ?, ?, ?, ?)",
        [response_id, direction, position, message.role, provider],
    )
    return cursor.lastrowid or 0


def _insert_part_row(connection: sqlite3.Connection, message_id: int, position: int, row: PartRow) -> int:
    cursor = connection.execute(
        "INSERT INTO parts (message_id, position, type, text, payload_json) VALUES (?, ?, ?, ?, ?)",
        [message_id, position, *row],
    )
    return cursor.lastrowid or 0
