"""A prompt as text that a person can read and a test can compare."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellwall_sdk import Attachment, Conversation, Prompt

__all__ = ["show"]


def show(prompt: Prompt, conversation: Conversation) -> str:
    """Give the prompt's text alone, or, when there is more to it, a line for each thing."""
    lines = [line for line in (*_context(prompt, conversation), *_demands(prompt)) if line]
    if not lines:
        return prompt.prompt
    return "\n".join([*lines, f"prompt: {prompt.prompt}"])


def _context(prompt: Prompt, conversation: Conversation) -> list[str]:
    """What the model is told beside the prompt."""
    before = len(conversation.messages)
    lines = [f"system: {prompt.system}" if prompt.system else ""]
    lines.append(f"history: {before} {'message' if before == 1 else 'messages'}" if before else "")
    lines += [f"attachment: {_file(file)}" for file in prompt.attachments]
    for result in prompt.tool_results:
        failed = " failed" if result.exception is not None else ""
        lines.append(f"tool result: {result.name}{failed}: {result.output}")
    return lines


def _demands(prompt: Prompt) -> list[str]:
    """What the model is asked for beside an answer."""
    temperature = prompt.options.temperature
    return [
        f"option: temperature={temperature:g}" if temperature is not None else "",
        f"schema: {json.dumps(prompt.schema, sort_keys=True)}" if prompt.schema is not None else "",
        f"tools: {', '.join(tool.name for tool in prompt.tools)}" if prompt.tools else "",
    ]


def _file(file: Attachment) -> str:
    kind = file.resolve_type() or "unknown type"
    content = file.content
    if content is None:
        return f"{kind}, {file.url}"
    named = f", {file.name}" if file.name else ""
    return f"{kind}, {len(content)} bytes, sha256 {file.id()[:16]}{named}"
