"""Store: the log of conversations, as the rest of the kernel sees it.

It may be used from any thread; calls wait for each other. A call commits or reads and is done: nothing is
held between calls, so that many processes share the file. A call that writes may wait up to ten seconds for
the other writers, in an event loop too; that takes a file which some other program keeps locked.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

from cellwall_kernel.errors import StoreProblem
from cellwall_kernel.store import connection as files
from cellwall_kernel.store import read, write
from cellwall_kernel.store.records import (
    Conversation,
    LoggedResponse,
    LogStatus,
    Outcome,
    PromptRow,
    ResponseFilter,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path
    from types import TracebackType

    from cellwall_kernel.paths import Paths
    from cellwall_wire import Item, Message, UnknownItem

__all__ = ["Store"]


class Store:
    """An open log database. Use it in `with`, and get it from `Store.open` or `Store.open_for_reading`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._lock = threading.RLock()
        self._answers: dict[str, write.OpenAnswer] = {}

    @classmethod
    def open(cls, paths: Paths) -> Store:
        """Open the log for reading and writing; the file is made or brought to this version if need be.

        What a host that died has left behind is put in order on the way.

        Raises:
            StoreProblem: it cannot be written, is damaged, or another program or a newer version wrote it.
        """
        paths.folder()
        store = cls(paths.logs_db, files.open_writable(paths.logs_db))
        with suppress(sqlite3.Error):  # the next one to open it will do it
            write.recover(store._connection)
        return store

    @classmethod
    def open_for_reading(cls, paths: Paths) -> Store:
        """Open the log for reading, also where it cannot be written; without a file, as an empty one.

        Raises:
            StoreProblem: it cannot be read, is damaged, or another program or a newer version wrote it.
        """
        path = paths.logs_db
        with files.as_sentences(path):
            if not path.exists():
                return cls(path, files.open_empty())
        try:
            return cls.open(paths)
        except StoreProblem:
            return cls(path, files.open_readable(path))

    @classmethod
    def in_memory(cls) -> Store:
        """Return an empty log that ends with this process and touches no file."""
        from pathlib import Path

        return cls(Path(":memory:"), files.open_empty())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End what is still open as interrupted, as far as possible, and close the file. May be repeated."""
        with self._lock:
            for response_id in list(self._answers):
                with suppress(StoreProblem):
                    self.finish(response_id, Outcome(status="interrupted"))
            self._answers.clear()
            self._connection.close()

    def begin(self, row: PromptRow) -> str:
        """Log a prompt, in a new conversation or in the one it continues; it is then on the disk.

        Args:
            row: the prompt.

        Returns:
            The id of the response, for the calls below.

        Raises:
            NotFound: it continues a conversation that does not exist.
            KeyError: an attachment names a blob that `row.blobs` does not hold.
            StoreProblem: it cannot be written.
        """
        with self._lock, files.as_sentences(self._path):
            answer = write.begin(self._connection, row)
            self._answers[answer.response_id] = answer
        return answer.response_id

    def conversation_id(self, response_id: str) -> str:
        """Return the conversation that a response belongs to, which this store began and did not finish yet.

        Raises:
            KeyError: there is no such response.
        """
        return self._answers[response_id].conversation_id

    def append(self, response_id: str, items: Sequence[Item | UnknownItem]) -> None:
        """Commit stream items as they came off the wire; call it before they are printed.

        A batch is one commit, so call it once for all that is there. When it raises, nothing is lost yet: the
        items are kept in memory, the calls of the next seconds only add to them, and a later call or `finish`
        commits them. So it is enough to tell the user once.

        Args:
            response_id: what `begin` returned.
            items: the items, notes and unknown ones too, which are skipped.

        Raises:
            KeyError: this store did not begin that response, or has finished it.
            StoreProblem: they cannot be written.
        """
        with self._lock:
            try:
                write.append(self._connection, self._answers[response_id], items)
            except sqlite3.Error as error:
                raise files.problem(self._path, error) from error

    def finish(self, response_id: str, outcome: Outcome) -> None:
        """Log how an answer ended, with all that arrived, in one transaction; repeat it if it raises.

        Args:
            response_id: what `begin` returned.
            outcome: how it ended.

        Raises:
            KeyError: this store did not begin that response, or has finished it.
            StoreProblem: it cannot be written.
        """
        with self._lock, files.as_sentences(self._path):
            write.finish(self._connection, self._answers[response_id], outcome)
            del self._answers[response_id]

    def conversation_messages(self, conversation_id: str | None = None) -> tuple[Conversation, list[Message]]:
        """Return a conversation and its history, to which the caller adds the next message.

        The system prompt that was used last is the first message. An answer that ended badly, or that is
        still running, counts with what had arrived, without tool calls that nobody answered; a question
        without any answer is left out. Attachments carry their bytes in `data`.

        Args:
            conversation_id: the conversation; None means the one with the newest response.

        Raises:
            NotFound: there is no such conversation.
            StoreProblem: it cannot be read.
        """
        with self._reading():
            return read.conversation_messages(self._connection, conversation_id)

    def responses(self, wanted: ResponseFilter | None = None) -> list[LoggedResponse]:
        """Return the newest responses that fit, the oldest of them first; without a filter, all.

        Raises:
            NotFound: the filter names a conversation that does not exist.
            UsageProblem: the filter's query has no words.
            StoreProblem: they cannot be read.
        """
        with self._reading():
            return read.responses(self._connection, wanted or ResponseFilter())

    def response(self, response_id: str) -> LoggedResponse:
        """Return one response.

        Raises:
            NotFound: there is none of that id.
            StoreProblem: it cannot be read.
        """
        with self._reading():
            return read.response(self._connection, response_id)

    def conversation(self, conversation_id: str | None = None) -> Conversation:
        """Return a conversation; None means the one with the newest response.

        Raises:
            NotFound: there is no such conversation.
            StoreProblem: it cannot be read.
        """
        with self._reading():
            return read.conversation(self._connection, conversation_id)

    def status(self) -> LogStatus:
        """Return the log in numbers.

        Raises:
            StoreProblem: it cannot be read.
        """
        with self._reading():
            return read.count_rows(self._connection, files.size_bytes(self._path))

    @contextmanager
    def _reading(self) -> Generator[None]:
        """Let the body see one moment of the file: an answer that others finish is seen before or after."""
        with self._lock, files.as_sentences(self._path):
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("COMMIT")
