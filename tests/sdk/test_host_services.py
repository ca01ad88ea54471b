"""A real child that asks its host: prompts, questions, the store, holds; plain and `async`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import cellwall_wire as wire
from cellwall_sdk import ModelError, host
from cellwall_wire import Code, ErrorInfo, ErrorResponse, Request, Response
from tests.sdk.hosting import Child, text_of, write_plugin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PLUGIN = '''
import sys
from cellwall_sdk import Cancelled, Model, ServiceError, host, hookimpl

class Asks(Model):
    """Does what the prompt says, as an expression."""
    model_id = "asks"
    def execute(self, prompt):
        try:
            return repr(eval(prompt.prompt, {"host": host}))
        except ServiceError as error:
            return f"{error.reason}: {error} ({error.hint})"

class AsyncAsks(Model):
    model_id = "async-asks"
    async def execute(self, prompt):
        try:
            yield repr(await eval(prompt.prompt, {"host": host.aio}))
        except ServiceError as error:
            yield f"{error.reason}: {error} ({error.hint})"

class Relays(Model):
    model_id = "relays"
    def execute(self, prompt):
        yield from host.prompt(prompt.prompt, model="other", system="be brief")

class AsyncRelays(Model):
    model_id = "async-relays"
    async def execute(self, prompt):
        async for piece in host.aio.prompt(prompt.prompt):
            yield piece

class TakesOne(Model):
    """Reads one piece and leaves."""
    model_id = "takes-one"
    def execute(self, prompt):
        answer = host.prompt("much")
        for piece in answer:
            break
        answer.close()
        yield piece

class Uncaught(Model):
    model_id = "uncaught"
    def execute(self, prompt):
        host.store.set("a", 1)

@hookimpl
def register_models(register):
    for model in (Asks, AsyncAsks, Relays, AsyncRelays, TakesOne, Uncaught):
        register(model())
'''

Answer = dict[str, "Callable[[Child, Request], None]"]


def gives(result: Any) -> Callable[[Child, Request], None]:
    """Make a host that answers with a result."""
    return lambda child, request: child.put(Response(request.id, result))


def refuses(code: Code, message: str, **data: Any) -> Callable[[Child, Request], None]:
    """Make a host that answers with an error."""
    return lambda child, request: child.put(ErrorResponse(request.id, ErrorInfo.of(code, message, **data)))


def streams(*pieces: str) -> Callable[[Child, Request], None]:
    """Make a host that streams an answer, and keeps to the credit of the plugin."""

    def answer(child: Child, request: Request) -> None:
        child.put(wire.Data(request.id, [wire.PartStart(0, "text")]))
        for piece in pieces:
            cost = len(piece) + 200
            child.wait_until(lambda cost=cost: left(child, request) >= cost)  # type: ignore[misc]
            child.put(wire.Data(request.id, [wire.Delta(0, piece)]))
        child.put(wire.Data(request.id, [wire.UsageItem(wire.Usage(output=len(pieces)))]))
        child.put(Response(request.id, wire.PromptResult(finish="stop", model_resolved="big-2")))

    return answer


def never(child: Child, request: Request) -> None:
    """Be a host that does not answer."""


def left(child: Child, request: Request) -> int:
    """How much the plugin still takes (bytes)."""
    return child.connection.credit_left(request.id)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[[Answer], Child]]:
    """Start children with what answers them."""
    write_plugin(tmp_path, PLUGIN)
    children: list[Child] = []

    def start(answers: Answer) -> Child:
        child = Child(tmp_path, answers=answers)
        children.append(child)
        child.__enter__()
        child.start()
        return child

    yield start
    for child in children:
        child.__exit__(None, None, None)


def asked(child: Child, text: str, model: str = "asks") -> str:
    """Let the model evaluate an expression; what came of it."""
    answered, answer = child.prompt(text, model=model)
    assert isinstance(answer, Response), answer
    return answered


@pytest.mark.parametrize("model", ["asks", "async-asks"])
def test_a_plugin_stores_values(started: Callable[[Answer], Child], model: str) -> None:
    """[P-72] [P-51] Get, set, list, delete; each on behalf of the call that runs."""
    value = {"n": [1, None, "ö"]}
    child = started(
        {
            "store/get": gives(wire.StoreGetResult(found=True, value=value)),
            "store/set": gives(wire.Empty()),
            "store/list": gives(wire.StoreListResult(keys=["a", "b"])),
            "store/delete": gives(wire.Empty()),
        }
    )

    assert repr(value) == asked(child, "host.store.get('k')", model)
    assert "None" == asked(child, f"host.store.set('k', {value!r})", model)
    assert "['a', 'b']" == asked(child, "host.store.keys('a')", model)
    assert "None" == asked(child, "host.store.delete('k')", model)
    sent = [request.params for request in child.requests]
    assert ["k", "k", "a", "k"] == [getattr(each, "key", getattr(each, "prefix", "")) for each in sent]
    assert [value] == [each.value for each in sent if isinstance(each, wire.StoreSetParams)]
    assert all(each.meta.parent is not None for each in sent)


def test_a_value_that_is_not_there_is_the_default(started: Callable[[Answer], Child]) -> None:
    """[P-72] A stored null is not the same as nothing."""
    missing = started({"store/get": gives(wire.StoreGetResult(found=False))})
    null = started({"store/get": gives(wire.StoreGetResult(found=True))})

    assert "7" == asked(missing, "host.store.get('k', 7)")
    assert "None" == asked(null, "host.store.get('k', 7)")


@pytest.mark.parametrize("model", ["asks", "async-asks"])
def test_questions_give_what_the_user_answered(started: Callable[[Answer], Child], model: str) -> None:
    """[P-73] Text, secret, a choice, yes; declined is None or no."""
    accepts = started({"user/ask": lambda child, request: child.put(Response(request.id, reply(request)))})
    declines = started({"user/ask": gives(wire.AskResult(action="decline"))})

    assert "'Ada'" == asked(accepts, "host.ask('Name?', default='Ada')", model)
    assert "'hush'" == asked(accepts, "host.secret('Word?')", model)
    assert "'b'" == asked(accepts, "host.select('Which?', ['a', 'b'])", model)
    assert "True" == asked(accepts, "host.confirm('Sure?')", model)
    assert "None" == asked(declines, "host.ask('Name?')", model)
    assert "False" == asked(declines, "host.confirm('Sure?', default=True)", model)


def reply(request: Request) -> wire.AskResult:
    """Answer a question as an obliging user."""
    params = request.params
    assert isinstance(params, wire.AskParams)
    values: dict[str, str | bool | None] = {"text": params.default, "secret": "hush", "confirm": True}
    return wire.AskResult(action="accept", value=values.get(params.kind, (params.choices or [""])[-1]))


def test_with_nobody_to_ask_the_plugin_gets_an_error_that_says_so(started: Callable[[Answer], Child]) -> None:
    """[P-73] `unavailable` at once."""
    child = started({"user/ask": gives(wire.AskResult(action="unavailable"))})

    assert asked(child, "host.ask('Name?')").startswith("Unavailable: There is nobody to ask.")


def test_a_user_who_wants_to_stop_ends_the_call(started: Callable[[Answer], Child]) -> None:
    """[P-73] `cancel` is Cancelled, for which no plugin has to look."""
    child = started({"user/ask": gives(wire.AskResult(action="cancel"))})
    _, answer = child.prompt("host.ask('Name?')", model="asks")

    assert isinstance(answer, ErrorResponse)
    assert int(Code.CANCELLED) == answer.error.code


@pytest.mark.parametrize("model", ["asks", "async-asks"])
def test_a_refusal_says_why_and_what_to_do(started: Callable[[Answer], Child], model: str) -> None:
    """[P-69] [P-70] The kind of the host's error is the reason."""
    hint = "llm plugins grant plugin host=ask"
    child = started({"user/ask": refuses(Code.NOT_GRANTED, "It may not ask.", hint=hint)})

    assert f"NotGranted: It may not ask. ({hint})" == asked(child, "host.ask('Name?')", model)


def test_a_refusal_that_nobody_catches_ends_the_answer_with_the_host_s_words(
    started: Callable[[Answer], Child],
) -> None:
    """[P-70] A plugin passes the sentence on; the codes of the host stay the host's."""
    child = started({"store/set": refuses(Code.QUOTA_EXCEEDED, "It has stored 16 MiB.", hint="Store less.")})
    _, answer = child.prompt("", model="uncaught")

    assert isinstance(answer, ErrorResponse)
    assert answer.error.message == "It has stored 16 MiB."
    assert (answer.error.kind, answer.error.data and answer.error.data.hint) == (
        "ProviderError",
        "Store less.",
    )


@pytest.mark.parametrize("model", ["asks", "async-asks"])
def test_a_plugin_asks_to_be_kept(started: Callable[[Answer], Child], model: str) -> None:
    """[P-74] Seconds for authors, milliseconds on the wire."""
    child = started({"plugin/hold": gives(wire.HoldResult(granted_ms=1500))})

    assert "1.5" == asked(child, "host.hold('loaded', 60)", model)
    (request,) = child.requests
    assert isinstance(request.params, wire.HoldParams)
    assert (request.params.reason, request.params.max_ms) == ("loaded", 60_000)


@pytest.mark.parametrize("model", ["relays", "async-relays"])
def test_a_prompt_to_another_model_streams_through(started: Callable[[Answer], Child], model: str) -> None:
    """[P-71] More than the credit of one window goes through, piece by piece."""
    pieces = [f"{number} " + "x" * 5000 for number in range(200)]
    child = started({"host/prompt": streams(*pieces)})

    assert "".join(pieces) == asked(child, "hello", model)
    (request,) = child.requests
    assert isinstance(request.params, wire.HostPromptParams)
    assert "hello" == request.params.messages[-1].parts[0].text  # type: ignore[union-attr]
    assert child.granted[request.id] > 0


def test_the_whole_answer_comes_with_what_is_known_of_it(started: Callable[[Answer], Child]) -> None:
    """[P-71] Text, finish, usage, the model that answered."""
    child = started({"host/prompt": streams("one ", "two")})
    expression = "(lambda a: (a.text(), a.finish, a.usage.output, a.model, a.tool_calls))(host.prompt('hi'))"

    assert "('one two', 'stop', 2, 'big-2', [])" == asked(child, expression)


def test_tool_calls_of_another_model_are_told(started: Callable[[Answer], Child]) -> None:
    """[P-71] [P-63] A plugin that prompts may run tools of its own."""

    def answer(child: Child, request: Request) -> None:
        begun = wire.PartStart(0, "tool_call", call_id="c1", name="add")
        child.put(wire.Data(request.id, [begun, wire.Args(0, '{"a"'), wire.Args(0, ": 1}"), wire.PartEnd(0)]))
        child.put(Response(request.id, wire.PromptResult(finish="tool_calls")))

    child = started({"host/prompt": answer})

    assert """[('add', '{"a": 1}')]""" == asked(
        child, "(lambda a: (a.text(), a.tool_calls)[1])(host.prompt('x'))"
    )


def test_a_plugin_that_has_enough_cancels_the_prompt(started: Callable[[Answer], Child]) -> None:
    """[P-46] Leaving the iteration is how an author cancels."""

    def endless(child: Child, request: Request) -> None:
        child.put(wire.Data(request.id, [wire.PartStart(0, "text"), wire.Delta(0, "first")]))

    child = started({"host/prompt": endless})

    assert "first" == asked(child, "", "takes-one")
    child.wait_until(lambda: len(child.given_up) == 1)


@pytest.mark.parametrize("model", ["relays", "async-relays", "asks"])
def test_a_cancelled_call_takes_its_questions_along(started: Callable[[Answer], Child], model: str) -> None:
    """[P-51] [P-46] The plugin does not wait for an answer that never comes."""
    child = started({"host/prompt": never, "user/ask": never})
    call = child.open("host.ask('Name?')", model=model)
    child.wait_until(lambda: len(child.requests) == 1)
    child.cancel(call)
    answer = child.wait_answer(call)

    assert isinstance(answer, ErrorResponse)
    assert int(Code.CANCELLED) == answer.error.code
    child.wait_until(lambda: child.given_up == [child.requests[0].id])
    assert text_of(child.items[call]) == ""


def test_outside_of_a_cell_there_is_nobody_to_ask() -> None:
    """A module that is imported elsewhere, in a test for instance, gets a sentence."""
    with pytest.raises(ModelError, match="only inside a plugin"):
        host.store.get("a")
