"""From what Cellwall asks to what llama.cpp is sent. Pure functions over plain data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwall_sdk import Message

    from ._options import LocalOptions

__all__ = ["instruction_last", "messages_for", "request_for", "stop_texts"]

# From this length on, what the user wrote or piped in is taken for a text that the system prompt is about.
_TEXT_CHARACTERS = 200


def messages_for(chain: Iterable[Message], default_system: str | None) -> list[dict[str, str]]:
    """Turn a chain of messages into the plain texts that a chat template takes.

    Neighbours of one role are joined, because many templates insist on alternation. Results of tools, which a
    conversation may hold from another model, are told as text.

    Args:
        chain: all messages, the current one last.
        default_system: the system prompt of a chain that has none; None leaves that to the model's template.
    """
    texts: list[dict[str, str]] = []
    for message in chain:
        role, text = message.role, message.text
        if role == "tool":
            role, text = "user", _told_results(message)
        if not text and role != "user":
            continue
        if texts and texts[-1]["role"] == role:
            texts[-1]["content"] = "\n\n".join(filter(None, (texts[-1]["content"], text)))
        else:
            texts.append({"role": role, "content": text})
    if default_system is not None and not any(text["role"] == "system" for text in texts):
        texts.insert(0, {"role": "system", "content": default_system})
    return texts


def instruction_last(messages: list[dict[str, str]], system: str) -> list[dict[str, str]]:
    """Move an instruction about a text behind the text.

    A very small model follows what it has read last: with the instruction in front it goes on writing the
    text instead. Of `cat FILE | llm -s "Summarise in one sentence"` this makes one sentence.

    Args:
        messages: as `messages_for` makes them.
        system: the system prompt that takes the place of the instruction.

    Returns:
        The messages; unchanged if there is no instruction or no text.
    """
    given = [message["content"] for message in messages if message["role"] == "system"]
    texts = [message for message in messages if _is_text(message)]
    if not (given and texts) or given == [system]:
        return messages
    instruction = " ".join(given).strip().rstrip(".")
    changed = [{"role": "system", "content": system}]
    for message in messages:
        content = message["content"]
        if _is_text(message):
            content = f"Here is a text:\n\n{content}\n\nThat was the text. {instruction}."
        if message["role"] != "system":
            changed.append({"role": message["role"], "content": content})
    return changed


def _is_text(message: dict[str, str]) -> bool:
    return message["role"] == "user" and len(message["content"]) >= _TEXT_CHARACTERS


def request_for(
    messages: list[dict[str, str]], options: LocalOptions, schema: dict[str, Any] | None
) -> dict[str, Any]:
    """Build the body of a chat completion.

    Args:
        messages: as `messages_for` makes them.
        options: what the user chose; an option that is None is left to llama.cpp.
        schema: the JSON Schema that the answer must follow, or None.
    """
    body: dict[str, Any] = {"messages": messages, "max_tokens": options.max_tokens}
    for name in ("temperature", "top_p", "top_k", "min_p", "seed", "dry_multiplier", "repeat_penalty"):
        value = getattr(options, name)
        if value is not None:
            body[name] = value
    stop = stop_texts(options.stop)
    if stop:
        body["stop"] = stop
    if schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    return body


def stop_texts(option: str | None) -> list[str]:
    """Read the option `stop`: one text, or a JSON list of texts."""
    if not option:
        return []
    if option.lstrip().startswith("["):
        try:
            texts = json.loads(option)
        except ValueError:
            return [option]
        if all(isinstance(text, str) for text in texts):
            return list(texts)
    return [option]


def _told_results(message: Message) -> str:
    from cellwall_sdk import ToolResultPart

    return "\n".join(
        f"Result of {part.name}: {part.output}" for part in message.parts if isinstance(part, ToolResultPart)
    )
