"""Scenarios that the protocol allows: strange, but the prompt must succeed."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from ._talk import GREETING, Call, Talk

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["GREETINGS", "PIECE", "SCENARIOS", "answer", "fill"]

PIECE = "x" * 1000 + "\n"
JUNK_LINES = 100
STDERR_BYTES = 3_000_000


def answer(talk: Talk, call: Call) -> None:
    """Answer as everybody does."""
    del talk
    call.text(f"{GREETING}\n")
    call.finish()


def unknown_things(talk: Talk, call: Call) -> None:
    """Say what no version of the protocol knows."""
    talk.tell("x.example/weather", sky="blue")
    talk.tell("$/x_weather", id=call.id, sky="blue")
    items: list[Any] = [
        {"t": "x_smell", "of": "roses"},
        {"t": "part", "part": 0, "type": "text", "x_colour": "red"},
        {"t": "delta", "part": 0, "text": f"{GREETING}\n", "x_colour": {"deep": [1]}},
        {"t": "note", "text": "a remark", "level": "x_purple"},
    ]
    call.put(call.data_line(items, x_more=[1, 2]))
    code = talk.code_of("x.example/method", meta={"parent": call.id})
    talk.found("unknown-method", code == -32601, "the request x.example/method", code)
    call.finish(finish="x_bored", x_more=True)


def framing(talk: Talk, call: Call) -> None:
    """Send bytes as they may come: in pieces, with carriage returns, with blank lines between them."""
    line = call.data_line([{"t": "delta", "part": 0, "text": f"{GREETING} – ü\u2028💶\n"}])
    talk.watch.spent(call.id, len(line))
    for number in range(len(line)):
        talk.raw(line[number : number + 1])
    talk.raw(b"\n\r\n   \n")
    line = call.data_line([{"t": "delta", "part": 0, "text": "second\n"}])
    talk.watch.spent(call.id, len(line) + 1)
    talk.raw(line[:-1] + b"\r\n")
    ping = talk.next_id()
    talk.watch.asked(ping)
    talk.raw(talk.line({"jsonrpc": "2.0", "id": ping, "method": "ping", "params": {}})[:-1] + b"\r\n")
    talk.found("carriage-return", talk.reply(ping) is not None, "a ping that ends with \\r\\n")
    call.finish()


def longest_line(talk: Talk, call: Call) -> None:
    """Send a line that is exactly as long as it may be."""
    empty = len(talk.line({"jsonrpc": "2.0", "method": "x.example/long", "params": {"x": ""}})) - 1
    talk.tell("x.example/long", x="x" * (talk.watch.limit - empty))
    talk.found("longest-line", talk.is_heard(), f"a line of {talk.watch.limit} bytes, then a ping")
    answer(talk, call)


def surrogates(talk: Talk, call: Call) -> None:
    """Send half a character."""
    line = call.data_line([{"t": "delta", "part": 0, "text": f"<HALF> {GREETING}\n"}])
    call.put(line.replace(b"HALF", b"\\ud83d"))
    talk.found("lone-surrogate", talk.is_heard(), "a lone surrogate in a delta, then a ping")
    call.finish()


def junk(talk: Talk, call: Call) -> None:
    """Write as many lines that are no messages as are allowed."""
    kinds = (b"Loading weights...", b"5", b'"text"', b"{", b'{"jsonrpc":"2.0"}', b'{"x":NaN}', b"\xff\xfe")
    for number in range(JUNK_LINES):
        talk.raw(kinds[number % len(kinds)] + b"\n")
    talk.found("junk-tolerated", talk.is_heard(), f"{JUNK_LINES} lines of junk, then a ping")
    answer(talk, call)


def stray_ids(talk: Talk, call: Call) -> None:
    """Speak of calls that there never were."""
    talk.answer("h999999", {"finish": "stop", "items": 0})
    talk.fail("h999998", 2009, "there was no such call")
    talk.tell("$/data", id="h999997", seq=0, items=[{"t": "delta", "part": 0, "text": "stray "}])
    talk.tell("$/progress", id="h999996", done=1)
    talk.tell("$/cancel", id="p999999", reason="no such call")
    talk.tell("$/credit", id="p999998", n=10)
    talk.found("stray-ids", talk.is_heard(), "answers, data and control about ids never used, then a ping")
    answer(talk, call)


def credit(talk: Talk, call: Call) -> None:
    """Use half of the credit at once; more must come, since everything is being read."""
    first = call.credit
    sent = 0
    while sent <= first // 2 + 1 and call.text(PIECE * 8):
        sent = first - call.credit
    more = talk.notice("$/credit", call.id)
    came = "more credit" if more else "nothing within 5 s"
    talk.found("credit-by-half", more is not None, f"{sent} of {first} bytes, and nothing more", came)
    passed = all(call.text(PIECE * 8) for _ in range(3 * first // (8 * len(PIECE))))
    talk.found("credit-flows", passed, f"three times {first} bytes", "no more credit for 5 s")
    answer(talk, call)


def fill(talk: Talk, call: Call, most: int) -> int:
    """Send until no more credit comes, at most so many bytes; returns how many were sent."""
    line_size = len(call.data_line([{"t": "delta", "part": 0, "text": PIECE * 8}]))
    call.seq, call.items, sent = 0, 0, 0
    while sent < most:
        talk.drain(0.5 if call.credit < line_size else 0)
        if call.credit < line_size:
            break
        call.text(PIECE * 8)
        sent += line_size
    return sent


def stalled(talk: Talk, call: Call) -> None:
    """Send until the credit is used up, with nobody reading the answer; see whether the host still reads.

    Whoever runs the host begins to read its output when it is told "stalled".
    """
    most = 16 * max(call.credit, 1)
    sent = fill(talk, call, most)
    talk.found("credit-stalls", sent < most, "data, while nobody read the answer", f"credit for {sent} bytes")
    began = time.monotonic()
    heard = talk.is_heard(2.0) and talk.code_of("x.example/method", meta={"parent": call.id}) == -32601
    came = f"answered after {time.monotonic() - began:.1f} s" if heard else "no answer"
    talk.found("reads-on", heard, "a ping and a request, while nobody read the answer", came)
    talk.notes.cue("stalled")
    answer(talk, call)


def busy(talk: Talk, call: Call) -> None:
    """Ping between pieces of an answer."""
    slow = 0
    for _ in range(20):
        call.text(PIECE)
        slow += not talk.is_heard(2.0)
    talk.found("ping", not slow, "20 pings during an answer", f"{slow} not answered within 2 s")
    answer(talk, call)


def batch(talk: Talk, call: Call) -> None:
    """Send an array of messages."""
    ping: dict[str, Any] = {"jsonrpc": "2.0", "id": "p900", "method": "ping", "params": {}}
    talk.raw(talk.line([ping]))
    reply = talk.reply(None)
    code = reply.get("error", {}).get("code") if reply else None
    talk.found("batches", code == -32600, "an array with one ping", reply or "no answer with an id of null")
    talk.found("batches", talk.reply("p900", 0.3) is None, "an array with one ping", "the ping was answered")
    answer(talk, call)


def odd_ids(talk: Talk, call: Call) -> None:
    """Use ids of other kinds; the connection goes on."""
    for odd, wanted in ((7, None), ("x1", "x1"), (None, None)):
        talk.raw(talk.line({"jsonrpc": "2.0", "id": odd, "method": "ping", "params": {}}))
        reply = talk.reply(wanted)
        code = reply.get("error", {}).get("code") if reply else None
        talk.found("odd-ids", code == -32600, f"a request with the id {odd!r}", reply or "no answer")
    talk.ask("ping")
    answer(talk, call)


def stderr(talk: Talk, call: Call) -> None:
    """Write much to standard error, part of it looking like protocol."""
    os.write(2, b'{"level": "info", "msg": "a message of the log"}\n')
    os.write(2, call.data_line([{"t": "delta", "part": 0, "text": "from the log"}]))
    call.seq, call.items = 0, 0
    began, written = time.monotonic(), 0
    while written < STDERR_BYTES:
        written += os.write(2, b"a line of the log, one of many, which somebody must read\n" * 500)
    talk.found(
        "stderr-drained", True, f"{written} bytes on standard error", f"{time.monotonic() - began:.1f} s"
    )
    answer(talk, call)


def error_after_items(talk: Talk, call: Call) -> None:
    """Fail after a part of the answer."""
    del talk
    call.text(f"{GREETING}\n")
    call.fail(2009, "The probe's model has failed.", kind="ProviderError", retryable=False, items_sent=1)


def unknown_error(talk: Talk, call: Call) -> None:
    """Fail in a way that nobody knows."""
    del talk
    call.fail(2999, "The probe failed in a new way.", kind="XNewWay", x_more=1)


def unopened_part(talk: Talk, call: Call) -> None:
    """Give text for a part that was not opened, and end it."""
    del talk
    call.put(call.data_line([{"t": "delta", "part": 0, "text": f"{GREETING}\n"}, {"t": "end", "part": 0}]))
    call.finish()


def progress(talk: Talk, call: Call) -> None:
    """Tell of progress for ever; it gains no time."""
    told = call.params.get("meta", {}).get("timeout_ms", 0) / 1000
    began = time.monotonic()
    cancel = None
    while cancel is None and not talk.is_left(0) and time.monotonic() < began + told + 6:
        talk.tell("$/progress", id=call.id, done=1, total=2, message="still here")
        cancel = talk.notice("$/cancel", call.id, 0.11)
    took = time.monotonic() - began
    passed = cancel is not None and told * 0.9 - 0.2 <= took <= told + 3
    came = f"{'$/cancel' if cancel else 'nothing'} after {took:.1f} s"
    talk.found("deadline", passed, f"only $/progress, with timeout_ms {told * 1000:.0f}", came)
    call.fail(-32800, "cancelled", kind="Cancelled", items_sent=0)


def cancel(talk: Talk, call: Call) -> None:
    """Answer slowly, until somebody presses Ctrl-C at the host."""
    call.text(f"{GREETING}\n")
    talk.notes.cue("slow")
    told = talk.notice("$/cancel", call.id, 20)
    talk.found(
        "cancel", told is not None, "an answer without an end, and Ctrl-C at the host", told or "nothing"
    )
    talk.found("own-session", talk.interrupts == 0, "Ctrl-C at the host", f"{talk.interrupts} SIGINT")
    code = talk.code_of("keys/get", alias="probe-key", meta={"parent": call.id})
    talk.found("cancelled-parent", code == 1007, "keys/get for a call that was cancelled", code)
    call.fail(-32800, "cancelled", kind="Cancelled", items_sent=1)


def strange_hello(talk: Talk, call_id: str) -> None:
    """Answer `initialize` with what nobody knows, after a while."""
    talk.drain(0.3)
    talk.raw(b"\n\n")
    talk.tell("x.example/early", sky="blue")
    early = talk.ask("ping")
    reply = talk.reply(early)
    code = reply.get("error", {}).get("code") if reply else None
    talk.found(
        "not-initialized", code == 1001, "a ping before `initialize` was answered", reply or "no answer"
    )
    features = {"x.example.colours": {"many": True}, "x_more": {}}
    talk.watch.is_ready = True
    talk.answer(
        call_id,
        {
            "protocol": 1,
            "plugin": {"name": "probe", "x": 1},
            "features": features,
            "x_more": [],
            "needs_shutdown": True,
        },
    )


def orderly(talk: Talk, call: Call) -> None:
    """Answer, and look how the host says goodbye to a plugin that wants to hear it."""
    answer(talk, call)
    asked = talk.request("shutdown", within_s=8)
    talk.found("shutdown", asked is not None, "needs_shutdown, and an answer", asked or "no shutdown")
    if asked is None:
        return
    code = talk.code_of("store/list", meta={"parent": call.id})
    talk.found("shutdown-refuses", code == 1009, "store/list after shutdown", code)
    talk.answer(asked["id"], {})
    talk.found("shutdown-closes", talk.is_left(), "the answer to shutdown", "the input stays open")


SCENARIOS: dict[str, Callable[[Talk, Call], None]] = {
    "plain": answer,
    "terminal": answer,
    "unknown-things": unknown_things,
    "framing": framing,
    "longest-line": longest_line,
    "surrogates": surrogates,
    "junk": junk,
    "stray-ids": stray_ids,
    "credit": credit,
    "stalled": stalled,
    "busy": busy,
    "batch": batch,
    "odd-ids": odd_ids,
    "stderr": stderr,
    "error-after-items": error_after_items,
    "unknown-error": unknown_error,
    "unopened-part": unopened_part,
    "progress": progress,
    "cancel": cancel,
    "hello": orderly,
}

GREETINGS: dict[str, Callable[[Talk, str], None]] = {"hello": strange_hello}
