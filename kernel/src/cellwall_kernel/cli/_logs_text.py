"""Logged responses as text: a page of Markdown each, or a few lines of YAML.

Nothing here opens the log or prints.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwall_kernel.store import LoggedAttachment, LoggedResponse
    from cellwall_wire import Usage

__all__ = ["SHORT_CHARACTERS", "page", "pages", "shortened", "summary", "truncated"]

SHORT_CHARACTERS = 100
"""How much of a long text a list shows."""


def pages(responses: Sequence[LoggedResponse], *, with_usage: bool) -> Iterator[str]:
    """Yield each response as Markdown; a system prompt that a conversation keeps is shown once."""
    shown: dict[str, str | None] = {}
    for response in responses:
        is_new_system = shown.get(response.conversation_id) != response.system
        shown[response.conversation_id] = response.system
        yield page(response, with_system=is_new_system, with_usage=with_usage)


def page(response: LoggedResponse, *, with_system: bool = True, with_usage: bool = False) -> str:
    """Return a response as Markdown."""
    ids = f"conversation: {response.conversation_id} id: {response.id}"
    resolved = f" (resolved: **{response.resolved_model}**)" if response.resolved_model else ""
    sections = [
        f"# {second(response.datetime_utc)}    {ids}",
        f"Model: **{response.model}**{resolved}",
        f"Asked by plugin **{response.asked_by}**" if response.asked_by else "",
        state(response),
        section("Options", "\n".join(f"- {name}: {value}" for name, value in response.options.items())),
        section("System", response.system if with_system else None),
        section("Prompt", response.prompt),
        section("Attachments", "\n".join(attachment(entry) for entry in response.attachments)),
        section("Schema", fenced_json(response.schema) if response.schema else None),
        section("Reasoning", response.reasoning),
        section("Response", response.response),
        section(
            "Tool calls", "\n".join(f"- {call.name}: `{call.arguments}`" for call in response.tool_calls)
        ),
        section("Token usage", usage_line(response.usage) if with_usage else None),
    ]
    return "\n\n".join(text for text in sections if text) + "\n"


def summary(response: LoggedResponse, *, with_usage: bool = False) -> str:
    """Return a response as an entry of a YAML list."""
    members = {
        "model": response.model,
        "datetime": second(response.datetime_utc),
        "conversation": response.conversation_id,
        "id": response.id,
        "asked_by": response.asked_by,
        "status": None if response.status == "done" else response.status,
        "system": shortened(response.system or "") or None,
        "prompt": shortened(response.prompt),
        "usage": usage_line(response.usage) if with_usage else None,
    }
    # A JSON text is a YAML scalar too, whatever it holds.
    rows = [
        f"{name}: {json.dumps(value, ensure_ascii=False)}"
        for name, value in members.items()
        if value is not None
    ]
    return "- " + "\n  ".join(rows)


def truncated(response: LoggedResponse) -> LoggedResponse:
    """Return the response with its long texts shortened."""
    import msgspec

    return msgspec.structs.replace(
        response,
        prompt=shortened(response.prompt),
        system=None if response.system is None else shortened(response.system),
        reasoning=shortened(response.reasoning),
        response=shortened(response.response),
    )


def shortened(text: str) -> str:
    """Return the beginning of the text in one line, with an ellipsis if something is missing."""
    words = " ".join(text[: SHORT_CHARACTERS * 20].split())
    return words if len(words) <= SHORT_CHARACTERS else words[: SHORT_CHARACTERS - 1] + "…"


def section(title: str, text: str | None) -> str:
    """Return a section of a page; empty if there is nothing to say."""
    return f"## {title}\n\n{text}" if text else ""


def state(response: LoggedResponse) -> str:
    """Return how an answer ended that is not simply done."""
    if response.status == "done":
        return ""
    kind = f" ({response.error_kind})" if response.error_kind else ""
    cause = f": {response.error_message}" if response.error_message else ""
    return f"Status: **{response.status}**{kind}{cause}"


def attachment(entry: LoggedAttachment) -> str:
    """Return an attachment as an entry of a list."""
    facts = [
        entry.name,
        entry.media_type,
        entry.url,
        None if entry.size is None else f"{entry.size:,} bytes",
        f"sha256 {entry.id}",
    ]
    return "- " + ", ".join(fact for fact in facts if fact)


def usage_line(usage: Usage | None) -> str:
    """Return the tokens in words; empty if none are known."""
    if usage is None:
        return ""
    counts = {
        "input": usage.input,
        "cached": usage.cached_input,
        "output": usage.output,
        "reasoning": usage.reasoning,
    }
    words = [f"{count:,} {name}" for name, count in counts.items() if count is not None]
    if usage.details:
        words.append(json.dumps(usage.details, ensure_ascii=False))
    return ", ".join(words)


def fenced_json(value: object) -> str:
    """Return a value as a code block."""
    return f"```json\n{json.dumps(value, indent=2, ensure_ascii=False)}\n```"


def second(datetime_utc: str) -> str:
    """Return the time to the second: "2026-11-22T10:11:12Z"."""
    return f"{datetime_utc[:19]}Z"
