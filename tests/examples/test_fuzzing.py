"""Random, broken, deep, dribbled and oversized input for both examples; the one in C under sanitizers."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.examples.driving import Example, Program, initialize_line

if TYPE_CHECKING:
    from pathlib import Path

EXIT_HOST_BROKE_THE_PROTOCOL = 76

LINES = 80
"""In one process; fewer than the junk that is tolerated."""

LAST_ID = 99_999

ALPHABET = b'{}[]",:\\u0dD8c\t\r -+.eE19tfn\x00\x1f\x80\xbf\xc0\xe0\xed\xa0\xf0\xf4\xff'


def valid(draw: random.Random, example: Example, number: int) -> bytes:
    """Make a message that a host might send."""
    call = f"h{draw.randint(1, number)}"
    text = "".join(draw.choice('aé🦉\ud800"\\\x00') for _ in range(draw.randint(0, 30)))
    messages = [{"role": "user", "parts": [{"type": "text", "text": text}]}]
    meta = {"credit": draw.choice([0, 1, 200, 5000])}
    prompt = {"model": example.model, "messages": messages, "meta": meta, "options": {"times": "3"}}
    choices: list[dict[str, Any]] = [
        {"id": f"h{number}", "method": "model/prompt", "params": prompt},
        {"id": f"h{number}", "method": "ping", "params": {}},
        {"id": f"h{number}", "method": "plugin/describe"},
        {"method": "$/credit", "params": {"id": call, "n": draw.choice([-1, 0, 1.5, 300, 10**17, 10**40])}},
        {"method": "$/cancel", "params": {"id": call}},
        {"id": f"p{number}", "result": {}},
    ]
    message = {"jsonrpc": "2.0", **draw.choice(choices)}
    return json.dumps(message, ensure_ascii=True).encode()


def mutated(draw: random.Random, line: bytes) -> bytes:
    """Change, remove, double or move a few bytes."""
    changed = bytearray(line)
    for _ in range(draw.randint(1, 4)):
        at, size = draw.randrange(len(changed) + 1), draw.randint(0, 8)
        piece = changed[at : at + size]
        kind = draw.randrange(3)
        if kind == 0:
            changed[at : at + size] = bytes(draw.choices(ALPHABET, k=draw.randint(0, 6)))
        elif kind == 1:
            del changed[at : at + size]
        else:
            changed[draw.randrange(len(changed) + 1) : 0] = piece
    return bytes(changed).replace(b"\n", b"")


def strange(draw: random.Random) -> bytes:
    """Make a line that is hard on a parser."""
    depth = draw.choice([10, 511, 512, 513, 5000, 20_000])
    lines = [
        bytes(draw.choices(ALPHABET, k=draw.randint(1, 300))),
        draw.randbytes(draw.randint(1, 300)).replace(b"\n", b""),
        b"[" * depth,
        b"{" + b'"":{' * depth,
        b'{"jsonrpc":"2.0","method":"x","params":' + b"[" * depth + b"]" * depth + b"}",
        b'{"jsonrpc":"2.0","method":"' + b"\\u" * draw.randint(1, 9) + b'"}',
        b'{"jsonrpc":"2.0","method":"\\',
        b'{"jsonrpc":"2.0","id":"h' + b"9" * draw.randint(1, 40) + b'x","method":"ping"}',
        b'{"jsonrpc":"2.0","method":"$/credit","params":{"id":"h1","n":' + b"9" * 30_000 + b"}}",
        b"-" * draw.randint(1, 9) + b"1e" + b"+" * draw.randint(0, 3),
        b'{"jsonrpc":"2.0",' + b'"jsonrpc":"2.0",' * 2000 + b'"method":"ping"}',
    ]
    return draw.choice(lines)


def lines_for(draw: random.Random, example: Example) -> bytes:
    """Make many lines."""
    lines: list[bytes] = []
    for number in range(2, 2 + LINES):
        line = valid(draw, example, number)
        kind = draw.randrange(4)
        lines.append(line if kind == 0 else strange(draw) if kind == 1 else mutated(draw, line))
    return b"\n".join(lines) + b"\n"


def feed(draw: random.Random, program: Program, data: bytes) -> None:
    """Write bytes in pieces of any size."""
    at = 0
    while at < len(data):
        size = draw.choice([1, 7, 100, 4096, 70_000])
        program.write(data[at : at + size])
        at += size


@pytest.mark.parametrize("seed", range(12))
def test_nothing_that_comes_in_breaks_it(example: Example, tmp_path: Path, seed: int) -> None:
    """[P-13] [P-15] Afterwards it answers a ping, or has said why it ended: mutations may repeat an id."""
    draw = random.Random(seed)
    data = lines_for(draw, example)
    with Program(example, tmp_path) as program:
        program.tells(initialize_line())
        program.line()
        end = {"jsonrpc": "2.0", "id": f"h{LAST_ID}", "method": "ping"}
        try:
            feed(draw, program, data + json.dumps(end).encode() + b"\n")
        except BrokenPipeError:
            program.process.wait(15)
        assert program.process.stdin is not None
        answers = [json.loads(line) for line in read_to(program, f'"id":"h{LAST_ID}"')]
        code = program.close_input()
        log = program.log()

    ids = [line["id"] for line in answers if "id" in line and line["id"] is not None]
    assert "Sanitizer" not in log
    assert "runtime error" not in log
    assert len(ids) == len(set(ids)) or code == EXIT_HOST_BROKE_THE_PROTOCOL
    assert code == 0 or (code == EXIT_HOST_BROKE_THE_PROTOCOL and ("twice" in log or "too many" in log)), log


def read_to(program: Program, wanted: str) -> list[str]:
    """Read lines up to one that holds some text, or to the end."""
    assert program.process.stdout is not None
    lines: list[str] = []
    for line in program.process.stdout:
        lines.append(line.decode())
        if wanted in lines[-1]:
            break
    return lines


@pytest.mark.parametrize("seed", range(3))
def test_junk_before_initialize_breaks_nothing_either(example: Example, tmp_path: Path, seed: int) -> None:
    """[P-33] The first lines of a connection are as hostile as the others."""
    draw = random.Random(1000 + seed)
    junk = b"\n".join(strange(draw)[:60_000] for _ in range(50)) + b"\n"
    with Program(example, tmp_path) as program:
        feed(draw, program, junk)
        program.tells(initialize_line(LAST_ID))
        lines = read_to(program, f'"id":"h{LAST_ID}"')

        assert "result" in json.loads(lines[-1]), lines
        assert program.close_input() == 0
        log = program.log()
    assert "Sanitizer" not in log
    assert "runtime error" not in log


def test_a_long_deep_line_is_read_in_linear_time(example: Example, tmp_path: Path) -> None:
    """[P-11] Three MiB of a text that is nested as deeply as a parser takes, then a ping."""
    deep = b"[" * 500 + b"]" * 500
    many = b",".join([deep] * (3 * (1 << 20) // len(deep)))
    with Program(example, tmp_path) as program:
        program.tells(initialize_line())
        program.line()
        program.write(b'{"jsonrpc":"2.0","method":"later","params":{"x":[' + many + b"]}}\n")
        program.tells({"jsonrpc": "2.0", "id": "h2", "method": "ping"})

        assert program.line() == {"jsonrpc": "2.0", "id": "h2", "result": {}}
