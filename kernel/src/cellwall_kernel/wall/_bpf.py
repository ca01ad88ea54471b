"""Decisions about one system call, and the assembler that makes a BPF program for the kernel of them.

A decision is a tree: a `Verdict`, or a `Question` of a few bits with one decision for yes and one for no. The
kernel shows a filter 64 bytes, `struct seccomp_data`, little endian on the machines that we know:

    0   number of the call     4   architecture     8   instruction pointer (8 bytes)
    16  arguments, six of 8 bytes: the low half of argument i at 16 + 8i, the high half 4 further

A tree needs no labels: each question is laid out as

    [load word] [and mask]   left out when the accumulator holds just that already
    jump                     one way falls through, the other skips it
    ... the way that falls through
    ... the way that is skipped to

so every jump goes forward and its distance is the length of what stands between. A conditional jump reaches
255 instructions; behind a longer way it steps over an unconditional one, which reaches everything. Equal
verdicts are not shared, for jumping to one costs the same instruction as having one.

A constant that is the process's own number cannot be known when the program is built: it stands as
`NO_PROCESS`, and the program comes with the places where the number belongs.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from typing import TypeAlias

__all__ = ["ARCHITECTURE", "NO_PROCESS", "NUMBER", "Decision", "Question", "Verdict", "argument", "assemble"]

NUMBER = 0
"""Where the call's number stands in `struct seccomp_data`."""

ARCHITECTURE = 4
"""Where the architecture's code stands."""

NO_PROCESS = 0x7FFF_FFFF
"""Stands for a number to be written later: no process can have it, so a forgotten one refuses."""

WHOLE = 0xFFFF_FFFF
LIMIT = 4096
"""How many instructions the kernel takes."""

REACH = 255
"""How many instructions a conditional jump can skip."""

_LOAD, _AND, _SKIP, _RETURN = 0x20, 0x54, 0x05, 0x06
_JUMPS = {"equal": 0x15, "at_least": 0x35, "any_bit": 0x45}
_INSTRUCTION = struct.Struct("<HBBI")
_K_OFFSET = 4


class Verdict(msgspec.Struct, frozen=True):
    """What becomes of the call.

    Args:
        value: a SECCOMP_RET_* value with its data.
    """

    value: int


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Looks at one word of 32 bits.

    Args:
        offset: where the word stands in `struct seccomp_data`.
        mask: the bits that count.
        kind: how they are compared, unsigned; "any_bit" asks whether `value` and they have one in common.
        value: what they are compared with; `NO_PROCESS` when `is_own_pid`.
        is_own_pid: whether the number of the process shall stand in place of `value`.
        yes: the decision if so.
        no: the decision if not.
    """

    offset: int
    mask: int = WHOLE
    kind: Literal["equal", "at_least", "any_bit"] = "equal"
    value: int
    is_own_pid: bool = False
    yes: Decision
    no: Decision


Decision: TypeAlias = "Verdict | Question"


class _Instruction(msgspec.Struct, frozen=True):
    code: int
    k: int
    if_true: int = 0
    if_false: int = 0
    is_own_pid: bool = False


def argument(index: int) -> int:
    """Return where the low half of an argument stands, the first being 0: all that an `int` has."""
    return 16 + 8 * index


def assemble(decision: Decision) -> tuple[bytes, tuple[int, ...]]:
    """Make the program of a decision.

    Returns:
        an array of `struct sock_filter`, and the byte offsets where the process's number belongs, 32 bits.

    Raises:
        ValueError: it is longer than the kernel takes.
    """
    instructions = _lay_out(decision, None)
    if len(instructions) > LIMIT:
        raise ValueError(f"a filter of {len(instructions)} instructions is longer than {LIMIT}")
    program = b"".join(_INSTRUCTION.pack(one.code, one.if_true, one.if_false, one.k) for one in instructions)
    slots = (number for number, one in enumerate(instructions) if one.is_own_pid)
    return program, tuple(number * _INSTRUCTION.size + _K_OFFSET for number in slots)


def _lay_out(decision: Decision, loaded: tuple[int, int] | None) -> list[_Instruction]:
    """Return the instructions of a decision; `loaded` is the word and mask that the accumulator holds."""
    if isinstance(decision, Verdict):
        return [_Instruction(_RETURN, decision.value)]
    wanted = decision.offset, decision.mask
    laid: list[_Instruction] = []
    if loaded != wanted:
        laid.append(_Instruction(_LOAD, decision.offset))
        if decision.mask != WHOLE:
            laid.append(_Instruction(_AND, decision.mask))
    yes, no = _lay_out(decision.yes, wanted), _lay_out(decision.no, wanted)
    code, k, is_own_pid = _JUMPS[decision.kind], decision.value, decision.is_own_pid
    if len(no) <= REACH:
        return [*laid, _Instruction(code, k, len(no), 0, is_own_pid), *no, *yes]
    if len(yes) <= REACH:
        return [*laid, _Instruction(code, k, 0, len(yes), is_own_pid), *yes, *no]
    far = _Instruction(_SKIP, len(no))
    return [*laid, _Instruction(code, k, 0, 1, is_own_pid), far, *no, *yes]
