"""Small words for the tests of the log: a question, a streamed answer, a program in a process of its own."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from cellwall_kernel.store import Outcome, PromptRow, Store
from cellwall_wire import Delta, Message, PartStart, TextPart

if TYPE_CHECKING:
    from cellwall_kernel.paths import Paths
    from cellwall_wire import Item

WAIT_S = 30
"""Seconds that a child may take on a busy machine."""

PROGRAM_HEAD = """
    import sys
    from pathlib import Path
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.store import Outcome, PromptRow, Store
    from cellwall_wire import Delta, Message, PartStart, TextPart, ToolCallPart

    paths = Paths(Path(sys.argv[1]))

    def asked(text):
        return PromptRow(model="m", plugin="p", messages=[Message(role="user", parts=[TextPart(text=text)])])
"""


def asked(text: str, **members: Any) -> PromptRow:
    """A prompt with that text."""
    message = Message(role="user", parts=[TextPart(text=text)])
    given: dict[str, Any] = {"model": "m", "plugin": "p", "messages": [message], **members}
    return PromptRow(**given)


def streamed(*texts: str, part: int = 0) -> list[Item]:
    """A text part that arrives in these pieces."""
    return [PartStart(part, "text"), *(Delta(part, text) for text in texts)]


def exchange(store: Store, prompt: str, answer: str, *, status: Any = "done", **members: Any) -> str:
    """Log a prompt with its answer; the id of the response."""
    response_id = store.begin(asked(prompt, **members))
    store.append(response_id, streamed(answer))
    store.finish(response_id, Outcome(status=status))
    return response_id


def start(paths: Paths, program: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a program that knows `paths`, `asked` and the store, with pipes for stdin and stdout."""
    return subprocess.Popen(
        [sys.executable, "-c", dedent(PROGRAM_HEAD) + dedent(program), str(paths.root), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def query(paths: Paths, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Read or change the file with plain SQLite, as any other program would."""
    with closing(sqlite3.connect(paths.logs_db, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        return connection.execute(sql, values).fetchall()


def assert_sound(paths: Paths) -> None:
    """The file, its references and its full-text index are whole."""
    assert query(paths, "PRAGMA integrity_check") == [("ok",)]
    assert query(paths, "PRAGMA foreign_key_check") == []
    query(paths, "INSERT INTO responses_fts (responses_fts, rank) VALUES ('integrity-check', 1)")
