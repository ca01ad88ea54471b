"""Many processes, and processes that die: nothing that was committed is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.store import ResponseFilter, Store
from tests.kernel.store.scene import WAIT_S, asked, assert_sound, query, start, streamed

if TYPE_CHECKING:
    from cellwall_kernel.paths import Paths

TWENTY_FOUR_WRITERS = """
    from concurrent.futures import ThreadPoolExecutor

    def write(number):
        with Store.open(paths) as store:
            response_id = store.begin(asked(f"question {sys.argv[2]} {number}"))
            store.append(response_id, [PartStart(0, "text")])
            for index in range(10):
                store.append(response_id, [Delta(0, f"{sys.argv[2]}-{number}-{index} ")])
            store.finish(response_id, Outcome(status="done"))

    sys.stdin.readline()  # all begin together
    with ThreadPoolExecutor(24) as pool:
        list(pool.map(write, range(24)))
"""

STREAMS_FOR_EVER = """
    import itertools
    store = Store.open(paths)
    response_id = store.begin(asked("Count."))
    store.append(response_id, [PartStart(0, "text")])
    for number in itertools.count():
        store.append(response_id, [Delta(0, f"{number} ")])
        print(number, flush=True)
"""


def test_eight_processes_of_24_writers_on_a_fresh_folder_lose_nothing(paths: Paths) -> None:
    """All make the file at once, each with a connection of its own; every word is there (issue 2)."""
    children = [start(paths, TWENTY_FOUR_WRITERS, str(number)) for number in range(8)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        child.communicate(timeout=WAIT_S)
    assert [child.returncode for child in children] == [0] * 8
    with Store.open_for_reading(paths) as store:
        seen = {each.prompt: each for each in store.responses()}
    assert len(seen) == 8 * 24
    for process in range(8):
        for number in range(24):
            each = seen[f"question {process} {number}"]
            words = "".join(f"{process}-{number}-{index} " for index in range(10))
            assert (each.status, each.response) == ("done", words)
    assert_sound(paths)


def test_a_fresh_folder_is_made_by_one_of_many(paths: Paths) -> None:
    """Forty processes that only open the file race for folder, file, journal mode and tables."""
    program = "sys.stdin.readline(); Store.open(paths).close()"
    children = [start(paths, program) for _ in range(40)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        child.communicate(timeout=WAIT_S)
    assert [child.returncode for child in children] == [0] * 40
    assert_sound(paths)


def killed_while_streaming(paths: Paths, after_lines: int) -> int:
    """Kill a host in the middle of an answer; the number of the last word that it has printed."""
    child = start(paths, STREAMS_FOR_EVER)
    assert child.stdout is not None
    for _ in range(after_lines):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    rest, _ = child.communicate(timeout=WAIT_S)
    printed = [line for line in rest.split("\n")[:-1] if line]  # the last line may be half
    return int(printed[-1]) if printed else after_lines - 1


@pytest.mark.parametrize("after_lines", [1, 37, 1500])
def test_a_killed_host_keeps_every_word_that_it_printed(paths: Paths, after_lines: int) -> None:
    """Words are committed before they are printed; the answer is interrupted, searchable and continued."""
    last = killed_while_streaming(paths, after_lines)
    assert_sound(paths)
    with Store.open_for_reading(paths) as store:
        (seen,) = store.responses()
        assert seen.status == "interrupted"
        words = seen.response.split()
        assert words == [str(number) for number in range(len(words))]
        assert len(words) > last
        _, messages = store.conversation_messages()
        assert [message.role for message in messages] == ["user", "assistant"]
        assert store.responses(ResponseFilter(query=f"count {last}")) == [seen]
    assert query(paths, "SELECT status FROM responses") == [("interrupted",)]
    assert query(paths, "SELECT count(*) FROM chunks") == [(0,)]
    assert_sound(paths)


def test_an_answer_of_a_living_host_is_left_alone(paths: Paths) -> None:
    """Whoever opens the log meanwhile sees a running answer, and the host ends it as if nobody had looked."""
    child = start(
        paths,
        """
        with Store.open(paths) as store:
            response_id = store.begin(asked("Why?"))
            store.append(response_id, [PartStart(0, "text"), Delta(0, "Be")])
            print("begun", flush=True)
            sys.stdin.readline()
            store.append(response_id, [Delta(0, "cause")])
            store.finish(response_id, Outcome(status="done"))
        """,
    )
    assert child.stdout is not None
    child.stdout.readline()
    with Store.open(paths) as store:
        assert [(seen.status, seen.response) for seen in store.responses()] == [("running", "Be")]
    child.communicate("go\n", timeout=WAIT_S)
    with Store.open(paths) as store:
        assert [(seen.status, seen.response) for seen in store.responses()] == [("done", "Because")]


def test_a_host_of_another_boot_is_shown_as_interrupted_and_may_still_finish(paths: Paths) -> None:
    """After a power cut nobody ends the answer; a host in another container does, and has the last word."""
    with Store.open(paths) as store:
        response_id = store.begin(asked("Why?"))
        store.append(response_id, streamed("Be"))
        query(paths, "UPDATE responses SET host_machine = 'elsewhere'")
        with Store.open(paths) as other:
            assert [(seen.status, seen.response) for seen in other.responses()] == [("interrupted", "Be")]
        assert query(paths, "SELECT status FROM responses") == [("running",)]
        query(paths, "UPDATE responses SET datetime_utc = '2020-01-01T00:00:00+00:00'")
        Store.open(paths).close()
        assert query(paths, "SELECT status, response FROM responses") == [("interrupted", "Be")]
        store.append(response_id, streamed("cause"))
    with Store.open(paths) as store:
        assert store.responses()[0].response == "Because"
    assert_sound(paths)


def test_a_crowd_of_processes_reads_while_others_write(paths: Paths) -> None:
    """A list shows each answer running or done, never half of both."""
    writer = start(
        paths,
        """
        with Store.open(paths) as store:
            print("open", flush=True)
            for number in range(300):
                response_id = store.begin(asked(f"{number}?"))
                store.append(response_id, [PartStart(0, "text"), Delta(0, "x" * 50)])
                store.finish(response_id, Outcome(status="done"))
        """,
    )
    assert writer.stdout is not None
    writer.stdout.readline()
    with Store.open_for_reading(paths) as store:
        while writer.poll() is None:
            for seen in store.responses(ResponseFilter(limit=5)):
                assert seen.status in ("running", "done")
                assert seen.response in ("", "x" * 50)
                assert (seen.status, seen.response) != ("done", "")
    assert writer.wait(timeout=WAIT_S) == 0
    writer.communicate(timeout=WAIT_S)


def test_the_files_of_a_killed_host_open_in_any_sqlite(paths: Paths) -> None:
    """What it left, journal included, is a database for other programs as well."""
    killed_while_streaming(paths, 20)
    program = (
        "import sqlite3, sys\n"
        "print(sqlite3.connect(sys.argv[1]).execute('SELECT prompt FROM responses').fetchall())\n"
    )
    argv = [sys.executable, "-c", program, str(paths.logs_db)]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=WAIT_S, check=True)
    assert ended.stdout == "[('Count.',)]\n"
