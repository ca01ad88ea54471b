"""The trace of a command: what stands in it, what never does, and that it never costs an answer."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_kernel.errors import UsageProblem
from cellwall_kernel.tracing._trace import MOST_WAITING, Trace

if TYPE_CHECKING:
    from pathlib import Path

    from cellwall_kernel.tracing._tape import Tape

KEY = "canary-5f3a91c7"
MARK = "(the key)"


class Scene:
    """A trace in a folder, with one process on it."""

    def __init__(self, folder: Path, *, secrets: tuple[str, ...] = ()) -> None:
        self.path = folder / "trace"
        self.path.unlink(missing_ok=True)
        self.trace = Trace.prepare(str(self.path), secrets=secrets)
        self.tape: Tape = self.trace.tape("parrot")

    def hand_out_key(self) -> None:
        """Let the plugin ask for its key and get it."""
        self.says({"jsonrpc": "2.0", "id": "p1", "method": "keys/get", "params": {"alias": "parrot"}})
        self.hears({"jsonrpc": "2.0", "id": "p1", "result": {"value": KEY}})

    def says(self, message: Any) -> None:
        self.tape.heard(json.dumps(message).encode() + b"\n")

    def hears(self, message: Any) -> None:
        self.tape.sent(json.dumps(message).encode() + b"\n")

    def data(self, *texts: str, call: str = "h2", part: int = 0) -> None:
        items = [{"t": "delta", "part": part, "text": text} for text in texts]
        self.says({"jsonrpc": "2.0", "method": "$/data", "params": {"id": call, "seq": 0, "items": items}})

    def written(self) -> list[dict[str, Any]]:
        """Close the trace and read it, without its first line."""
        assert self.trace.close() is None
        text = self.path.read_text()
        assert KEY not in text
        return [json.loads(line) for line in text.splitlines()[1:]]

    def text(self) -> str:
        """Close the trace and return all pieces of text in it, joined."""
        lines = [record["line"] for record in self.written() if "line" in record]
        return "".join(
            item["text"]
            for line in lines
            if line.get("method") == "$/data"
            for item in line["params"]["items"]
        )


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A trace with one process on it."""
    return Scene(tmp_path)


def test_a_line_is_written_with_its_side_its_size_and_its_time(scene: Scene) -> None:
    """Statement 42: both directions, in order; a line may come in pieces."""
    scene.tape.sent(b'{"jsonrpc":"2.0","id":"h1",')
    scene.tape.sent(b'"method":"ping","params":{}}\n')
    scene.tape.heard(b'{"jsonrpc":"2.0","id":"h1","result":{}}\nHello!\n')

    records = scene.written()

    assert ["host", "plugin", "plugin"] == [record["from"] for record in records]
    assert [56, 40, 7] == [record["bytes"] for record in records]
    assert {"jsonrpc": "2.0", "id": "h1", "result": {}} == records[1]["line"]
    assert "Hello!" == records[2]["text"]
    assert all(record["plugin"] == "parrot" and record["process"] == 1 for record in records)
    assert sorted(record["at_ms"] for record in records) == [record["at_ms"] for record in records]


def test_the_file_is_for_its_owner_alone(scene: Scene) -> None:
    """Statement 42: prompts and answers stand in it."""
    assert 0o600 == scene.path.stat().st_mode & 0o777


# -- where it is written -------------------------------------------------------------------------------------


def test_an_older_trace_is_replaced(tmp_path: Path) -> None:
    """Kernel policy: the same command again needs no other name."""
    first = Scene(tmp_path)
    first.hears({"old": True})
    first.trace.close()

    again = Trace.prepare(str(first.path))
    assert 2 == len(first.path.read_text().splitlines())
    again.tape("parrot")
    again.close()

    assert 1 == len(first.path.read_text().splitlines())


def test_a_file_that_is_no_trace_is_left_alone(tmp_path: Path) -> None:
    """Kernel policy: a word in the wrong place must not cost anybody a file."""
    file = tmp_path / "notes.md"
    file.write_text("dear diary\n")

    with pytest.raises(UsageProblem, match="is no trace, so it is not replaced"):
        Trace.prepare(str(file))

    assert "dear diary\n" == file.read_text()


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    """Kernel policy: somebody else may have put it there."""
    link = tmp_path / "trace"
    link.symlink_to(tmp_path / "target")

    with pytest.raises(UsageProblem, match="a symbolic link is there"):
        Trace.prepare(str(link))

    assert not (tmp_path / "target").exists()


def test_a_pipe_is_refused_without_waiting_for_its_reader(tmp_path: Path) -> None:
    """Kernel policy: nothing but a file is written."""
    os.mkfifo(tmp_path / "trace")

    with pytest.raises(UsageProblem, match="no file of yours is there"):
        Trace.prepare(str(tmp_path / "trace"))


def test_what_comes_between_the_look_and_the_first_process_is_left_alone(tmp_path: Path) -> None:
    """Kernel policy: then there is no trace, and one sentence says so."""
    trace = Trace.prepare(str(tmp_path / "trace"))
    (tmp_path / "trace").symlink_to(tmp_path / "target")
    trace.tape("parrot").sent(b"{}\n")

    assert "a symbolic link is there" in (trace.close() or "")
    assert not (tmp_path / "target").exists()


def test_a_folder_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    """Kernel policy: before any plugin is started."""
    with pytest.raises(UsageProblem, match="No such file or directory"):
        Trace.prepare(str(tmp_path / "nowhere" / "trace"))


def test_a_full_disk_ends_the_trace_with_one_sentence_and_nothing_else() -> None:
    """Statement 42: whatever happens to the trace, the command goes on."""
    trace = Trace("the file", os.open("/dev/full", os.O_WRONLY))
    tape = trace.tape("parrot")
    tape.sent(b"{}\n")
    tape.heard(b"{}\n")
    tape.printed(b"words\n")
    tape.ended("exit code 0")

    assert "the trace the file ends early: No space left on device." == trace.close()


# -- what never stands in it ---------------------------------------------------------------------------------


@pytest.mark.parametrize("result", [{"value": KEY}, KEY, [KEY], {"a": {"b": [KEY, 1]}}])
def test_what_answers_keys_get_is_replaced_whatever_its_shape(scene: Scene, result: Any) -> None:
    """[P-90] A result of `keys/get` is never written to a trace."""
    scene.says({"jsonrpc": "2.0", "id": "p1", "method": "keys/get", "params": {"alias": "parrot"}})
    scene.hears({"jsonrpc": "2.0", "id": "p1", "result": result})

    assert MARK == scene.written()[1]["line"]["result"]


@pytest.mark.parametrize(
    "asked",
    [
        b"",
        b'{"jsonrpc":"2.0","id":"p1","method":"keys/get","params":{"alias":"a","x":"\\ud800"}}\n',
        b'{"jsonrpc":"2.0","id":"p1","method":"keys/get"}\n{"jsonrpc":"2.0","id":"p1","method":"ping"}\n',
        b'{"jsonrpc":"2.0","id":"p1","method":"keys\\/get","params":{"alias":"a"}}\n',
    ],
    ids=["never seen", "not readable here", "id used twice", "spelled otherwise"],
)
def test_an_answer_to_an_unclear_question_is_hidden(scene: Scene, asked: bytes) -> None:
    """[P-90] Hidden is every answer that is not known to be harmless, so no trick with the question helps."""
    scene.tape.heard(asked)
    scene.hears({"jsonrpc": "2.0", "id": "p1", "result": {"value": KEY}})

    assert MARK == scene.written()[-1]["line"]["result"]


@pytest.mark.parametrize(
    "echo",
    [
        {"jsonrpc": "2.0", "id": "h2", "error": {"code": 2002, "message": f"{KEY} is wrong"}},
        {"jsonrpc": "2.0", "id": "h2", "result": {KEY: 1}},
        {"jsonrpc": "2.0", "id": KEY, "method": KEY},
        {"jsonrpc": "2.0", "method": "$/data", "params": {"items": [{"t": "note", "text": f"so: {KEY}"}]}},
        [KEY],
        KEY,
    ],
)
def test_a_key_that_comes_back_in_a_line_is_hidden(scene: Scene, echo: Any) -> None:
    """[P-90] In an error, a name, an id, a note, in junk: `written` looks for it."""
    scene.hand_out_key()
    scene.says(echo)

    assert MARK in json.dumps(scene.written()[2])


def test_a_key_of_digits_does_not_come_back_as_a_number(scene: Scene) -> None:
    """[P-90] A line that still shows a key after all is left out."""
    scene.says({"jsonrpc": "2.0", "id": "p1", "method": "keys/get"})
    scene.hears({"jsonrpc": "2.0", "id": "p1", "result": {"value": "8675309123"}})
    scene.says({"jsonrpc": "2.0", "id": "h2", "result": {"n": 8675309123}})

    last = scene.written()[-1]

    assert "line" not in last
    assert "(left out, because it holds a key)" == last["text"]


def test_a_key_on_stderr_and_in_events_and_unfinished_lines_is_hidden(scene: Scene) -> None:
    """[P-90] Whatever the process says, and in its last breath too."""
    scene.hand_out_key()
    scene.tape.printed(f"using {KEY}\n".encode())
    scene.tape.printed(f"{'x' * 4090}{KEY}\n".encode())
    scene.tape.event("started", argv=["python", KEY])
    scene.tape.heard(f"half a line {KEY}".encode())
    scene.tape.ended("exit code 0")

    said = scene.written()[2:]

    assert [f"using {MARK}", "started", f"half a line {MARK}", "ended"] == [
        said[0]["text"],
        said[2]["event"],
        said[3]["text"],
        said[4]["event"],
    ]
    assert f"{'x' * 4090}…" == said[1]["text"]


def test_a_stored_key_is_hidden_before_anybody_asked_for_it(tmp_path: Path) -> None:
    """[P-90] An earlier answer may hold it, and comes along as history."""
    scene = Scene(tmp_path, secrets=(KEY,))
    scene.hears({"messages": [{"text": KEY}]})

    assert [{"text": MARK}] == scene.written()[0]["line"]["messages"]


@given(data=st.data())
def test_a_key_that_is_cut_into_pieces_is_hidden_and_the_rest_is_kept(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """[P-90] Wherever it is cut, in one line or in several, with other lines between them."""
    scene = Scene(tmp_path_factory.mktemp("trace"))
    scene.hand_out_key()
    said = data.draw(st.text("can-ry5x", max_size=12)) + KEY + data.draw(st.text("can-ry5x", max_size=12))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(said)), max_size=12)))
    pieces = [said[one:other] for one, other in zip([0, *cuts], [*cuts, len(said)], strict=True)]
    while pieces:
        count = data.draw(st.integers(1, 3))
        scene.data(*pieces[:count])
        pieces = pieces[count:]
        if data.draw(st.booleans()):
            scene.tape.event("something else")
    scene.says({"jsonrpc": "2.0", "id": "h2", "result": {}})

    assert said.replace(KEY, MARK) == scene.text()


def test_a_held_back_piece_does_not_hold_up_everything_for_ever(scene: Scene) -> None:
    """Kernel policy: memory is bounded; what may begin a key is covered, and what goes on is cut."""
    scene.hand_out_key()
    scene.data(f"it is {KEY[:5]}")
    for _ in range(MOST_WAITING):
        scene.tape.event("something else")
    assert len(scene.path.read_text().splitlines()) > MOST_WAITING
    scene.data(f"{KEY[5:]}, yes")

    assert f"it is {MARK}, yes" == scene.text()


def test_answers_of_other_calls_of_the_plugin_are_kept(scene: Scene) -> None:
    """Statement 42: only what is secret is hidden, or nobody could replay it."""
    scene.says({"jsonrpc": "2.0", "id": "p1", "method": "ping", "params": {}})
    scene.hears({"jsonrpc": "2.0", "id": "p1", "result": {}})

    assert {} == scene.written()[1]["line"]["result"]


# -- what a plugin could do with it --------------------------------------------------------------------------


def test_no_text_of_a_plugin_can_drive_the_terminal_that_shows_the_trace(scene: Scene) -> None:
    """[P-91] Control characters are escaped, the C1 ones too, and come back when the file is read."""
    steering = "\x1b[2J \x9b2J \x7f\u2028"
    scene.tape.heard(json.dumps({"a": steering}, ensure_ascii=False).encode() + b"\n")
    scene.tape.printed(steering.encode() + b"\n")

    records = scene.written()

    assert {"a": steering} == records[0]["line"]
    assert steering == records[1]["text"]
    assert not {"\x1b", "\x9b", "\x7f"} & set(scene.path.read_text())


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\n",
        b"\xef\xbb\xbf{}\n",
        b"NaN\n",
        b"[" * 100_000 + b"\n",
        b'{"a":' * 100_000 + b"\n",
        b'{"a":"\\ud800"}\n',
        b"\n",
    ],
    ids=["no UTF-8", "BOM", "NaN", "deep list", "deep object", "lone surrogate", "blank"],
)
def test_junk_is_written_as_text_and_ends_nothing(scene: Scene, line: bytes) -> None:
    """Statement 42: the lines that are wrong are those that one wants to see."""
    scene.hand_out_key()
    scene.tape.heard(line)
    scene.says({"jsonrpc": "2.0", "id": "h2", "result": {}})

    records = scene.written()

    assert len(line) == records[2]["bytes"]
    assert 4096 >= len(records[2]["text"])
    assert {} == records[3]["line"]["result"]


def test_an_endless_line_costs_bounded_memory_and_is_cut(scene: Scene) -> None:
    """[P-11] The host stops the plugin at its limit; the trace shows how the line began."""
    for _ in range(200):
        scene.tape.heard(b"x" * 65_536)
    scene.tape.ended("signal SIGKILL")

    cut, ended = scene.written()

    assert (200 * 65_536, 4096) == (cut["bytes"], len(cut["text"]))
    assert "signal SIGKILL" == ended["exit"]


def test_a_flood_on_stderr_is_not_written_to_the_disk_as_a_whole(scene: Scene) -> None:
    """Kernel policy: stderr has a bounded file of its own."""
    for _ in range(1000):
        scene.tape.printed(b"words and words and words\n" * 100)

    assert "[it prints more, which is left out here]" == scene.written()[-1]["text"]
    assert scene.path.stat().st_size < 16 * 1024 * 1024
