"""The hookimpl marker and what a plugin's hooks register."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from cellwall_sdk import Field, KeyModel, Model, Options, RegistrationError, UnknownModel, hookimpl
from cellwall_sdk import Options as BaseOptions
from cellwall_sdk._hooks import find_implementations, foreign_hook
from cellwall_sdk._registry import Registry, build_registry
from cellwall_wire import HookInfo, KeyNeed, ModelInfo, ModelLimits, Supports

if TYPE_CHECKING:
    from collections.abc import Callable


class Plain(Model):
    """The smallest model."""

    model_id = "plain"

    def execute(self, prompt: Any) -> str:
        """Answer with the prompt."""
        return str(prompt.prompt)


def _registering(*args: Any, **kwargs: Any) -> Registry:
    @hookimpl
    def register_models(register: Callable[..., None]) -> None:
        register(*args, **kwargs)

    return build_registry(SimpleNamespace(register_models=register_models), ())


def test_the_marker_returns_the_same_function() -> None:
    """Marked functions stay callable, testable and typed."""

    def function(register: int) -> int:
        return register + 1

    assert hookimpl(function) is function
    assert hookimpl(tryfirst=True)(function) is function
    assert function(1) == 2


def test_implementations_run_tryfirst_then_as_written_then_trylast() -> None:
    """Order is a function of what is written."""

    @hookimpl(trylast=True, specname="register_models")
    def last() -> None: ...

    @hookimpl(specname="register_models")
    def middle() -> None: ...

    @hookimpl(tryfirst=True, specname="register_models")
    def first() -> None: ...

    holder = SimpleNamespace(last=last, middle=middle, again=middle, first=first, other=3)

    assert [found.name for found in find_implementations(holder)] == ["first", "middle", "last"]


def test_an_object_can_be_the_plugin() -> None:
    """An entry point may name an object with marked methods."""

    class Plugin:
        @property
        def broken(self) -> None:
            raise ValueError("not now")

        @hookimpl
        def register_models(self, register: Callable[[Model], None]) -> None:
            register(Plain())

    assert list(build_registry(Plugin(), ()).offers) == ["plain"]


def test_marks_of_the_llm_package_itself_are_noticed() -> None:
    """pluggy's marker leaves a dict."""

    def theirs() -> None: ...

    theirs.llm_impl = {"tryfirst": False}  # type: ignore[attr-defined]

    assert foreign_hook(SimpleNamespace(register_models=theirs)) == "register_models"
    assert foreign_hook(SimpleNamespace(x=Plain)) is None


def test_every_attribute_of_a_model_reaches_the_host() -> None:
    """What a class says is what `models list` shows."""

    class Full(KeyModel):
        model_id = "full"
        title = "A full model"
        attachment_types = ("image/png", "application/pdf")
        supports_tools = True
        supports_schema = True
        supports_reasoning = True
        needs_key = "provider"
        key_env_var = "PROVIDER_KEY"
        needs_assets = ("weights",)
        context_tokens = 8192
        default = True
        deprecated = "Use fuller."

        class Options(BaseOptions):
            temperature: float = Field(0.5, ge=0)

        def execute(self, prompt: Any) -> str:
            return ""

    described = _registering(Full(), aliases=("f",)).describe()

    expected = ModelInfo(
        id="full",
        aliases=["f"],
        title="A full model",
        input=["application/pdf", "image/png"],
        supports=Supports(stream=True, tools=True, schema=True, reasoning=True, system=True),
        options_schema={
            "type": "object",
            "properties": {"temperature": {"type": "number", "minimum": 0, "default": 0.5}},
            "additionalProperties": False,
        },
        key=KeyNeed(alias="provider", env="PROVIDER_KEY"),
        limits=ModelLimits(context=8192),
        assets=["weights"],
        default=True,
        deprecated="Use fuller.",
    )
    assert described.models == [expected]
    assert described.hooks == [HookInfo(hook="register_models", impl="register_models", args=["register"])]
    assert described.notes == []


def test_the_digest_changes_with_what_is_offered_and_not_otherwise() -> None:
    """The host compares it instead of everything."""

    class Other(Plain):
        title = "Other"

    first, again, other = (_registering(model()).describe() for model in (Plain, Plain, Other))

    assert first.digest == again.digest
    assert first.digest != other.digest


def test_a_models_own_name_for_itself_is_its_title() -> None:
    """Plugins written for `llm` define __str__."""

    class Named(Plain):
        def __str__(self) -> str:
            return "Named: plain"

    assert _registering(Named()).describe().models[0].title == "Named: plain"
    assert _registering(Plain()).describe().models[0].title is None


def test_the_async_form_serves_when_it_is_the_only_one() -> None:
    """register(None, async_model) and register(model, async_model) both give one model."""
    plain, other = Plain(), Plain()

    assert _registering(None, plain).offers["plain"].model is plain
    assert _registering(plain, other).offers["plain"].model is plain
    assert _registering(plain, async_model=other).offers["plain"].async_model is other


class _NoId(Model):
    def execute(self) -> str:
        return ""


class _Spaced(_NoId):
    model_id = "two words"


class _NoExecute(Model):
    model_id = "no-execute"


class _BadArgument(Model):
    model_id = "bad-argument"

    def execute(self, prompt: Any, temprature: Any) -> str:
        return ""


class _BadOptions(Model):
    model_id = "bad-options"
    Options: Any = object

    def execute(self) -> str:
        return ""


class _BadType(Model):
    model_id = "bad-type"

    class Options(Options):
        stream: complex = 1j

    def execute(self) -> str:
        return ""


class _BadTitle(Plain):
    title: Any = 7


@pytest.mark.parametrize(
    ("thing", "expected"),
    [
        (Plain, "given the class Plain; it needs Plain()"),
        ("plain", "given a str, which is not a cellwall_sdk.Model"),
        (_NoId(), "has no usable model_id: it is None"),
        (_Spaced(), "it is 'two words' and has to be a name without spaces"),
        (_NoExecute(), "The model 'no-execute' (_NoExecute) has no execute() method"),
        (_BadArgument(), f"execute() of the model 'bad-argument' ({__file__}, line "),
        (_BadOptions(), "do not derive from cellwall_sdk.Options"),
        (_BadType(), f"The model 'bad-type' ({__file__}, line "),
        (_BadTitle(), "Expected `str | null`, got `int` - at `$.title`"),
    ],
)
def test_a_model_that_cannot_be_used_is_named_with_its_reason(thing: Any, expected: str) -> None:
    """A sentence for the author, when there is nothing else to offer."""
    with pytest.raises(RegistrationError) as caught:
        _registering(thing).describe()

    assert expected in str(caught.value)


def test_one_bad_model_does_not_cost_the_good_ones() -> None:
    """It becomes a note beside them."""

    @hookimpl
    def register_models(register: Callable[[Any], None]) -> None:
        register(_NoExecute())
        register(Plain())
        register(Plain())

    described = build_registry(SimpleNamespace(register_models=register_models), ()).describe()

    assert [model.id for model in described.models] == ["plain"]
    assert "no-execute" in described.notes[0]
    assert described.notes[1] == "The model 'plain' is registered twice; the first one is kept."


def test_one_failing_hook_does_not_stop_the_others() -> None:
    """What was registered before the failure stays, too."""

    @hookimpl(specname="register_models")
    def fails(register: Callable[[Model], None]) -> None:
        register(Plain())
        raise SystemExit(3)

    @hookimpl(specname="register_models")
    def works(register: Callable[[Model], None]) -> None:
        model = Plain()
        model.model_id = "second"
        register(model)

    described = build_registry(SimpleNamespace(fails=fails, works=works), ()).describe()

    assert [model.id for model in described.models] == ["plain", "second"]
    assert described.notes[0].startswith(f"fails() failed: the plugin called sys.exit(3) ({__file__}, line ")


def test_a_plugin_of_which_nothing_is_left_fails_as_a_whole() -> None:
    """The host shows it as broken, with the cause."""

    @hookimpl
    def register_models(register: Callable[[Model], None]) -> None:
        raise ValueError("no network")

    with pytest.raises(RegistrationError, match="failed: ValueError: no network") as caught:
        build_registry(SimpleNamespace(register_models=register_models), ()).describe()

    assert isinstance(caught.value.__cause__, ValueError)


def test_hooks_see_what_was_registered_before() -> None:
    """`model_aliases` is what `llm` gives to trylast hooks."""
    seen: list[str] = []

    @hookimpl(trylast=True, specname="register_models")
    def looks(register: Any, model_aliases: Any) -> None:
        seen.extend(offer.model.model_id for offer in model_aliases)

    @hookimpl
    def register_models(register: Callable[[Model], None]) -> None:
        register(Plain())

    build_registry(SimpleNamespace(looks=looks, register_models=register_models), ())

    assert seen == ["plain"]


def test_hooks_that_are_not_served_yet_are_reported_and_not_dropped() -> None:
    """So are misspelt ones, unless they are optional."""

    @hookimpl
    def register_tools(register: Any) -> None:
        raise AssertionError("not called")

    @hookimpl
    def register_modles(register: Any) -> None: ...

    @hookimpl(optionalhook=True)
    def register_dreams(register: Any) -> None: ...

    @hookimpl(hookwrapper=True)
    def register_models(register: Callable[[Model], None]) -> None:
        register(Plain())

    holder = SimpleNamespace(a=register_tools, b=register_modles, c=register_dreams, d=register_models)
    described = build_registry(holder, ()).describe()

    assert [hook.hook for hook in described.hooks] == [
        "register_tools",
        "register_modles",
        "register_dreams",
        "register_models",
    ]
    assert "implements register_tools, which this version does not serve yet" in described.notes[0]
    assert "a hook that does not exist: register_modles. Did you mean register_models?" in described.notes[1]
    assert "asks to be a wrapper" in described.notes[2]
    assert len(described.notes) == 3


def test_a_plugin_without_hooks_says_so() -> None:
    """The usual cause of an empty plugin is a forgotten decorator."""
    described = build_registry(SimpleNamespace(), ()).describe()

    assert described.models == []
    assert "marked with @hookimpl" in described.notes[0]


def test_an_unknown_model_suggests_the_nearest_name() -> None:
    """By id and by alias."""
    registry = _registering(Plain(), aliases=("p",))

    assert registry.find("p") is registry.find("plain")
    with pytest.raises(UnknownModel, match="no model 'plian'"):
        registry.find("plian")
