"""Items from the caller to the callee, and streams that the host answers a plugin with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_wire import (
    Cancel,
    Code,
    Connection,
    Credit,
    Data,
    Delta,
    EmbedParams,
    EmbedResult,
    EmbedText,
    HostPromptParams,
    Ignored,
    LocalError,
    Message,
    Meta,
    NoCredit,
    PromptResult,
    RemoteError,
    Response,
    Role,
    TextPart,
    UnknownItem,
    Vector,
)
from tests.support.pair import Pair, feed

if TYPE_CHECKING:
    from cellwall_wire import Event

T = TypeVar("T")

TEXTS = [EmbedText("1", "rain"), EmbedText("2", "snow")]


def only(kind: type[T], events: list[Event]) -> T:
    """Give the one event, which is of that kind."""
    (event,) = events
    assert isinstance(event, kind)
    return event


def embedding(*, credit: int = 1000) -> tuple[Pair, str]:
    """Begin to embed something: the pair, and the call's id."""
    pair = Pair().ready()
    return pair, pair.asks(Role.HOST, "embed/batch", EmbedParams(model="m", meta=Meta(credit=credit)))


def line(call: str, seq: int, items: str = "[]", **members: object) -> bytes:
    """Write a data line by hand, in a form that no encoder of ours writes."""
    more = "".join(f', "{name}": {json.dumps(value)}' for name, value in members.items())
    params = f'{{"id": "{call}", "seq": {seq}, "items": {items}{more}}}'
    return f'{{"method": "$/data", "jsonrpc": "2.0", "params": {params}}}\n'.encode()


def test_items_go_both_ways_and_each_way_counts_by_itself() -> None:
    """[P-55] One `seq` and one credit for each direction."""
    pair, call = embedding()
    pair.says(Role.PLUGIN, Credit(call, 500))
    first = only(Data, pair.says(Role.HOST, Data(call, TEXTS[:1])))
    answer = only(Data, pair.says(Role.PLUGIN, Data(call, [Vector("1", "AACAPw==")])))
    last = only(Data, pair.says(Role.HOST, Data(call, TEXTS[1:], end=True)))

    assert [Data(call, TEXTS[:1], first.cost), Data(call, TEXTS[1:], last.cost, end=True)] == [first, last]
    assert [Vector("1", "AACAPw==")] == answer.items
    assert (
        pair.host.input_credit_left(call)
        == pair.plugin.input_credit_left(call)
        == 500 - first.cost - last.cost
    )
    assert pair.host.credit_left(call) == pair.plugin.credit_left(call) == 1000 - answer.cost


def test_an_input_waits_for_the_first_credit() -> None:
    """[P-55] [P-42] Nothing is granted with the request, whatever `meta.credit` says."""
    pair, call = embedding()
    with pytest.raises(NoCredit):
        pair.host.send(Data(call, TEXTS))

    assert pair.host.input_credit_left(call) == 0


def test_input_beyond_the_credit_ends_the_connection() -> None:
    """[P-55] [P-42] Bytes are bytes in either direction."""
    pair, call = embedding()
    pair.says(Role.PLUGIN, Credit(call, 70))
    with pytest.raises(RemoteError) as caught:
        feed(pair.plugin, line(call, 0, '[{"t": "text", "id": "1", "text": "too long for that"}]'))

    assert Code.CREDIT_OVERRUN is caught.value.code


def test_a_gap_in_the_input_ends_the_connection() -> None:
    """[P-55] [P-40] Lines are numbered without gaps."""
    pair, call = embedding()
    pair.says(Role.PLUGIN, Credit(call, 500))
    with pytest.raises(RemoteError, match="item group 1"):
        feed(pair.plugin, line(call, 1))


@pytest.mark.parametrize("role", [Role.HOST, Role.PLUGIN])
def test_nobody_grants_credit_for_what_he_sends(role: Role) -> None:
    """[P-55] The one who takes the items grants it; a prompt has no input to grant for."""
    pair = Pair().ready()
    call = pair.prompt(credit=100)
    granted = pair.plugin.credit_left(call)
    sender, receiver = pair.side(role)
    notice = f'{{"jsonrpc":"2.0","method":"$/credit","params":{{"id":"{call}","n":50}}}}\n'.encode()
    if role is Role.PLUGIN:
        with pytest.raises(LocalError):
            sender.send(Credit(call, 50))
        assert only(Ignored, feed(receiver, notice)).why
        assert granted == pair.host.credit_left(call)
    else:
        pair.says(role, Credit(call, 50))
        assert granted + 50 == pair.plugin.credit_left(call)


def test_nothing_follows_the_end_of_an_input() -> None:
    """[P-56] The sender refuses; a peer that does it all the same ends the connection."""
    pair, call = embedding()
    pair.says(Role.PLUGIN, Credit(call, 500))
    pair.says(Role.HOST, Data(call, [], end=True))
    with pytest.raises(LocalError, match="has ended"):
        pair.host.send(Data(call, TEXTS[:1]))
    with pytest.raises(RemoteError, match="after its end"):
        feed(pair.plugin, line(call, 1))


def test_an_answer_has_no_other_end_than_its_response() -> None:
    """[P-40] `end` belongs to inputs; in an answer it is a member that means nothing [P-13]."""
    pair = Pair().ready()
    call = pair.prompt(credit=500)
    with pytest.raises(LocalError):
        pair.plugin.send(Data(call, [], end=True))
    event = only(Data, feed(pair.host, line(call, 0, end=True)))
    more = only(Data, feed(pair.host, line(call, 1)))

    assert (event.end, more.end) == (False, False)


def test_items_under_way_when_the_answer_comes_are_ignored() -> None:
    """[P-56] They crossed the answer, so they are nobody's fault."""
    pair, call = embedding()
    pair.says(Role.PLUGIN, Credit(call, 500))
    crossing = pair.host.send(Data(call, TEXTS))
    pair.says(Role.PLUGIN, Response(call, EmbedResult(items=0)))

    assert only(Ignored, feed(pair.plugin, crossing)).why
    with pytest.raises(LocalError):
        pair.host.send(Data(call, TEXTS))


def test_items_that_a_cancel_has_overtaken_do_no_harm() -> None:
    """[P-56] [P-47] Control overtakes data that waits to be written."""
    pair, call = embedding()
    pair.says(Role.PLUGIN, Credit(call, 500))
    overtaken = pair.host.send(Data(call, TEXTS))
    pair.says(Role.HOST, Cancel(call, "enough"))
    event = only(Data, feed(pair.plugin, overtaken))

    assert Data(call, TEXTS, len(overtaken)) == event


def test_an_input_item_that_nobody_knows_counts_and_is_kept_as_it_is() -> None:
    """[P-13] A newer host may send other things to embed."""
    pair, call = embedding()
    pair.says(Role.PLUGIN, Credit(call, 500))
    smell = '[{"t": "smell", "id": "1"}, {"t": "text", "id": "2", "text": "a"}]'
    event = only(Data, feed(pair.plugin, line(call, 0, smell)))

    assert [UnknownItem, EmbedText] == [type(item) for item in event.items]


def test_the_host_streams_an_answer_to_a_plugin() -> None:
    """[P-71] [P-42] [P-41] The same rules with the roles exchanged: credit from the plugin, items counted."""
    pair = Pair().ready()
    parent = pair.prompt()
    messages = [Message(role="user", parts=[TextPart(text="hi")])]
    asked = HostPromptParams(messages=messages, meta=Meta(parent=parent, credit=150))
    call = pair.asks(Role.PLUGIN, "host/prompt", asked)
    event = only(Data, pair.says(Role.HOST, Data(call, [Delta(0, "hello")])))
    with pytest.raises(NoCredit):
        pair.host.send(Data(call, [Delta(0, "x" * 100)]))
    pair.says(Role.PLUGIN, Credit(call, event.cost))
    pair.says(Role.HOST, Data(call, [Delta(0, "again")]))
    answer = only(Response, pair.says(Role.HOST, Response(call, PromptResult())))

    assert answer.result.items == 2


def test_a_host_that_overruns_the_credit_of_a_plugin_is_found_out() -> None:
    """[P-71] [P-42] The SDK's side keeps the same books."""
    pair = Pair().ready()
    messages = [Message(role="user", parts=[TextPart(text="hi")])]
    asked = HostPromptParams(messages=messages, meta=Meta(parent=pair.prompt(), credit=10))
    call = pair.asks(Role.PLUGIN, "host/prompt", asked)
    with pytest.raises(RemoteError, match="granted"):
        feed(pair.plugin, line(call, 0, '[{"t": "delta", "part": 0, "text": "hello"}]'))


@given(
    sizes=st.lists(st.integers(min_value=0, max_value=300), max_size=30),
    grants=st.lists(st.integers(min_value=1, max_value=400), max_size=30),
)
def test_an_input_arrives_whole_and_in_order_under_any_credit(sizes: list[int], grants: list[int]) -> None:
    """[P-55] [P-56] What was sent is what came, as far as the credit went, and never more than that."""
    pair, call = embedding()
    waiting = [EmbedText(str(number), "x" * size) for number, size in enumerate(sizes)]
    sent: list[object] = []
    came: list[object] = []
    granted = spent = 0
    for grant in grants:
        pair.says(Role.PLUGIN, Credit(call, grant))
        granted += grant
        while waiting and (written := try_to_send(pair.host, Data(call, waiting[:1]))) is not None:
            sent += [waiting.pop(0)]
            spent += len(written)
            came += only(Data, feed(pair.plugin, written)).items

    assert sent == came
    assert granted - spent == pair.plugin.input_credit_left(call) >= 0


def try_to_send(connection: Connection, data: Data) -> bytes | None:
    """Send items if there is credit for them."""
    try:
        return connection.send(data)
    except NoCredit:
        return None
