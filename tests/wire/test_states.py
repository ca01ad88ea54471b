"""The state tables, held against each other and against the machine that uses them."""

from __future__ import annotations

from cellwall_wire import CALL, CONNECTION, CallState, Does, Party, Role, State


def test_every_state_can_be_left_and_reached() -> None:
    """[P-33] [P-36] No state of a connection is dead or unreachable, except the last and the first."""
    for state in State:
        assert bool(CONNECTION[state]) is (state is not State.CLOSED)
    reached = {then for row in CONNECTION.values() for then in row.values()}

    assert set(State) == reached | {State.NEW}


def test_either_side_may_go_away_in_any_state() -> None:
    """[P-4] The end of the stream is never an error of the table."""
    for state in set(State) - {State.CLOSED}:
        for role in Role:
            assert State.CLOSED is CONNECTION[state][role, Does.END]


def test_only_an_answer_ends_a_call() -> None:
    """[P-22] [P-40] DONE is reached by a result or an error of the callee, and nothing follows."""
    ending = {key for row in CALL.values() for key, then in row.items() if then is CallState.DONE}

    assert {(Party.CALLEE, Does.RESULT), (Party.CALLEE, Does.ERROR)} == ending
    assert CALL[CallState.DONE] == {}


def test_cancelling_takes_nothing_away_but_the_wish() -> None:
    """[P-46] What may happen in an open call may happen in a cancelled one, which is never open again."""
    assert CALL[CallState.OPEN].keys() == CALL[CallState.CANCELLING].keys()
    assert CallState.OPEN not in CALL[CallState.CANCELLING].values()
