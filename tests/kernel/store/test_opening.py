"""Opening the log: modes, versions, foreign and damaged files, and disks that cannot be written."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.errors import StoreProblem
from cellwall_kernel.store import Store
from cellwall_kernel.store.schema import VERSION
from tests.kernel.store.scene import PROGRAM_HEAD, WAIT_S, asked, assert_sound, exchange, query, streamed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellwall_kernel.paths import Paths

SETPRIV = shutil.which("setpriv")


def mode(path: Path) -> int:
    """The permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def locked_down(paths: Paths) -> Iterator[Paths]:
    """A log with one answer, whose file and folder nobody may write any more."""
    with Store.open(paths) as store:
        exchange(store, "Why?", "Because.")
    paths.logs_db.chmod(0o400)
    paths.root.chmod(0o500)
    yield paths
    paths.root.chmod(0o700)


def as_ordinary_user(program: str, paths: Paths) -> subprocess.CompletedProcess[str]:
    """Run a program that file modes bind: the superuser's is started without the right to ignore them."""
    dropped = ["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    prefix: list[str] = []
    if os.geteuid() == 0:
        if SETPRIV is None:
            pytest.skip("file modes do not bind the superuser, and setpriv is not there to change that")
        prefix = [SETPRIV, *dropped]
    argv = [*prefix, sys.executable, "-c", dedent(PROGRAM_HEAD) + dedent(program), str(paths.root)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=WAIT_S, check=True)


def exit_code_of(program: str, paths: Paths) -> int:
    """Run a program that ends itself without a goodbye; its exit code."""
    argv = [sys.executable, "-c", dedent(PROGRAM_HEAD) + dedent(program), str(paths.root)]
    return subprocess.run(argv, timeout=WAIT_S, check=False).returncode


def test_all_files_are_private_whatever_the_umask(paths: Paths) -> None:
    """The database holds every prompt; its helper files hold the newest ones."""
    before = os.umask(0)
    try:
        with Store.open(paths) as store:
            store.begin(asked("Why?"))
            modes = {entry.name: mode(entry) for entry in paths.root.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(["logs.db", "logs.db-shm", "logs.db-wal", "logs.db.lock"], 0o600)


def test_a_widened_file_is_made_private_again(paths: Paths) -> None:
    """Copying a folder may widen modes."""
    Store.open(paths).close()
    paths.logs_db.chmod(0o644)
    Store.open(paths).close()
    assert mode(paths.logs_db) == 0o600


def test_reading_makes_no_file(paths: Paths) -> None:
    """Before the first prompt there is nothing to see, and nothing is made."""
    with Store.open_for_reading(paths) as store:
        assert store.responses() == []
        assert store.status().size_bytes == 0
    assert not paths.root.exists()


def test_an_empty_file_becomes_a_log(paths: Paths) -> None:
    """As if it were not there; a host may have died in between."""
    paths.folder()
    paths.logs_db.touch()
    with Store.open(paths) as store:
        exchange(store, "Why?", "Because.")
    assert_sound(paths)


def test_the_file_is_in_wal_mode_and_bears_our_mark(paths: Paths) -> None:
    """Readers and one writer do not wait for each other; any program can see whose file it is."""
    Store.open(paths).close()
    assert query(paths, "PRAGMA journal_mode") == [("wal",)]
    assert query(paths, "PRAGMA user_version") == [(VERSION,)]
    assert query(paths, "PRAGMA application_id") == [(int.from_bytes(b"CWLG"),)]


def test_the_index_is_declared_as_datasette_looks_for_it(paths: Paths) -> None:
    """Datasette offers a search field for a table that a full-text table names in just this way."""
    Store.open(paths).close()
    pattern = '%VIRTUAL TABLE%USING FTS%content="responses"%'
    assert query(paths, "SELECT name FROM sqlite_master WHERE sql LIKE ?", pattern) == [("responses_fts",)]


def test_another_journal_mode_is_set_back(paths: Paths) -> None:
    """Another program may have changed it."""
    Store.open(paths).close()
    query(paths, "PRAGMA journal_mode = DELETE")
    Store.open(paths).close()
    assert query(paths, "PRAGMA journal_mode") == [("wal",)]


@pytest.mark.parametrize("for_reading", [False, True])
def test_a_newer_file_is_refused_and_unchanged(paths: Paths, for_reading: bool) -> None:
    """The sentence says which version wrote it and what to do."""
    Store.open(paths).close()
    query(paths, "PRAGMA user_version = 99")
    before = paths.logs_db.read_bytes()
    opening = Store.open_for_reading if for_reading else Store.open
    with pytest.raises(StoreProblem, match=rf"newer Cellwall \(its format is 99.*knows {VERSION}\); upgrade"):
        opening(paths)
    assert paths.logs_db.read_bytes() == before


@pytest.mark.parametrize("for_reading", [False, True])
def test_another_programs_file_is_refused_and_unchanged(paths: Paths, for_reading: bool) -> None:
    """Somebody may have copied the log of `llm` here; no table is added to it."""
    paths.folder()
    query(paths, "CREATE TABLE responses (id TEXT PRIMARY KEY)")
    before = paths.logs_db.read_bytes()
    opening = Store.open_for_reading if for_reading else Store.open
    with pytest.raises(StoreProblem, match=r"logs\.db is the SQLite file of another program; move it away"):
        opening(paths)
    assert paths.logs_db.read_bytes() == before


@pytest.mark.parametrize("for_reading", [False, True])
def test_a_file_that_is_no_database_is_refused_and_unchanged(paths: Paths, for_reading: bool) -> None:
    """One sentence, and nothing is overwritten: it may be repaired."""
    paths.folder()
    paths.logs_db.write_bytes(b"not a database" * 1000)
    opening = Store.open_for_reading if for_reading else Store.open
    with pytest.raises(StoreProblem, match=r"the log database .*logs\.db is damaged .*; move it away"):
        opening(paths)
    assert paths.logs_db.read_bytes() == b"not a database" * 1000


def test_a_damaged_page_is_one_sentence(paths: Paths) -> None:
    """The head of the file is right, and what follows is not."""
    with Store.open(paths) as store:
        for number in range(200):
            exchange(store, f"{number}?", "x" * 500)
    with paths.logs_db.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (paths.logs_db.stat().st_size - 4096))
    with pytest.raises(StoreProblem, match="is damaged"), Store.open_for_reading(paths) as store:
        store.responses()


def test_a_folder_in_its_place_is_one_sentence(paths: Paths) -> None:
    """It says what to look at."""
    paths.logs_db.mkdir(parents=True)
    with pytest.raises(
        StoreProblem, match=r"the log database .*logs\.db cannot be opened; check that it is a file"
    ):
        Store.open(paths)


def test_a_read_only_folder_is_listed(locked_down: Paths) -> None:
    """A list never fails because nothing can be written (no -wal, no -shm, no lock)."""
    ended = as_ordinary_user(
        """
        with Store.open_for_reading(paths) as store:
            print([(seen.prompt, seen.response) for seen in store.responses()])
        """,
        locked_down,
    )
    assert ended.stdout == "[('Why?', 'Because.')]\n"


def test_a_read_only_file_in_a_writable_folder_is_listed(locked_down: Paths) -> None:
    """Then SQLite may make its helper files."""
    locked_down.root.chmod(0o700)
    ended = as_ordinary_user(
        """
        with Store.open_for_reading(paths) as store:
            print(len(store.responses()), store.status().responses, store.conversation_messages()[0].name)
        """,
        locked_down,
    )
    assert ended.stdout == "1 1 Why?\n"


def test_a_dead_hosts_answer_on_a_read_only_disk_is_shown(paths: Paths) -> None:
    """What arrived is put together for the reader, without a write; it counts in the history."""
    program = """
        import os
        store = Store.open(paths)
        store.append(store.begin(asked("Why?")), [PartStart(0, "text"), Delta(0, "Because")])
        os._exit(9)  # no end is logged
    """
    ended = exit_code_of(program, paths)
    assert ended == 9
    with closing(sqlite3.connect(paths.logs_db)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    paths.root.chmod(0o500)
    shown = as_ordinary_user(
        """
        with Store.open_for_reading(paths) as store:
            (seen,) = store.responses()
            print(seen.status, seen.response, [message.role for message in store.conversation_messages()[1]])
        """,
        paths,
    )
    paths.root.chmod(0o700)
    assert shown.stdout == "interrupted Because ['user', 'assistant']\n"
    assert query(paths, "SELECT status FROM responses") == [("running",)]


def test_waiting_changes_on_a_read_only_disk_are_named(locked_down: Paths) -> None:
    """To leave the newest answers out silently would be a lie."""
    locked_down.root.chmod(0o700)
    locked_down.logs_db.chmod(0o600)
    program = """
        import os
        store = Store.open(paths)
        store.append(store.begin(asked("New?")), [PartStart(0, "text"), Delta(0, "Yes")])
        os._exit(9)
    """
    assert exit_code_of(program, locked_down) == 9
    (locked_down.root / "logs.db-shm").unlink()
    locked_down.logs_db.chmod(0o400)
    locked_down.root.chmod(0o500)
    ended = as_ordinary_user(
        """
        from cellwall_kernel.errors import StoreProblem
        try:
            with Store.open_for_reading(paths) as store:
                print(store.responses()[-1].prompt)
        except StoreProblem as problem:
            print(problem)
        """,
        locked_down,
    )
    assert "logs.db-wal" in ended.stdout
    assert "copy both to a folder that you can write" in ended.stdout


def test_writing_where_nothing_can_be_written_is_one_sentence(locked_down: Paths) -> None:
    """The caller tells the user before a prompt is sent."""
    ended = as_ordinary_user(
        """
        from cellwall_kernel.errors import StoreProblem
        try:
            Store.open(paths)
        except StoreProblem as problem:
            print(problem)
        """,
        locked_down,
    )
    assert "logs.db cannot be opened: Permission denied" in ended.stdout


def test_another_program_may_read_meanwhile(paths: Paths) -> None:
    """Datasette, or a person with sqlite3, does not stand in a writer's way, and sees whole answers only."""
    with Store.open(paths) as store, closing(sqlite3.connect(paths.logs_db)) as reader:
        exchange(store, "One?", "1")
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM responses").fetchone() == (1,)
        response_id = store.begin(asked("Two?"))
        store.append(response_id, streamed("2"))
        assert reader.execute("SELECT count(*) FROM responses").fetchone() == (1,)
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM responses").fetchone() == (2,)


@pytest.mark.slow
def test_a_file_that_stays_locked_is_one_sentence(paths: Paths) -> None:
    """Ten seconds are waited for another program; the words that arrived meanwhile are kept for later."""
    with Store.open(paths) as store:
        response_id = store.begin(asked("Why?"))
        with closing(sqlite3.connect(paths.logs_db, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreProblem, match="kept locked by another program"):
                store.append(response_id, streamed("Be"))
            store.append(response_id, streamed("cause"))  # returns at once
            other.execute("ROLLBACK")
    with Store.open_for_reading(paths) as store:
        assert store.responses()[0].response == "Because"
