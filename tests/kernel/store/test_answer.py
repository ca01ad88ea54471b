"""Stream items to parts: however the stream is cut into batches, and wherever it is cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from cellwall_kernel.store.answer import fold, merged
from cellwall_wire import Args, Delta, Note, PartEnd, PartStart, UnknownItem, Usage, UsageItem

if TYPE_CHECKING:
    from cellwall_wire import Item

numbers = st.integers(0, 3)
items = st.one_of(
    st.builds(PartStart, numbers, st.sampled_from(["text", "reasoning", "tool_call", "tool_result"])),
    st.builds(Delta, numbers, st.text(max_size=4)),
    st.builds(Args, numbers, st.text(max_size=4)),
    st.builds(PartEnd, numbers, st.none() | st.dictionaries(st.text(max_size=2), st.integers(), max_size=2)),
    st.builds(UsageItem, st.builds(Usage, input=st.integers(0, 9))),
)


@given(st.lists(st.lists(items, max_size=6), max_size=6))
def test_batches_make_no_difference(batches: list[list[Item]]) -> None:
    """Merging each batch and folding all is folding the stream itself."""
    stream = [item for batch in batches for item in batch]
    by_batch = fold(item for batch in batches for item in merged(batch))
    whole = fold(stream)
    assert [(part.start, part.text, part.provider) for part in by_batch.parts] == [
        (part.start, part.text, part.provider) for part in whole.parts
    ]
    assert by_batch.usage == whole.usage


@given(st.lists(items, max_size=12), st.integers(0, 12))
def test_every_beginning_of_a_stream_is_an_answer(stream: list[Item], end: int) -> None:
    """A host may die between any two items; what had arrived is then a beginning of the whole."""
    cut, whole = fold(stream[:end]), fold(stream)
    assert all(
        after.text.startswith(before.text) for before, after in zip(cut.parts, whole.parts, strict=False)
    )


def test_a_batch_of_deltas_is_one_item() -> None:
    """Neighbours of one part merge; another part, or another kind of item, ends a run."""
    assert merged(
        [Delta(0, "a"), Delta(0, "b"), Delta(1, "c"), PartEnd(1), Delta(1, "d"), Delta(1, "e")]
    ) == [
        Delta(0, "ab"),
        Delta(1, "c"),
        PartEnd(1),
        Delta(1, "de"),
    ]


def test_remarks_and_unknown_items_are_no_part_of_an_answer() -> None:
    """They do not even separate deltas."""
    assert merged([Delta(0, "a"), Note("by the way"), UnknownItem(b'{"t":"new"}'), Delta(0, "b")]) == [
        Delta(0, "ab")
    ]


def test_opaque_data_of_start_and_end_is_kept_together() -> None:
    """Both belong to the part; the end has the last word."""
    answer = fold([PartStart(0, "text", provider={"a": 1, "b": 1}), PartEnd(0, provider={"b": 2})])
    assert answer.parts[0].provider == {"a": 1, "b": 2}


def test_text_without_a_beginning_is_text() -> None:
    """A careless plugin loses no words, and a second beginning takes none away."""
    answer = fold([Delta(0, "a"), PartStart(0, "reasoning"), Delta(0, "b")])
    assert answer.text_of("text") == "ab"
