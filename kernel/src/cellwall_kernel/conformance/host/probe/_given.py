"""Scenarios about what a prompt holds."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Any

from ._calm import answer
from ._talk import GREETING
from ._watch import is_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._talk import Call, Talk

__all__ = ["SCENARIOS"]

OPAQUE = {"signature": "0x2a", "deep": [1, {"two": None}], "text": "ü💶"}
SMALL, LARGE = b"a small attachment", b"0123456789abcdef" * 131_072
"""What whoever runs the host attaches; `_scenes` has the same."""

OPTIONS = {"probe_number": "0x10", "probe_flag": "true", "probe_text": ""}


def chain(talk: Talk, call: Call) -> None:
    """Look at the whole conversation, of which the host remembers everything."""
    messages: list[dict[str, Any]] = call.params.get("messages", [])
    roles = [each.get("role") for each in messages if is_object(each)]
    turns = [role for role in roles if role != "system"]
    passed = bool(turns) and turns[-1] == "user" and "system" not in roles[1:]
    talk.found("chain", passed, "a prompt with a system prompt", roles)
    if len(turns) == 1:
        call.put(call.data_line([{"t": "delta", "part": 0, "text": GREETING}]))
        call.put(call.data_line([{"t": "end", "part": 0, "provider": OPAQUE}]))
        call.finish(provider=OPAQUE)
        return
    talk.found(
        "chain-whole", turns == ["user", "assistant", "user"], "a second prompt in a conversation", roles
    )
    talk.found("chain-system", roles[0] == "system", "a second prompt in a conversation", roles)
    said = [each for each in messages if each.get("role") == "assistant"]
    parts: list[dict[str, Any]] = said[0].get("parts", []) if said else []
    same = bool(parts) and parts[0].get("text") == GREETING
    talk.found("chain-whole", same, f"the answer {GREETING!r}, then a second prompt", parts)
    same = bool(parts) and parts[0].get("provider") == OPAQUE
    talk.found("provider-data", same, f"provider {OPAQUE} with a part, then a second prompt", parts)
    answer(talk, call)


def attachments(talk: Talk, call: Call) -> None:
    """Look at two attachments, one of them large."""
    parts = [part for each in call.params.get("messages", []) for part in each.get("parts", [])]
    found = [part for part in parts if part.get("type") == "attachment"]
    scratch = talk.hello.get("dirs", {}).get("scratch", "")
    contents = [content_of(part, scratch) for part in found]
    passed = sorted(map(len, contents)) == [len(SMALL), len(LARGE)] and set(contents) == {SMALL, LARGE}
    talk.found(
        "attachments", passed, "two attached files", f"{len(found)}, of {list(map(len, contents))} bytes"
    )
    paths = [line for line in talk.watch.raw if b"outside-the-cell" in line]
    talk.found(
        "attachments-no-path", not paths, "a file in a folder called outside-the-cell", "its path was sent"
    )
    answer(talk, call)


def content_of(part: dict[str, Any], scratch: str) -> bytes:
    """Return the bytes of an attachment; empty if they cannot be had as the protocol says."""
    sources = [name for name in ("data", "blob", "url") if part.get(name) is not None]
    if sources == ["data"]:
        return base64.b64decode(part["data"])
    if sources == ["blob"] and "/" not in part["blob"]:
        try:
            with open(os.path.join(scratch, part["blob"]), "rb") as file:
                return file.read()
        except OSError:
            return b""
    return b""


def options(talk: Talk, call: Call) -> None:
    """Look at the options, and refuse one."""
    got = call.params.get("options")
    talk.found("options", got == OPTIONS, f"the options {OPTIONS}", got)
    call.fail(2008, "probe_number is no number that the probe likes.", kind="BadOptions", retryable=False)


def unwanted(talk: Talk, call: Call) -> None:
    """Answer a plain prompt; see whether there comes one with something that the model does not support."""
    roles = [each.get("role") for each in call.params.get("messages", [])]
    kinds = [part.get("type") for each in call.params.get("messages", []) for part in each.get("parts", [])]
    extra = [name for name in ("schema", "tools") if call.params.get(name)]
    if (roles, kinds, extra) == (["user"], ["text"], []):
        answer(talk, call)
        return
    came = f"a prompt with roles {roles}, parts {kinds} and {extra}"
    talk.found("capabilities", False, "a model that supports nothing of it", came)
    answer(talk, call)


SCENARIOS: dict[str, Callable[[Talk, Call], None]] = {
    "chain": chain,
    "attachments": attachments,
    "options": options,
    "poor": unwanted,
}
