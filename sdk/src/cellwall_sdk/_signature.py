"""Which arguments a function wants, read from its code object.

Authors declare the arguments they need, in any number and order; the SDK passes those by name and no others.
Reading `__code__` costs a fraction of importing `inspect`, and it gives the file and line for the message
when a name is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from .errors import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Binding", "Signature", "bind", "read_signature"]

_VARIADIC_POSITIONAL = 0x04  # inspect.CO_VARARGS
_VARIADIC_KEYWORD = 0x08  # inspect.CO_VARKEYWORDS


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """A function's parameters, as far as passing arguments by name needs to know.

    Attributes:
        positional_only: names before a `/`.
        by_name: names that can be passed by name.
        required: names of either kind that have no default.
        takes_rest: whether it has `**kwargs`.
        takes_positional: whether it has `*args`.
        place: "file, line 12", or "" where there is no source.
    """

    positional_only: tuple[str, ...] = ()
    by_name: tuple[str, ...] = ()
    required: frozenset[str] = frozenset()
    takes_rest: bool = False
    takes_positional: bool = False
    place: str = ""


class Binding(msgspec.Struct, frozen=True):
    """The arguments to pass: some by position, the rest by name."""

    positional: tuple[str, ...]
    by_name: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All names that are passed."""
        return self.positional + self.by_name

    def call(self, function: Any, values: Mapping[str, Any]) -> Any:
        """Call the function with those of `values` that it wants."""
        args = [values[name] for name in self.positional]
        return function(*args, **{name: values[name] for name in self.by_name})


def read_signature(function: Any) -> Signature:
    """Read a function's, method's or callable object's parameters, without `self`.

    Returns:
        the signature; one with `takes_rest` where there is no Python code to read.
    """
    skip = 0
    target = function
    while True:
        if (
            inner := _attribute(target, "__func__")
        ) is not None:  # a bound method: its first parameter is taken
            skip, target = 1, inner
        elif (inner := _attribute(target, "__wrapped__")) is not None:  # a decorator: what counts is inside
            target = inner
        elif _attribute(target, "__code__") is not None:
            return _from_code(target, skip)
        elif _attribute(_attribute(type(target), "__call__"), "__code__") is not None:
            skip, target = 1, type(target).__call__
        else:
            return Signature(takes_rest=True)


def _attribute(target: Any, name: str) -> Any:
    return getattr(target, name, None)


def _from_code(function: Any, skip: int) -> Signature:
    code = function.__code__
    positional = code.co_varnames[: code.co_argcount]
    keyword_only = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    defaults = function.__defaults__ or ()
    optional = set(positional[len(positional) - len(defaults) :] if defaults else ())
    optional |= set(function.__kwdefaults__ or ())
    named = positional[max(code.co_posonlyargcount, skip) :] + keyword_only
    only = positional[skip : code.co_posonlyargcount]
    return Signature(
        positional_only=only,
        by_name=named,
        required=frozenset(only + named) - optional,
        takes_rest=bool(code.co_flags & _VARIADIC_KEYWORD),
        takes_positional=bool(code.co_flags & _VARIADIC_POSITIONAL),
        place=f"{code.co_filename}, line {code.co_firstlineno}",
    )


def bind(signature: Signature, offered: tuple[str, ...], *, what: str) -> Binding:
    """Choose the arguments to pass.

    Args:
        signature: the function's.
        offered: all names that can be passed, in the order `llm` passes them.
        what: the function, for the message.

    Raises:
        RegistrationError: it requires an argument that is not offered.
    """
    unknown = sorted(signature.required - set(offered))
    if unknown:
        place = f" ({signature.place})" if signature.place else ""
        wanted = " and ".join(f"'{name}'" for name in unknown)
        raise RegistrationError(
            f"{what}{place} asks for {wanted}, which it cannot be given; it may declare {_list(offered)}."
        )
    declared = signature.positional_only + signature.by_name
    if signature.takes_positional and not signature.takes_rest and declared == offered[: len(declared)]:
        return Binding(offered, ())  # execute(self, prompt, *rest): by position, as `llm` calls it
    positional: list[str] = []
    for name in signature.positional_only:
        if name not in offered:
            break  # it has a default, and what follows it can only be passed by position: leave them be
        positional.append(name)
    if signature.takes_rest:
        by_name = tuple(name for name in offered if name not in signature.positional_only)
    else:
        by_name = tuple(name for name in signature.by_name if name in offered)
    return Binding(tuple(positional), by_name)


def _list(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
