"""The tables of the log database, and how an older file becomes a newer one.

`PRAGMA user_version` counts the migrations that a file has seen; each runs in one transaction with the count.
A migration that was released is never edited: a change is a new one at the end. `PRAGMA application_id` tells
our file from any other SQLite file. Plain tables and one FTS5 index: the file opens in Datasette.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

__all__ = ["APPLICATION_ID", "VERSION", "application_id", "is_empty", "migrate", "version"]

APPLICATION_ID = 0x43574C47  # "CWLG"

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE conversations (
            id TEXT PRIMARY KEY,                -- ULID
            name TEXT NOT NULL,                 -- the beginning of the first prompt
            model TEXT NOT NULL,                -- the model that was asked first
            datetime_utc TEXT NOT NULL
        )
        """,
        """
        CREATE TABLE responses (
            number INTEGER PRIMARY KEY,         -- order of arrival; the full-text index refers to it
            id TEXT NOT NULL UNIQUE,            -- ULID
            conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
            model TEXT NOT NULL,
            resolved_model TEXT,
            plugin TEXT NOT NULL,
            system TEXT,
            prompt TEXT NOT NULL,
            response TEXT NOT NULL DEFAULT '',  -- the text parts of the answer, filled in when it ends
            options_json TEXT NOT NULL DEFAULT '{}',
            schema_json TEXT,
            status TEXT NOT NULL DEFAULT 'running'
                CHECK (status IN ('running', 'done', 'cancelled', 'error', 'interrupted')),
            finish TEXT,
            error_kind TEXT,
            error_message TEXT,
            input_tokens INTEGER,
            output_tokens INTEGER,
            cached_input_tokens INTEGER,
            reasoning_tokens INTEGER,
            usage_details_json TEXT,
            datetime_utc TEXT NOT NULL,
            first_token_ms INTEGER,
            duration_ms INTEGER,
            host_pid INTEGER NOT NULL,          -- who writes this row while it is running
            host_started INTEGER NOT NULL,
            host_machine TEXT NOT NULL
        )
        """,
        "CREATE INDEX responses_by_conversation ON responses (conversation_id)",
        "CREATE INDEX responses_running ON responses (number) WHERE status = 'running'",
        """
        CREATE TABLE messages (                 -- what a prompt added to its conversation, and the answer
            id INTEGER PRIMARY KEY,
            response_id TEXT NOT NULL REFERENCES responses (id) ON DELETE CASCADE,
            direction TEXT NOT NULL CHECK (direction IN ('in', 'out')),
            position INTEGER NOT NULL,
            role TEXT NOT NULL,
            provider_json TEXT,                 -- opaque to us, returned to the plugin that made it
            UNIQUE (response_id, direction, position)
        )
        """,
        """
        CREATE TABLE parts (
            id INTEGER PRIMARY KEY,
            message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            type TEXT NOT NULL,                 -- text, reasoning, tool_call, tool_result, attachment
            text TEXT,                          -- of a tool_call, the JSON text of its arguments
            payload_json TEXT,                  -- the other members, as they stand in the protocol
            UNIQUE (message_id, position)
        )
        """,
        """
        CREATE TABLE attachments (
            id TEXT PRIMARY KEY,                -- SHA-256 of the content, or else of the url
            media_type TEXT,
            name TEXT,
            url TEXT,
            content BLOB
        )
        """,
        """
        CREATE TABLE part_attachments (
            part_id INTEGER NOT NULL REFERENCES parts (id) ON DELETE CASCADE,
            attachment_id TEXT NOT NULL REFERENCES attachments (id),
            PRIMARY KEY (part_id, attachment_id)
        )
        """,
        "CREATE INDEX part_attachments_by_attachment ON part_attachments (attachment_id)",
        """
        CREATE TABLE chunks (                   -- what has arrived of a running answer, as stream items
            response_id TEXT NOT NULL REFERENCES responses (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            items_json TEXT NOT NULL,
            PRIMARY KEY (response_id, position)
        ) WITHOUT ROWID
        """,
        # Written as Datasette looks for it, which then offers a search field.
        """
        CREATE VIRTUAL TABLE responses_fts
            USING FTS5 (prompt, response, content="responses", content_rowid="number")
        """,
        """
        CREATE TRIGGER responses_fts_insert AFTER INSERT ON responses BEGIN
            INSERT INTO responses_fts (rowid, prompt, response) VALUES (new.number, new.prompt, new.response);
        END
        """,
        """
        CREATE TRIGGER responses_fts_delete AFTER DELETE ON responses BEGIN
            INSERT INTO responses_fts (responses_fts, rowid, prompt, response)
                VALUES ('delete', old.number, old.prompt, old.response);
        END
        """,
        """
        CREATE TRIGGER responses_fts_update AFTER UPDATE OF prompt, response ON responses BEGIN
            INSERT INTO responses_fts (responses_fts, rowid, prompt, response)
                VALUES ('delete', old.number, old.prompt, old.response);
            INSERT INTO responses_fts (rowid, prompt, response) VALUES (new.number, new.prompt, new.response);
        END
        """,
    ),
    ("ALTER TABLE responses ADD COLUMN sandbox TEXT",),  # STRONG, PARTIAL, NONE: what stood around the plugin
    ("ALTER TABLE responses ADD COLUMN asked_by TEXT",),  # the plugin that asked; NULL: the user
)

VERSION = len(MIGRATIONS)


def version(connection: sqlite3.Connection) -> int:
    """Return how many migrations the file has seen."""
    return _number(connection, "PRAGMA user_version")


def application_id(connection: sqlite3.Connection) -> int:
    """Return the mark of the program that the file belongs to; 0 if it bears none."""
    return _number(connection, "PRAGMA application_id")


def is_empty(connection: sqlite3.Connection) -> bool:
    """Return whether the file has no tables at all."""
    return _number(connection, "SELECT count(*) FROM sqlite_master") == 0


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables to this version. Several processes may do it at once: the second finds nothing to do.

    Raises:
        sqlite3.Error: it cannot be done; the file is then as the last complete migration left it.
    """
    for number, statements in enumerate(MIGRATIONS, start=1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            if version(connection) < number:
                for statement in statements:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {number}")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _number(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])
