"""What callers give to the store and get from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from cellwall_wire import Message, Usage

__all__ = [
    "Conversation",
    "LogStatus",
    "LogToolCall",
    "LoggedAttachment",
    "LoggedResponse",
    "Outcome",
    "PromptRow",
    "ResponseFilter",
    "Status",
]

Status = Literal["running", "done", "cancelled", "error", "interrupted"]
"""How far an answer is: the user stopped a `cancelled` one, the host of an `interrupted` one died."""


class PromptRow(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt, as it is logged before the model sees it.

    Attributes:
        model: the model's id.
        plugin: the name of the plugin that runs it.
        sandbox: how strong the wall around the plugin is: STRONG, PARTIAL or NONE.
        asked_by: the plugin that asked; None if it was the user.
        messages: what this prompt adds to the conversation: the user's message, or the results of tools. Not
            the history, and not the system prompt.
        system: the system prompt.
        options: the model options that the user chose.
        schema: the JSON Schema that the answer shall follow.
        conversation_id: the conversation that it continues; None begins a new one.
        blobs: the content of attachments that `messages` name by `blob`.
    """

    model: str
    plugin: str
    sandbox: str | None = None
    asked_by: str | None = None
    messages: Sequence[Message]
    system: str | None = None
    options: Mapping[str, Any] = {}
    schema: Mapping[str, Any] | None = None
    conversation_id: str | None = None
    blobs: Mapping[str, bytes] = {}


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer ended.

    Attributes:
        status: "done", or why not.
        finish: the model's own word for it, as in PromptResult.
        usage: tokens used; None keeps what the stream said.
        resolved_model: the exact model that answered, if the provider told.
        provider: opaque data of the plugin that is returned to it with the answer in later prompts.
        error_kind: the kind of the error, such as "RateLimited".
        error_message: its sentence.
    """

    status: Literal["done", "cancelled", "error", "interrupted"]
    finish: str | None = None
    usage: Usage | None = None
    resolved_model: str | None = None
    provider: Mapping[str, Any] | None = None
    error_kind: str | None = None
    error_message: str | None = None


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that can be continued.

    Attributes:
        id: its id.
        name: the beginning of its first prompt.
        model: the model that answered last.
        system: the system prompt that was used last; None if there never was one.
        datetime_utc: when it began, ISO 8601.
    """

    id: str
    name: str
    model: str
    system: str | None
    datetime_utc: str


class ResponseFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which responses to list; what is None does not restrict.

    Attributes:
        limit: how many at most, the newest ones.
        model: the model's id or its resolved name, exactly.
        query: words to find in prompts and answers, in the syntax of SQLite's FTS5 where it is that, else as
        words. conversation_id: one conversation only.
        is_of_user: only what the user asked, and not what plugins asked meanwhile.
    """

    limit: int | None = None
    model: str | None = None
    query: str | None = None
    conversation_id: str | None = None
    is_of_user: bool = False


class LogToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that the model asked for; `arguments` is JSON text, cut off where the answer was."""

    call_id: str
    name: str
    arguments: str


class LoggedAttachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file that went along with a prompt; `size` in bytes, None if only its address is known."""

    id: str
    media_type: str | None
    name: str | None
    url: str | None
    size: int | None


class LoggedResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt and its answer, as `logs list --json` shows them.

    Attributes:
        id: sorts by time.
        conversation_id: the conversation it belongs to.
        conversation_name: the beginning of that conversation's first prompt.
        datetime_utc: when the prompt was given, ISO 8601.
        model: the model that was asked.
        resolved_model: the exact model that answered.
        plugin: the plugin that ran it.
        sandbox: how strong the wall around the plugin was; None in rows of versions that had none.
        asked_by: the plugin that asked; None if it was the user.
        status: how far the answer is.
        finish: the model's own word for the end.
        error_kind: why it failed, for programs.
        error_message: why it failed, for people.
        prompt: the user's text.
        system: the system prompt.
        options: the model options.
        schema: the JSON Schema for the answer.
        attachments: files that went along.
        reasoning: what the model thought first.
        response: the answer's text, as far as it arrived.
        tool_calls: the tools that the model asked for.
        usage: tokens used.
        first_token_ms: from the prompt to the first thing that arrived, in milliseconds.
        duration_ms: from the prompt to the end, in milliseconds.
    """

    id: str
    conversation_id: str
    conversation_name: str
    datetime_utc: str
    model: str
    resolved_model: str | None
    plugin: str
    sandbox: str | None
    asked_by: str | None
    status: Status
    finish: str | None
    error_kind: str | None
    error_message: str | None
    prompt: str
    system: str | None
    options: dict[str, Any]
    schema: dict[str, Any] | None
    attachments: list[LoggedAttachment]
    reasoning: str
    response: str
    tool_calls: list[LogToolCall]
    usage: Usage | None
    first_token_ms: int | None
    duration_ms: int | None


class LogStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The log in numbers: how many rows, how many answers of each status, bytes on the disk."""

    conversations: int
    responses: int
    by_status: dict[str, int]
    attachments: int
    size_bytes: int
