"""The named deadlines: whose setting counts, and what is left for calls that are made for other calls."""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_kernel.session import Deadline
from cellwall_kernel.timeouts import DEADLINES, USUAL, Limit, Timeouts, note_command

if TYPE_CHECKING:
    from cellwall_kernel.timeouts import Patience

SECONDS = st.floats(min_value=0.001, max_value=1e6)

SET = Timeouts.parse(
    {
        "total_s": 60,
        "idle_s": 6,
        "start_s": 5,
        "commands": {"models list": {"total_s": 30, "idle_s": 3}, "embed": {"first_s": 9}},
        "plugins": {"foo": {"total_s": 15, "idle_s": 0}},
    }
)


@pytest.mark.parametrize(
    ("plugin", "command", "total", "idle"),
    [
        ("foo", "models list", Limit(15, "plugin", "foo"), Limit(0, "plugin", "foo")),
        ("foo", "prompt", Limit(15, "plugin", "foo"), Limit(0, "plugin", "foo")),
        ("bar", "models list", Limit(30, "command", "models list"), Limit(3, "command", "models list")),
        ("bar", "prompt", Limit(60, "all"), Limit(6, "all")),
        ("", "", Limit(60, "all"), Limit(6, "all")),
    ],
)
def test_the_nearest_setting_counts(plugin: str, command: str, total: Limit, idle: Limit) -> None:
    """Issue 3, item 3: the plugin's, then the command's, then the one for all, each by itself."""
    patience = SET.patience(plugin, command)

    assert (total, idle) == (patience.total, patience.idle)
    assert Limit(5, "all") == patience.start
    assert USUAL.describe == patience.describe


def test_the_command_that_runs_is_meant_when_none_is_named() -> None:
    """Issue 3, item 3: each command says once what it is; another context does not hear of it."""

    def embed() -> Patience:
        note_command("embed")
        return SET.patience("bar")

    assert Limit(9, "command", "embed") == copy_context().run(embed).first
    assert USUAL.first == SET.patience("bar").first


def test_every_deadline_has_a_usual_time_and_only_inner_ones_can_be_off() -> None:
    """Kernel policy: nothing is waited for without a bound, whatever the user sets."""
    assert list(DEADLINES) == list(USUAL._fields)
    assert {"first", "idle"} == {name for name, named in DEADLINES.items() if named.can_be_off}
    assert all(named.usual_s > 0 or named.can_be_off for named in DEADLINES.values())


def test_the_table_and_the_limits_of_a_call_say_the_same() -> None:
    """House rule: one table."""
    assert Deadline() == Deadline.from_settings(Timeouts(), plugin="p")
    assert (600.0, None, 300.0) == (Deadline().total_s, Deadline().first_s, Deadline().idle_s)


def test_a_deadline_that_is_off_leaves_the_total() -> None:
    """Kernel policy: `idle_s` 0 is off, and the whole answer stays bounded."""
    deadline = Deadline.from_settings(SET, plugin="foo")

    assert (15, None, None) == (deadline.total_s, deadline.first_s, deadline.idle_s)


@given(total_s=SECONDS, remaining_s=st.floats(min_value=-10, max_value=1e6))
def test_a_nested_call_gets_the_rest_of_its_parents_time_and_no_more(
    total_s: float, remaining_s: float
) -> None:
    """[P-58] Statement 19: never longer than the parent, never longer than its own, never negative."""
    own = Deadline(total_s=total_s, first_s=3, idle_s=4)
    nested = own.nested(remaining_s)

    assert max(0.0, min(total_s, remaining_s)) == nested.total_s
    assert (3, 4) == (nested.first_s, nested.idle_s)
    assert ("parent" if remaining_s < total_s else "settings") == nested.total_from


def test_with_nothing_left_a_nested_call_has_no_time_at_all() -> None:
    """[P-58] 0 is not "no limit", as it is for a grant."""
    assert Deadline().nested(0.0).total_s == 0
    assert Deadline().within(0) == Deadline()


@given(limits=st.lists(SECONDS, min_size=1, max_size=8))
def test_time_never_grows_on_the_way_down(limits: list[float]) -> None:
    """[P-58] However deep calls are nested, the deepest has the least."""
    deadline = Deadline(total_s=limits[0])
    for remaining_s in limits[1:]:
        deadline = Deadline().nested(deadline.nested(remaining_s).total_s)

    assert min([*limits, Deadline().total_s] if limits[1:] else limits) == deadline.total_s


@pytest.mark.parametrize(
    ("deadline", "name", "advice"),
    [
        (Deadline(total_s=2), "total", "(its deadline 'total'); 'llm plugins timeouts p total=4s' gives"),
        (Deadline(total_s=600), "total", "'llm plugins timeouts p total=20m' gives it more time."),
        (Deadline(total_s=0.2), "start", "(its deadline 'start'); 'llm plugins timeouts p start=1s' gives"),
        (Deadline(first_s=30), "first", "(its deadline 'first'); 'llm plugins timeouts p first=1m' gives"),
        (Deadline(idle_s=45), "idle", "(its deadline 'idle'); 'llm plugins timeouts p idle=90s' gives"),
        (Deadline(total_s=9, total_from="command line"), "total", "a longer --timeout gives it more time."),
        (Deadline(total_s=9, total_from="command line"), "first", "plugins timeouts p first="),
        (Deadline().within(3), "total", "'llm plugins grant p deadline=6s' gives it more time."),
        (Deadline().nested(3), "total", "all that was left to the call that it was made for."),
    ],
)
def test_a_passed_deadline_is_named_with_what_gives_more_time(
    deadline: Deadline, name: str, advice: str
) -> None:
    """House rule: a sentence says what to do; here it depends on who has set the limit."""
    assert advice in deadline.advice(name, "p")
