"""Runs a filter as the kernel would: on the 64 bytes that describe one system call."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

LOAD, AND, SKIP, RETURN = 0x20, 0x54, 0x05, 0x06
EQUAL, GREATER, AT_LEAST, ANY_BIT = 0x15, 0x25, 0x35, 0x45
DATA_BYTES = 64


class Outcome(NamedTuple):
    """What the filter returned, and after how many instructions."""

    value: int
    steps: int


def describe(number: int, audit: int, arguments: Sequence[int] = ()) -> bytes:
    """Return `struct seccomp_data`; numbers may be negative, as a caller in C would write them."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    whole = [argument & 0xFFFF_FFFF_FFFF_FFFF for argument in padded]
    return struct.pack("<IIQ6Q", number & 0xFFFF_FFFF, audit, 0x7F00_0000_1000, *whole)


def instructions(program: bytes) -> list[tuple[int, int, int, int]]:
    """Return code, jt, jf and k of each."""
    return list(struct.iter_unpack("<HBBI", program))


def run(program: bytes, data: bytes) -> Outcome:
    """Run it; what the kernel would not load raises AssertionError."""
    code = instructions(program)
    accumulator = position = steps = 0
    while True:
        assert position < len(code), "a jump behind the end"
        operation, if_true, if_false, k = code[position]
        position += 1
        steps += 1
        if operation == RETURN:
            return Outcome(k, steps)
        if operation == LOAD:
            assert k % 4 == 0, "a load that is not aligned"
            assert k + 4 <= DATA_BYTES, "a load behind the end"
            accumulator = int.from_bytes(data[k : k + 4], "little")
        elif operation == AND:
            accumulator &= k
        elif operation == SKIP:
            position += k
        else:
            position += if_true if is_met(operation, accumulator, k) else if_false


def is_met(operation: int, accumulator: int, k: int) -> bool:
    """Whether a conditional jump is taken."""
    return {
        EQUAL: accumulator == k,
        GREATER: accumulator > k,
        AT_LEAST: accumulator >= k,
        ANY_BIT: bool(accumulator & k),
    }[operation]
