"""Options as a typed class."""

from __future__ import annotations

import enum
from typing import Annotated, Literal

import pytest
from msgspec import Meta

from cellwall_sdk import BadOptions, Field, Options
from cellwall_sdk._options import options_schema, parse_options


class Effort(enum.Enum):
    """A choice with names."""

    LOW = "low"
    HIGH = "high"


class Sampling(Options):
    """One of everything."""

    temperature: float | None = Field(default=None, ge=0, le=2, description="How adventurous")
    count: int = Field(default=1, gt=0)
    style: Literal["short", "long"] = "short"
    effort: Effort = Effort.LOW
    top: Annotated[float, Field(ge=0, le=1)] = 1.0
    seed: Annotated[int, Meta(ge=0)] | None = None
    stop: list[str] = Field(default_factory=list)
    loud: bool = False


class Needy(Options):
    """An option that has no default."""

    voice: str = Field(description="Whose voice")
    speed: float = 1.0

    def __post_init__(self) -> None:
        if self.voice == "whisper" and self.speed > 1:
            raise ValueError("nobody whispers that fast")


def test_what_a_user_types_becomes_the_declared_types() -> None:
    """Raw strings, as a command line gives them."""
    parsed = parse_options(
        Sampling,
        {
            "temperature": "1.5",
            "count": "3",
            "style": "long",
            "effort": "high",
            "top": "0.5",
            "seed": "7",
            "stop": '["a", "b"]',
            "loud": "on",
        },
    )

    expected = Sampling(
        temperature=1.5,
        count=3,
        style="long",
        effort=Effort.HIGH,
        top=0.5,
        seed=7,
        stop=["a", "b"],
        loud=True,
    )
    assert expected == parsed


def test_values_that_have_a_type_already_are_kept() -> None:
    """Stored options are JSON values."""
    assert parse_options(Sampling, {"temperature": 2, "loud": True}) == Sampling(temperature=2.0, loud=True)


@pytest.mark.parametrize("text", ["true", "True", "1", "yes", "on"])
def test_a_switch_understands_what_people_type(text: str) -> None:
    """Every usual word for on."""
    assert parse_options(Sampling, {"loud": text}).loud


def test_no_options_give_the_defaults() -> None:
    """The model sees an object in any case."""
    assert parse_options(Options, {}) == Options()
    assert parse_options(Sampling, {}).count == 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"temperature": "3"},
            "temperature: Expected `float` <= 2.0, got '3', allowed is a number from 0 to 2",
        ),
        ({"count": "0"}, "allowed is a whole number greater than 0"),
        ({"style": "medium"}, "style: Invalid enum value 'medium', got 'medium', allowed is long, short"),
        ({"effort": "none"}, "allowed is high, low"),
        ({"stop": '["a", 1]'}, "stop: Expected `str`, got `int`"),
        ({"loud": "perhaps"}, "allowed is true or false"),
        (
            {"temprature": "1"},
            "temprature: unknown option, did you mean 'temperature'? allowed are count, effort",
        ),
        ({"x": "1"}, "x: unknown option, allowed are count"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(values: dict[str, str], expected: str) -> None:
    """[P-64] One line a problem: field, message, what is allowed."""
    with pytest.raises(BadOptions) as caught:
        parse_options(Sampling, values)

    assert expected in str(caught.value)


def test_all_problems_are_reported_at_once() -> None:
    """Nobody likes to mend one at a time."""
    with pytest.raises(BadOptions) as caught:
        parse_options(Sampling, {"count": "0", "loud": "perhaps", "x": "1"})

    assert len(str(caught.value).splitlines()) == 3


def test_a_required_option_that_is_missing_is_named() -> None:
    """Field() without a default makes an option required."""
    with pytest.raises(BadOptions, match="voice: this option is required, allowed is text"):
        parse_options(Needy, {"speed": "2"})


def test_a_check_across_options_ends_as_bad_options() -> None:
    """What __post_init__ says reaches the user."""
    with pytest.raises(BadOptions, match="nobody whispers that fast"):
        parse_options(Needy, {"voice": "whisper", "speed": "2"})


def test_a_model_without_options_says_so() -> None:
    """There is nothing to suggest."""
    with pytest.raises(BadOptions, match="unknown option, this model has none"):
        parse_options(Options, {"temperature": "1"})


def test_a_long_wrong_value_is_shortened() -> None:
    """An error message is a sentence, not an echo."""
    with pytest.raises(BadOptions) as caught:
        parse_options(Sampling, {"count": "9" * 10_000})

    assert len(str(caught.value)) < 300


def test_the_schema_describes_every_option() -> None:
    """What `models list --options` shows."""
    schema = options_schema(Sampling)

    assert schema["additionalProperties"] is False
    assert schema["properties"]["temperature"] == {
        "anyOf": [{"type": "number", "minimum": 0, "maximum": 2}, {"type": "null"}],
        "description": "How adventurous",
    }
    assert schema["properties"]["count"] == {"type": "integer", "exclusiveMinimum": 0, "default": 1}
    assert schema["properties"]["effort"] == {"$ref": "#/$defs/Effort", "default": "low"}
    assert schema["$defs"]["Effort"]["enum"] == ["high", "low"]
    assert "required" not in schema
    assert options_schema(Needy)["required"] == ["voice"]
    assert options_schema(Options) == {}


def test_a_subclass_inherits_options_and_their_bounds() -> None:
    """Models of one family share a base class."""

    class More(Sampling):
        extra: int = 0

    with pytest.raises(BadOptions, match="count"):
        parse_options(More, {"count": "0"})
    assert parse_options(More, {"extra": "4"}).extra == 4
