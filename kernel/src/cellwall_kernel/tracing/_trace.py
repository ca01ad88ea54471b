"""The file of a trace: JSON lines for its owner alone, in the order in which things happened.

What a plugin sends is under its control, so no line may drive a terminal that shows it, and none may hold a
secret: each is looked at once more before it is written. A disk that is full ends the trace, not the command.
"""

# ruff: noqa: PTH108, PTH116, PTH120 - descriptors and links, which pathlib would follow

from __future__ import annotations

import errno
import os
import re
import stat
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import msgspec

from cellwall_kernel.errors import UsageProblem
from cellwall_kernel.tracing import MARK
from cellwall_kernel.tracing._joints import Joints, Record
from cellwall_kernel.tracing._tape import Tape
from cellwall_kernel.tracing.hiding import Secrets
from cellwall_kernel.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Trace"]

BEGINNING = b'{"at_ms":'
"""How every trace begins; another file is not replaced."""

MOST_BYTES = 1024 * 1024 * 1024
"""Where a trace ends: a plugin that floods the wire must not fill the disk."""

MOST_WAITING = 1000
"""How many records may wait for one that is held back."""

LEFT_OUT = "(left out, because it holds a key)"

_STEERING = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class Trace:
    """The trace of one command.

    Args:
        path: of the file.
        fd: the file, if it is open for writing already; it belongs to the trace.
        secrets: texts that must not stand in it.

    Attributes:
        secrets: the same, with those that plugins were given on the way.
        joints: what is held back.
    """

    def __init__(self, path: str, fd: int | None = None, *, secrets: Iterable[str] = ()) -> None:
        self.secrets = Secrets(MARK)
        self.joints = Joints(self.secrets, MARK)
        self._path = path
        self._fd = fd
        self._is_over = False
        self._began = time.monotonic()
        self._waiting: deque[Record] = deque()
        self._processes = 0
        self._size = 0
        self._problem: str | None = None
        for secret in secrets:
            self.secrets.add(secret)

    @classmethod
    def prepare(cls, path: str, *, secrets: Iterable[str] = ()) -> Self:
        """Look whether a trace can be written; see `tracing.begin`. The first process makes the file."""
        try:
            _refuse_others(path)
            folder = os.path.dirname(path) or "."
            os.stat(folder)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise UsageProblem(f"the trace {path} cannot be written: {error.strerror}.") from error
        return cls(path, secrets=secrets)

    def now_ms(self) -> float:
        """Return how long ago the command began, in milliseconds."""
        return round((time.monotonic() - self._began) * 1000, 3)

    def tape(self, plugin: str) -> Tape:
        """Return what records the next process."""
        if not self._processes:
            self.guard(self._begin)
        self._processes += 1
        return Tape(self, plugin, self._processes)

    def guard(self, act: Callable[[], None]) -> None:
        """Do something for the trace; if that fails, the trace ends and the command goes on."""
        if self._is_over:
            return
        try:
            act()
        except OSError as error:
            self._give_up(error.strerror or str(error))
        except UsageProblem as error:
            self._give_up(error.message.rstrip("."))
        except Exception as error:  # noqa: BLE001 - a mistake in here must not cost an answer
            self._give_up(f"{type(error).__name__} in Cellwall itself")

    def put(self, record: Record) -> None:
        """Write a record once it and all before it are certain."""
        self._waiting.append(record)
        if len(self._waiting) > MOST_WAITING:
            self.joints.give_up_waiting()
        while self._waiting and not self._waiting[0].holds:
            self._write(self._waiting.popleft())

    def close(self) -> str | None:
        """Write what waits and close the file.

        Returns:
            a sentence if the trace is not complete.
        """
        self.guard(self._finish)
        self._let_go()
        return self._problem

    def _begin(self) -> None:
        if self._fd is None:
            _refuse_others(self._path)
            with suppress(FileNotFoundError):
                os.unlink(self._path)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(self._path, flags, 0o600)
        first = {"at_ms": 0.0, "from": "event", "event": "trace", "version": 1, "cellwall": VERSION}
        self.put(Record(first))

    def _finish(self) -> None:
        self.joints.end()
        while self._waiting:
            self._write(self._waiting.popleft())

    def _write(self, record: Record) -> None:
        if self._fd is None:
            return
        line = self._encoded(record.members) + b"\n"
        self._size += len(line)
        if self._size > MOST_BYTES:
            self._give_up("it has grown to a gigabyte")
            return
        while line:
            line = line[os.write(self._fd, line) :]

    def _encoded(self, members: dict[str, object]) -> bytes:
        """Return a record as JSON that neither holds a secret nor drives a terminal."""
        if self.secrets:
            said = {name: members[name] for name in ("line", "text") if name in members}
            if self.secrets.is_in(msgspec.json.encode(said).decode()):  # for instance as a number
                members = {name: value for name, value in members.items() if name not in said}
                members["text"] = LEFT_OUT
        text = msgspec.json.encode(members).decode()
        return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()

    def _give_up(self, cause: str) -> None:
        self._problem = f"the trace {self._path} ends early: {cause}."
        self._let_go()

    def _let_go(self) -> None:
        self._is_over = True
        self._waiting.clear()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _refuse_others(path: str) -> None:
    """Leave alone what is there, unless it is an older trace of ours.

    Raises:
        UsageProblem: something else is there.
        OSError: it cannot be looked at.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        what = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "no file of yours"
        raise UsageProblem(f"the trace {path} cannot be written: {what} is there; name another file.")
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        beginning = os.read(fd, len(BEGINNING))
    finally:
        os.close(fd)
    if beginning not in (b"", BEGINNING):
        raise UsageProblem(
            f"{path} is there already and is no trace, so it is not replaced; name another file."
        )
