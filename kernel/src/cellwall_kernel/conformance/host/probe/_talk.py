"""The probe's side of a conversation: what it says, what it hears, and what it writes down about the host.

Written from `protocol.md` alone, with the standard library alone: a mistake of the host's own code cannot be
repeated here. It says whatever it is told to say, and takes its time from one monotonic clock.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from typing import TYPE_CHECKING, Any

from ._watch import Watch, is_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

__all__ = ["GREETING", "Call", "Message", "Notes", "Talk", "shown"]

Message = dict[str, Any]

SOON_S = 5.0
"""How long the host may take for what it does at once, on a busy machine (seconds)."""

READ_BYTES = 65_536
TICK_S = 0.05
SHOWN = 160
GREETING = "the probe was here"


def shown(value: object) -> str:
    """Return a message in one short line."""
    text = value if isinstance(value, str) else json.dumps(value, default=repr)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


class Notes:
    """The report file: one line for each finding, written at once, since the probe may be killed.

    Args:
        folder: where the file is.
    """

    def __init__(self, folder: str) -> None:
        self._fd = os.open(
            os.path.join(folder, "report.jsonl"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600
        )

    def found(self, check: str, passed: bool, sent: str, came: object) -> None:
        """Note what a check has shown."""
        self._write({"check": check, "passed": passed, "sent": sent, "came": shown(came)})

    def skip(self, check: str, why: str) -> None:
        """Note that there was nothing to try."""
        self._write({"check": check, "skipped": why})

    def cue(self, name: str, **facts: object) -> None:
        """Tell whoever runs the host that something has happened."""
        self._write({"cue": name, "at": time.monotonic(), **facts})

    def _write(self, line: Message) -> None:
        os.write(self._fd, json.dumps(line).encode() + b"\n")


class Talk:
    """One conversation with a host.

    Attributes:
        hello: the parameters of `initialize`.
        has_ended: the host has closed our input.
        terms: when SIGTERM came.
        interrupts: how often SIGINT came.
    """

    def __init__(self) -> None:
        self.hello: Message = {}
        self.has_ended = False
        self.terms: list[float] = []
        self.interrupts = 0
        self.watch = Watch()
        self._notes: Notes | None = None
        self._rest = b""
        self._heard: list[Message] = []
        self._own = 0
        os.set_blocking(0, False)
        os.set_blocking(1, False)
        signal.signal(signal.SIGTERM, self._note_signal)
        signal.signal(signal.SIGINT, self._note_signal)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    def _note_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            self.terms.append(time.monotonic())
        else:
            self.interrupts += 1

    # -- notes -----------------------------------------------------------------------------------------------

    @property
    def notes(self) -> Notes:
        """The report, in the folder that the host has given us."""
        if self._notes is None:
            folder = self.hello.get("dirs", {}).get("data")
            self._notes = Notes(folder if isinstance(folder, str) else ".")
        return self._notes

    def found(self, check: str, passed: bool, sent: str, came: object = "as it should be") -> None:
        """Note what a check has shown."""
        self.notes.found(check, passed, sent, came)

    def note_faults(self) -> None:
        """Write down what the watch has seen so far."""
        while self.watch.faults:
            check, sent, came = self.watch.faults.pop(0)
            self.found(check, False, sent, came)

    # -- saying ----------------------------------------------------------------------------------------------

    def raw(self, data: bytes, *, within_s: float = 10.0) -> int:
        """Write bytes, and read meanwhile; returns how many the host took."""
        written, end = 0, time.monotonic() + within_s
        while written < len(data) and time.monotonic() < end:
            self.hear(0)
            if not select.select([], [1], [], TICK_S)[1]:
                continue
            try:
                written += os.write(1, data[written : written + READ_BYTES])
            except BlockingIOError:
                continue
            except OSError:
                break
        return written

    def line(self, message: object) -> bytes:
        """Return a message as a line."""
        return json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"

    def say(self, **members: Any) -> None:
        """Send a message."""
        self.raw(self.line({"jsonrpc": "2.0", **members}))

    def tell(self, method: str, **params: Any) -> None:
        """Send a notification."""
        self.say(method=method, params=params)

    def answer(self, call_id: str, result: object) -> None:
        """Send a result."""
        self.say(id=call_id, result=result)

    def fail(self, call_id: str, code: int, message: str, **data: object) -> None:
        """Send an error."""
        self.say(id=call_id, error={"code": code, "message": message, "data": data})

    def next_id(self) -> str:
        """Return the next id of ours."""
        self._own += 1
        return f"p{self._own}"

    def ask(self, method: str, **params: Any) -> str:
        """Send a request; returns its id."""
        call_id = self.next_id()
        self.watch.asked(call_id)
        self.say(id=call_id, method=method, params=params)
        return call_id

    # -- hearing ---------------------------------------------------------------------------------------------

    def hear(self, within_s: float) -> bool:
        """Read what comes within a time; whether something came."""
        if self.has_ended:
            if within_s:
                time.sleep(min(within_s, TICK_S))  # nothing can wake us but a signal
            return False
        if not select.select([0], [], [], within_s)[0]:
            return False
        try:
            chunk = os.read(0, READ_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self.has_ended = True
            return True
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            message = self.watch.take(line)
            if message is not None:
                self._heard.append(message)
        if self.hello:
            self.note_faults()
        return True

    def wait(self, wanted: Callable[[Message], bool], within_s: float = SOON_S) -> Message | None:
        """Return the first message of a kind, once; None if it does not come in time or ever."""
        end = time.monotonic() + within_s
        while True:
            for number, message in enumerate(self._heard):
                if wanted(message):
                    return self._heard.pop(number)
            left = end - time.monotonic()
            if left <= 0 or self.has_ended:
                return None
            self.hear(min(left, TICK_S))

    def request(self, *methods: str, within_s: float = 30.0) -> Message | None:
        """Wait for a request of the host."""
        return self.wait(lambda each: each.get("method") in methods and "id" in each, within_s)

    def notice(self, method: str, call_id: str, within_s: float = SOON_S) -> Message | None:
        """Wait for a notification about a call."""
        return self.wait(
            lambda each: each.get("method") == method and each.get("params", {}).get("id") == call_id,
            within_s,
        )

    def reply(self, call_id: str | None, within_s: float = SOON_S) -> Message | None:
        """Wait for the answer to a request of ours."""
        return self.wait(lambda each: "method" not in each and each.get("id") == call_id, within_s)

    def code_of(self, method: str, **params: Any) -> object:
        """Ask; return the code of the error that comes, else the result, None if there is no answer."""
        reply = self.reply(self.ask(method, **params))
        if reply is None:
            return None
        error = reply.get("error")
        return error.get("code") if is_object(error) else reply.get("result")

    def is_heard(self, within_s: float = SOON_S) -> bool:
        """Ping the host; whether it answers."""
        return self.reply(self.ask("ping"), within_s) is not None

    def is_left(self, within_s: float = SOON_S) -> bool:
        """Wait until the host closes our input or tells us to end; whether it does."""
        end = time.monotonic() + within_s
        while not self.has_ended and not self.terms and time.monotonic() < end:
            self.hear(TICK_S)
        return self.has_ended or bool(self.terms)

    def drain(self, seconds: float) -> None:
        """Read for a time, or until the end."""
        end = time.monotonic() + seconds
        while not self.has_ended and time.monotonic() < end:
            self.hear(TICK_S)

    def next_call(self, within_s: float = 30.0) -> Call | None:
        """Wait for a prompt; None if none comes."""
        asked = self.request("model/prompt", within_s=within_s)
        return None if asked is None else Call(self, asked)


class Call:
    """A prompt that is being answered.

    Args:
        talk: the conversation.
        asked: the request.
    """

    def __init__(self, talk: Talk, asked: Message) -> None:
        self.talk = talk
        self.id: str = asked["id"]
        self.params: Message = asked["params"]
        self.seq = 0
        self.items = 0

    @property
    def credit(self) -> int:
        """How many bytes may still be sent."""
        return self.talk.watch.credit.get(self.id, 0)

    def data_line(self, items: Iterable[Message], **changes: Any) -> bytes:
        """Return the next line of data, and count it."""
        items = list(items)
        params = {"id": self.id, "seq": self.seq, "items": items} | changes
        line = self.talk.line({"jsonrpc": "2.0", "method": "$/data", "params": params})
        self.seq += 1
        self.items += len(items)
        return line

    def put(self, line: bytes) -> bool:
        """Send a line of data as soon as there is credit; whether there was."""
        self.talk.wait(lambda _: False, 0)
        end = time.monotonic() + SOON_S
        while self.credit < len(line) and time.monotonic() < end and not self.talk.has_ended:
            self.talk.hear(TICK_S)
        if self.credit < len(line):
            return False
        self.talk.watch.spent(self.id, len(line))
        self.talk.raw(line)
        return True

    def text(self, text: str, part: int = 0) -> bool:
        """Send a piece of text."""
        return self.put(self.data_line([{"t": "delta", "part": part, "text": text}]))

    def result_line(self, **changes: object) -> bytes:
        """Return the line with the result."""
        self.talk.watch.open_prompts.discard(self.id)
        result = {"finish": "stop", "items": self.items} | changes
        return self.talk.line({"jsonrpc": "2.0", "id": self.id, "result": result})

    def finish(self, **changes: object) -> None:
        """Send the result."""
        self.talk.raw(self.result_line(**changes))

    def fail(self, code: int, message: str, **data: object) -> None:
        """Send an error."""
        self.talk.watch.open_prompts.discard(self.id)
        self.talk.fail(self.id, code, message, **data)
