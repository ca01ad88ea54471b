"""Random conversations between two real Connections: every request ends in exactly one answer."""

from __future__ import annotations

from collections import Counter

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cellwall_wire import (
    NEED_DATA,
    Cancel,
    Code,
    Connection,
    Credit,
    Data,
    Delta,
    ErrorInfo,
    ErrorResponse,
    LocalError,
    NoCredit,
    PromptResult,
    RemoteError,
    Request,
    Response,
    Role,
)
from tests.support.pair import Pair, feed, question


class Talk(RuleBasedStateMachine):
    """Two sides and two pipes; each rule is one side's free choice, and bytes travel when they like."""

    def __init__(self) -> None:
        super().__init__()
        pair = Pair().ready()
        self.host, self.plugin = pair.host, pair.plugin
        self.to_plugin, self.to_host = bytearray(), bytearray()
        self.answers: Counter[str] = Counter()
        self.asked: list[str] = []
        self.at_plugin: list[str] = []
        self.sent: dict[str, str] = {}
        self.read: dict[str, str] = {}
        self.unpaid: dict[str, int] = {}

    @rule(credit=st.integers(min_value=0, max_value=600))
    def host_asks(self, credit: int) -> None:
        """The host starts a prompt with some credit."""
        call = self.host.next_id()
        self.to_plugin += self.host.send(Request(call, "model/prompt", question(credit=credit or None)))
        self.asked.append(call)
        self.sent[call], self.read[call], self.unpaid[call] = "", "", 0

    @rule(pick=st.integers(min_value=0), text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
    def plugin_sends(self, pick: int, text: str) -> None:
        """The plugin streams if it has credit."""
        if self.at_plugin:
            call = self.at_plugin[pick % len(self.at_plugin)]
            left = self.plugin.credit_left(call)
            try:
                line = self.plugin.send(Data(call, [Delta(0, text)]))
            except NoCredit:
                return
            assert len(line) <= left
            self.to_host += line
            self.sent[call] += text

    @rule(pick=st.integers(min_value=0), fails=st.booleans())
    def plugin_answers(self, pick: int, *, fails: bool) -> None:
        """The plugin ends a call, well or badly."""
        if self.at_plugin:
            call = self.at_plugin.pop(pick % len(self.at_plugin))
            error = ErrorResponse(call, ErrorInfo.of(Code.PROVIDER_ERROR, "no"))
            self.to_host += self.plugin.send(error if fails else Response(call, PromptResult()))

    @rule(pick=st.integers(min_value=0))
    def host_cancels(self, pick: int) -> None:
        """The host cancels an open call, perhaps again."""
        calls = self.host.open_calls(mine=True)
        if calls:
            self.to_plugin += self.host.send(Cancel(calls[pick % len(calls)]))

    @rule(pick=st.integers(min_value=0))
    def host_consumes(self, pick: int) -> None:
        """The host grants back what it has consumed of a call."""
        calls = [call for call in self.host.open_calls(mine=True) if self.unpaid[call]]
        if calls:
            call = calls[pick % len(calls)]
            self.to_plugin += self.host.send(Credit(call, self.unpaid.pop(call)))
            self.unpaid[call] = 0

    @rule(size=st.integers(min_value=1, max_value=400))
    def bytes_travel_to_the_plugin(self, size: int) -> None:
        """Some bytes arrive."""
        self.plugin.receive(bytes(self.to_plugin[:size]) or b"\n")
        del self.to_plugin[:size]
        while (event := self.plugin.next_event()) is not NEED_DATA:
            if isinstance(event, Request):
                self.at_plugin.append(event.id)

    @rule(size=st.integers(min_value=1, max_value=400))
    def bytes_travel_to_the_host(self, size: int) -> None:
        """Some bytes arrive."""
        self.host.receive(bytes(self.to_host[:size]) or b"\n")
        del self.to_host[:size]
        while (event := self.host.next_event()) is not NEED_DATA:
            if isinstance(event, Data):
                assert not self.answers[event.id]
                self.unpaid[event.id] += event.cost
                self.read[event.id] += "".join(item.text for item in event.items)
            elif isinstance(event, Response | ErrorResponse):
                assert event.id is not None
                self.answers[event.id] += 1
                assert self.sent[event.id] == self.read[event.id]

    @invariant()
    def nothing_is_answered_twice(self) -> None:
        """At most one answer each, and open calls are those without one."""
        assert all(count == 1 for count in self.answers.values())
        assert self.host.open_calls(mine=True) == [call for call in self.asked if call not in self.answers]

    def teardown(self) -> None:
        """Let everything end: each request has exactly one answer."""
        while self.to_plugin:
            self.bytes_travel_to_the_plugin(400)
        while self.at_plugin:
            self.plugin_answers(0, fails=False)
        while self.to_host:
            self.bytes_travel_to_the_host(400)
        assert sorted(self.asked) == sorted(self.answers)
        assert self.plugin.open_calls() == []


TestTalk = Talk.TestCase
TestTalk.__doc__ = (
    "[P-22] [P-23] [P-40] [P-42] [P-46] Exactly one answer, gap-free items, credit kept, at random."
)
TestTalk.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


@given(
    text=st.text(st.characters(exclude_categories=["Cs"])), part=st.integers(0, 999), unknown=st.booleans()
)
def test_the_quick_way_and_the_long_way_read_the_same(text: str, part: int, *, unknown: bool) -> None:
    """[P-40] [P-13] A data line as the SDK writes it, and the same one spelled otherwise."""
    items: list[object] = [{"t": "delta", "part": part, "text": text}]
    items += [{"t": "hologram"}] if unknown else []
    params = msgspec.json.encode({"id": "h2", "seq": 0, "items": items})
    usual = b'{"jsonrpc":"2.0","method":"$/data","params":' + params + b"}\n"
    odd = b'{ "method":"$/data","jsonrpc":"2.0","params":' + params + b"}\n"
    found: list[object] = []
    for line in (usual, odd):
        pair = Pair().ready()
        pair.prompt(credit=1 << 20)
        (event,) = feed(pair.host, line)
        assert isinstance(event, Data)
        found.append(event.items)

    assert found[0] == found[1]


@given(st.lists(st.binary(max_size=200), max_size=20), st.sampled_from(list(Role)))
@settings(deadline=None)
def test_random_bytes_raise_nothing_but_remote_errors(chunks: list[bytes], role: Role) -> None:
    """[P-14] [P-15] Whatever arrives, a Connection gives events or RemoteError."""
    connection = Connection(role)
    for chunk in chunks:
        connection.receive(chunk or b"\n")
        try:
            while connection.next_event() is not NEED_DATA:
                pass
        except RemoteError:
            return


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
members = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0")},
    optional={
        "id": st.sampled_from(["h2", "h3", "p1", "p2", None, 3]) | json_values,
        "method": st.sampled_from(
            ["ping", "$/data", "$/credit", "$/cancel", "model/prompt", "keys/get", "x"]
        ),
        "params": st.fixed_dictionaries(
            {},
            optional={
                "id": st.sampled_from(["h2", "h3", "p1"]),
                "seq": json_values,
                "n": json_values,
                "items": json_values,
            },
        )
        | json_values,
        "result": json_values,
        "error": json_values,
        "extra": json_values,
    },
)


@given(st.lists(members, max_size=12), st.sampled_from(list(Role)))
@settings(deadline=None)
def test_random_messages_are_answered_ignored_or_end_the_connection(
    messages: list[dict[str, object]], role: Role
) -> None:
    """[P-13] [P-20] [P-52] Nothing of the right shape and the wrong content does more than that."""
    pair = Pair().ready()
    pair.prompt()
    _, victim = pair.side(role.other)
    for message in messages:
        try:
            victim.receive(msgspec.json.encode(message) + b"\n")
        except (OverflowError, UnicodeEncodeError, TypeError):
            continue
        try:
            while (event := victim.next_event()) is not NEED_DATA:
                answer = getattr(event, "answer", None)
                if answer is not None:
                    victim.send(answer)
        except RemoteError:
            return
        except LocalError as error:  # pragma: no cover - would be a bug
            raise AssertionError("a refusal could not be sent") from error
