"""`llm embed` and `llm embed-models`: one vector, or one for every line of a stream."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import CommandLine

BOUND_S = 45
"""How long a test waits for anything (seconds)."""

LENGTHS = """
    import json, os, time
    from cellwall_sdk import EmbeddingModel, KeyMissing, hookimpl

    class Lengths(EmbeddingModel):
        model_id = "lengths"
        batch_size = 4
        def embed_batch(self, items):
            return [[float(len(item)), 0.5] for item in items]

    class Picky(Lengths):
        model_id = "picky"
        supports_text = False
        supports_binary = True

    class Counts(Lengths):
        model_id = "counts"
        seen = 0
        def embed_batch(self, items):
            Counts.seen += len(items)
            with open("seen.new", "w") as file:
                file.write(str(Counts.seen))
            os.replace("seen.new", "seen")
            return [[1.0] * 1000 for item in items]

    class Fails(Lengths):
        model_id = "fails"
        def embed_batch(self, items):
            raise ValueError("no luck")

    class Keyed(Lengths):
        model_id = "keyed"
        needs_key = "vectors"
        def embed_batch(self, items):
            return [[float(len(self.get_key()))] for item in items]

    class Silent(Lengths):
        model_id = "silent"
        def embed_batch(self, items):
            time.sleep(3600)

    @hookimpl
    def register_embedding_models(register):
        register(Lengths(), aliases=("len",))
        for model in (Picky, Counts, Fails, Keyed, Silent):
            register(model())
"""


@pytest.fixture
def vectors(llm: CommandLine) -> CommandLine:
    """The command line with a plugin that has embedding models."""
    llm.plugin("vectors", LENGTHS)
    return llm


def test_a_text_becomes_a_vector(vectors: CommandLine) -> None:
    """[P-75] Named by id or alias; given as an option, or piped in."""
    for ended in (
        vectors("embed", "-m", "lengths", "-c", "abc"),
        vectors("embed", "-m", "len", piped="abc"),
    ):
        assert (ended.code, json.loads(ended.out), ended.err) == (0, [3.0, 0.5], "")


def test_the_bundled_model_needs_no_plugin(llm: CommandLine) -> None:
    """`llm embed` works out of the box: the only embedding model is the default one."""
    near, same, far = (
        json.loads(llm("embed", "-c", text).out) for text in ("a big bird", "a big bird", "nothing here")
    )

    assert len(near) == 64
    assert near == same
    assert sum(a * b for a, b in zip(near, far, strict=True)) < 0.9


def unhexed(out: bytes) -> bytes:
    """Read hexadecimal digits."""
    return bytes.fromhex(out.decode().strip())


@pytest.mark.parametrize(("form", "read"), [("base64", base64.b64decode), ("hex", unhexed), ("blob", bytes)])
def test_a_vector_is_printed_in_the_format_that_is_asked_for(
    vectors: CommandLine, form: str, read: Callable[[bytes], bytes]
) -> None:
    """As people know it from `llm embed -f`; a blob is nothing but the floats."""
    ended = subprocess.run(
        vectors.argv("embed", "-m", "lengths", "-c", "abc", "-f", form),
        capture_output=True,
        env=vectors.environment,
        timeout=BOUND_S,
        check=True,
    )

    assert (3.0, 0.5) == struct.unpack("<2f", read(ended.stdout))


def test_a_file_becomes_a_vector(vectors: CommandLine, tmp_path: Path) -> None:
    """[P-75] More than a line of the protocol holds, so it travels in pieces."""
    file = tmp_path / "large.bin"
    file.write_bytes(os.urandom(1_000_001))
    ended = vectors("embed", "-m", "picky", "-i", str(file), "--binary")

    assert (ended.code, ended.out) == (0, "[1000001.0, 0.5]\n")


def test_a_long_text_travels_in_pieces(vectors: CommandLine) -> None:
    """[P-75] [P-44] Whatever its characters are."""
    ended = vectors("embed", "-m", "lengths", piped="\N{PILE OF POO}\x01" * 100_000)

    assert (ended.code, ended.out) == (0, "[200000.0, 0.5]\n")


def test_every_line_becomes_a_vector(vectors: CommandLine) -> None:
    """[P-55] [P-56] In order, with its number; empty lines are none."""
    ended = vectors("embed", "-m", "lengths", "--lines", piped="a\nbb\r\n\nddd")

    assert (ended.code, ended.err) == (0, "")
    wanted = {"1": [1, 0.5], "2": [2, 0.5], "4": [3, 0.5]}
    found = [json.loads(line) for line in ended.out.splitlines()]
    assert [{"id": name, "embedding": vector} for name, vector in wanted.items()] == found


def test_lines_of_json_bring_their_ids(vectors: CommandLine, tmp_path: Path) -> None:
    """As `llm embed-multi` reads them."""
    file = tmp_path / "texts.jsonl"
    file.write_text('{"id": "x", "content": "abc", "more": 1}\n{"id": 7, "content": ""}\n')
    ended = vectors("embed", "-m", "lengths", "--jsonl", "-i", str(file), "-f", "hex")

    assert (ended.code, ended.err) == (0, "")
    assert ["x", "7"] == [json.loads(line)["id"] for line in ended.out.splitlines()]


def test_no_lines_are_no_vectors(vectors: CommandLine) -> None:
    """[P-56] An input may end before it has begun."""
    ended = vectors("embed", "-m", "lengths", "--lines", piped=b"")

    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_what_cannot_be_embedded_is_told_and_the_rest_is_printed(vectors: CommandLine) -> None:
    """[P-75] `failed` is about one input."""
    ended = vectors("embed", "-m", "picky", "--lines", piped="a\nb\n")

    assert (ended.code, ended.out) == (5, "")
    assert "Not embedded: 1: The model 'picky' embeds no text." in ended.err
    assert "2 of 2 inputs could not be embedded." in ended.err


def test_vectors_come_while_the_source_goes_on(vectors: CommandLine) -> None:
    """[P-55] A source that is slow sees its vectors at once."""
    running = subprocess.Popen(
        vectors.argv("embed", "-m", "lengths", "--lines"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=vectors.environment,
    )
    vectors.started.append(running)
    assert running.stdin is not None
    assert running.stdout is not None
    for number in range(1, 4):
        running.stdin.write(b"x" * number + b"\n")
        running.stdin.flush()
        assert json.loads(running.stdout.readline())["embedding"][0] == number
    rest, _ = running.communicate(timeout=BOUND_S)

    assert (running.returncode, rest) == (0, b"")


@pytest.mark.slow
def test_a_reader_that_stops_stops_the_source(vectors: CommandLine) -> None:
    """[P-43] [P-55] Neither the lines nor the vectors pile up anywhere; then everything arrives."""
    vectors("embed-models")  # so that the plugin has been asked before
    lines = 30_000
    source = f"import sys\nfor n in range({lines}): print('word ' * 40, n)"
    feeding = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE)
    vectors.started.append(feeding)
    running = subprocess.Popen(
        vectors.argv("embed", "-m", "counts", "--lines", "-f", "base64"),
        stdin=feeding.stdout,
        stdout=subprocess.PIPE,
        env=vectors.environment,
    )
    vectors.started.append(running)
    assert feeding.stdout is not None
    assert running.stdout is not None
    feeding.stdout.close()
    first = running.stdout.readline()
    stalled_at = settled(vectors.data_of("vectors") / "seen")
    rest = running.stdout.read().splitlines()
    running.stdout.close()
    running.wait(BOUND_S)

    assert stalled_at < 1000
    assert (running.returncode, feeding.wait(BOUND_S)) == (0, 0)
    assert [str(number) for number in range(1, lines + 1)] == [
        json.loads(line)["id"] for line in [first, *rest]
    ]


def settled(path: Path) -> int:
    """Wait until a counter that a plugin writes has been the same for 50 looks, and give it."""
    looks: list[int] = []

    def is_still() -> bool:
        looks.append(int(path.read_text()) if path.exists() else 0)
        return looks[-1] > 0 and len(looks) > 50 and len(set(looks[-50:])) == 1

    until(is_still, "the plugin waits for the reader", BOUND_S)
    return looks[-1]


def test_ctrl_c_ends_it(vectors: CommandLine) -> None:
    """[P-46] While it waits for lines that never come, and while the model sleeps."""
    for model in ("lengths", "silent"):
        running = subprocess.Popen(
            vectors.argv("embed", "-m", model, "--lines"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=vectors.environment,
        )
        vectors.started.append(running)
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(b"one\n")
        running.stdin.flush()
        if model == "lengths":
            running.stdout.readline()
        else:
            wait_for_input(running)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=BOUND_S)

        assert (running.returncode, err) == (130, b"Stopped.\n")


def wait_for_input(running: subprocess.Popen[bytes]) -> None:
    """Wait until the command has read what it was given."""
    assert running.stdin is not None
    pipe = running.stdin.fileno()

    def is_read() -> bool:
        waiting = int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)
        return waiting == 0

    until(is_read, "the command has read its input", BOUND_S)


def test_a_model_that_fails_is_the_command_s_error(vectors: CommandLine) -> None:
    """One sentence with file and line; nothing of the vectors before is lost."""
    ended = vectors("embed", "-m", "fails", "--lines", piped="a\n")

    assert (ended.code, ended.out) == (5, "")
    assert re.search(r"ValueError: no luck \(.*vectors\.py, line \d+\)", ended.err)


def test_a_model_that_says_nothing_is_given_up(vectors: CommandLine) -> None:
    """[P-50] Silence counts only while there is something to embed."""
    vectors.home.mkdir(exist_ok=True)
    (vectors.home / "config.json").write_text('{"timeouts": {"idle_s": 1}}')
    ended = vectors("embed", "-m", "silent", "--lines", piped="a\n")

    assert ended.code == 6
    assert "sent nothing for 1 s while it had something to embed" in ended.err


def test_a_key_is_asked_for_as_for_a_prompt(vectors: CommandLine) -> None:
    """[P-67] Declared, granted, or named for this once."""
    refused = vectors("embed", "-m", "keyed", "-c", "a")
    named = vectors("embed", "-m", "keyed", "-c", "a", "--key", "12345")

    assert refused.code == 4
    assert "llm plugins grant vectors key=vectors" in refused.err
    assert (named.code, named.out) == (0, "[5.0]\n")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("-c", "a", "-i", "b"), 2, "-c and -i exclude each other"),
        (("--lines", "--jsonl"), 2, "exclude each other"),
        (("--lines", "-f", "blob"), 2, "lines of JSON hold no blobs"),
        (("-i", "missing.txt"), 3, "the file 'missing.txt' cannot be read: No such file or directory."),
        (("-m", "lenghts", "-c", "a"), 3, "there is no embedding model 'lenghts'; did you mean 'lengths'"),
        (("-c", "a", "-m", "lengths", "-d", "7"), 5, "has vectors of 2 numbers, not of 7"),
        ((), 2, "no embedding model is the default|the input is empty"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    vectors: CommandLine, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """With a documented exit code."""
    ended = vectors("embed", *arguments)

    assert ended.code == code, ended.err
    assert any(part in ended.err for part in said.split("|"))


def test_lines_that_are_wrong_are_named(vectors: CommandLine) -> None:
    """The number of the line is what one needs to find it."""
    for piped, said in (
        (b"ok\n\xff\n", "line 2 is not UTF-8"),
        (b'{"id": 1}\n', 'line 1 is no object {"id", "content"}'),
    ):
        ended = vectors("embed", "-m", "lengths", "--lines" if b"ok" in piped else "--jsonl", piped=piped)

        assert ended.code == 2
        assert said in ended.err


def test_embedding_models_are_listed_and_one_is_the_default(vectors: CommandLine) -> None:
    """As `llm models` and `llm models default`."""
    unset = vectors("embed", "-c", "a")
    chosen = vectors("embed-models", "default", "len")
    listed = vectors("embed-models")
    embedded = vectors("embed", "-c", "abcd")
    rows = {entry["id"]: entry for entry in json.loads(vectors("embed-models", "list", "--json").out)}

    assert unset.code == 3
    assert "llm embed-models default MODEL" in unset.err
    assert (chosen.code, vectors("embed-models", "default").out) == (0, "lengths\n")
    assert "lengths\tvectors\tlen\tdefault\n" in listed.out
    assert embedded.out == "[4.0, 0.5]\n"
    assert (rows["lengths"]["default"], rows["picky"]["input"]) == (True, ["*/*"])
    assert vectors("embed-models", "default", "--remove").code == 0
