"""Who may run, who waits, and who would wait for itself: by example, and against all that could happen."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwall_kernel.supervisor._waits import Circle, Lane, Turn


def lane(name: str, places: int = 1, *, reentrant: bool = False) -> Lane:
    """Make the lane of a plugin that runs."""
    made = Lane(name)
    made.resize(places, is_reentrant=reentrant)
    return made


def circle_of(place: Lane, parent: Turn) -> list[str]:
    """Ask for a turn that is refused, and return the way around."""
    with pytest.raises(Circle) as refusal:
        place.enter(parent)
    return refusal.value.lanes


def test_places_are_given_in_the_order_in_which_they_were_asked_for() -> None:
    """[P-57] Others wait in the host, in order."""
    place = lane("a", 2)
    first, second, third, fourth = (place.enter() for _ in range(4))

    assert [True, True, False, False] == [turn.runs for turn in (first, second, third, fourth)]
    assert [third] == second.leave()
    assert [fourth] == first.leave()


def test_who_stops_waiting_is_passed_over() -> None:
    """Kernel policy: a call whose time is over leaves the queue."""
    place = lane("a")
    first, second, third = (place.enter() for _ in range(3))

    assert [] == second.leave()
    assert [third] == first.leave()


def test_nobody_gets_a_place_before_the_plugin_runs() -> None:
    """Kernel policy: how many calls a plugin takes is known once it has said so."""
    place = Lane("a")
    turns = [place.enter() for _ in range(3)]

    assert not any(turn.runs for turn in turns)
    assert turns[:2] == place.resize(2)


def test_a_turn_that_waits_for_itself_is_refused_with_the_way_around() -> None:
    """[P-57] Directly, through another plugin, and through the queue of one that another chain holds."""
    a, b, c = lane("a"), lane("b"), lane("c")
    in_a = a.enter()
    assert ["a", "a"] == circle_of(a, in_a)
    in_b = b.enter(in_a)
    assert ["a", "b", "a"] == circle_of(a, in_b)
    in_c = c.enter()
    c.enter(in_b)  # waits for the other chain

    assert ["a", "b", "c", "a"] == circle_of(a, in_c)
    assert ["b", "c", "b"] == circle_of(b, in_c)


def test_who_comes_up_and_then_asks_may_close_a_circle() -> None:
    """[P-57] Two places: one waits for its own lane, and the other now would, too."""
    a, b = lane("a", 2), lane("b", 2)
    first, other = a.enter(), a.enter()
    second = a.enter()
    a.enter(first)  # may wait: the other one will end
    other.leave()

    assert second.runs
    assert ["a", "a"] == circle_of(a, second)
    assert b.enter(second).runs


def test_a_second_place_makes_it_a_wait() -> None:
    """[P-57] Refused is only what could never run: another call in the plugin will end by itself."""
    a = lane("a", 2)
    first, other = a.enter(), a.enter()
    nested = a.enter(first)

    assert not nested.runs
    assert [nested] == other.leave()


def test_a_reentrant_plugin_takes_its_own_chain_beside_its_place() -> None:
    """[P-57] And nobody else's."""
    a, b = lane("a", reentrant=True), lane("b")
    in_a = a.enter()
    inner = a.enter(b.enter(in_a))

    assert inner.runs
    assert not a.enter().runs


def test_the_turns_of_a_parent_that_has_left_wait_for_nobody() -> None:
    """[P-51] They are being cancelled; until then they are in nobody's way."""
    a, b = lane("a"), lane("b")
    in_a = a.enter()
    in_b = b.enter(in_a)
    in_a.leave()

    assert a.enter(in_b).runs


@dataclass
class Model:
    """The same by brute force: places and queues as lists, and everything that can end is made to end.

    Attributes:
        places: of each lane.
        running: lane -> turns with a place; `queues` likewise.
        parents: turn -> on whose behalf.
    """

    places: list[int]
    running: list[list[int]] = field(default_factory=list[list[int]])
    queues: list[list[int]] = field(default_factory=list[list[int]])
    parents: dict[int, int | None] = field(default_factory=dict[int, "int | None"])

    def __post_init__(self) -> None:
        self.running = [[] for _ in self.places]
        self.queues = [[] for _ in self.places]

    def enter(self, turn: int, lane: int, parent: int | None) -> bool:
        """Ask for a turn; returns whether it could ever end."""
        self.parents[turn] = parent
        self.queues[lane].append(turn)
        self.admit()
        if turn in self.stuck():
            self.leave(turn)
            return False
        return True

    def admit(self) -> None:
        """Give free places away."""
        for places, running, queue in zip(self.places, self.running, self.queues, strict=True):
            while queue and len(running) < places:
                running.append(queue.pop(0))

    def leave(self, turn: int) -> None:
        """End a turn, or its wait."""
        for turns in (*self.running, *self.queues):
            if turn in turns:
                turns.remove(turn)
        del self.parents[turn]
        self.parents = {other: None if parent == turn else parent for other, parent in self.parents.items()}
        self.admit()

    def stuck(self) -> set[int]:
        """Return the turns that are left when all others have ended."""
        rest = Model(list(self.places))
        rest.running = [list(turns) for turns in self.running]
        rest.queues = [list(turns) for turns in self.queues]
        rest.parents = dict(self.parents)
        while True:
            waited_for = set(rest.parents.values())
            ending = [turn for turns in rest.running for turn in turns if turn not in waited_for]
            if not ending:
                return set(rest.parents)
            for turn in ending:
                rest.leave(turn)


@settings(max_examples=300)
@given(
    places=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    steps=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)), max_size=60),
)
def test_exactly_the_turns_are_refused_that_could_never_run(
    places: list[int], steps: list[tuple[int, int, int]]
) -> None:
    """Anchor 21: against a model that plays every situation to its end."""
    lanes = [lane(str(number), count) for number, count in enumerate(places)]
    model = Model(places)
    turns: dict[int, Turn] = {}
    for number, (where, who, leaves) in enumerate(steps):
        runs = [known for known, turn in turns.items() if turn.runs]
        if leaves > 75 and turns:
            gone = list(turns)[who % len(turns)]
            turns.pop(gone).leave()
            model.leave(gone)
        else:
            at = where % len(lanes)
            parent = runs[who % len(runs)] if runs and who % 4 else None
            is_possible = model.enter(number, at, parent)
            try:
                turns[number] = lanes[at].enter(None if parent is None else turns[parent])
            except Circle:
                assert not is_possible
            else:
                assert is_possible
        assert {known for known, turn in turns.items() if turn.runs} == {
            turn for running in model.running for turn in running
        }
        assert set() == model.stuck()
