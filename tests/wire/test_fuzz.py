"""Decoders under fire: whatever a peer writes, a Connection gives events or RemoteError, in linear work.

Both roles are tried, with a whole conversation that is said again with something done to what one side hears.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwall_wire import (
    Data,
    Delta,
    ErrorResponse,
    Event,
    Junk,
    Limits,
    PartEnd,
    PromptResult,
    Refused,
    RemoteError,
    Request,
    Response,
    Role,
    Unencodable,
)
from cellwall_wire._framing import LineBuffer
from cellwall_wire._nesting import MOST_LEVELS, is_too_deep
from tests.support.pair import Pair, feed
from tests.wire.recorded import OPAQUE, conversation, hear, heard_by, places, replay, spell

if TYPE_CHECKING:
    from collections.abc import Callable

SAID = conversation()
MIB = 1 << 20
DEEP = 100_000

HOSTILE = {
    "null": b"null",
    "truth": b"true",
    "negative": b"-1",
    "fraction": b"0.5",
    "beyond 64 bits": b"9" * 30,
    "beyond all bits": b"9" * 5000,
    "beyond a double": b"1e999",
    "not a number": b"NaN",
    "infinity": b"-Infinity",
    "nothing": b"",
    "empty text": b'""',
    "no character": b'"\\u0000"',
    "a lone surrogate": b'"\\ud83d"',
    "halves in the wrong order": b'"\\uDC00\\ud800"',
    "half an escape": b'"\\ud8',
    "not UTF-8": b'"\xff\xfe"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "half a character": b'"\xf0\x9f\xa6"',
    "a control character": b'"\x01"',
    "a line separator": b'"\xe2\x80\xa8"',
    "an object": b'{"a":{"b":[]}}',
    "a list": b"[[],{},[1]]",
    "a deep list": b"[" * DEEP + b"]" * DEEP,
    "a deep object": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "an open list": b"[" * DEEP,
    "less deep": b"[" * 900 + b"]" * 900,
    "its own end": b"}}}",
    "a mark": b"\xef\xbb\xbf1",
}
"""What can stand in a line where something else should."""

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def member(name: str, value: object) -> str:
    """Write a member that no version of the protocol will know."""
    return f"{json.dumps('~' + name)}:{json.dumps(value)}"


unknown_members = st.lists(st.builds(member, st.text(max_size=8), json_values), max_size=3)
roles = st.sampled_from(list(Role))
NONE: list[str] = []


def writes_in(events: list[Event | str]) -> int:
    """Count the answers that a side gave or got."""
    return sum(isinstance(event, Response | ErrorResponse) for event in events)


# -- what must make no difference ----------------------------------------------------------------------------


@given(role=roles, draw=st.data())
@settings(max_examples=40, deadline=None)
def test_unknown_members_everywhere_change_nothing(role: Role, draw: st.DataObject) -> None:
    """[P-13] In every object of every message, before and after the known ones (anchor 5)."""

    def more(path: tuple[Any, ...]) -> tuple[list[str], list[str]]:
        if OPAQUE.intersection(path):
            return [], []
        return draw.draw(unknown_members), draw.draw(unknown_members)

    def change(_place: int, line: bytes) -> list[bytes]:
        return [spell(json.loads(line), more=more) + b"\n"]

    assert replay(role, SAID) == replay(role, SAID, change)


@given(role=roles, sizes=st.lists(st.integers(1, 70), min_size=1), end=st.sampled_from([b"\n", b"\r\n"]))
@settings(deadline=None)
def test_cutting_and_line_ends_change_nothing(role: Role, sizes: list[int], end: bytes) -> None:
    """[P-10] [P-12] Cut anywhere, with carriage returns and blank lines between (anchor 11)."""

    def change(place: int, line: bytes) -> list[bytes]:
        line = b" \r\n\n" * (place % 2) + line[:-1] + end
        chunks: list[bytes] = []
        while line:
            size = sizes[len(chunks) % len(sizes)]
            chunks.append(line[:size])
            line = line[size:]
        return chunks

    assert replay(role, SAID) == replay(role, SAID, change)


@pytest.mark.parametrize("role", Role)
def test_a_conversation_in_single_bytes_is_the_same(role: Role) -> None:
    """[P-10] Cut inside every character and every escape (anchor 11)."""

    def change(_place: int, line: bytes) -> list[bytes]:
        return [line[i : i + 1] for i in range(len(line))]

    assert replay(role, SAID) == replay(role, SAID, change)


def test_a_line_of_just_the_limit_may_be_cut_before_its_newline() -> None:
    """[P-10] [P-11] A carriage return that came first is not yet part of the line."""
    buffer = LineBuffer(4)
    for chunk in (b"abcd", b"\r", b"\nabcd\r"):
        buffer.feed(chunk)
        assert buffer.next_line() in (None, b"abcd")
    buffer.feed(b"\n")

    assert buffer.next_line() == b"abcd"


# -- what must do no harm ------------------------------------------------------------------------------------


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("role", Role)
def test_a_hostile_value_anywhere_is_refused_ignored_or_ends_the_connection(
    role: Role, hostile: bytes
) -> None:
    """[P-14] [P-15] [P-22] In place of each value of each message; nothing is answered twice (anchor 11)."""
    expected = writes_in(replay(role, SAID))
    for place in heard_by(role, SAID):
        message = json.loads(SAID[place].line)
        for path in set(places(message)):
            spoilt = spell(message, put={path: hostile}) + b"\n"
            limits = Limits(early_line=2 * MIB, junk_bytes=2 * MIB)
            events = replay(role, SAID, lambda at, line: [spoilt if at == place else line], limits)  # noqa: B023

            assert writes_in(events) <= expected


@pytest.mark.parametrize("role", Role)
def test_members_that_stand_twice_do_no_harm(role: Role) -> None:
    """[P-14] JSON leaves open which of them counts; nothing is answered twice either way."""
    expected = writes_in(replay(role, SAID))
    for place in heard_by(role, SAID):
        message = json.loads(SAID[place].line)
        for path in places(message):
            if not path or isinstance(path[-1], int):
                continue
            for value in ('"x"', "1", "null", '{"a":1}', '"h3"', '"$/credit"'):
                twin = [f"{json.dumps(path[-1])}:{value}"]
                for before, after in ((twin, NONE), (NONE, twin)):
                    line = spell(
                        message,
                        more=lambda at: (before, after) if at == path[:-1] else (NONE, NONE),  # noqa: B023
                    )
                    events = replay(role, SAID, lambda at, old: [line + b"\n" if at == place else old])  # noqa: B023

                    assert writes_in(events) <= expected


@given(role=roles, draw=st.data())
@settings(max_examples=300, deadline=None)
def test_mutated_conversations_raise_nothing_but_remote_errors(role: Role, draw: st.DataObject) -> None:
    """[P-14] [P-15] [P-22] Bytes changed, dropped, repeated; lines dropped, repeated, from elsewhere."""
    heard = heard_by(role, SAID)
    place = st.sampled_from(heard)
    victims = {draw.draw(place): draw.draw(st.integers(0, 5)) for _ in range(draw.draw(st.integers(1, 4)))}

    def change(at: int, line: bytes) -> list[bytes]:
        kind = victims.get(at)
        if kind is None:
            return [line]
        start = draw.draw(st.integers(0, len(line) - 1))
        end = draw.draw(st.integers(start, min(len(line), start + 30)))
        return {
            0: [line[:start] + draw.draw(st.binary(max_size=20)) + line[end:]],
            1: [line[:start] + line[end:]],
            2: [line[:end] + line[start:]],
            3: [line, line],
            4: [],
            5: [SAID[draw.draw(place)].line, line],
        }[kind]

    assert writes_in(replay(role, SAID, change)) <= writes_in(replay(role, SAID))


@given(role=roles, text=st.text(alphabet='{}[]",:\\ud8DC0n1eE+-. \t\r\n\ufeff\u2028é🦉', max_size=200))
@settings(deadline=None)
def test_random_scraps_of_json_raise_nothing_but_remote_errors(role: Role, text: str) -> None:
    """[P-14] [P-15] Closer to what decoders look for than random bytes are."""
    heads = (b"", b'{"jsonrpc":"2.0",', b'{"jsonrpc":"2.0","method":"$/data","params":{"id":"h2",')
    pair = Pair().ready()
    pair.prompt()
    side, _ = pair.side(role)
    try:
        for head in heads:
            list(hear(side, head + text.encode() + b"\n"))
    except RemoteError:
        return


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"gr\xfc\xdfe", "gr\ufffd\ufffde"),
        (b"owl \xf0\x9f", "owl \ufffd"),
        (rb"\\ud800 \ud800 \\\udc00 \ud83e\udd89", "\\ud800 \ufffd \\\ufffd \U0001f989"),
        (rb"\ud83d" + b"\xff", "\ufffd\ufffd"),
    ],
)
def test_text_that_is_cut_in_the_wrong_place_loses_a_character_and_not_an_item(
    text: bytes, expected: str
) -> None:
    """[P-14] A plugin in C that cuts UTF-8, one in JavaScript that cuts UTF-16 (anchor 11)."""
    pair = Pair().ready()
    pair.prompt()
    items = b'[{"t":"delta","part":0,"text":"' + text + b'"}]'
    for seq, spelled in enumerate((b'{"jsonrpc"', b'{ "jsonrpc"')):
        line = spelled + b':"2.0","method":"$/data","params":{"id":"h2","seq":%d,"items":%s}}\n' % (
            seq,
            items,
        )
        (event,) = feed(pair.host, line)

        assert isinstance(event, Data)
        assert [Delta(0, expected)] == event.items


def test_a_byte_order_mark_is_junk_whatever_follows() -> None:
    """[P-10] [P-15] Also before a line that has to be repaired."""
    pair = Pair().ready()
    for rest in (b"", rb',"x":"\ud800"', b',"x":"\xff"'):
        line = b'\xef\xbb\xbf{"jsonrpc":"2.0","id":"p1","method":"ping"' + rest + b"}\n"

        assert isinstance(feed(pair.host, line)[0], Junk)


@pytest.mark.parametrize("bad", [b"{}", b"[]", b"true", b"1e999", b'{"a":"\xff"}', b"9" * 5000])
def test_an_id_that_is_no_id_at_all_is_refused(bad: bytes) -> None:
    """[P-21] The answer has no id, for there is none to repeat."""
    pair = Pair().ready()
    (event,) = feed(pair.plugin, b'{"jsonrpc":"2.0","id":' + bad + b',"method":"ping"}\n')

    assert isinstance(event, Refused)
    assert event.answer.id is None


def test_the_cause_of_a_refusal_is_told_in_few_words() -> None:
    """[P-22] [P-11] A value of a megabyte that is none of ours must not make an answer too long to send."""
    pair = Pair().ready()
    messages = b'[{"role":"user","parts":[{"type":"%s"}]}]' % (b"x" * MIB)
    line = (
        b'{"jsonrpc":"2.0","id":"h2","method":"model/prompt","params":{"model":"m","messages":%s}}\n'
        % messages
    )
    (event,) = feed(pair.plugin, line)

    assert isinstance(event, Refused)
    assert len(pair.plugin.send(event.answer)) < 1000


# -- nesting -------------------------------------------------------------------------------------------------


def from_below(depth: int, call: Callable[[], object]) -> object:
    """Call something from further down the stack."""
    return from_below(depth - 1, call) if depth else call()


@pytest.mark.parametrize("levels", [2, MOST_LEVELS - 5, MOST_LEVELS, 500, 900, 940, 960, 980, 5_000, 9_000])
def test_what_was_read_can_be_written_again(levels: int) -> None:
    """[P-15] The log writes it further down the stack; what it cannot write, it must not be given."""
    nested = b'{"a":' * levels + b"1" + b"}" * levels
    pair = Pair().ready()
    pair.prompt()
    data = b'{"jsonrpc":"2.0","method":"$/data","params":{"id":"h2","seq":0,"items":[%s]}}\n'
    end = b'{"t":"end","part":0,"provider":%s}' % nested
    try:
        events = feed(pair.host, data % end)
        events += feed(
            pair.host, b'{"jsonrpc":"2.0","id":"h2","result":{"items":1,"provider":%s}}\n' % nested
        )
    except RemoteError:
        events = []
    kept = [event for event in events if isinstance(event, Data | Response)]

    assert bool(kept) == (levels < MOST_LEVELS - 4)
    assert from_below(300, lambda: msgspec.json.encode(kept)) != b""


def test_a_message_that_is_too_deep_is_answered_by_what_it_is() -> None:
    """[P-22] [P-15] A request is refused, a result fails its call, data ends the connection (anchor 11)."""
    nested = b"[" * 300 + b"]" * 300
    pair = Pair().ready()
    pair.prompt()
    (asked,) = feed(pair.host, b'{"jsonrpc":"2.0","id":"p1","method":"ping","params":{"x":%s}}\n' % nested)
    assert isinstance(asked, Refused)
    assert "levels" in asked.answer.error.message
    (told,) = feed(pair.host, b'{"jsonrpc":"2.0","id":"h2","result":{"items":0,"x":%s}}\n' % nested)
    assert isinstance(told, ErrorResponse)
    assert "levels" in told.error.message

    call = pair.prompt()
    with pytest.raises(RemoteError, match="levels"):
        feed(
            pair.host,
            b'{"jsonrpc":"2.0","method":"$/data","params":{"id":"%s","x":%s}}\n' % (call.encode(), nested),
        )


def test_what_is_too_deep_to_be_read_is_not_sent() -> None:
    """[P-14] It fails that one message, and the connection is as it was (anchor 12)."""
    nested: Any = 1
    for _ in range(300):
        nested = {"a": nested}
    pair = Pair().ready()
    call = pair.prompt()
    for message in (Data(call, [PartEnd(0, nested)]), Response(call, PromptResult(provider=nested))):
        with pytest.raises(Unencodable, match="levels"):
            pair.plugin.send(message)

    assert isinstance(pair.says(Role.PLUGIN, Response(call, PromptResult()))[0], Response)


@given(
    st.recursive(st.just(1) | st.text(alphabet='[{"\\]}', max_size=5), st.lists, max_leaves=9),
    st.integers(MOST_LEVELS - 8, MOST_LEVELS + 2),
)
def test_depth_is_counted_as_it_is(inner: Any, around: int) -> None:
    """[P-15] Brackets in texts do not count, nor do quotes that are escaped."""

    def depth_of(value: Any) -> int:
        if not isinstance(value, list):
            return 0
        return 1 + max(map(depth_of, cast("list[object]", value)), default=0)

    line = b"[" * around + json.dumps(inner).encode() + b"]" * around

    assert is_too_deep(line) is (depth_of(inner) + around > MOST_LEVELS)


def test_every_kind_of_message_is_in_the_conversation() -> None:
    """House rule: what is fuzzed is all there is."""
    kinds = {type(one.message) for one in SAID}

    assert len(kinds) == 7
    assert Request in kinds
