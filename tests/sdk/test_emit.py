"""The stream of an answer under credit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_sdk._emit import PIECE_CHARS
from cellwall_sdk.errors import BadOutput, Cancelled
from cellwall_wire import Args, Delta, PartEnd, PartStart
from tests.sdk.pairing import Pair

PIECES = st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200), max_size=60)


def test_text_leaves_at_once_while_there_is_credit() -> None:
    """A piece is one line, written before text() returns."""
    pair = Pair(credit=10_000)

    pair.emitter.text(0, "one ")
    pair.emitter.text(0, "two ")

    assert pair.items == [Delta(0, "one "), Delta(0, "two ")]
    assert pair.emitter.sent == 2


def test_the_beginning_of_a_part_travels_with_its_first_text() -> None:
    """Fewer lines, fewer wake-ups of the host."""
    pair = Pair(credit=10_000)

    pair.emitter.text(0, "one", PartStart(0, "text"))

    assert len(pair.lines) == 2  # the answer to initialize is the other
    assert pair.items == [PartStart(0, "text"), Delta(0, "one")]


def test_pieces_that_wait_for_credit_are_merged() -> None:
    """[P-45] Neighbouring text of one part becomes one item when credit is short."""
    pair = Pair(credit=0)

    for word in ("one ", "two ", "three"):
        pair.emitter.text(0, word)
    assert pair.items == []
    pair.grant(10_000)

    assert pair.items == [Delta(0, "one two three")]


def test_pieces_of_different_parts_are_not_merged() -> None:
    """Order and parts survive the wait."""
    pair = Pair(credit=0)

    pair.emitter.text(0, "a")
    pair.emitter.text(1, "b")
    pair.emitter.arguments(2, "{")
    pair.emitter.arguments(2, "}")
    pair.emitter.item(PartEnd(2))
    pair.grant(10_000)

    assert pair.items == [Delta(0, "a"), Delta(1, "b"), Args(2, "{}"), PartEnd(2)]


def test_a_line_worth_of_waiting_text_asks_the_author_to_wait() -> None:
    """Memory is bounded: `full` tells the caller to stop, and credit clears it."""
    pair = Pair(credit=0)
    full: list[bool] = []

    pair.emitter.text(0, "x" * (PIECE_CHARS - 1))
    full.append(pair.emitter.full)
    pair.emitter.text(0, "xx")
    full.append(pair.emitter.full)
    pair.grant(100_000)
    full.append(pair.emitter.full)

    assert full == [False, True, False]
    assert pair.text == "x" * (PIECE_CHARS + 1)


def test_a_line_longer_than_the_whole_window_is_cut_to_fit() -> None:
    """A host with a tiny window still gets everything, in small lines."""
    pair = Pair(credit=400)
    text = "abcdefghij" * 100

    pair.emitter.text(0, text)
    sizes = [len(pair.text)]
    while sizes[-1] < len(text):
        pair.grant(400)
        sizes.append(len(pair.text))
        assert sizes[-1] > sizes[-2]

    assert pair.text == text


def test_a_shorter_data_line_of_the_host_is_respected() -> None:
    """[P-44] Text is cut until it fits what the host announced."""
    pair = Pair(credit=1_000_000, data_line=1_000)

    pair.emitter.text(0, "y" * 5_000)

    assert pair.text == "y" * 5_000
    assert max(map(len, pair.lines[1:])) <= 1_000


@given(pieces=PIECES, grants=st.lists(st.integers(min_value=200, max_value=3_000), max_size=80))
def test_the_text_is_the_same_whatever_the_credit(pieces: list[str], grants: list[int]) -> None:
    """[P-45] Merging and cutting lose and reorder nothing, and never exceed the credit."""
    pair = Pair(credit=500)
    parts = [index % 2 for index in range(len(pieces))]

    for index, piece in enumerate(pieces):
        if piece:
            pair.emitter.text(parts[index], piece)
        if index < len(grants):
            pair.grant(grants[index])
    pair.grant(1_000_000)

    for part in (0, 1):
        expected = "".join(piece for piece, number in zip(pieces, parts, strict=True) if number == part)
        assert expected == "".join(item.text for item in pair.items if item.part == part)


def test_nothing_is_sent_after_a_cancel() -> None:
    """The next piece raises Cancelled."""
    pair = Pair(credit=10_000)
    pair.call.cancel("enough")

    with pytest.raises(Cancelled):
        pair.emitter.text(0, "late")

    assert pair.items == []


def test_text_that_is_not_unicode_fails_this_call_only() -> None:
    """[P-14] A lone surrogate cannot be written; the connection stays intact."""
    pair = Pair(credit=10_000)

    with pytest.raises(BadOutput):
        pair.emitter.text(0, "\ud800")
    pair.emitter.text(0, "fine")

    assert pair.text == "fine"


def test_text_that_is_not_unicode_fails_at_once_even_without_credit() -> None:
    """The author hears of it where it happens, not when credit comes."""
    pair = Pair(credit=0)
    pair.emitter.text(0, "waits")

    with pytest.raises(BadOutput):
        pair.emitter.text(0, "\udc00")
