"""What plugins have stored with the host: a SQLite file for each, beside the folders that it can reach.

    plugins/NAME/store.db       value: key -> JSON;  total: how much that is, in bytes

Other processes of the host write to it at the same time: each change is a transaction, so that none is lost.
Waiting for another process is left to the caller, who has an event loop to wait in: `Busy` says when.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgspec

from cellwall_kernel.errors import CallFailed, StoreProblem
from cellwall_kernel.private_files import PRIVATE_FILE_MODE

if TYPE_CHECKING:
    from collections.abc import Generator

    from cellwall_kernel.paths import Paths

__all__ = ["MOST_BYTES", "MOST_KEY_BYTES", "MOST_VALUE_BYTES", "Busy", "PluginStore"]

MOST_KEY_BYTES = 512
MOST_VALUE_BYTES = 1 << 20
MOST_BYTES = 16 << 20
"""Limits of [P-72]: a key, the JSON of a value, all keys and values together."""

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS value (key TEXT PRIMARY KEY, json BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS total (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO total VALUES (1, 0)",
)


class Busy(Exception):
    """Raised when another process is changing the file at this moment; nothing was done."""


class PluginStore:
    """The values of one plugin. The file is opened when it is needed, and made by the first change.

    Args:
        paths: the user folder.
        plugin: the plugin's name.
    """

    def __init__(self, paths: Paths, plugin: str) -> None:
        self._paths = paths
        self._plugin = plugin
        self._connection: sqlite3.Connection | None = None

    def get(self, key: str) -> tuple[bool, Any]:
        """Return whether there is a value, and the value.

        Raises:
            Busy: see there; likewise for all others.
            StoreProblem: the file cannot be read or written; likewise.
        """
        with self._open(is_made=False) as file:
            row = file.execute("SELECT json FROM value WHERE key = ?", (key,)).fetchone() if file else None
        return (False, None) if row is None else (True, msgspec.json.decode(row[0]))

    def set(self, key: str, value: Any) -> None:
        """Store a value under a key.

        Raises:
            CallFailed: the key or the value is too large (TooLarge), or all are together (QuotaExceeded).
        """
        content = msgspec.json.encode(value)
        self._check(f"the key {key[:40]!r}…", len(key.encode()), MOST_KEY_BYTES)
        self._check(f"the value of {key!r}", len(content), MOST_VALUE_BYTES)
        with self._open(is_made=True) as file, _change(file):
            grown = _size(key, content) - _size_in(file, key)
            (total,) = file.execute("SELECT bytes FROM total").fetchone()
            if grown > 0 and total + grown > MOST_BYTES:
                raise CallFailed(
                    self._plugin,
                    f"plugin '{self._plugin}' may store {MOST_BYTES} bytes, and has stored {total}; "
                    "it must delete something first.",
                    kind="QuotaExceeded",
                )
            file.execute("INSERT OR REPLACE INTO value VALUES (?, ?)", (key, content))
            file.execute("UPDATE total SET bytes = bytes + ?", (grown,))

    def delete(self, key: str) -> None:
        """Forget a value, if there is one."""
        with self._open(is_made=False) as file:
            if file is None:
                return
            with _change(file):
                file.execute("UPDATE total SET bytes = bytes - ?", (_size_in(file, key),))
                file.execute("DELETE FROM value WHERE key = ?", (key,))

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that begin so, sorted by their code points."""
        found: list[str] = []
        with self._open(is_made=False) as file:
            if file is not None:
                for (key,) in file.execute("SELECT key FROM value WHERE key >= ? ORDER BY key", (prefix,)):
                    if not key.startswith(prefix):
                        break
                    found.append(key)
        return found

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _check(self, what: str, size: int, most: int) -> None:
        if size > most:
            raise CallFailed(
                self._plugin,
                f"plugin '{self._plugin}' cannot store {what}: it has {size} bytes and may have {most}.",
                kind="TooLarge",
            )

    @contextmanager
    def _open(self, *, is_made: bool) -> Generator[Any]:
        """Yield the connection; None if there is no file and none is to be made."""
        path = self._paths.plugin_store(self._plugin)
        try:
            if self._connection is None and (is_made or path.exists()):
                _touch_private(str(path))
                self._connection = _connect(str(path))
            yield self._connection
        except (sqlite3.Error, OSError) as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise Busy from error
            cause = getattr(error, "strerror", None) or str(error)
            raise StoreProblem(
                f"what plugin '{self._plugin}' has stored in {path} cannot be read or written: {cause}."
            ) from error


def _touch_private(path: str) -> None:
    """Make the file before SQLite makes it for everybody to read; its helper files take its mode.

    One that exists is not opened: closing any descriptor of a file frees all locks of this process on it.
    """
    with suppress(FileExistsError):
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        os.close(os.open(path, flags, PRIVATE_FILE_MODE))


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)  # waiting is the caller's
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        with _change(connection):
            for statement in SCHEMA:
                connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _change(file: sqlite3.Connection) -> Generator[None]:
    file.execute("BEGIN IMMEDIATE")
    try:
        yield
        file.execute("COMMIT")
    except BaseException:
        if file.in_transaction:
            file.execute("ROLLBACK")
        raise


def _size(key: str, content: bytes) -> int:
    return len(key.encode()) + len(content)


def _size_in(file: sqlite3.Connection, key: str) -> int:
    row = file.execute("SELECT length(json) FROM value WHERE key = ?", (key,)).fetchone()
    return 0 if row is None else len(key.encode()) + int(row[0])
