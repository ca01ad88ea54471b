"""The assembler: a program decides as its tree does, however far the jumps are."""

from __future__ import annotations

import struct
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_kernel.wall._bpf import (
    ARCHITECTURE,
    NO_PROCESS,
    NUMBER,
    Decision,
    Question,
    Verdict,
    argument,
    assemble,
)
from tests.kernel.wall.bpf_simulator import describe, instructions, run

WORDS = st.integers(0, 7) | st.integers(0, 2**32 - 1)
VERDICTS = st.builds(Verdict, st.integers(0, 2**32 - 1))


def questions_of(decisions: st.SearchStrategy[Decision]) -> st.SearchStrategy[Decision]:
    """Make questions whose branches are `decisions`."""
    return st.builds(
        Question,
        offset=st.sampled_from([NUMBER, ARCHITECTURE, argument(0), argument(5)]),
        mask=st.just(2**32 - 1) | WORDS,
        kind=st.sampled_from(["equal", "at_least", "any_bit"]),
        value=WORDS,
        yes=decisions,
        no=decisions,
    )


def decide(decision: Decision, data: bytes) -> int:
    """Follow the tree itself."""
    if isinstance(decision, Verdict):
        return decision.value
    word = int.from_bytes(data[decision.offset : decision.offset + 4], "little") & decision.mask
    met = {
        "equal": word == decision.value,
        "at_least": word >= decision.value,
        "any_bit": bool(word & decision.value),
    }[decision.kind]
    return decide(decision.yes if met else decision.no, data)


@given(
    decision=st.recursive(VERDICTS, questions_of, max_leaves=60),
    number=WORDS,
    audit=WORDS,
    arguments=st.lists(WORDS, min_size=6, max_size=6),
)
def test_a_program_decides_as_its_tree_does(
    decision: Decision, number: int, audit: int, arguments: list[int]
) -> None:
    """What the kernel runs is what the rules say (house rule)."""
    data = describe(number, audit, arguments)

    assert decide(decision, data) == run(assemble(decision)[0], data).value


def one_question_per_number(count: int) -> Decision:
    """Return a decision with a verdict of its own for each number below `count`."""
    chain: Decision = Verdict(0xDEAD)
    return reduce(
        lambda no, number: Question(offset=NUMBER, value=number, yes=Verdict(number), no=no),
        range(count),
        chain,
    )


@pytest.mark.parametrize("number", [0, 1, 299, 300])
def test_a_jump_over_more_than_255_instructions_arrives(number: int) -> None:
    """A conditional jump has eight bits; longer ways go over an unconditional one (struct sock_filter)."""
    long = one_question_per_number(300)
    both = Question(
        offset=ARCHITECTURE, value=7, yes=long, no=Question(offset=argument(0), value=1, yes=long, no=long)
    )
    program, _ = assemble(both)

    for audit, first in ((7, 0), (8, 1), (8, 2)):
        data = describe(number, audit, [first])

        assert decide(both, data) == run(program, data).value


def test_a_word_is_loaded_once_for_all_that_is_asked_about_it() -> None:
    """Most rules ask about one word again and again, and so does the way to the number (house rule)."""
    program, _ = assemble(one_question_per_number(10))

    assert [0x20] == [code for code, *_ in instructions(program) if code not in {0x15, 0x06}]


def test_a_program_that_is_longer_than_the_kernel_takes_is_refused() -> None:
    """BPF_MAXINSNS is 4096 (kernel headers)."""
    four = one_question_per_number(600)
    for offset in (argument(0), argument(1), argument(2)):
        four = Question(offset=offset, value=1, yes=four, no=four)

    with pytest.raises(ValueError, match="longer than 4096"):
        assemble(four)


def test_the_places_for_the_own_number_are_where_the_constant_stands() -> None:
    """The bootstrap writes there, and nowhere else (sandbox.md §3)."""
    own = Question(offset=argument(0), value=NO_PROCESS, is_own_pid=True, yes=Verdict(1), no=Verdict(2))
    program, slots = assemble(Question(offset=NUMBER, value=NO_PROCESS, yes=own, no=Verdict(3)))
    (slot,) = slots
    patched = bytearray(program)
    struct.pack_into("<I", patched, slot, 4711)

    assert 1 == run(bytes(patched), describe(NO_PROCESS, 0, [4711])).value
    assert 2 == run(bytes(patched), describe(NO_PROCESS, 0, [4712])).value
    assert 2 == run(program, describe(NO_PROCESS, 0, [4711])).value
