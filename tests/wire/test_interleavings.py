"""Random interleavings of all that two sides can say: every request has exactly one answer.

The first machine is two sides that keep to the protocol, with harmless nonsense between their lines. In the
second somebody between them drops, repeats, swaps and alters lines, so that each side seems to the other to
lie; then no more can be promised than that nobody is told two outcomes.
"""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cellwall_wire import METHODS, Cancel, Code, ErrorInfo, ErrorResponse, Progress, Role
from tests.wire.talk import Party, Talkers, strays

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_STRAYS = 40
"""How many stray lines are written: fewer than the junk that ends a connection [P-15]."""

roles = st.sampled_from(list(Role))
picks = st.integers(min_value=0, max_value=1000)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
HOST_METHODS = ["model/prompt", "model/prompt", "embed/batch", "embed/batch", "plugin/describe", "ping"]
PLUGIN_METHODS = ["keys/get", "host/prompt", "host/prompt", "ping"]


def pick_one(calls: list[str], pick: int) -> str | None:
    """Choose a call, if there is one."""
    return calls[pick % len(calls)] if calls else None


class Honest(RuleBasedStateMachine):
    """Both sides do whatever the protocol allows, in any order; bytes travel when they like."""

    def __init__(self) -> None:
        super().__init__()
        self.talkers = Talkers()
        self.strays = 0

    @initialize()
    def begin(self) -> None:
        """Have something open from the start: swarms of a few kinds of deeds need it."""
        for method, credit in (("model/prompt", 900), ("embed/batch", 400), ("model/prompt", 0)):
            self.talkers.host.ask(method, credit, None)
        self.everything_arrives(Role.HOST)
        self.talkers.plugin.grant("h3", 300)
        self.everything_arrives(Role.PLUGIN)

    @rule(pick=picks, credit=st.integers(0, 900), arrives=st.booleans())
    def host_asks(self, pick: int, credit: int, *, arrives: bool) -> None:
        """The host makes a call."""
        self.talkers.host.ask(HOST_METHODS[pick % len(HOST_METHODS)], credit, None)
        if arrives:
            self.everything_arrives(Role.HOST)

    @rule(pick=picks, which=picks, credit=st.integers(0, 900), arrives=st.booleans())
    def plugin_asks(self, pick: int, which: int, credit: int, *, arrives: bool) -> None:
        """The plugin makes a call on behalf of one that it runs; the host may have cancelled that by now."""
        parent = pick_one(self.talkers.plugin.connection.open_calls(mine=False), which)
        self.talkers.plugin.ask(PLUGIN_METHODS[pick % len(PLUGIN_METHODS)], credit, parent)
        if arrives:
            self.everything_arrives(Role.PLUGIN)

    @rule(role=roles, pick=picks, words=st.lists(texts, min_size=1, max_size=6))
    def callee_streams(self, role: Role, pick: int, words: list[str]) -> None:
        """The side that was asked sends some items."""
        side, _ = self.talkers.of(role)
        if (call := pick_one(streaming(side, mine=False), pick)) is not None:
            for text in words:
                side.stream(call, text)

    @rule(pick=picks, text=texts, end=st.booleans())
    def caller_streams(self, pick: int, text: str, *, end: bool) -> None:
        """The host sends an item of an input, perhaps the last."""
        side = self.talkers.host
        if (call := pick_one(streaming(side, mine=True, takes_input=True), pick)) is not None:
            side.stream(call, text, end=end)

    @rule(role=roles, pick=picks, mine=st.booleans(), more=st.integers(1, 400))
    def consumer_grants(self, role: Role, pick: int, more: int, *, mine: bool) -> None:
        """Who takes items grants credit, for what it has consumed and more."""
        side, _ = self.talkers.of(role)
        call = pick_one(streaming(side, mine=mine, takes_input=not mine), pick)
        if call is not None:
            side.grant(call, side.unpaid[call] + more)

    @rule(role=roles, pick=picks, fails=st.booleans())
    def callee_answers(self, role: Role, pick: int, *, fails: bool) -> None:
        """The side that was asked ends a call, well or badly."""
        side, _ = self.talkers.of(role)
        if (call := pick_one(side.connection.open_calls(mine=False), pick)) is not None:
            error = ErrorResponse(call, ErrorInfo.of(Code.PROVIDER_ERROR, "no"))
            side.answer(call, error if fails else None)

    @rule(role=roles, pick=picks)
    def caller_cancels(self, role: Role, pick: int) -> None:
        """A caller cancels, perhaps again."""
        side, _ = self.talkers.of(role)
        if (call := pick_one(side.connection.open_calls(mine=True), pick)) is not None:
            side.send(Cancel(call, "enough"))

    @rule(role=roles, pick=picks)
    def callee_reports(self, role: Role, pick: int) -> None:
        """The side that was asked says how far it is."""
        side, _ = self.talkers.of(role)
        if (call := pick_one(side.connection.open_calls(mine=False), pick)) is not None:
            side.send(Progress(call, 1.0, 2.0))

    @precondition(lambda self: len(self.talkers.host.asked) > 6)
    @rule()
    def host_shuts_down(self) -> None:
        """The host says goodbye in the middle of everything."""
        self.talkers.host.ask("shutdown", 0, None)

    @precondition(lambda self: self.strays < MOST_STRAYS)
    @rule(role=roles, pick=picks)
    def somebody_prints(self, role: Role, pick: int) -> None:
        """A line that means nothing gets between the others."""
        self.strays += 1
        side, _ = self.talkers.of(role)
        lines = strays(role, self.strays)
        side.pipe += lines[pick % len(lines)]

    @rule(role=roles, size=st.integers(1, 600))
    def bytes_travel(self, role: Role, size: int) -> None:
        """Some bytes arrive."""
        self.talkers.travel(role, size)

    @rule(role=roles)
    def everything_arrives(self, role: Role) -> None:
        """All that a side has written arrives."""
        side, _ = self.talkers.of(role)
        self.talkers.travel(role, len(side.pipe))

    # -- what always holds -----------------------------------------------------------------------------------

    @invariant()
    def nobody_is_told_two_outcomes(self) -> None:
        """At most one answer each, each request seen once, and open calls are those without an answer."""
        for side in (self.talkers.host, self.talkers.plugin):
            assert all(count == 1 for count in side.answers.values())
            assert all(count == 1 for count in side.begun.values())
            if not side.broken:
                expected = [call for call in side.asked if not side.answers[call]]
                assert side.connection.open_calls(mine=True) == expected

    @invariant()
    def nobody_takes_more_than_was_granted(self) -> None:
        """What has arrived was granted before."""
        for side in (self.talkers.host, self.talkers.plugin):
            assert all(cost <= side.granted[call] for call, cost in side.cost.items())

    @invariant()
    def nobody_is_blamed(self) -> None:
        """Who keeps to the protocol is never found to have broken it, and no text is lost or reordered."""
        for role in Role:
            side, other = self.talkers.of(role)
            assert not side.broken
            for call, text in side.read.items():
                sent = other.sent.get(call, "")
                assert sent.startswith(text)
                assert sent == text or not side.answers[call]

    def teardown(self) -> None:
        """Let everything end."""
        for _ in range(4):
            for role in Role:
                side, _ = self.talkers.of(role)
                self.talkers.travel(role, len(side.pipe))
            for side in (self.talkers.host, self.talkers.plugin):
                for call in side.connection.open_calls(mine=False):
                    side.answer(call, None)
        self.all_is_answered()

    def all_is_answered(self) -> None:
        """Every request has its answer, and neither side remembers a call."""
        for side in (self.talkers.host, self.talkers.plugin):
            assert sorted(side.asked) == sorted(+side.answers)
            assert side.connection.open_calls() == []
        self.nobody_is_blamed()


class Lied(Honest):
    """The same, with somebody in between who changes what is under way."""

    @rule(role=roles, pick=picks, deed=st.integers(0, 5), junk=st.binary(min_size=1, max_size=8))
    def somebody_meddles(self, role: Role, pick: int, deed: int, junk: bytes) -> None:
        """A line is dropped, repeated, swapped, said again much later, altered, or said by the wrong side."""
        side, other = self.talkers.of(role)
        *lines, rest = bytes(side.pipe).split(b"\n")
        if not lines:
            return
        at = pick % len(lines)
        if deed == 0:
            del lines[at]
        elif deed == 1:
            lines.insert(at, lines[at])
        elif deed == 2:
            lines[at], lines[0] = lines[0], lines[at]
        elif deed == 3 and side.written:
            lines.insert(at, side.written[pick % len(side.written)][:-1])
        elif deed == 4:
            place = pick % (len(lines[at]) + 1)
            lines[at] = lines[at][:place] + junk.replace(b"\n", b"") + lines[at][place + len(junk) :]
        elif deed == 5 and other.written:
            lines.insert(at, other.written[pick % len(other.written)][:-1])
        side.pipe[:] = b"\n".join([*lines, rest])

    @rule(role=roles, pick=picks)
    def somebody_is_generous(self, role: Role, pick: int) -> None:
        """What is granted becomes more on its way, so that the other side will overdraw it."""
        side, _ = self.talkers.of(role)
        if (call := pick_one(streaming(side, mine=True), pick)) is not None:
            side.grant(call, 1)
        side.pipe[:] = re.sub(rb'("credit"|"n"):(\d+)', rb"\1:9\2", bytes(side.pipe))

    @invariant()
    def nobody_believes_a_wrong_count(self) -> None:
        """A result is taken only with as many items as have come."""
        for side in (self.talkers.host, self.talkers.plugin):
            assert all(side.items[call] == count for call, count in side.counts.items())

    @invariant()
    def nobody_is_blamed(self) -> None:
        """Here somebody is."""

    def all_is_answered(self) -> None:
        """It cannot be: what was said is lost."""


def streaming(side: Party, *, mine: bool, takes_input: bool = False) -> list[str]:
    """List open calls that stream, in the direction of the answer or of the input."""
    found: list[str] = []
    for call in side.connection.open_calls(mine=mine):
        method = METHODS[side.methods[call]]
        if (method.input if takes_input else method.item) is not None:
            found.append(call)
    return found


TestHonest = Honest.TestCase
TestHonest.__doc__ = (
    "[P-22] [P-23] [P-36] [P-40] [P-42] [P-46] [P-51] [P-52] [P-55] [P-56] Anchors 16 and 18 at random."
)
TestHonest.settings = settings(max_examples=80, stateful_step_count=80, deadline=None)

TestLied = Lied.TestCase
TestLied.__doc__ = (
    "[P-15] [P-21] [P-22] [P-40] [P-41] [P-42] Whatever arrives: no exception, no second outcome, no overrun."
)
TestLied.settings = settings(max_examples=80, stateful_step_count=80, deadline=None)


WORDS = ["", "a", "rain", "grüße 🦉", "x" * 30]

LONG_TALKS, DEEDS = 200, 400
"""How many talks of how many deeds are held with dice: hypothesis looks for short ways to a fault."""


def talk(machine: Honest, dice: random.Random) -> None:
    """Hold a long talk, mostly of streaming."""

    def pick() -> int:
        return dice.randrange(1000)

    def role() -> Role:
        return dice.choice(list(Role))

    deeds: list[tuple[int, Callable[[], None]]] = [
        (4, lambda: machine.host_asks(pick(), dice.choice([0, 300, 2000]), arrives=dice.random() < 0.5)),
        (3, lambda: machine.plugin_asks(pick(), pick(), 500, arrives=dice.random() < 0.5)),
        (9, lambda: machine.callee_streams(role(), pick(), dice.choices(WORDS, k=3))),
        (5, lambda: machine.caller_streams(pick(), dice.choice(WORDS), end=dice.random() < 0.1)),
        (5, lambda: machine.consumer_grants(role(), pick(), 200, mine=dice.random() < 0.5)),
        (5, lambda: machine.callee_answers(role(), pick(), fails=dice.random() < 0.3)),
        (1, lambda: machine.caller_cancels(role(), pick())),
        (1, lambda: machine.callee_reports(role(), pick())),
        (12, lambda: machine.bytes_travel(role(), dice.randrange(1, 600))),
        (4, lambda: machine.everything_arrives(role())),
        (1, lambda: machine.somebody_prints(role(), pick())),
    ]
    if isinstance(machine, Lied):
        junk = dice.randbytes(4)
        deeds.append((1, lambda: machine.somebody_meddles(role(), pick(), dice.randrange(6), junk)))
        deeds.append((1, lambda: machine.somebody_is_generous(role(), pick())))
    machine.begin()
    for number in range(DEEDS):
        weights, choices = zip(*deeds, strict=True)
        dice.choices(choices, weights)[0]()
        machine.nobody_is_told_two_outcomes()
        machine.nobody_takes_more_than_was_granted()
        machine.nobody_is_blamed()
        if isinstance(machine, Lied):
            machine.nobody_believes_a_wrong_count()
        if number == DEEDS - 40:
            machine.host_shuts_down()
    machine.teardown()


@pytest.mark.parametrize("kind", [Honest, Lied])
def test_long_talks_with_dice_keep_every_promise(kind: type[Honest]) -> None:
    """[P-22] [P-36] [P-40] [P-41] [P-42] [P-51] [P-55] As the machines above, with much more under way."""
    for seed in range(LONG_TALKS):
        talk(kind(), random.Random(seed))
