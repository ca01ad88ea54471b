"""Scenarios that break the protocol: the host must end the connection.

Whether it does shows in one way: a `ping` behind the broken rule, in the same write, is not answered, and
soon our input ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._calm import PIECE, fill
from ._talk import GREETING, Call, Talk

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["GREETINGS", "SCENARIOS"]

SLACK_BYTES = 2 * 1024 * 1024
"""What pipes and one read of the host may hold beyond its limit."""

JUNK_LINES = 101


def breach(talk: Talk, check: str, what: str, line: bytes) -> None:
    """Break a rule, ping, and note whether the host went on."""
    ping = talk.next_id()
    talk.raw(line + talk.line({"jsonrpc": "2.0", "id": ping, "method": "ping", "params": {}}))
    heard = talk.reply(ping, 1.0) is not None
    talk.found(check, not heard, what, "a ping after it was answered")
    talk.found(check, talk.is_left(), what, "the input stays open")


def overrun(talk: Talk, call: Call) -> None:
    """Send more than the credit; nobody reads the answer, so that no more is granted meanwhile."""
    fill(talk, call, 16 * max(call.credit, 1))
    line = call.data_line([{"t": "delta", "part": 0, "text": PIECE * 20}])
    what = f"{len(line)} bytes of data for a credit of {call.credit}"
    talk.watch.spent(call.id, len(line))
    breach(talk, "credit-overrun", what, line)
    talk.notes.cue("stalled")


def wrong_seq(talk: Talk, call: Call) -> None:
    """Leave out a number."""
    call.text(f"{GREETING}\n")
    breach(
        talk,
        "data-gap",
        "data with seq 5 after 0",
        call.data_line([{"t": "delta", "part": 0, "text": "x"}], seq=5),
    )


def repeated_seq(talk: Talk, call: Call) -> None:
    """Use a number twice."""
    call.text(f"{GREETING}\n")
    line = call.data_line([{"t": "delta", "part": 0, "text": "x"}], seq=0)
    breach(talk, "data-again", "data with seq 0 after 0", line)


def late_data(talk: Talk, call: Call) -> None:
    """Send data after the response."""
    late = call.data_line([{"t": "delta", "part": 0, "text": "late"}])
    call.items = 0
    breach(talk, "data-late", "a result, then data", call.result_line() + late)


def wrong_count(talk: Talk, call: Call) -> None:
    """Count an item too many."""
    call.text(f"{GREETING}\n")
    call.items += 1
    breach(talk, "items-count", "one item, and a result with items 2", call.result_line())


def twice(talk: Talk, call: Call) -> None:
    """Answer twice."""
    line = call.result_line()
    breach(talk, "second-answer", "the same result twice", line + line)


def reused_id(talk: Talk, call: Call) -> None:
    """Ask twice under one id."""
    del call
    talk.is_heard()
    line = talk.line({"jsonrpc": "2.0", "id": "p1", "method": "ping", "params": {}})
    breach(talk, "reused-id", "a second request with the id p1", line)


def junk_lines(talk: Talk, call: Call) -> None:
    """Write one line of junk too many."""
    del call
    breach(talk, "junk-lines", f"{JUNK_LINES} lines of junk", b"Loading...\n" * JUNK_LINES)


def junk_bytes(talk: Talk, call: Call) -> None:
    """Write few lines of junk that are long."""
    del call
    breach(talk, "junk-bytes", "three lines of 30,000 bytes of junk", (b"x" * 30_000 + b"\n") * 3)


def long_line(talk: Talk, call: Call) -> None:
    """Write a line that never ends."""
    del call
    most = talk.watch.limit + SLACK_BYTES
    piece, taken = b"x" * 65_536, 0
    while taken < most + len(piece):
        written = talk.raw(piece, within_s=2.0)
        taken += written
        if written < len(piece) or talk.has_ended or talk.terms:
            break
    what = f"a line that never ends, with limits.line {talk.watch.limit}"
    talk.found("line-cap", taken <= most, what, f"{taken} bytes were taken")
    talk.found("line-cap", talk.is_left(), what, "the input stays open")


def host_code(talk: Talk, call: Call) -> None:
    """Use a code that only the host makes."""
    del talk
    call.fail(5004, "The probe says that the host's time is over.", kind="DeadlineExceeded", retryable=False)


def crash(talk: Talk, call: Call) -> None:
    """End in the middle of an answer."""
    import os

    call.text(f"{GREETING}\n")
    talk.drain(0.2)
    os._exit(43)


def other_version(talk: Talk, call_id: str) -> None:
    """Answer with a version that was not offered."""
    talk.watch.is_ready = True
    talk.answer(call_id, {"protocol": 99, "plugin": {"name": "probe"}})
    talk.found("version-other", talk.is_left(), "the answer protocol 99", "the input stays open")


def refusal(talk: Talk, call_id: str) -> None:
    """Speak no version that was offered."""
    offered = talk.hello.get("protocols")
    talk.fail(
        call_id,
        1002,
        "The probe speaks version 99.",
        kind="UnsupportedVersion",
        supported=[99],
        requested=offered,
    )
    talk.found("version-refused", talk.is_left(), "error 1002 to initialize", "the input stays open")


def long_hello(talk: Talk, call_id: str) -> None:
    """Answer `initialize` with more than a first line may hold."""
    talk.raw(talk.line({"jsonrpc": "2.0", "id": call_id, "result": {"protocol": 1, "x": "x" * 65_536}}))
    talk.found("hello-cap", talk.is_left(), "an answer of more than 65,536 bytes", "the input stays open")


def unloadable(talk: Talk, call_id: str) -> None:
    """Say that the plugin's code cannot be loaded."""
    talk.watch.is_ready = True
    error = {"type": "ProbeError", "message": "the probe has lost its needle", "file": "needle.py", "line": 7}
    talk.answer(call_id, {"protocol": 1, "plugin": {"name": "probe"}, "load_error": error})
    asked = talk.request("model/prompt", within_s=3)
    talk.found("load-error", asked is None, "load_error in the answer to initialize", "a prompt all the same")


SCENARIOS: dict[str, Callable[[Talk, Call], None]] = {
    "overrun": overrun,
    "wrong-seq": wrong_seq,
    "repeated-seq": repeated_seq,
    "late-data": late_data,
    "wrong-count": wrong_count,
    "twice": twice,
    "reused-id": reused_id,
    "junk-lines": junk_lines,
    "junk-bytes": junk_bytes,
    "long-line": long_line,
    "host-code": host_code,
    "crash": crash,
}

GREETINGS: dict[str, Callable[[Talk, str], None]] = {
    "other-version": other_version,
    "refusal": refusal,
    "long-hello": long_hello,
    "unloadable": unloadable,
}
