"""Conversations in files: writes them, and reads those that `llm --trace-plugins FILE` has written.

A line is a JSON object: `from` is host or plugin, `line` the message, `process` the number of the process.
Keys are left out, as there.
"""

from __future__ import annotations

import re
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

import msgspec

from cellwall_wire import METHODS

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MARK", "BadTranscript", "RecordedCall", "Recorder", "Tape", "read_calls"]

MARK = "(the key)"
"""What stands where a key was."""

MOST_BYTES = 256 * 1024 * 1024
"""A larger file is not read."""

STEERING = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Characters that could drive a terminal that shows the file."""


class BadTranscript(Exception):
    """Raised when a transcript cannot be read, does not fit what the test asks, or cannot be written."""


class RecordedCall(msgspec.Struct, kw_only=True):
    """A call of the host, and all that the plugin said for it.

    Attributes:
        method: the method.
        params: its parameters, without `meta`.
        said: the messages of both sides that belong to it, with "host" or "plugin", in their order.
        place: the file and the line of the request.
        is_played: it has been asked for.
    """

    method: str
    params: dict[str, Any]
    said: list[tuple[str, dict[str, Any]]]
    place: str
    is_played: bool = False


class Tape:
    """A file that is being recorded, perhaps of several processes; nothing is written before `save`.

    Args:
        path: the file.
        plugin: the plugin's name.
    """

    def __init__(self, path: str | Path, plugin: str = "plugin") -> None:
        self.path = Path(path)
        self.plugin = plugin
        self.processes = 0
        self._began = monotonic()
        self._secrets: set[str] = set()
        self._records: list[tuple[float, int, str, int, dict[str, Any]]] = []

    def recorder(self) -> Recorder:
        """Give what records the next process."""
        self.processes += 1
        return Recorder(self, self.processes)

    def add(self, process: int, side: str, line: bytes) -> None:
        """Take a line."""
        message: Any = msgspec.json.decode(line)
        at_ms = round((monotonic() - self._began) * 1000, 3)
        self._records.append((at_ms, process, side, len(line), message))

    def hide(self, values: Iterable[str]) -> None:
        """Hide these texts, wherever they stand."""
        self._secrets |= {value for value in values if value}

    def save(self) -> None:
        """Write the file, readable for its owner alone until somebody decides otherwise.

        Raises:
            BadTranscript: a key stands in it in pieces, so that it cannot be hidden; nothing is written.
        """
        self._refuse_pieces()
        first = {"at_ms": 0.0, "from": "event", "event": "trace", "version": 1, "cellwall": "cellwall-sdk"}
        lines = [first]
        for at_ms, process, side, size, message in self._records:
            lines.append(
                {
                    "at_ms": at_ms,
                    "plugin": self.plugin,
                    "process": process,
                    "from": side,
                    "bytes": size,
                    "line": self._hidden(message),
                }
            )
        text = "".join(f"{msgspec.json.encode(line).decode()}\n" for line in lines)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(mode=0o600)
        self.path.write_text(STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text), "utf-8")

    def _hidden(self, value: Any) -> Any:
        if isinstance(value, str):
            for secret in sorted(self._secrets, key=len, reverse=True):
                value = value.replace(secret, MARK)
            return value
        if isinstance(value, list):
            return [self._hidden(each) for each in cast("list[object]", value)]
        if isinstance(value, dict):
            return {self._hidden(k): self._hidden(each) for k, each in cast("dict[str, Any]", value).items()}
        return value

    def _refuse_pieces(self) -> None:
        texts: dict[tuple[int, str, Any], str] = {}
        for _, process, _, _, message in self._records:
            params: dict[str, Any] = message.get("params") or {}
            items: list[dict[str, Any]] = params.get("items", []) if message.get("method") == "$/data" else []
            for item in items:
                key = (process, str(params.get("id")), item.get("part"))
                piece = self._hidden(item.get("text") or item.get("json") or "")
                texts[key] = texts.get(key, "") + piece
        if any(secret in text for secret in self._secrets for text in texts.values()):
            raise BadTranscript(
                f"{self.path} is not written: the plugin's answer holds an API key, in several pieces; "
                "record with another key, or mend the plugin."
            )


class Recorder:
    """Records one process.

    Args:
        tape: where it goes.
        process: its number.
    """

    def __init__(self, tape: Tape, process: int) -> None:
        self._tape = tape
        self._process = process
        self._rest = b""

    def sent(self, line: bytes) -> None:
        """Take a line of the host."""
        self._tape.add(self._process, "host", line)

    def heard(self, chunk: bytes) -> None:
        """Take what the plugin wrote; what is no message is left out."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            try:
                self._tape.add(self._process, "plugin", line + b"\n")
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue


def read_calls(path: Path, plugin: str | None = None) -> list[RecordedCall]:
    """Read the calls of a transcript.

    Args:
        path: the file.
        plugin: only those to the plugin of this name; None for all.

    Raises:
        BadTranscript: there is none, or it is no transcript.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadTranscript(f"{path} is larger than {MOST_BYTES // 1024 // 1024} MiB.")
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise BadTranscript(f"the transcript {path} cannot be read: {error.strerror}.") from error
    reader = _Reader(path)
    for number, line in enumerate(lines, start=1):
        if line:
            reader.take(number, line, plugin)
    return reader.calls


class _Reader:
    """Sorts the lines of a transcript into calls."""

    def __init__(self, path: Path) -> None:
        self.calls: list[RecordedCall] = []
        self._path = path
        self._open: dict[tuple[Any, str], RecordedCall] = {}

    def take(self, number: int, line: bytes, plugin: str | None) -> None:
        """Take a line of the file."""
        try:
            record: Any = msgspec.json.decode(line)
            side = record["from"]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError, KeyError) as error:
            raise BadTranscript(
                f"{self._path}, line {number}, is no line of a transcript; write one by "
                "`llm --trace-plugins FILE` or `pytest --cellwall-record`."
            ) from error
        message = record.get("line")
        is_wanted = plugin is None or record.get("plugin") == plugin
        if is_wanted and side in ("host", "plugin") and isinstance(message, dict):
            self._sort(number, record.get("process"), side, cast("dict[str, Any]", message))

    def _sort(self, number: int, process: Any, side: str, message: dict[str, Any]) -> None:
        method = message.get("method")
        params: dict[str, Any] = message.get("params") or {}
        meta: dict[str, Any] = params.get("meta") or {}
        call_id = message.get("id") if message.get("id") is not None else params.get("id")
        if method in METHODS and side == "host" and method not in ("ping", "shutdown"):
            call = RecordedCall(
                method=str(method),
                params={name: value for name, value in params.items() if name != "meta"},
                said=[],
                place=f"{self._path}, line {number}",
            )
            self._open[process, str(call_id)] = call
            self.calls.append(call)
            return
        if method in METHODS and side == "plugin":  # a call of its own belongs to the host's
            parent = self._open.get((process, str(meta.get("parent"))))
            if parent is not None:
                self._open[process, str(call_id)] = parent
        owner = self._open.get((process, str(call_id)))
        if owner is not None:
            owner.said.append((side, message))
