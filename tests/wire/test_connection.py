"""What a Connection lets pass, answers, ignores and ends for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cellwall_wire import (
    CLOSED,
    Args,
    Cancel,
    Code,
    Credit,
    Data,
    Delta,
    Empty,
    ErrorInfo,
    ErrorResponse,
    Event,
    Ignored,
    InitializeResult,
    Junk,
    KeysGetParams,
    LocalError,
    Meta,
    NoCredit,
    PartStart,
    Peer,
    PingParams,
    Progress,
    PromptResult,
    Refused,
    RemoteError,
    Request,
    Response,
    Role,
    ShutdownParams,
    State,
    Unencodable,
    UnknownItem,
    WireError,
    WireLimits,
)
from tests.support.pair import Pair, feed, hello, question


def raw(**members: Any) -> bytes:
    """Write a line by hand."""
    return json.dumps({"jsonrpc": "2.0", **members}).encode() + b"\n"


def refusal(events: list[Event]) -> ErrorInfo:
    """Give the error of the one refusal among events."""
    (event,) = events
    assert isinstance(event, Refused)
    return event.answer.error


def restart(pair: Pair) -> State:
    """Send initialize once more and give the host's state."""
    pair.asks(Role.HOST, "initialize", hello())
    return pair.host.state


class TestInitialize:
    """The first round trip."""

    def test_one_round_trip_makes_both_sides_ready(self) -> None:
        """[P-30] [P-33] The answer to initialize is all there is."""
        pair = Pair().ready()

        assert (pair.host.state, pair.plugin.state) == (State.READY, State.READY)

    def test_the_first_line_has_its_frozen_shape(self) -> None:
        """[P-31] [P-20] A request with protocols and host, readable by any major."""
        pair = Pair()
        line = json.loads(pair.host.send(Request("h1", "initialize", hello())))

        assert list(line) == ["jsonrpc", "id", "method", "params"]
        assert line["params"]["protocols"] == [1]
        assert line["params"]["host"] == {"name": "cellwall", "version": "0.1.0"}

    def test_a_request_before_it_is_refused_and_a_notification_ignored(self) -> None:
        """[P-33] NotInitialized, whatever the method is."""
        pair = Pair()

        assert (
            refusal(feed(pair.plugin, raw(id="h1", method="model/prompt", params={}))).code
            == Code.NOT_INITIALIZED
        )
        assert isinstance(feed(pair.plugin, raw(method="$/cancel", params={"id": "h1"}))[0], Ignored)

    def test_a_refused_initialize_may_be_tried_again_with_another_version(self) -> None:
        """[P-32] The error says what is supported, and leads back to the start."""
        pair = Pair()
        call = pair.asks(Role.HOST, "initialize", hello(protocols=[9]))
        error = ErrorInfo.of(Code.UNSUPPORTED_VERSION, "too new", supported=[1], requested=[9])
        (answer,) = pair.says(Role.PLUGIN, ErrorResponse(call, error))

        assert answer.error.data.supported == [1]  # type: ignore[union-attr]
        assert State.STARTING is restart(pair)

    def test_a_second_one_is_refused(self) -> None:
        """[P-33] initialize comes once."""
        pair = Pair().ready()
        line = raw(id="h2", method="initialize", params=json.loads(json.dumps({"protocols": [1]})))

        assert refusal(feed(pair.plugin, line)).code == Code.INVALID_REQUEST

    def test_unknown_features_and_members_are_read_over(self) -> None:
        """[P-13] [P-35] A newer peer may say more."""
        pair = Pair()
        pair.asks(Role.HOST, "initialize", hello(features={"org.example.x": {"level": 3}}))
        line = raw(
            id="h1",
            result={"protocol": 1, "plugin": {"name": "s", "mood": 1}, "features": {"y": {}}, "z": []},
        )

        assert isinstance(feed(pair.host, line)[0], Response)

    def test_a_version_that_was_not_offered_ends_the_connection(self) -> None:
        """[P-30] The plugin chooses among what the host can speak."""
        pair = Pair()
        pair.asks(Role.HOST, "initialize", hello())
        with pytest.raises(RemoteError, match="version 4"):
            feed(pair.host, raw(id="h1", result={"protocol": 4, "plugin": {"name": "s"}}))


class TestRequests:
    """Ids, envelopes, answers."""

    def test_every_request_gets_one_response_and_a_second_ends_the_connection(self) -> None:
        """[P-22] The peer that answers twice no longer knows what was said."""
        pair = Pair().ready()
        call = pair.prompt()
        pair.says(Role.PLUGIN, Response(call, PromptResult()))
        with pytest.raises(RemoteError, match="answered h2 twice"):
            feed(pair.host, raw(id=call, result={"items": 0}))

    def test_we_cannot_answer_twice_ourselves(self) -> None:
        """[P-22] The local side of the same rule."""
        pair = Pair().ready()
        call = pair.prompt()
        pair.says(Role.PLUGIN, Response(call, PromptResult()))
        with pytest.raises(LocalError):
            pair.plugin.send(ErrorResponse(call, ErrorInfo.of(Code.CANCELLED, "late")))

    def test_an_answer_to_nothing_is_ignored(self) -> None:
        """[P-22] A response to an id that was never used does no harm once."""
        pair = Pair().ready()

        assert isinstance(feed(pair.host, raw(id="h99", result={}))[0], Ignored)

    @pytest.mark.parametrize("bad", [7, "x1", "h", "h01", "h-1", "p1", "h²"])
    def test_an_id_of_another_form_is_refused(self, bad: object) -> None:
        """[P-21] Ids are h1, h2, … for the host."""
        pair = Pair().ready()

        assert refusal(feed(pair.plugin, raw(id=bad, method="ping", params={}))).code == Code.INVALID_REQUEST

    def test_an_id_used_twice_ends_the_connection(self) -> None:
        """[P-21] Two calls of one id could not be told apart."""
        pair = Pair().ready()
        feed(pair.plugin, raw(id="h7", method="ping", params={}))
        with pytest.raises(RemoteError, match="h7 twice"):
            feed(pair.plugin, raw(id="h7", method="ping", params={}))

    def test_an_unknown_method_is_answered(self) -> None:
        """[P-13] Unknown anything never ends the connection."""
        pair = Pair().ready()
        events = feed(pair.plugin, raw(id="h2", method="future/thing", params={}))

        assert refusal(events).code == Code.METHOD_NOT_FOUND
        assert b'"id":"h2"' in pair.plugin.send(events[0].answer)  # type: ignore[union-attr]

    def test_a_method_of_the_wrong_direction_is_unknown(self) -> None:
        """[P-13] A plugin cannot prompt the host's models by the host's own method."""
        pair = Pair().ready()

        assert (
            refusal(feed(pair.host, raw(id="p1", method="model/prompt", params={}))).code
            == Code.METHOD_NOT_FOUND
        )

    def test_bad_parameters_are_answered_with_the_place(self) -> None:
        """[P-20] The sentence names the method and the member."""
        pair = Pair().ready()
        error = refusal(
            feed(pair.plugin, raw(id="h2", method="model/prompt", params={"model": 3, "messages": []}))
        )

        assert error.code == Code.INVALID_PARAMS
        assert "model/prompt" in error.message
        assert "$.model" in error.message

    def test_a_batch_is_refused(self) -> None:
        """[P-16] With an id of null."""
        pair = Pair().ready()
        (event,) = feed(pair.plugin, b'[{"jsonrpc":"2.0","id":"h2","method":"ping"}]\n')

        assert isinstance(event, Refused)
        assert (event.answer.id, event.answer.error.code) == (None, Code.INVALID_REQUEST)

    def test_meta_is_read_and_unknown_members_of_it_are_not(self) -> None:
        """[P-24] [P-13] Everything in meta is optional."""
        pair = Pair().ready()
        meta = {"timeout_ms": 5, "idle_ms": 6, "credit": 7, "traceparent": "t", "idempotent": True, "new": 1}
        (event,) = feed(pair.plugin, raw(id="h2", method="ping", params={"meta": meta}))

        assert Meta(timeout_ms=5, idle_ms=6, credit=7, traceparent="t", idempotent=True) == event.meta  # type: ignore[union-attr]

    def test_a_ping_is_a_request_for_the_reader_in_both_directions(self) -> None:
        """[P-48] Either side may ask while a prompt is open."""
        pair = Pair().ready()
        pair.prompt()
        for role in Role:
            call = pair.asks(role, "ping", PingParams())
            assert isinstance(pair.says(role.other, Response(call, Empty()))[0], Response)

    def test_an_unreadable_result_fails_only_its_call(self) -> None:
        """[P-13] The caller gets BadOutput for it; the connection lives."""
        pair = Pair().ready()
        call = pair.prompt()
        (event,) = feed(pair.host, raw(id=call, result={"items": "many"}))

        assert event.error.kind == "BadOutput"  # type: ignore[union-attr]
        assert pair.prompt() == "h3"

    def test_an_error_code_of_the_host_is_not_accepted_from_a_plugin(self) -> None:
        """[P-70] 5xxx is made by the host."""
        pair = Pair().ready()
        call = pair.prompt()
        (event,) = feed(pair.host, raw(id=call, error={"code": 5003, "message": "I crashed, honest"}))

        assert event.error.code == Code.BAD_OUTPUT  # type: ignore[union-attr]

    def test_an_unknown_error_kind_is_kept(self) -> None:
        """[P-13] [P-70] A later version may have more kinds."""
        pair = Pair().ready()
        call = pair.prompt()
        error = {"code": 2999, "message": "m", "data": {"kind": "Moonphase", "retryable": True}}
        (event,) = feed(pair.host, raw(id=call, error=error))

        assert (event.error.kind, event.error.data.retryable) == ("Moonphase", True)  # type: ignore[union-attr]


class TestStreams:
    """Data, credit, order."""

    def test_items_arrive_in_order_with_their_cost(self) -> None:
        """[P-40] [P-42] The cost is the line's length."""
        pair = Pair().ready()
        call = pair.prompt()
        line = pair.plugin.send(Data(call, [PartStart(0, "text"), Delta(0, "a")]))
        (event,) = feed(pair.host, line)

        assert Data(call, [PartStart(0, "text"), Delta(0, "a")], len(line)) == event

    def test_a_gap_ends_the_connection(self) -> None:
        """[P-40] seq counts without gaps."""
        pair = Pair().ready()
        call = pair.prompt()
        with pytest.raises(RemoteError, match="group 1 of h2 where 0"):
            feed(pair.host, raw(method="$/data", params={"id": call, "seq": 1, "items": []}))

    def test_data_after_the_response_ends_the_connection(self) -> None:
        """[P-40] The response is the only end."""
        pair = Pair().ready()
        call = pair.prompt()
        pair.says(Role.PLUGIN, Response(call, PromptResult()))
        with pytest.raises(RemoteError, match="after its response"):
            feed(pair.host, raw(method="$/data", params={"id": call, "seq": 0, "items": []}))

    def test_the_result_counts_the_items_and_a_wrong_count_ends_the_connection(self) -> None:
        """[P-41] Connection fills the count in, so only a foreign plugin can be wrong."""
        pair = Pair().ready()
        call = pair.prompt()
        pair.says(Role.PLUGIN, Data(call, [Delta(0, "a"), Delta(0, "b")]))
        (event,) = pair.says(Role.PLUGIN, Response(call, PromptResult()))
        assert event.result.items == 2  # type: ignore[union-attr]

        call = pair.prompt()
        with pytest.raises(RemoteError, match="has 5 items, but 0 came"):
            feed(pair.host, raw(id=call, result={"items": 5}))

    def test_nothing_is_sent_beyond_the_credit(self) -> None:
        """[P-42] NoCredit leaves the state as it was; a grant makes the same message possible."""
        pair = Pair().ready()
        call = pair.prompt(credit=100)
        with pytest.raises(NoCredit):
            pair.plugin.send(Data(call, [Delta(0, "x" * 100)]))
        pair.says(Role.HOST, Credit(call, 200))
        (event,) = pair.says(Role.PLUGIN, Data(call, [Delta(0, "x" * 100)]))

        assert isinstance(event, Data)
        assert pair.host.credit_left(call) == pair.plugin.credit_left(call) == 300 - event.cost

    def test_absent_credit_is_none_at_all(self) -> None:
        """[P-42] A caller that wants data says so."""
        pair = Pair().ready()
        call = pair.prompt(credit=None)
        with pytest.raises(NoCredit):
            pair.plugin.send(Data(call, [Delta(0, "x")]))

    def test_a_plugin_that_sends_beyond_its_credit_ends_the_connection(self) -> None:
        """[P-42] What we refuse to send we refuse to receive."""
        pair = Pair().ready()
        call = pair.prompt(credit=50)
        items = [{"t": "delta", "part": 0, "text": "x" * 50}]
        with pytest.raises(RemoteError, match="with 50 granted") as caught:
            feed(pair.host, raw(method="$/data", params={"id": call, "seq": 0, "items": items}))

        assert caught.value.code == Code.CREDIT_OVERRUN

    def test_a_data_line_over_its_limit_is_refused_on_both_sides(self) -> None:
        """[P-44] 64 KiB, so that control messages never wait long."""
        pair = Pair().ready()
        call = pair.prompt()
        with pytest.raises(WireError):
            pair.plugin.send(Data(call, [Delta(0, "x" * 65_536)]))
        items = [{"t": "delta", "part": 0, "text": "x" * 65_536}]
        with pytest.raises(RemoteError, match="the limit is 65536"):
            feed(pair.host, raw(method="$/data", params={"id": call, "seq": 0, "items": items}))

    def test_an_unknown_item_is_kept_apart_and_counted(self) -> None:
        """[P-13] Its neighbours are read as usual."""
        pair = Pair().ready()
        call = pair.prompt()
        items = [{"t": "hologram", "part": 0}, {"t": "delta", "part": 0, "text": "a", "mood": 1}]
        (event,) = feed(pair.host, raw(method="$/data", params={"id": call, "seq": 0, "items": items}))

        assert isinstance(event, Data)
        assert [UnknownItem(b'{"t": "hologram", "part": 0}'), Delta(0, "a")] == event.items
        assert isinstance(feed(pair.host, raw(id=call, result={"items": 2}))[0], Response)

    def test_a_cancelled_call_still_streams_and_is_still_answered(self) -> None:
        """[P-46] [P-22] Data under way may arrive after the cancel; the answer follows."""
        pair = Pair().ready()
        call = pair.prompt()
        late = pair.plugin.send(Data(call, [Delta(0, "late")]))
        assert [Cancel(call, "why")] == pair.says(Role.HOST, Cancel(call, "why"))

        assert isinstance(feed(pair.host, late)[0], Data)
        error = ErrorInfo.of(Code.CANCELLED, "cancelled", items_sent=1)
        (event,) = pair.says(Role.PLUGIN, ErrorResponse(call, error))
        assert event.error.data.items_sent == 1  # type: ignore[union-attr]
        assert pair.host.open_calls() == []

    def test_items_before_an_error_are_counted_in_it(self) -> None:
        """[P-53] What arrived stays valid."""
        pair = Pair().ready()
        call = pair.prompt()
        pair.says(Role.PLUGIN, Data(call, [Delta(0, "a")]))
        error = ErrorInfo.of(Code.PROVIDER_ERROR, "the line broke", items_sent=1)
        (event,) = pair.says(Role.PLUGIN, ErrorResponse(call, error))

        assert (event.error.kind, event.error.data.items_sent) == ("ProviderError", 1)  # type: ignore[union-attr]

    def test_progress_reaches_the_caller(self) -> None:
        """[P-49] It belongs to an open call."""
        pair = Pair().ready()
        call = pair.prompt()

        assert [Progress(call, 1.0, 2.0, "half")] == pair.says(Role.PLUGIN, Progress(call, 1.0, 2.0, "half"))

    @pytest.mark.parametrize("method", ["$/cancel", "$/credit", "$/progress", "$/data", "$/future"])
    def test_control_for_an_unknown_id_is_ignored_and_counted(self, method: str) -> None:
        """[P-52] [P-13] It may have crossed the response."""
        pair = Pair().ready()
        params: dict[str, Any] = {"id": "h77", "n": 5, "seq": 0, "items": []}

        assert isinstance(feed(pair.plugin, raw(method=method, params=params))[0], Ignored)
        assert pair.plugin.ignored == 1

    @pytest.mark.parametrize("n", [0, -1, 1 << 41])
    def test_a_grant_that_is_no_grant_is_ignored(self, n: int) -> None:
        """[P-52] Credit only grows, within reason."""
        pair = Pair().ready()
        call = pair.prompt(credit=10)

        assert isinstance(feed(pair.plugin, raw(method="$/credit", params={"id": call, "n": n}))[0], Ignored)
        assert pair.plugin.credit_left(call) == 10


class TestNestedCalls:
    """A plugin asks the host."""

    def test_it_needs_a_live_parent(self) -> None:
        """[P-51] None, a finished and a cancelled one are refused with NoParent."""
        pair = Pair().ready()
        done, cancelled = pair.prompt(), pair.prompt()
        pair.says(Role.PLUGIN, Response(done, PromptResult()))
        pair.says(Role.HOST, Cancel(cancelled))
        for number, parent in enumerate([None, done, cancelled, "h99", "p1"], start=1):
            params = {"alias": "k", "meta": {"parent": parent} if parent else {}}
            events = feed(pair.host, raw(id=f"p{number}", method="keys/get", params=params))
            assert refusal(events).code == Code.NO_PARENT

    def test_with_one_it_arrives_and_is_known_as_its_child(self) -> None:
        """[P-51] So that the host can end it with its parent."""
        pair = Pair().ready()
        parent = pair.prompt()
        nested = pair.asks(Role.PLUGIN, "keys/get", KeysGetParams(alias="k", meta=Meta(parent=parent)))

        assert [nested] == pair.host.open_calls(parent=parent)

    def test_we_cannot_send_one_without_it(self) -> None:
        """[P-51] The local side of the same rule."""
        pair = Pair().ready()
        with pytest.raises(LocalError, match=r"meta\.parent"):
            pair.plugin.send(Request("p1", "keys/get", KeysGetParams(alias="k")))


class TestShutdown:
    """The end."""

    def test_open_calls_end_as_usual_and_new_ones_are_refused(self) -> None:
        """[P-36] [P-22] Exactly one answer also after shutdown has begun."""
        pair = Pair().ready()
        call = pair.prompt()
        goodbye = pair.asks(Role.HOST, "shutdown", ShutdownParams())
        events = feed(pair.plugin, raw(id="h9", method="ping", params={}))
        assert refusal(events).code == Code.SHUTTING_DOWN
        with pytest.raises(LocalError):
            pair.host.send(Request(pair.host.next_id(), "model/prompt", question()))

        assert isinstance(pair.says(Role.PLUGIN, Data(call, [Delta(0, "a")]))[0], Data)
        assert isinstance(pair.says(Role.PLUGIN, Response(call, PromptResult()))[0], Response)
        assert isinstance(pair.says(Role.PLUGIN, Response(goodbye, Empty()))[0], Response)

    def test_the_end_of_the_stream_closes(self) -> None:
        """[P-4] Once, and for good."""
        pair = Pair().ready()

        assert feed(pair.plugin, b"") == [CLOSED]
        assert State.CLOSED is pair.plugin.state


class TestBadInput:
    """Junk, broken text, deep nesting."""

    @pytest.mark.parametrize(
        "line",
        [
            b"hello world",
            b"42",
            b"[1, 2]",
            b'{"level":"info","msg":"a log line"}',
            b'{"jsonrpc":"2.0"}',
            b'{"jsonrpc":"1.0","id":"h1","result":1}',
            b"\xef\xbb\xbf{}",
            b'{"jsonrpc":"2.0","method":"x","params":NaN}',
            b"\xff\xfe\x00",
            b'{"jsonrpc":"2.0","params":' + b"[" * 30_000,
        ],
    )
    def test_junk_is_reported_and_does_not_hurt(self, line: bytes) -> None:
        """[P-15] [P-14] Logged, counted, and the next message is read."""
        pair = Pair().ready()
        call = pair.prompt()

        assert isinstance(feed(pair.host, line + b"\n")[0], Junk)
        assert isinstance(pair.says(Role.PLUGIN, Response(call, PromptResult()))[0], Response)

    def test_too_much_junk_ends_the_connection(self) -> None:
        """[P-15] 100 lines or 64 KiB."""
        pair = Pair().ready()
        feed(pair.host, b"x\n" * 100)
        with pytest.raises(RemoteError, match="not a message"):
            feed(pair.host, b"x\n")

        pair = Pair().ready()
        with pytest.raises(RemoteError, match="not a message"):
            feed(pair.host, b"x" * 65_537 + b"\n")

    def test_a_lone_surrogate_becomes_a_replacement_character(self) -> None:
        """[P-14] JavaScript that cuts a pair in two sends one; a whole pair survives."""
        pair = Pair().ready()
        call = pair.prompt()
        items = rb'[{"t":"delta","part":0,"text":"a\ud83db\ud83e\udd89"}]'
        text = b'{"jsonrpc":"2.0","method":"$/data","params":{"id":"h2","seq":0,"items":' + items + b"}}"
        (event,) = feed(pair.host, text + b"\n")

        assert isinstance(event, Data)
        assert [Delta(0, "a\ufffdb\U0001f989")] == event.items
        assert call == event.id

    def test_what_has_no_json_form_fails_only_itself(self) -> None:
        """[P-14] A lone surrogate or a foreign object is never sent."""
        pair = Pair().ready()
        call = pair.prompt()
        for items in ([Delta(0, "\ud83d")], [Args(0, object())]):  # type: ignore[arg-type]
            with pytest.raises(Unencodable):
                pair.plugin.send(Data(call, items))

        assert isinstance(pair.says(Role.PLUGIN, Response(call, PromptResult()))[0], Response)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_a_number_that_json_lacks_is_sent_as_null(self, value: float) -> None:
        """[P-14] NaN is never written."""
        pair = Pair().ready()
        call = pair.prompt()

        assert b"null" in pair.plugin.send(Response(call, PromptResult(provider={"score": value})))

    def test_after_a_fault_nothing_more_is_read_or_sent(self) -> None:
        """[P-21] A broken connection stays broken."""
        pair = Pair().ready()
        with pytest.raises(RemoteError):
            feed(pair.host, raw(id="h1", result={}))

        assert CLOSED is pair.host.next_event()
        with pytest.raises(LocalError):
            pair.host.send(Request(pair.host.next_id(), "ping", PingParams()))

    def test_a_wrong_answer_to_initialize_ends_the_connection(self) -> None:
        """[P-31] Without it nothing is known of the peer."""
        pair = Pair()
        pair.asks(Role.HOST, "initialize", hello())
        with pytest.raises(RemoteError, match="initialize"):
            feed(pair.host, raw(id="h1", result={"protocol": "one"}))

        assert InitializeResult(protocol=1, plugin=Peer(name="x")).features == {}


def test_a_limit_too_small_for_any_answer_is_refused() -> None:
    """[P-11] Not even an error would fit into it."""
    pair = Pair()
    (event,) = feed(
        pair.plugin, pair.host.send(Request("h1", "initialize", hello(limits=WireLimits(1, 65_536))))
    )

    assert refusal([event]).code == Code.INVALID_PARAMS


def test_a_batch_is_refused_whatever_stands_before_it() -> None:
    """[P-16] A space is still JSON."""
    (event,) = feed(Pair().ready().host, b' \t[{"jsonrpc":"2.0","id":"p1","method":"ping"}]\n')

    assert refusal([event]).code == Code.INVALID_REQUEST
