"""A bare stream: a child encodes a line per small delta with msgspec, we decode it and drop the text.

    python -m cellbench.probes.pipe_stream consume COUNT each|buffered

With `each`, every line is written at once, as a stream that shows words when they are there has to; with
`buffered`, 64 KiB at a time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec

__all__: list[str] = []

_CHUNK_BYTES = 65_536
_TEXT = "word "


class Delta(msgspec.Struct, tag_field="t", tag="delta"):
    """A piece of text, of the shape that the protocol gives it."""

    part: int
    text: str


class Params(msgspec.Struct):
    """The inner object of a line."""

    id: str
    seq: int
    items: list[Delta]


class Line(msgspec.Struct):
    """A line of the stream."""

    jsonrpc: str
    method: str
    params: Params


def _produce(count: int, *, each: bool) -> None:
    encode = msgspec.json.Encoder().encode
    held: list[bytes] = []
    held_bytes = 0
    for seq in range(count):
        line = encode(Line("2.0", "$/data", Params("h1", seq, [Delta(0, _TEXT)]))) + b"\n"
        if each:
            os.write(1, line)
            continue
        held.append(line)
        held_bytes += len(line)
        if held_bytes >= _CHUNK_BYTES:
            _write_all(b"".join(held))
            held.clear()
            held_bytes = 0
    _write_all(b"".join(held))


def _write_all(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _consume(source: int) -> int:
    decode = msgspec.json.Decoder(Line).decode
    deltas, tail = 0, b""
    with Path(os.devnull).open("wb", buffering=0) as sink:
        while chunk := os.read(source, _CHUNK_BYTES):
            *lines, tail = (tail + chunk).split(b"\n")
            texts = [decode(line).params.items[0].text for line in lines]
            deltas += len(texts)
            sink.write("".join(texts).encode())
    return deltas


def _main(role: str, count: int, mode: str) -> None:
    if role == "produce":
        _produce(count, each=mode == "each")
        return
    argv = [sys.executable, "-m", "cellbench.probes.pipe_stream", "produce", str(count), mode]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        if _consume(child.stdout.fileno()) != count:
            raise SystemExit("deltas were lost")


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
