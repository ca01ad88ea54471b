"""The first line in each direction, which every major shares, and what comes before it is answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_wire import (
    METHODS,
    Code,
    Connection,
    ErrorResponse,
    Event,
    Ignored,
    Refused,
    RemoteError,
    Request,
    Response,
    Role,
    State,
)
from tests.support.cell import Cell
from tests.support.pair import Pair, feed, hello, question

if TYPE_CHECKING:
    from pathlib import Path

ECHO = """
from cellwall_sdk import Model, hookimpl

class Sample(Model):
    model_id = "sample"
    def execute(self, prompt):
        yield prompt.prompt

@hookimpl
def register_models(register):
    register(Sample())
"""

NOTIFICATIONS = ("$/cancel", "$/credit", "$/data", "$/progress", "$/later")

ANSWER = b'{"jsonrpc":"2.0","id":"h1","result":{"protocol":1,"plugin":{"name":"sample"}}}\n'

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
greetings = st.fixed_dictionaries(
    {},
    optional={
        "protocols": st.lists(st.integers(0, 9), max_size=4) | json_values,
        "host": st.fixed_dictionaries({"name": st.text(max_size=8), "version": st.text(max_size=8)})
        | json_values,
        "plugin": json_values,
        "limits": json_values,
        "dirs": json_values,
        "later": json_values,
    },
)


def line(**members: object) -> bytes:
    """Write a message by hand."""
    return json.dumps({"jsonrpc": "2.0", **members}).encode() + b"\n"


def greeting(call_id: str) -> bytes:
    """Write the host's first line with an id of our choice."""
    first = Connection(Role.HOST).send(Request("h1", "initialize", hello()))
    return first.replace(b'"h1"', f'"{call_id}"'.encode(), 1)


def outcome(side: Connection, data: bytes) -> list[Event] | str:
    """Hand bytes to a side and return what it makes of them: events, or why the connection ends."""
    try:
        return feed(side, data)
    except RemoteError as problem:
        return str(problem)


def test_both_first_lines_are_these_bytes_for_ever() -> None:
    """[P-31] Issue 3, anchor 1: written down here, so that nobody changes them unnoticed."""
    host = Connection(Role.HOST)
    first = json.loads(host.send(Request("h1", "initialize", hello())))
    (answer,) = feed(host, ANSWER)
    frozen = {name: first["params"][name] for name in ("protocols", "host")}

    assert (first["jsonrpc"], first["id"], first["method"]) == ("2.0", "h1", "initialize")
    assert frozen == {"protocols": [1], "host": {"name": "cellwall", "version": "0.1.0"}}
    assert isinstance(answer, Response)
    assert answer.result.protocol == 1


@given(params=greetings | json_values)
def test_whatever_the_first_line_holds_gets_one_answer_and_the_next_one_may_be_right(params: object) -> None:
    """[P-31] [P-32] Issue 3, anchor 1: an older, newer or broken host is told once, in one error."""
    plugin = Connection(Role.PLUGIN)

    (event,) = feed(plugin, line(id="h1", method="initialize", params=params))

    if isinstance(event, Refused):
        assert isinstance(event.answer, ErrorResponse)
        assert (event.answer.id, plugin.state) == ("h1", State.NEW)
        plugin.send(event.answer)
        (again,) = feed(plugin, greeting("h2"))
        assert isinstance(again, Request)
    else:
        assert isinstance(event, Request)
        assert plugin.state is State.STARTING


@given(member=st.sampled_from(["result", "error"]), value=greetings | json_values)
def test_whatever_a_plugin_answers_first_is_one_outcome(member: str, value: object) -> None:
    """[P-31] Issue 3, anchor 1: an answer, an error, or the end of the connection with a sentence."""
    host = Connection(Role.HOST)
    host.send(Request("h1", "initialize", hello()))

    found = outcome(host, line(id="h1", **{member: value}))

    assert isinstance(found, str) or len(found) == 1
    assert found


@pytest.mark.parametrize("rest", [{}, {"plugin": 3, "limits": [], "dirs": None}, {"plugin": {}, "later": {}}])
def test_the_frozen_members_are_enough_to_tell_versions_apart(rest: dict[str, object]) -> None:
    """[P-31] [P-32] Issue 3, anchor 1: the rest of another major's first line may be missing, or anything."""
    host = Connection(Role.HOST)
    host.send(Request("h1", "initialize", hello()))
    params = {"protocols": [2, 3], "host": {"name": "later", "version": "9"}, **rest}

    (event,) = feed(Connection(Role.PLUGIN), line(id="h1", method="initialize", params=params))
    answered = outcome(host, line(id="h1", result={"protocol": 2, **rest}))

    assert isinstance(event, Refused)
    error = event.answer.error
    assert error.code == Code.UNSUPPORTED_VERSION
    assert error.data is not None
    assert (error.data.supported, error.data.requested) == ([1], [2, 3])
    assert error.message.endswith("upgrade the plugin.")
    assert answered == "chose protocol version 2, which was not offered"


def test_versions_without_one_in_common_are_both_named_with_the_side_to_upgrade(tmp_path: Path) -> None:
    """[P-32] Issue 3, anchor 1: the SDK as the older and as the newer side; then it can still be met."""
    with Cell(tmp_path, ECHO) as cell:
        for requested, older in (([2, 3], "sdk"), ([0], "Cellwall")):
            answer = cell.answer_to(cell.asks("initialize", hello(protocols=requested)))

            assert isinstance(answer, ErrorResponse)
            assert (answer.error.code, answer.error.data.supported) == (Code.UNSUPPORTED_VERSION, [1])  # type: ignore[union-attr]
            assert answer.error.data.requested == requested  # type: ignore[union-attr]
            assert answer.error.message.endswith(f"{older}.")
        assert cell.initialize().protocol == 1


def test_one_round_trip_and_a_plugin_answers(tmp_path: Path) -> None:
    """[P-33] Issue 3, anchor 3: one line there, one line back; the next one is a prompt, and is answered."""
    with Cell(tmp_path, ECHO) as cell:
        cell.initialize()
        assert cell.raw.count(b"\n") == 1

        answer = cell.answer_to(cell.asks("model/prompt", question()))

    assert isinstance(answer, Response)
    assert {json.loads(each).get("method", "answer") for each in cell.raw.splitlines()} <= {
        "answer",
        "$/data",
    }


def test_before_the_first_line_is_answered_every_request_is_refused_and_all_else_counted() -> None:
    """[P-33] Issue 3, anchor 4: each method there is, in both directions, and each notification."""
    pair = Pair()
    pair.host.send(Request("h1", "initialize", hello()))
    for side in (pair.host, pair.plugin):
        prefix = side.role.other.id_prefix
        methods = [method for method in (*METHODS, "later/thing") if method != "initialize" or prefix == "p"]
        for number, method in enumerate(methods, 1):
            (event,) = feed(side, line(id=f"{prefix}{number}", method=method, params={}))
            assert isinstance(event, Refused), method
            assert event.answer.error.code == Code.NOT_INITIALIZED, method
            side.send(event.answer)
        for number, method in enumerate(NOTIFICATIONS, 1):
            (event,) = feed(
                side, line(method=method, params={"id": f"{prefix}1", "seq": 0, "items": [], "n": 1})
            )
            assert isinstance(event, Ignored), method
            assert side.ignored == number


def test_a_real_plugin_refuses_what_comes_too_early_and_is_met_afterwards(tmp_path: Path) -> None:
    """[P-33] Issue 3, anchor 4: and ignores notifications without an answer."""
    with Cell(tmp_path, ECHO) as cell:
        cell.write(line(method="$/cancel", params={"id": "h1"}))
        cell.write(line(id="h1", method="model/prompt", params={}))
        cell.write(line(id="h2", method="shutdown", params={}))
        cell.write(greeting("h3"))
        cell.wait_for(lambda _: cell.raw.count(b"\n") == 3)
        answers = [json.loads(each) for each in cell.raw.splitlines()]

    assert [(each["id"], each.get("error", {}).get("code")) for each in answers] == [
        ("h1", Code.NOT_INITIALIZED),
        ("h2", Code.NOT_INITIALIZED),
        ("h3", None),
    ]
