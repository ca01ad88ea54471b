"""`json.h` of the example in C takes exactly what is JSON: compared with Python's parser."""

from __future__ import annotations

import json
import random
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.examples.conftest import compiled

if TYPE_CHECKING:
    from pathlib import Path

BOUND_S = 50

# Each line of its input is a text: it says whether that is JSON, and if so walks through all of it.
HARNESS = r"""
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include "json.h"

static void walk(Json value) {
    Json name = JSON_ABSENT, item = JSON_ABSENT;
    switch (json_kind(value)) {
    case '{':
        printf("{");
        while (json_next(value, &name, &item)) {
            walk(name);
            walk(item);
        }
        printf("}");
        break;
    case '[':
        printf("[");
        while (json_next(value, NULL, &item)) walk(item);
        printf("]");
        break;
    case '"': {
        size_t room = (size_t)(value.to - value.from);
        char *text = malloc(room);
        size_t size = json_decode(value, text);
        printf("\"");
        for (size_t i = 0; i < size; i++) printf("%02x", (unsigned char)text[i]);
        free(text);
        break;
    }
    default:
        printf("%.*s,", (int)(value.to - value.from), value.from);
    }
}

int main(void) {
    char *line = NULL;
    size_t room = 0;
    for (ssize_t size; (size = getline(&line, &room, stdin)) > 0;) {
        char *exact = malloc((size_t)size); /* so that a sanitizer sees a step beyond it */
        memcpy(exact, line, (size_t)size - 1);
        Json value = json_read(exact, (size_t)size - 1);
        if (value.from == NULL) {
            printf("no");
        } else {
            walk(value);
        }
        printf("\n");
        free(exact);
    }
    free(line);
    return 0;
}
"""

PIECES = [
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b" ",
        b"\t",
        b"\r",
        b'"',
        b"\\",
        b"0",
        b"1",
        b"-",
        b"1.5e-3",
        b".",
        b"e",
    ),
    *(b"true", b"false", b"null", b"nul", b"NaN", b"Infinity", b'""', b'"a":', b'"a"', b"[]", b"{}", b"\x00"),
    *(b'"\\ud83e\\udd89"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u00e9"', b"\\u12", b"\xe2\x80\xa8"),
    *(
        "é🦉".encode(),
        b"\xed\xa0\x80",
        b"\xc0\x80",
        b"\xf4\x90\x80\x80",
        b"\xef\xbb\xbf",
        b"\xff",
        b"\x7f",
        b"\x1f",
    ),
]


@pytest.fixture(scope="module")
def harness(compiler: str, hardened: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that reads lines with `json.h`."""
    folder = tmp_path_factory.mktemp("harness")
    (folder / "harness.c").write_text(HARNESS)
    return compiled(compiler, hardened, folder / "harness.c", folder / "harness")


class Number(NamedTuple):
    """A number as it was written."""

    written: str


class Members(NamedTuple):
    """An object, with members of the same name kept apart."""

    pairs: list[tuple[str, Any]]


def walked(value: Any) -> str:
    """Say what the harness says of a value."""
    match value:
        case Members(pairs):
            return "{" + "".join(walked(name) + walked(item) for name, item in pairs) + "}"
        case Number(written):
            return f"{written},"
        case str():
            text = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            return '"' + text.encode().hex()
        case None | True | False:
            return {True: "true,", False: "false,", None: "null,"}[value]
        case _:
            return "[" + "".join(walked(item) for item in value) + "]"


def expected(line: bytes) -> str:
    """Say what Python's parser makes of a line."""

    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        value: Any = json.loads(
            line.decode(),
            parse_int=Number,
            parse_float=Number,
            parse_constant=refuse,
            object_pairs_hook=Members,
        )
    except ValueError:
        return "no"
    return walked(value)


def said(harness: Path, lines: list[bytes]) -> list[str]:
    """Let the harness read lines."""
    ended = subprocess.run(
        [harness],
        input=b"".join(line + b"\n" for line in lines),
        capture_output=True,
        timeout=BOUND_S,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    return ended.stdout.decode().split("\n")[:-1]


@pytest.mark.parametrize("seed", range(4))
def test_it_agrees_with_another_parser_on_every_line(harness: Path, seed: int) -> None:
    """RFC 8259, and [P-14] for half a pair of surrogates."""
    draw = random.Random(seed)
    lines = [b"".join(draw.choices(PIECES, k=draw.randint(0, 12))) for _ in range(20_000)]
    lines += [b"[" + b",".join(draw.choices(PIECES, k=draw.randint(1, 4))) + b"]" for _ in range(20_000)]
    lines += [b'{"k":' + b"".join(draw.choices(PIECES, k=draw.randint(1, 3))) + b"}" for _ in range(20_000)]
    wanted = [expected(line) for line in lines]

    assert [
        each for each in zip(lines, said(harness, lines), wanted, strict=True) if each[1] != each[2]
    ] == []
    assert len([answer for answer in wanted if answer != "no"]) > 1000


@pytest.mark.parametrize(("depth", "is_read"), [(512, True), (513, False), (100_000, False)])
def test_what_is_nested_too_deeply_is_not_read(harness: Path, depth: int, is_read: bool) -> None:
    """The depth is bounded, so the memory is, too."""
    lines = [b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth]

    assert [answer != "no" for answer in said(harness, lines)] == [is_read, is_read]
