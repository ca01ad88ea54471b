"""A model's options: a class with annotations that checks what the user typed and describes itself.

    class Options(cellwall_sdk.Options):
        temperature: float | None = Field(default=None, ge=0, le=2, description="How adventurous the answer
        is")

The user's raw strings travel to the plugin and are checked here, so the error text comes from whoever knows
the option. `Annotated[float, Field(ge=0, le=2)] = 0.7` says the same as `float = Field(default=0.7, ge=0,
le=2)`; any type that msgspec reads from JSON works. Classes are read when they are first needed, never while
a plugin is imported.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, dataclass_transform, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta

from .errors import BadOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Field", "Options", "options_schema", "parse_options"]

_O = TypeVar("_O", bound="Options")

_DESCRIBING = ("description", "title", "examples")
"""The settings that say something and check nothing."""

TEXT_SHOWN = 60
"""How many characters of a wrong value an error message repeats."""


class _FieldSpec(msgspec.Struct, frozen=True):
    """What Field() was given: the default, and the settings of msgspec's Meta."""

    default: Any
    default_factory: Any
    settings: dict[str, Any]


def Field(  # noqa: N802, PLR0913 - authors know it by this name and these arguments from pydantic
    default: Any = NODEFAULT,
    *,
    default_factory: Any = NODEFAULT,
    description: str | None = None,
    gt: float | None = None,
    ge: float | None = None,
    lt: float | None = None,
    le: float | None = None,
    multiple_of: float | None = None,
    pattern: str | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    title: str | None = None,
    examples: list[Any] | None = None,
) -> Any:
    """Describe and bound an option, as its default or inside `Annotated`.

    Args:
        default: the value when the user gives none; without it the option is required.
        default_factory: called to make the default, for lists and dicts.
        description: help text, one sentence.
        gt: the value must be greater.
        ge: the value must be greater or equal.
        lt: the value must be less.
        le: the value must be less or equal.
        multiple_of: the value must be a multiple of this.
        pattern: a regular expression that a string must contain.
        min_length: the fewest characters or elements.
        max_length: the most characters or elements.
        title: a name for display.
        examples: values to show in help.
    """
    settings = {
        "description": description,
        "gt": gt,
        "ge": ge,
        "lt": lt,
        "le": le,
        "multiple_of": multiple_of,
        "pattern": pattern,
        "min_length": min_length,
        "max_length": max_length,
        "title": title,
        "examples": examples,
    }
    given = {name: value for name, value in settings.items() if value is not None}
    return _FieldSpec(default, default_factory, given)


class _OptionsMeta(msgspec.StructMeta):
    """Takes Field() defaults apart, and makes options keyword-only so that their order does not matter."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **settings: Any) -> Any:
        fields: dict[str, dict[str, Any]] = {}
        for base in bases:
            fields |= getattr(base, "__option_fields__", {})
        for attribute, value in list(namespace.items()):
            if isinstance(value, _FieldSpec):
                fields[attribute] = value.settings
                _set_default(namespace, attribute, value)
        namespace["__option_fields__"] = fields
        settings.setdefault("kw_only", True)
        return super().__new__(mcs, name, bases, namespace, **settings)


def _set_default(namespace: dict[str, Any], attribute: str, spec: _FieldSpec) -> None:
    if spec.default is not NODEFAULT and spec.default is not ...:
        namespace[attribute] = spec.default
    elif spec.default_factory is not NODEFAULT:
        namespace[attribute] = msgspec.field(default_factory=spec.default_factory)
    else:
        del namespace[attribute]


@dataclass_transform(kw_only_default=True, field_specifiers=(Field, msgspec.field))
class Options(msgspec.Struct, metaclass=_OptionsMeta):
    """The base of a model's `Options` class; every annotated attribute is an option.

    A check across several options goes into `__post_init__` and raises ValueError.
    """

    __option_fields__: ClassVar[dict[str, dict[str, Any]]]


class _Option(msgspec.Struct, frozen=True):
    """One option, ready to check a value with."""

    name: str
    type: Any
    required: bool


def parse_options(cls: type[_O], values: Mapping[str, Any]) -> _O:
    """Check what the user gave and make the object that a model sees as `prompt.options`.

    Args:
        cls: the model's Options class.
        values: by option name, as typed (strings) or as stored (JSON values).

    Raises:
        BadOptions: some name or value is wrong; all of them are named, each on a line.
    """
    if not values and not cls.__struct_fields__:
        return cls()
    options = {option.name: option for option in _read(cls)}
    problems = [_unknown(name, sorted(options)) for name in values if name not in options]
    parsed: dict[str, Any] = {}
    for name, option in options.items():
        if name in values:
            try:
                parsed[name] = _convert(values[name], option)
            except ValueError as error:  # msgspec.ValidationError among them
                problems.append(_wrong(option, values[name], str(error)))
        elif option.required:
            problems.append(f"{name}: this option is required, allowed is {_allowed(option)}")
    if problems:
        raise BadOptions("\n".join(problems))
    try:
        return cls(**parsed)
    except ValueError as error:
        raise BadOptions(str(error)) from error


def options_schema(cls: type[Options]) -> dict[str, Any]:
    """Give the JSON Schema that describes the options to the user; {} where there are none.

    Raises:
        TypeError: an annotation is not a type that can be read from JSON.
    """
    fields = msgspec.structs.fields(cls)
    if not fields:
        return {}
    options = {option.name: option for option in _read(cls)}
    schemas, definitions = _schemas([options[field.name].type for field in fields])
    properties: dict[str, Any] = {}
    for field, schema in zip(fields, schemas, strict=True):
        properties[field.name] = schema
        if field.default is not NODEFAULT and field.default is not None:
            schema["default"] = msgspec.to_builtins(field.default)
    result: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    required = [option.name for option in options.values() if option.required]
    if required:
        result["required"] = required
    if definitions:
        result["$defs"] = definitions
    return result


def _schemas(types: Sequence[Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    schemas, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    return list(schemas), definitions


@cache
def _read(cls: type[Options]) -> list[_Option]:
    settings = cls.__option_fields__
    return [
        _Option(field.name, _constrain(field.type, settings.get(field.name, {})), field.required)
        for field in msgspec.structs.fields(cls)
    ]


def _constrain(type_: Any, settings: Mapping[str, Any]) -> Any:
    """Join a type with what Field() says of it, as the option's default or inside Annotated."""
    if get_origin(type_) is Annotated:
        inner, *extras = get_args(type_)
        kept = [extra for extra in extras if not isinstance(extra, _FieldSpec)]
        type_ = Annotated[(inner, *kept)] if kept else inner
        for extra in extras:
            if isinstance(extra, _FieldSpec):
                type_ = _constrain(type_, extra.settings)
    if not settings:
        return type_
    if get_origin(type_) is Annotated or type(None) not in get_args(type_):
        return Annotated[type_, Meta(**settings)]
    # msgspec bounds a number or a string, and not "a number or None", which is what authors mostly write.
    bounds = Meta(**{name: value for name, value in settings.items() if name not in _DESCRIBING})
    described = Meta(**{name: value for name, value in settings.items() if name in _DESCRIBING})
    union: Any = None
    for member in get_args(type_):
        if member is not type(None):
            bounded = Annotated[member, bounds] if bounds != Meta() else member
            union = bounded if union is None else union | bounded
    return Annotated[union | None, described]


def _convert(value: Any, option: _Option) -> Any:
    try:
        return msgspec.convert(value, option.type, strict=False)
    except msgspec.ValidationError:
        if not isinstance(value, str):
            raise
        if value.lower() in _TRUTH:
            return msgspec.convert(_TRUTH[value.lower()], option.type)
        if value.lstrip()[:1] not in ("[", "{"):
            raise
    # A list or an object, typed on a command line, is JSON text.
    return msgspec.json.decode(value, type=option.type, strict=False)


def _wrong(option: _Option, value: Any, problem: str) -> str:
    shown = str(value)
    if len(shown) > TEXT_SHOWN:
        shown = f"{shown[:TEXT_SHOWN]}…"
    return f"{option.name}: {problem}, got '{shown}', allowed is {_allowed(option)}"


def _unknown(name: str, known: list[str]) -> str:
    if not known:
        return f"{name}: unknown option, this model has none"
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    meant = f", did you mean '{close[0]}'?" if close else ","
    return f"{name}: unknown option{meant} allowed are {', '.join(known)}"


def _allowed(option: _Option) -> str:
    """Say in words what an option accepts, from its schema."""
    (schema,), definitions = _schemas([option.type])
    return _words(schema, definitions)


def _words(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _words(definitions[schema["$ref"].rpartition("/")[2]], {})
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"] if value is not None)
    if "anyOf" in schema:
        choices = [_words(choice, definitions) for choice in schema["anyOf"] if choice != {"type": "null"}]
        return " or ".join(choices)
    kind = schema.get("type", "anything")
    words = _KINDS.get(kind, kind) if isinstance(kind, str) else "anything"
    if "minimum" in schema and "maximum" in schema:
        return f"{words} from {schema['minimum']} to {schema['maximum']}"
    bounds = [f"{word} {schema[key]}" for key, word in _BOUNDS.items() if key in schema]
    return f"{words} {' and '.join(bounds)}" if bounds else words


_TRUTH = {"yes": True, "y": True, "on": True, "no": False, "n": False, "off": False}
"""What people type for a switch, beside the true, false, 1 and 0 that msgspec reads."""

_KINDS = {
    "array": 'a JSON list such as ["a", "b"]',
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": 'a JSON object such as {"a": 1}',
    "string": "text",
}
_BOUNDS = {
    "minimum": "of at least",
    "exclusiveMinimum": "greater than",
    "maximum": "of at most",
    "exclusiveMaximum": "less than",
    "multipleOf": "a multiple of",
    "minLength": "of at least so many characters:",
    "maxLength": "of at most so many characters:",
    "pattern": "that matches",
}
