"""What counts as a difference between an answer that was recorded and the one of today."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cellwall_kernel.errors import UsageProblem
from cellwall_kernel.replaying import read_trace
from cellwall_kernel.replaying._compare import differences, joined

if TYPE_CHECKING:
    from pathlib import Path

FIRST = '{"at_ms":0.0,"from":"event","event":"trace","version":1}\n'
SECOND = '{"at_ms":1.0,"plugin":"parrot","process":1,"from":"host","bytes":3,"line":{}}\n'


def found(then: Any, now: Any, *, exact: bool = False) -> list[str]:
    """Return what is different."""
    return list(differences(then, now, exact=exact))


@pytest.mark.parametrize(
    ("then", "now", "what"),
    [
        ({"a": 1}, {"a": 2}, "a was 1 and is 2"),
        ({"a": {"b": [1, "x"]}}, {"a": {"b": [1, "y"]}}, 'a.b[1] was "x" and is "y"'),
        ({"a": [1, 2]}, {"a": [1]}, "a had 2 members and has 1"),
        ({"a": 1}, {}, "a was 1 and is missing"),
        ({"a": 1}, {"a": True}, "a was 1 and is true"),
        ({"a": {}}, {"a": []}, "a was {} and is []"),
    ],
)
def test_a_difference_is_told_by_its_place(then: Any, now: Any, what: str) -> None:
    """Statement 42: whoever reads it finds the line of code."""
    assert [what] == found(then, now)


def test_what_is_new_is_no_difference_unless_everything_counts() -> None:
    """[P-80] Within a major, messages only grow."""
    assert [] == found({"result": {}}, {"result": {"more": 1}})
    assert ["result.more is new"] == found({"result": {}}, {"result": {"more": 1}}, exact=True)


def test_what_changes_with_every_version_is_looked_at_only_if_everything_counts() -> None:
    """Statement 42: a digest says that something changed, not that something broke."""
    then: dict[str, Any] = {"result": {"digest": "1", "sdk": {}}}
    now: dict[str, Any] = {"result": {"digest": "2"}}

    assert [] == found(then, now)
    assert 2 == len(found(then, now, exact=True))


def test_a_text_is_the_same_however_it_was_cut() -> None:
    """[P-45] The text joined is the text unjoined; another part in between begins a new one."""
    pieces = [
        {"t": "part", "part": 0, "type": "text"},
        {"t": "delta", "part": 0, "text": "a"},
        {"t": "delta", "part": 0, "text": ""},
        {"t": "delta", "part": 0, "text": "b"},
        {"t": "args", "part": 1, "json": "{"},
        {"t": "args", "part": 1, "json": "}"},
        {"t": "delta", "part": 0, "text": "c"},
    ]

    assert [
        pieces[0],
        {"t": "delta", "part": 0, "text": "ab"},
        {"t": "args", "part": 1, "json": "{}"},
        {"t": "delta", "part": 0, "text": "c"},
    ] == joined(pieces)
    assert "a" == pieces[1]["text"]


def test_a_trace_whose_host_was_killed_in_the_middle_of_a_line_can_be_read(tmp_path: Path) -> None:
    """Kernel policy: such a trace is the one that is needed most."""
    trace = tmp_path / "trace"
    trace.write_text(f"{FIRST}{SECOND}{SECOND[:20]}")

    assert [1] == list(read_trace(trace))


def test_a_wrong_line_in_the_middle_is_told_by_its_number(tmp_path: Path) -> None:
    """House rule: an error names the place."""
    trace = tmp_path / "trace"
    trace.write_text(f"{FIRST}dear diary\n{SECOND}")

    with pytest.raises(UsageProblem, match="line 2 is not one of its lines"):
        read_trace(trace)
