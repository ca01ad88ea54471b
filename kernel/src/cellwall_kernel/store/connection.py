"""Opening the log database: private modes, WAL, the right version, and SQLite's errors as sentences.

For writing, everything must be right. For reading, a file that cannot be written is read as it is, and a file
that is not there reads as an empty one: a list never fails because of where the user folder is.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from cellwall_kernel.errors import StoreProblem
from cellwall_kernel.private_files import PRIVATE_FILE_MODE, locked, make_private
from cellwall_kernel.store import schema

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = [
    "as_sentences",
    "open_empty",
    "open_readable",
    "open_writable",
    "problem",
    "size_bytes",
    "transaction",
]

_MAKING = threading.Lock()

BUSY_WAIT_S = 10.0  # commits take milliseconds, so this is hundreds of writers in line

_SENTENCES = {
    "SQLITE_CORRUPT": "is damaged ({cause}); move it away and a new one is started",
    "SQLITE_NOTADB": "is damaged or not a database ({cause}); move it away and a new one is started",
    "SQLITE_FULL": "cannot be written: the disk is full; free some space",
    "SQLITE_BUSY": "is kept locked by another program; end that program and try again",
    "SQLITE_READONLY": "cannot be written: the file or its folder is read-only; change its mode",
    "SQLITE_CANTOPEN": "cannot be opened; check that it is a file, and the modes of it and of its folder",
    "SQLITE_IOERR": "cannot be read or written ({cause}); check the disk and its free space",
}


def open_writable(path: Path) -> sqlite3.Connection:
    """Return a connection for reading and writing; the file is made, and brought to this version, if need be.

    Raises:
        StoreProblem: the file cannot be written, is damaged, is another program's or a newer version's.
    """
    with as_sentences(path):
        _touch_private(path)
        connection = _connect_checked(path, path.absolute().as_uri())
        try:
            _make_current(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def open_readable(path: Path) -> sqlite3.Connection:
    """Return a connection for reading a file that cannot be written, or that is on a read-only disk.

    Raises:
        StoreProblem: the file cannot be read, is damaged, is another program's, or an older or newer
        version's.
    """
    with as_sentences(path):
        try:
            connection = _connect_checked(path, f"{path.absolute().as_uri()}?mode=ro")
        except sqlite3.OperationalError as error:
            if _has_pending_changes(path):
                raise StoreProblem(
                    f"the log database {path} has changes waiting in {path.name}-wal and cannot be written; "
                    "copy both to a folder that you can write and set CELLWALL_HOME to it."
                ) from error
            # Reading needs a helper file beside the database. Where none can be made, nobody writes either.
            connection = _connect_checked(path, f"{path.absolute().as_uri()}?immutable=1")
        if schema.version(connection) < schema.VERSION:
            connection.close()
            raise StoreProblem(
                f"the log database {path} was written by an older version and must be converted, but it is "
                "read-only; make it and its folder writable."
            )
    return connection


def open_empty() -> sqlite3.Connection:
    """Return a connection to a log without rows, in memory: what reading finds before the first prompt."""
    connection = _connect("file::memory:")
    connection.execute("PRAGMA foreign_keys = ON")
    schema.migrate(connection)
    return connection


def size_bytes(path: Path) -> int:
    """Return how much the database and what waits to go into it take on the disk; 0 if there is none."""
    total = 0
    for ending in ("", "-wal"):
        with suppress(OSError):
            total += path.with_name(path.name + ending).stat().st_size
    return total


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """Commit what the body writes as one change that survives a power cut, or nothing if it raises."""
    connection.execute("PRAGMA synchronous = FULL")
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    finally:
        connection.execute("PRAGMA synchronous = NORMAL")


@contextmanager
def as_sentences(path: Path) -> Generator[None]:
    """Turn errors of SQLite and of the file system into a StoreProblem that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise problem(path, error) from error
    except OSError as error:
        raise StoreProblem(f"the log database {path} cannot be opened: {error.strerror}.") from error


def problem(path: Path, error: sqlite3.Error) -> StoreProblem:
    """Return the sentence for an error of SQLite."""
    name: str = getattr(error, "sqlite_errorname", None) or ""
    for family, sentence in _SENTENCES.items():
        if name.startswith(family):
            return StoreProblem(f"the log database {path} {sentence.format(cause=error)}.")
    return StoreProblem(f"the log database {path} does not work: {error} ({name or type(error).__name__}).")


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(
        uri,
        uri=True,
        timeout=BUSY_WAIT_S,
        isolation_level=None,  # transactions stand in the code, not in the driver
        check_same_thread=False,  # Store has a lock of its own
    )


def _connect_checked(path: Path, uri: str) -> sqlite3.Connection:
    connection = _connect(uri)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        _check_owner(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _touch_private(path: Path) -> None:
    """Make the file before SQLite makes it for everybody to read; its helper files take its mode.

    A file that exists is not opened: when a process closes any descriptor of a file, it loses all its POSIX
    locks on it, those of SQLite in other threads too. Hence `_MAKING`: nobody connects before ours is closed.

    Raises:
        OSError: it cannot be made or written.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with _MAKING, suppress(FileExistsError):
        os.close(os.open(path, flags, PRIVATE_FILE_MODE))
    if not os.access(path, os.W_OK):  # SQLite would open it for reading and say so at the first prompt only
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    for ending in ("", "-wal", "-shm"):
        make_private(path.with_name(path.name + ending))


def _make_current(connection: sqlite3.Connection, path: Path) -> None:
    """Switch to WAL and migrate, under a lock: SQLite does not queue for a change of the journal."""
    if schema.version(connection) == schema.VERSION and _is_wal(connection):
        return
    with locked(path):
        if not _is_wal(connection):
            connection.execute("PRAGMA journal_mode = WAL")  # without shared memory, the old mode stays
        schema.migrate(connection)


def _is_wal(connection: sqlite3.Connection) -> bool:
    return str(connection.execute("PRAGMA journal_mode").fetchone()[0]) == "wal"


def _check_owner(connection: sqlite3.Connection, path: Path) -> None:
    """Raise if the file is not ours, or not of this version or an older one."""
    connection.execute("BEGIN")  # one snapshot: another process may be making the tables now
    found, owner = schema.version(connection), schema.application_id(connection)
    is_fresh = found == owner == 0 and schema.is_empty(connection)
    connection.execute("COMMIT")
    if owner != schema.APPLICATION_ID and not is_fresh:
        raise StoreProblem(
            f"{path} is the SQLite file of another program; move it away and a log database is started there."
        )
    if found > schema.VERSION:
        raise StoreProblem(
            f"the log database {path} was written by a newer Cellwall (its format is {found}, this one knows "
            f"{schema.VERSION}); upgrade Cellwall, or set CELLWALL_HOME to another folder."
        )


def _has_pending_changes(path: Path) -> bool:
    try:
        return path.with_name(path.name + "-wal").stat().st_size > 0
    except OSError:
        return False
