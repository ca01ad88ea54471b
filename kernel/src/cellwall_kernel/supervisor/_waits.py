"""Who may run now, who waits, and for whom: the places of plugins, without a clock and without an event loop.

A plugin takes a number of calls at a time; the others wait in the order in which they came [P-57]. While a
plugin works on a call it may ask the host for another one, and that one may have to wait for a place in turn.
So a *turn* can wait for a place, and a turn that has its place waits for every turn that was asked for on its
behalf.

A turn that could never get its place is refused at the moment it is asked for. A turn that runs ends when
all have ended that it waits for; one in a queue gets its place, and ends, as soon as one of those ends who
have the places of that lane, since it has asked for nothing yet. What does not end by these two rules,
however often they are applied, never does; if that is true of all who have the places which a new turn
wants, it would wait for itself. Because each is looked at when it is asked for, no circle is found later.

Worst case of `enter`: for each lane that the new turn depends on, time in the order of the turns there; a
turn that nobody waits for costs nothing.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Circle", "Lane", "Turn"]


class Circle(Exception):
    """Raised when a turn would wait for itself.

    Attributes:
        lanes: the names of the lanes around the circle; the first is the last as well.
    """

    def __init__(self, lanes: list[str]) -> None:
        super().__init__(" -> ".join(lanes))
        self.lanes = lanes


class Turn:
    """A call's place in a lane, or its wait for one.

    Attributes:
        lane: where.
        parent: the turn on whose behalf it was asked for, while that lasts.
        children: the turns that it waits for, in the order in which they were asked for; no values.
        runs: whether it has its place.
        takes_place: whether it needs one; not when the plugin takes it beside its own call that waits.
    """

    __slots__ = ("children", "lane", "parent", "runs", "takes_place")

    def __init__(self, lane: Lane, parent: Turn | None) -> None:
        self.lane = lane
        self.parent = parent
        self.children: dict[Turn, None] = {}
        self.runs = False
        self.takes_place = True

    def leave(self) -> list[Turn]:
        """End the turn, or its wait.

        Returns:
            the turns that get their place by it.
        """
        lane = self.lane
        if self.parent is not None:
            self.parent.children.pop(self, None)
        for child in self.children:
            child.parent = None
        self.children.clear()
        if not self.runs:
            lane.queue.remove(self)
        lane.taken.pop(self, None)
        lane.beside.pop(self, None)
        return lane.admit()


class Lane:
    """The places of one running plugin.

    Args:
        name: the plugin's, for people.

    Attributes:
        places: how many calls it takes at a time; 0 while that is not known.
        is_reentrant: whether it takes a call that is made while its own call waits for that.
        taken: the turns that have a place, in their order; no values.
        beside: the turns that run without one.
        queue: the turns that wait, in their order.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.places = 0
        self.is_reentrant = False
        self.taken: dict[Turn, None] = {}
        self.beside: dict[Turn, None] = {}
        self.queue: deque[Turn] = deque()

    @property
    def is_empty(self) -> bool:
        """Whether nobody runs or waits here."""
        return not self.taken and not self.beside and not self.queue

    def enter(self, parent: Turn | None = None) -> Turn:
        """Ask for a turn; it runs at once if it may, else it is the last in the queue.

        Args:
            parent: the turn that waits for it, if any.

        Raises:
            Circle: it would wait for itself.
        """
        turn = Turn(self, parent)
        if self.is_reentrant and self._is_inside(parent):
            turn.takes_place = False
            turn.runs = True
            self.beside[turn] = None
        elif self.queue or len(self.taken) >= self.places:
            self._refuse_circle(turn)
            self.queue.append(turn)
        else:
            turn.runs = True
            self.taken[turn] = None
        if parent is not None:
            parent.children[turn] = None
        return turn

    def resize(self, places: int, *, is_reentrant: bool = False) -> list[Turn]:
        """Set how many turns run at a time.

        Returns:
            the turns that get their place by it.
        """
        self.places, self.is_reentrant = places, is_reentrant
        return self.admit()

    def admit(self) -> list[Turn]:
        """Give free places to those who wait, and return them."""
        admitted: list[Turn] = []
        while self.queue and len(self.taken) < self.places:
            turn = self.queue.popleft()
            turn.runs = True
            self.taken[turn] = None
            admitted.append(turn)
        return admitted

    def _refuse_circle(self, turn: Turn) -> None:
        """Find out whether a turn that is about to wait could ever run.

        Raises:
            Circle: it could not.
        """
        if turn.parent is None:
            return  # nobody waits for it
        turn.parent.children[turn] = None
        try:
            moving = _moving(self)
            if self not in moving:
                raise Circle(_way_to(turn, moving))
        finally:
            del turn.parent.children[turn]

    def _is_inside(self, turn: Turn | None) -> bool:
        """Whether a turn was asked for on behalf of one that runs here."""
        while turn is not None:
            if turn.lane is self and turn.runs:
                return True
            turn = turn.parent
        return False


def _moving(place: Lane) -> set[Lane]:
    """Return those lanes, of all that `place` may depend on, in which some turn will end."""
    reached, found = {place: None}, [place]
    while found:
        for turn in found.pop().taken:
            for lane in _queues_before(turn):
                if lane not in reached:
                    reached[lane] = None
                    found.append(lane)
    moving: set[Lane] = set()
    has_news = True
    while has_news:
        news = [lane for lane in reached if lane not in moving and _moves(lane, moving)]
        moving.update(news)
        has_news = bool(news)
    return moving


def _queues_before(turn: Turn) -> Iterator[Lane]:
    """Yield the lanes in whose queues a turn's nested turns wait."""
    for child in turn.children:
        if child.runs:
            yield from _queues_before(child)
        else:
            yield child.lane


def _moves(lane: Lane, moving: set[Lane]) -> bool:
    """Whether a place is free, or will be; nothing is known of a plugin that is just being started."""
    return len(lane.taken) < max(lane.places, 1) or any(_ends(turn, moving) for turn in lane.taken)


def _ends(turn: Turn, moving: set[Lane]) -> bool:
    if not turn.runs:
        return turn.lane in moving
    return all(_ends(child, moving) for child in turn.children)


def _way_to(turn: Turn, moving: set[Lane]) -> list[str]:
    """Name the lanes on the shortest way from who has the place that a turn wants to that turn."""
    ways = deque(([holder.lane.name], holder) for holder in turn.lane.taken)
    seen = set(turn.lane.taken)
    while ways:
        names, here = ways.popleft()
        if here is turn:
            return names
        if here.runs:
            steps = [
                ([*names, child.lane.name], child) for child in here.children if not _ends(child, moving)
            ]
        else:
            steps = [(names, holder) for holder in here.lane.taken]
        for step in steps:
            if step[1] not in seen:
                seen.add(step[1])
                ways.append(step)
    return [turn.lane.name, turn.lane.name]  # not reached: without this turn, its lane would move
