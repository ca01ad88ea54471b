"""What is looked at in every line that a host writes, whatever the scenario is."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn, TypeGuard

__all__ = ["WATCHED", "Watch", "is_list", "is_object"]

FIRST_LINE_BYTES = 65_536
DATA_LINE_BYTES = 65_536
HOST_ID = re.compile("h([1-9][0-9]*)")
HOST_CODES = range(5000, 6000)
"""Codes that the host keeps to itself."""


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value is a JSON object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a value is a JSON array."""
    return isinstance(value, list)


def refuse_constant(name: str) -> NoReturn:
    """NaN and Infinity are no JSON."""
    raise ValueError(f"{name} is not JSON")


class Watch:
    """Judges each line.

    Attributes:
        faults: check, what was done, what came; for somebody to take away.
        credit: call -> bytes that may still be sent.
        open_prompts: ids of prompts that are not answered.
        raw: every line.
        requests: the methods that were asked, in their order.
        is_ready: `initialize` was answered.
    """

    def __init__(self) -> None:
        self.faults: list[tuple[str, str, str]] = []
        self.credit: dict[str, int] = {}
        self.open_prompts: set[str] = set()
        self.raw: list[bytes] = []
        self.requests: list[str] = []
        self.is_ready = False
        self.is_closing = False
        self.limit = FIRST_LINE_BYTES
        self.data_line = DATA_LINE_BYTES
        self._last_id = 0
        self._open: set[str] = set()
        self._answered: set[str] = set()
        self._sent: dict[str, int] = {}
        self._granted: dict[str, int] = {}

    @property
    def unanswered(self) -> set[str]:
        """Ids of ours that have no answer."""
        return self._open

    def asked(self, call_id: str) -> None:
        """Note a request of ours."""
        self._open.add(call_id)

    def spent(self, call_id: str, size: int) -> None:
        """Note data of ours."""
        self.credit[call_id] = self.credit.get(call_id, 0) - size
        self._sent[call_id] = self._sent.get(call_id, 0) + size

    def take(self, line: bytes) -> dict[str, Any] | None:
        """Judge a line; returns the message, None for a blank line and for what is none."""
        if not line.strip():
            return None
        self.raw.append(line)
        if len(line) > self.limit:
            self._fault("frames", f"a line may have {self.limit} bytes", f"one of {len(line)}")
        try:
            message: Any = json.loads(line.decode(), parse_constant=refuse_constant)
            json.dumps(message, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            self._fault("frames", "each line is JSON in UTF-8", f"{error}: {line[:80]!r}")
            return None
        if not is_object(message) or message.get("jsonrpc") != "2.0":
            self._fault("frames", 'each line is an object with "jsonrpc":"2.0"', line[:120])
            return None
        if "method" in message:
            self._take_word(message, line)
        elif ("result" in message) != ("error" in message):
            self._take_answer(message, line)
        else:
            self._fault("frames", "a message has a method, a result or an error", line[:120])
        return message

    def _take_word(self, message: dict[str, Any], line: bytes) -> None:
        method, params = message["method"], message.get("params")
        if not isinstance(method, str) or not is_object(params):
            self._fault("frames", "a request has a method and an object as params", line[:120])
            return
        if "id" not in message:
            if method == "$/credit":
                self._take_credit(params)
            return
        self._take_id(message["id"])
        if method == "initialize" and not self.requests:
            self._take_hello(params)
        elif not self.is_ready and method != "ping":
            self._fault("waits-for-hello", "initialize was not answered yet", line[:120])
        if self.is_closing:
            self._fault("shutdown-last", "after shutdown", line[:120])
        self.requests.append(method)
        if method == "shutdown":
            self.is_closing = True
        elif method == "model/prompt":
            self._take_prompt(message["id"], params)

    def _take_hello(self, params: dict[str, Any]) -> None:
        limits = params.get("limits")
        if is_object(limits):
            self.limit = limits.get("line", self.limit)
            self.data_line = limits.get("data_line", self.data_line)

    def _take_id(self, call_id: object) -> None:
        match = HOST_ID.fullmatch(call_id) if isinstance(call_id, str) else None
        if match is None or int(match[1]) <= self._last_id:
            self._fault("ids", f"the last id was h{self._last_id}", repr(call_id))
        else:
            self._last_id = int(match[1])

    def _take_prompt(self, call_id: str, params: dict[str, Any]) -> None:
        if self.open_prompts:
            self._fault("one-at-a-time", f"{self.open_prompts} is not answered", f"prompt {call_id}")
        self.open_prompts.add(call_id)
        meta = params.get("meta", {})
        first = meta.get("credit", 0)
        self.credit[call_id] = self._granted[call_id] = first
        if not isinstance(first, int) or first < 2 * self.data_line:
            self._fault("credit-first", f"data_line is {self.data_line}", f"meta.credit is {first}")
        if not isinstance(meta.get("timeout_ms"), int) or meta["timeout_ms"] <= 0:
            self._fault("deadline-told", "a prompt has a deadline", f"meta is {meta}")

    def _take_credit(self, params: dict[str, Any]) -> None:
        call_id, more = params.get("id"), params.get("n")
        if not isinstance(call_id, str) or not isinstance(more, int) or more <= 0:
            self._fault("credit-consumed", "$/credit has an id and a number", repr(params))
            return
        if call_id not in self.credit:
            return
        self.credit[call_id] += more
        first = self._granted[call_id]
        if self.credit[call_id] > first:
            sent = self._sent.get(call_id, 0)
            self._fault(
                "credit-consumed", f"{sent} bytes were sent", f"{more} more granted, {first} at first"
            )

    def _take_answer(self, message: dict[str, Any], line: bytes) -> None:
        call_id = message.get("id")
        if call_id is not None:
            if call_id in self._answered:
                self._fault("one-answer", f"{call_id} was answered", line[:120])
            self._answered.add(call_id)
            self._open.discard(call_id)
        if "error" in message:
            error = message["error"]
            code = error.get("code") if is_object(error) else None
            if not isinstance(code, int) or code in HOST_CODES or not error.get("message"):
                self._fault("errors", "an error has a code of the table and a sentence", line[:120])

    def _fault(self, check: str, sent: str, came: object) -> None:
        text = came.decode("utf-8", "replace") if isinstance(came, bytes) else str(came)
        self.faults.append((check, sent, text))


WATCHED = (
    "frames",
    "ids",
    "waits-for-hello",
    "shutdown-last",
    "one-at-a-time",
    "credit-first",
    "credit-consumed",
    "deadline-told",
    "one-answer",
    "errors",
)
"""What is judged in every line; a check passes if nothing was found in the whole run."""
