"""What may reach a terminal, and how tables look in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_kernel.cli import _output

if TYPE_CHECKING:
    from collections.abc import Sequence


@given(st.text())
def test_visible_text_holds_no_control_character_but_newline_and_tab(text: str) -> None:
    """[P-91] Neither C0, DEL nor C1 survives, and everything else does."""
    seen = _output.visible(text)
    assert not [c for c in seen if (ord(c) < 0x20 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0]
    kept = [c for c in text if ord(c) >= 0xA0 or 0x20 <= ord(c) < 0x7F or c in "\n\t"]
    assert [c for c in seen if c in kept] == [c for c in kept if c in seen]


def test_an_escape_sequence_is_shown_as_what_it_is() -> None:
    """A plugin that tries to clear the screen is seen trying."""
    assert _output.visible("a\x1b[2Jb\r\nc\x9bd") == "a␛[2Jb\nc\ufffdd"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [([["a", "b c"]], "a\tb c\n"), ([["a\tb", "c\nd"], ["", "e"]], "a b\tc d\n\te\n"), ([], "")],
)
def test_a_table_in_a_pipe_is_one_tab_separated_line_per_row(
    rows: Sequence[Sequence[str]], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Headings and padding are for people; scripts get the cells."""
    _output.table(rows, ["FIRST", "SECOND"])
    assert capsys.readouterr().out == expected
