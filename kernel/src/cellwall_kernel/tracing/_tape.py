"""One process on the trace: its bytes become lines, its lines records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from cellwall_kernel.tracing import MARK
from cellwall_kernel.tracing._joints import Record
from cellwall_kernel.tracing.lines import LONGEST_LINE_BYTES, Lines
from cellwall_wire import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwall_kernel.tracing._trace import Trace

__all__ = ["Tape"]

SHOWN_TEXT = 4096
"""How many characters are kept of what is no message, and of a line on stderr."""

STDERR_BYTES = 1024 * 1024
"""How much of what one process prints is kept; `stderr.log` has more."""

SECRET_METHODS = frozenset({"keys/get"})
"""Calls of a plugin whose results are never written [P-90]."""

ASK = "user/ask"
OPEN_KINDS = frozenset({"confirm", "text", "select"})
"""Questions whose answers are written; those to all others are secret."""

SECRET_ASK = "user/ask secret"  # noqa: S105 - no password
"""What stands for a question of another kind here; it is no method."""


class Tape:
    """Records one process; nothing that it does can fail.

    Args:
        trace: where it goes.
        plugin: the plugin's name.
        process: the number of the process in this command, from 1.
    """

    def __init__(self, trace: Trace, plugin: str, process: int) -> None:
        self._trace = trace
        self._plugin = plugin
        self._process = process
        self._methods: dict[str, str] = {}
        self._printed = 0
        self._from_host = Lines(self._take_from_host, LONGEST_LINE_BYTES)
        self._from_plugin = Lines(self._take_from_plugin, LONGEST_LINE_BYTES)
        self._from_stderr = Lines(self._take_stderr, SHOWN_TEXT)

    def sent(self, data: bytes | memoryview) -> None:
        """Take what was written to the plugin."""
        self._trace.guard(lambda: self._from_host.feed(bytes(data)))

    def heard(self, chunk: bytes) -> None:
        """Take what the plugin wrote."""
        self._trace.guard(lambda: self._from_plugin.feed(chunk))

    def hearing(self, take: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """Return a function that records what the plugin writes, and then hands it over."""

        def hear(chunk: bytes) -> None:
            self.heard(chunk)
            take(chunk)

        return hear

    def printed(self, chunk: bytes) -> None:
        """Take what the plugin printed on standard error."""
        self._trace.guard(lambda: self._from_stderr.feed(chunk))

    def event(self, name: str, **facts: Any) -> None:
        """Note that something happened to the process."""
        self._trace.guard(lambda: self._write("event", event=name, **self._trace.secrets.hide_in(facts)))

    def ended(self, cause: str) -> None:
        """Note the end of the process, after all that it has said.

        Args:
            cause: how it ended.
        """

        def finish() -> None:
            for lines in (self._from_host, self._from_plugin, self._from_stderr):
                lines.finish()
            self._trace.joints.end(self._process)
            self._write("event", event="ended", exit=cause)

        self._trace.guard(finish)

    # -- lines -----------------------------------------------------------------------------------------------

    def _take_from_host(self, line: bytes, size: int) -> None:
        message = _message(line) if len(line) == size else None
        if message is not None and "method" not in message and isinstance(message.get("id"), str):
            self._hide_answer(message)
        self._write_line("host", line, size, message)

    def _hide_answer(self, message: dict[str, Any]) -> None:
        """Hide what a plugin is told in answer to a call: always, unless the call is known to be harmless."""
        method = self._methods.pop(message["id"], None)
        result = message.get("result")
        if method == SECRET_ASK:
            if isinstance(result, dict) and "value" in result:
                answer = cast("dict[str, Any]", result)
                self._trace.secrets.add_all(answer["value"])
                answer["value"] = MARK
        elif "result" in message and (method not in METHODS or method in SECRET_METHODS):
            self._trace.secrets.add_all(message["result"])
            message["result"] = MARK

    def _take_from_plugin(self, line: bytes, size: int) -> None:
        message = _message(line) if len(line) == size else None
        if message is not None and isinstance(message.get("id"), str):
            method = message.get("method")
            if isinstance(method, str):  # a secret call stays one, should its id be used again
                if self._methods.get(message["id"]) not in {*SECRET_METHODS, SECRET_ASK}:
                    self._methods[message["id"]] = SECRET_ASK if _asks_secretly(message) else method
            else:
                self._trace.joints.end(self._process, message["id"])
        self._write_line("plugin", line, size, message)

    def _write_line(self, side: str, line: bytes, size: int, message: dict[str, Any] | None) -> None:
        secrets = self._trace.secrets
        if message is None:
            text = secrets.hide(line.decode("utf-8", "replace").rstrip("\r\n"))
            self._write(side, bytes=size, text=text[:SHOWN_TEXT])
            return
        if secrets:
            message = secrets.hide_in(message)
        self._write(side, bytes=size, line=message)

    def _take_stderr(self, line: bytes, size: int) -> None:
        if self._printed >= STDERR_BYTES:
            return
        self._printed += size
        text = self._trace.secrets.hide(line.decode("utf-8", "replace").rstrip("\r\n"))
        if len(line) < size:  # the cut may have gone through a key
            text = text[: len(text) - self._trace.secrets.begun_in(text)] + "…"
        self._write("event", event="stderr", text=text)
        if self._printed >= STDERR_BYTES:
            self._write("event", event="stderr", text="[it prints more, which is left out here]")

    def _write(self, side: str, **members: Any) -> None:
        record = Record(
            {
                "at_ms": self._trace.now_ms(),
                "plugin": self._plugin,
                "process": self._process,
                "from": side,
                **members,
            }
        )
        if self._trace.secrets:
            self._join(record, members.get("line"))
        self._trace.put(record)

    def _join(self, record: Record, message: Any) -> None:
        """Hold the texts of a stream's items back while a key may go on in the next."""
        if not isinstance(message, dict):
            return
        members = cast("dict[str, Any]", message)
        params = members.get("params")
        if members.get("method") != "$/data" or not isinstance(params, dict):
            return
        data = cast("dict[str, Any]", params)
        items = data.get("items")
        for item in cast("list[object]", items) if isinstance(items, list) else []:
            if isinstance(item, dict):
                holder = cast("dict[str, Any]", item)
                key = (self._process, str(data.get("id")), str(holder.get("part")))
                for name in ("text", "json"):
                    self._trace.joints.add((*key, name), record, holder, name)


def _asks_secretly(message: dict[str, Any]) -> bool:
    params = message.get("params")
    kind = cast("dict[str, Any]", params).get("kind") if isinstance(params, dict) else None
    return message.get("method") == ASK and kind not in OPEN_KINDS


def _message(line: bytes) -> dict[str, Any] | None:
    try:
        message: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return cast("dict[str, Any]", message) if isinstance(message, dict) else None
