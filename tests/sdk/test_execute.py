"""What `execute` may return, in memory: two real Connections, no process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from cellwall_sdk import (
    AsyncKeyModel,
    AsyncModel,
    ContextTooLong,
    KeyModel,
    Model,
    ModelError,
    RateLimited,
    StreamEvent,
)
from cellwall_sdk.testing import PromptFailed, run_model
from cellwall_wire import PartStart, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator


class Anything(Model):
    """A model whose execute() is whatever the test gives it."""

    model_id = "anything"

    def __init__(self, body: Callable[[Any], Any]) -> None:
        self._body = body

    def execute(self, response: Any) -> Any:
        return self._body(response)


def _generator(_: Any) -> Iterator[str]:
    yield "one "
    yield ""
    yield "two"


async def _coroutine(_: Any) -> str:
    await asyncio.sleep(0)
    return "one two"


async def _async_generator(_: Any) -> AsyncIterator[str]:
    yield "one "
    await asyncio.sleep(0)
    yield "two"


async def _coroutine_of_a_generator(_: Any) -> AsyncIterator[str]:
    await asyncio.sleep(0)
    return _async_generator(_)


def _gives(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


WAYS: list[Callable[[Any], Any]] = [
    _gives("one two"),
    _gives(["one ", "two"]),
    _gives([StreamEvent("text", "one "), "two"]),
    _generator,
    _coroutine,
    _async_generator,
    _coroutine_of_a_generator,
]


@pytest.mark.parametrize("body", WAYS)
def test_every_way_to_answer_gives_the_same_text(body: Callable[[Any], Any]) -> None:
    """A string, a generator, any iterable, a coroutine, an async generator."""
    assert run_model(Anything(body)) == "one two"


def test_a_model_may_fill_the_response_and_return_nothing() -> None:
    """None is not an error when the response says it all."""

    def body(response: Any) -> None:
        response.set_usage(input=1, output=2, details={"cost": 3})
        response.set_resolved_model("anything-2")
        response.set_finish_reason("length")
        response.response_json = {"id": "x"}
        response.note("warning", "half of it")

    reply = run_model(Anything(body))

    assert reply == ""
    assert reply.usage is not None
    assert (reply.usage.input, reply.usage.output, reply.usage.details) == (1, 2, {"cost": 3})
    assert (reply.finish, reply.result.model_resolved) == ("length", "anything-2")
    assert reply.result.provider == {"id": "x"}
    assert reply.notes == ["half of it"]


def test_numbers_and_texts_of_other_types_are_understood() -> None:
    """Providers' libraries give floats, ids that are numbers, and levels of their own."""

    def body(response: Any) -> list[StreamEvent]:
        response.set_usage(input=2.0, output=True, details={})
        response.set_resolved_model(7)
        response.note("error", 404)
        return [StreamEvent("tool_call_name", "f", tool_call_id=7)]  # type: ignore[arg-type]

    reply = run_model(Anything(body))

    assert (reply.result.usage, reply.result.model_resolved) == (Usage(input=2, output=1), "7")
    assert reply.notes == ["404"]
    assert reply.items[-2] == PartStart(0, "tool_call", call_id="7", name="f")


@pytest.mark.parametrize("value", [{"x": object()}, {"x": "\ud800"}, object()])
def test_data_that_cannot_be_sent_is_an_error_of_that_call(value: Any) -> None:
    """The call gets its one answer in any case."""

    def body(response: Any) -> str:
        response.response_json = value
        return "text"

    with pytest.raises(PromptFailed, match="cannot be sent") as caught:
        run_model(Anything(body))

    assert (caught.value.kind, caught.value.text) == ("BadOutput", "text")


def test_a_result_that_is_too_large_is_told_as_such() -> None:
    """[P-11] Eight mebibytes of raw data of a provider are no answer, and the call still gets one."""

    def body(response: Any) -> str:
        response.response_json = {"x": "y" * (9 << 20)}
        return "text"

    with pytest.raises(PromptFailed) as caught:
        run_model(Anything(body))

    assert caught.value.kind == "TooLarge"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, "execute() returned an int"),
        (b"bytes", "execute() returned a bytes"),
        ([7], "The model yielded an int, not a str or a StreamEvent: 7"),
        ([b"x"], "The model yielded bytes; it must yield str: decode it first."),
        ([None], "The model yielded a NoneType"),
        ([StreamEvent("txt", "x")], "StreamEvent of type 'txt'"),  # type: ignore[arg-type]
        ([StreamEvent("text", 7)], "chunk is a int"),  # type: ignore[arg-type]
    ],
)
def test_anything_else_is_bad_output(value: Any, expected: str) -> None:
    """A sentence about what came and what should have come."""
    with pytest.raises(PromptFailed) as caught:
        run_model(Anything(_gives(value)))

    assert caught.value.kind == "BadOutput"
    assert expected in str(caught.value)


def test_an_async_generator_that_yields_nonsense_is_bad_output_too() -> None:
    """The async path says the same."""

    async def body(_: Any) -> AsyncIterator[Any]:
        yield "fine"
        yield 7

    with pytest.raises(PromptFailed) as caught:
        run_model(Anything(body))

    assert (caught.value.kind, caught.value.text) == ("BadOutput", "fine")


def test_what_was_yielded_before_an_exception_arrives() -> None:
    """[P-53] The items come first, then the error with their number, type, file and line."""

    def body(_: Any) -> Iterator[str]:
        yield "so far "
        yield "so good"
        raise ValueError("the tank is empty")

    with pytest.raises(PromptFailed) as caught:
        run_model(Anything(body))

    info = caught.value.info
    assert caught.value.text == "so far so good"
    assert info.data is not None
    assert info.data.items_sent == 3
    assert info.message.startswith(f"ValueError: the tank is empty ({__file__}, line ")
    assert "raise ValueError" in str(info.data.detail)
    assert "cellwall_sdk" not in str(info.data.detail).replace("test_execute", "")


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_an_exit_in_a_model_is_an_error_of_that_call(error: BaseException) -> None:
    """sys.exit() ends the answer and not the plugin."""

    def body(_: Any) -> str:
        raise error

    with pytest.raises(PromptFailed) as caught:
        run_model(Anything(body))

    assert caught.value.kind == "InternalError"


def test_an_error_of_the_sdk_keeps_its_kind_advice_and_hint() -> None:
    """What authors raise is what the host can act on."""

    def body(_: Any) -> str:
        raise RateLimited("Too many requests.", retry_after_s=1.5, hint="Wait a little.")

    with pytest.raises(PromptFailed, match="Too many requests") as caught:
        run_model(Anything(body))

    data = caught.value.info.data
    assert data is not None
    assert (data.kind, data.retryable, data.retry_after_ms) == ("RateLimited", True, 1500)
    assert data.hint == "Wait a little."


def test_an_authors_own_error_class_keeps_the_kind_of_its_base() -> None:
    """Subclasses may have any constructor."""

    class TooMuch(ContextTooLong):
        def __init__(self, tokens: int) -> None:
            Exception.__init__(self, f"{tokens} tokens are too many.")

    def body(_: Any) -> str:
        raise TooMuch(9000)

    with pytest.raises(PromptFailed, match="9000 tokens are too many") as caught:
        run_model(Anything(body))

    assert caught.value.kind == "ContextTooLong"


def test_an_error_without_a_text_says_what_its_kind_means() -> None:
    """An empty message helps nobody."""

    def body(_: Any) -> str:
        raise ModelError

    with pytest.raises(PromptFailed, match="The model failed"):
        run_model(Anything(body))


def test_the_message_of_an_error_may_hold_anything() -> None:
    """A lone surrogate in an exception's text does not break the answer."""

    def body(_: Any) -> str:
        raise ValueError("\ud800" + "x" * 100_000)

    with pytest.raises(PromptFailed) as caught:
        run_model(Anything(body))

    assert len(str(caught.value)) < 5_000


def test_a_generator_that_is_left_early_runs_its_clean_up() -> None:
    """`finally` blocks run before the error is answered."""
    cleaned: list[str] = []

    def body(_: Any) -> Iterator[Any]:
        try:
            yield 7
        finally:
            cleaned.append("yes")

    with pytest.raises(PromptFailed):
        run_model(Anything(body))

    assert cleaned == ["yes"]


def test_the_text_so_far_is_known_to_the_model() -> None:
    """response.text() holds what was yielded, however much."""
    seen: list[str] = []

    def body(response: Any) -> Iterator[str]:
        for _ in range(1_300):
            yield "ab"
        seen.append(response.text())

    run_model(Anything(body))

    assert seen == ["ab" * 1_300]


def test_a_long_answer_is_cut_into_lines_and_arrives_whole() -> None:
    """One yield of a megabyte is many items."""
    reply = run_model(Anything(_gives("é€😀" * 100_000)))

    assert reply == "é€😀" * 100_000


class _Keyed(KeyModel):
    model_id = "keyed"
    needs_key = "provider"
    key_env_var = "PROVIDER_KEY"

    def execute(self, prompt: Any, stream: Any, response: Any, conversation: Any, key: str) -> str:
        return key


class _AsksItself(Model):
    model_id = "asks"
    needs_key = "provider"

    def execute(self, prompt: Any) -> str:
        return f"{self.get_key()} {self.get_key('explicit')}"


class _AsyncKeyed(AsyncKeyModel):
    model_id = "async-keyed"
    needs_key = "provider"

    async def execute(self, prompt: Any, key: str) -> str:
        return key


@pytest.mark.parametrize(
    ("model", "expected"),
    [(_Keyed(), "secret"), (_AsksItself(), "secret explicit"), (_AsyncKeyed(), "secret")],
)
def test_a_key_is_asked_for_through_the_protocol(model: Model, expected: str) -> None:
    """As an argument, or by get_key()."""
    assert run_model(model, keys={"provider": "secret"}) == expected


def test_a_missing_key_is_an_error_with_a_hint() -> None:
    """The model is not even called."""
    with pytest.raises(PromptFailed) as caught:
        run_model(_Keyed())

    assert caught.value.kind == "KeyMissing"
    assert caught.value.info.data is not None
    assert caught.value.info.data.hint is not None


def test_a_key_that_is_not_required_may_be_missing() -> None:
    """Some servers want a key and some do not."""

    class Relaxed(KeyModel):
        model_id = "relaxed"
        needs_key = "provider"
        key_required = False

        def execute(self, key: str | None) -> str:
            return repr(key)

    assert run_model(Relaxed()) == "None"


def test_a_key_that_the_plugin_sets_wins() -> None:
    """model.key = … is how plugins for one's own server do it."""
    model = _Keyed()
    model.key = "mine"

    assert run_model(model, keys={"provider": "secret"}) == "mine"


def test_async_models_of_one_process_share_a_loop() -> None:
    """A client that an author keeps stays usable from prompt to prompt."""
    loops: list[asyncio.AbstractEventLoop] = []

    class Looped(AsyncModel):
        model_id = "looped"

        async def execute(self, prompt: Any) -> str:
            loops.append(asyncio.get_running_loop())
            return "done"

    run_model(Looped())
    run_model(Looped())

    assert loops[0] is loops[1]


def test_stream_says_what_was_asked_and_what_the_model_can() -> None:
    """A model that cannot stream is never asked to."""

    class Tells(Model):
        model_id = "tells"

        def execute(self, stream: bool) -> str:
            return str(stream)

    class Cannot(Tells):
        can_stream = False

    assert run_model(Tells()) == "True"
    assert run_model(Tells(), stream=False) == "False"
    assert run_model(Cannot()) == "False"


def test_an_awaitable_that_cancels_itself_is_an_error() -> None:
    """asyncio.CancelledError without a cancel of the host is the author's doing."""

    async def body(_: Any) -> Awaitable[str]:
        raise asyncio.CancelledError

    with pytest.raises(PromptFailed, match="cancelled by its own code"):
        run_model(Anything(body))
