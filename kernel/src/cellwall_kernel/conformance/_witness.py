"""The witness: looks at every line of every process, and knows the rules that can be broken at any time.

It is not `cellwall_wire.Connection`, which ends a conversation at the first broken rule: here it goes on, so
that one run finds as much as it can. What it finds is kept by check (`_checks.WATCHED`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from cellwall_kernel.conformance._stream import Stream
from cellwall_kernel.conformance._types import Evidence
from cellwall_kernel.conformance._words import as_line, members_of, printable
from cellwall_wire import METHODS, Code, Role

__all__ = ["Ledger", "OpenCall", "Witness"]

OWN_ID = re.compile(r"p[1-9][0-9]{0,17}")
HOST_CODES = range(5000, 6000)
PROGRESS_PER_S = 10
STREAMING = {name for name, method in METHODS.items() if method.item is not None}
KNOWN = {int(code): code.kind for code in Code}

Message = dict[str, Any]


class Witness:
    """Collects what was seen in a whole run.

    Attributes:
        broken: id of a check -> the first evidence that a rule was broken.
        seen: ids of checks for which there was something to look at.
        aliases: of the keys that the plugin's models declare; None until they are known.
    """

    def __init__(self) -> None:
        self.broken: dict[str, Evidence] = {}
        self.seen: set[str] = {"only-protocol", "valid-json", "line-length"}
        self.aliases: set[str] | None = None

    def note(self, check: str, sent: str, came: str) -> None:
        """Note that a rule was broken; the first time counts."""
        self.seen.add(check)
        self.broken.setdefault(check, Evidence(sent, came))

    def expect(self, check: str, holds: bool, sent: str, came: str) -> bool:
        """Look at something: note it if it does not hold, and return whether it does."""
        self.seen.add(check)
        if not holds:
            self.note(check, sent, came)
        return holds


@dataclass
class OpenCall:
    """One request of ours and what came of it.

    Args:
        method: what was asked.
        line: the request as it is shown.
        credit: how many bytes of data lines may still come.
        granted: how many bytes of input the plugin has granted in all.
    """

    method: str
    line: str
    credit: int = 0
    is_cancelled: bool = False
    answer: Message | None = None
    granted: int = 0
    stream: Stream = field(default_factory=Stream)
    progress: list[float] = field(default_factory=list[float])


class Ledger:
    """What is open between us and one process.

    Args:
        witness: is told what is broken.
    """

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._last_own_id = 0
        self.calls: dict[str, OpenCall] = {}
        self.line_limit = 65_536
        self.data_line = 65_536

    def asked(self, call_id: str, method: str, line: str, credit: int = 0) -> None:
        """Note a request of ours."""
        stream = Stream(is_text=method != "embed/batch")
        self.calls[call_id] = OpenCall(method, line, credit, stream=stream)

    def read(self, line: bytes) -> Message | None:
        """Look at a line; returns the message, None if it is none."""
        note = self._witness.note
        if len(line) > self.line_limit:
            note("line-length", f"limits.line of {self.line_limit}", f"a line of {len(line)} bytes")
        message = self._decode(line.removesuffix(b"\r"))
        if message is None:
            return None
        is_call = isinstance(message.get("method"), str)
        is_answer = "id" in message and ("result" in message) != ("error" in message) and not is_call
        is_shaped = message.get("jsonrpc") == "2.0" and is_call != is_answer
        if is_call and not isinstance(message.get("params", {}), dict):
            is_shaped = False
        if not self._witness.expect("message-shape", is_shaped, "–", printable(line)):
            return None
        return message

    def _decode(self, line: bytes) -> Message | None:
        if not line:
            return None
        try:
            message = json.loads(line.decode("utf-8"), parse_constant=_refuse)
        except _NotANumber:
            self._witness.note("valid-json", "–", printable(line))
            return None
        except UnicodeDecodeError:
            kind = "valid-json" if line.startswith(b"{") else "only-protocol"
            self._witness.note(kind, "–", printable(line))
            return None
        except (ValueError, RecursionError):
            kind = "valid-json" if line.startswith("\ufeff{".encode()) else "only-protocol"
            self._witness.note(kind, "–", printable(line))
            return None
        if not isinstance(message, dict):
            self._witness.note("only-protocol", "–", printable(line))
            return None
        if b"\\u" in line and _has_lone_surrogate(message):
            self._witness.note("valid-json", "–", printable(line))
        return cast("Message", message)

    # -- answers ---------------------------------------------------------------------------------------------

    def answered(self, message: Message) -> None:
        """Take a response."""
        call_id, witness = message["id"], self._witness
        if "error" in message:
            self._look_at_error(message)
        if call_id is None and "error" in message:
            return  # what it says of a line that it could not read
        call = self.calls.get(call_id) if isinstance(call_id, str) else None
        if call is None:
            if isinstance(call_id, str):
                witness.note("answers-once", "no request with this id", as_line(message))
            return
        if not witness.expect("answers-once", call.answer is None, call.line, as_line(message)):
            return
        call.answer = message
        if call.method in STREAMING:
            self._look_at_end(call, message)

    def _look_at_end(self, call: OpenCall, message: Message) -> None:
        sent = call.stream.items
        if "error" not in message:
            items = members_of(message["result"]).get("items", 0)
            came = f"{as_line(message)} after {sent} items"
            self._witness.expect("item-count", items == sent, call.line, came)
        elif sent:
            told = members_of(members_of(message["error"]).get("data")).get("items_sent")
            came = f"{as_line(message)} after {sent} items"
            self._witness.expect("items-sent", told == sent, call.line, came)

    def _look_at_error(self, message: Message) -> None:
        error, witness, came = members_of(message["error"]), self._witness, as_line(message)
        code, text = error.get("code"), error.get("message")
        is_shaped = type(code) is int and isinstance(text, str) and bool(text.strip())
        if not witness.expect("error-shape", is_shaped and code not in HOST_CODES, "–", came):
            return
        kind = members_of(error.get("data")).get("kind")
        if code in KNOWN:
            witness.expect("error-kind", kind == KNOWN[code], "–", came)

    # -- notifications and requests --------------------------------------------------------------------------

    def data(self, message: Message, size: int) -> OpenCall | None:
        """Take a `$/data` of so many bytes; returns its call."""
        params: Any = message.get("params", {})
        witness, came = self._witness, as_line(message)
        call = self.calls.get(params.get("id")) if isinstance(params.get("id"), str) else None
        if call is None or call.method not in STREAMING or call.answer is not None:
            witness.note("data-order", call.line if call else "no such call", came)
            return None
        seq, due, items = params.get("seq"), call.stream.seq, params.get("items")
        witness.expect("data-order", seq == due, call.line, f"{came} where seq {due} was due")
        over = f"a $/data of {size} bytes with {call.credit} granted"
        witness.expect("credit-kept", size <= call.credit, call.line, over)
        long = f"a $/data of {size} bytes; limits.data_line is {self.data_line}"
        witness.expect("data-line", size <= self.data_line, call.line, long)
        call.credit -= size
        problem = call.stream.take(items)
        witness.expect("stream-items", problem is None, call.line, f"{problem}: {came}")
        return call

    def granted(self, message: Message) -> None:
        """Take a `$/credit` for an input of ours."""
        params: Any = message.get("params", {})
        call = self.calls.get(str(params.get("id")))
        if call is not None and type(params.get("n")) is int:
            call.granted += params["n"]

    def progressed(self, message: Message, now_s: float) -> None:
        """Take a `$/progress`."""
        call = self.calls.get(str(message.get("params", {}).get("id")))
        if call is None:
            return
        call.progress = [at for at in call.progress if now_s - at < 1.0] + [now_s]
        came = f"{len(call.progress)} times $/progress within a second"
        # One more than ten fits into a second that begins and ends with one.
        self._witness.expect("progress-rate", len(call.progress) <= PROGRESS_PER_S + 1, call.line, came)

    def requested(self, message: Message) -> Code | None:
        """Take a request of the plugin; returns why it is refused, None if it is not."""
        own, witness, came = message["id"], self._witness, as_line(message)
        number = int(own[1:]) if isinstance(own, str) and OWN_ID.fullmatch(own) else 0
        witness.expect("own-ids", number > self._last_own_id, "–", came)
        self._last_own_id = max(number, self._last_own_id)
        if message["method"] != "keys/get":
            known = METHODS.get(message["method"])
            if known is None or known.caller is Role.HOST:
                return Code.METHOD_NOT_FOUND
            return None if known.caller is None else Code.UNAVAILABLE
        params = message.get("params", {})
        parent = self.calls.get(str(members_of(params.get("meta")).get("parent")))
        is_live = parent is not None and parent.answer is None
        line = parent.line if parent is not None else "no such call"
        if not witness.expect("keys-parent", is_live, line, came):
            return Code.NO_PARENT
        if witness.aliases is not None:
            witness.expect("keys-declared", params.get("alias") in witness.aliases, line, came)
        return Code.KEY_MISSING


class _NotANumber(ValueError):
    """Raised for NaN and Infinity."""


def _refuse(text: str) -> Any:
    raise _NotANumber(text)


def _has_lone_surrogate(message: Any) -> bool:
    try:
        msgspec.json.encode(message)
    except UnicodeEncodeError:
        return True
    except (OverflowError, msgspec.MsgspecError):
        return False
    return False
