"""Items that are joined while credit is short: whatever the credit, the answer is the same."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cellwall_sdk._emit import PIECE_CHARS, WAITING_ITEMS
from cellwall_wire import Args, Delta, Note, PartEnd, PartStart
from tests.sdk.pairing import Pair

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
long_texts = st.builds(str.__mul__, texts, st.integers(1, 600))
parts = st.integers(0, 2)
emissions = st.lists(
    st.builds(Delta, parts, texts | long_texts)
    | st.builds(Args, parts, texts | long_texts)
    | st.builds(PartStart, parts, st.just("text"))
    | st.builds(PartEnd, parts)
    | st.builds(Note, texts),
    max_size=60,
)
grants = st.lists(st.none() | st.integers(min_value=1, max_value=4_000), max_size=60)


def emit(pair: Pair, item: Any) -> None:
    """Send an item as an answer does."""
    if isinstance(item, Delta):
        pair.emitter.text(item.part, item.text)
    elif isinstance(item, Args):
        pair.emitter.arguments(item.part, item.json)
    else:
        pair.emitter.item(item)


def size_of(item: Any) -> int:
    """How many characters of an answer an item holds."""
    if isinstance(item, Delta):
        return len(item.text)
    return len(item.json) if isinstance(item, Args) else 0


def joined(items: list[Any]) -> list[Any]:
    """Join what may be joined: neighbouring text, and neighbouring arguments, of one part."""
    result: list[Any] = []
    for item in items:
        last = result[-1] if result else None
        if isinstance(item, Delta) and isinstance(last, Delta) and item.part == last.part:
            result[-1] = Delta(item.part, last.text + item.text)
        elif isinstance(item, Args) and isinstance(last, Args) and item.part == last.part:
            result[-1] = Args(item.part, last.json + item.json)
        else:
            result.append(item)
    return result


@given(items=emissions, first=st.integers(0, 2_000), grants=grants)
@settings(deadline=None)
def test_the_items_joined_are_the_items_unjoined(
    items: list[Any], first: int, grants: list[int | None]
) -> None:
    """[P-45] [P-40] Nothing lost, reordered, or joined across parts or kinds, whenever credit comes.

    (anchor 17; the host's Connection in the pair refuses a gap or an overrun.)
    """
    pair = Pair(credit=first)
    for place, item in enumerate(items):
        emit(pair, item)
        size = grants[place] if place < len(grants) else None
        if size is not None:
            pair.grant(size)
    pair.grant(1_000_000)
    while pair.emitter._waiting:
        pair.grant(1_000_000)

    assert joined(items) == joined(pair.items)
    assert pair.emitter.sent == len(pair.items)


@given(items=emissions, credit=st.integers(0, 500))
@settings(deadline=None)
def test_what_waits_for_credit_is_joined_as_far_as_it_may_be(items: list[Any], credit: int) -> None:
    """[P-45] Of what waits, no two neighbours could still be one: fewer items, fewer bytes (anchor 17)."""
    pair = Pair(credit=credit)
    for item in items:
        emit(pair, item)

    waiting: list[Any] = pair.emitter._waiting
    for one, other in pairwise(waiting):
        may_be_one = len(joined([one, other])) == 1
        assert not may_be_one or size_of(one) + size_of(other) > PIECE_CHARS


@given(items=emissions)
@settings(deadline=None)
def test_an_author_is_held_up_as_soon_as_a_line_or_many_items_wait(items: list[Any]) -> None:
    """[P-42] Without credit, what waits is bounded for an author who waits while it is full (anchor 14)."""
    pair = Pair(credit=0)
    for item in items * 10:
        if pair.emitter.full:
            break
        emit(pair, item)

    waiting: list[Any] = pair.emitter._waiting
    longest = max(map(size_of, items), default=0)
    assert len(waiting) <= WAITING_ITEMS + longest // PIECE_CHARS + 1
    assert sum(map(size_of, waiting)) <= PIECE_CHARS + longest
    assert pair.items == []
