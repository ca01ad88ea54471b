"""The `hookimpl` marker, the hooks that exist, and how a plugin's implementations of them are found.

The decorator only marks: the function stays what it was, callable and testable. What the marks mean is
decided here, when the plugin is registered; what the functions are given is the business of `_registry`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

import msgspec

from ._signature import Signature, read_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "KNOWN_HOOKS",
    "HookImplementation",
    "HookOptions",
    "find_implementations",
    "foreign_hook",
    "hookimpl",
]

KNOWN_HOOKS: dict[str, tuple[str, ...] | None] = {
    "register_models": ("register", "model_aliases"),
    "register_commands": None,
    "register_embedding_models": ("register",),
    "register_fragment_loaders": None,
    "register_template_loaders": None,
    "register_tools": None,
}
"""The arguments that each hook offers; None for a hook that is known and not served by this version."""

MARK = "cellwall_impl"
FOREIGN_MARK = "llm_impl"
"""The attribute that pluggy sets for the marker of the `llm` package."""

_F = TypeVar("_F", bound="Callable[..., Any]")


class HookOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `hookimpl` was given."""

    tryfirst: bool = False
    #: Run before the plugin's other implementations of the hook.
    trylast: bool = False
    #: Run after them.
    optional: bool = False
    #: Say nothing when no hook of that name exists.
    specname: str | None = None
    #: The hook's name, where it is not the function's.
    wrapper: bool = False
    #: Asked for wrapping, which no hook offers across a process boundary.


class HookImplementation(msgspec.Struct, frozen=True, kw_only=True):
    """A marked function of a plugin: the hook it implements and where it stands."""

    hook: str
    name: str
    function: Any
    options: HookOptions
    signature: Signature


@overload
def hookimpl(function: _F) -> _F: ...
@overload
def hookimpl(
    function: None = None,
    *,
    tryfirst: bool = False,
    trylast: bool = False,
    optional: bool = False,
    specname: str | None = None,
    optionalhook: bool = False,
    wrapper: bool = False,
    hookwrapper: bool = False,
) -> Callable[[_F], _F]: ...
def hookimpl(
    function: _F | None = None,
    *,
    tryfirst: bool = False,
    trylast: bool = False,
    optional: bool = False,
    specname: str | None = None,
    optionalhook: bool = False,
    wrapper: bool = False,
    hookwrapper: bool = False,
) -> _F | Callable[[_F], _F]:
    """Mark a function as an implementation of the hook whose name it bears, and return it unchanged.

    Args:
        function: the function, when the decorator is used without parentheses.
        tryfirst: run before the plugin's other implementations of the hook.
        trylast: run after them.
        optional: say nothing when the host knows no hook of that name.
        specname: the hook's name, where it is not the function's.
        optionalhook: pluggy's name for `optional`.
        wrapper: accepted and reported; a process boundary cannot be wrapped.
        hookwrapper: as wrapper.
    """
    options = HookOptions(
        tryfirst=tryfirst,
        trylast=trylast,
        optional=optional or optionalhook,
        specname=specname,
        wrapper=wrapper or hookwrapper,
    )

    def mark(marked: _F) -> _F:
        setattr(marked, MARK, options)
        return marked

    return mark if function is None else mark(function)


def find_implementations(holder: Any) -> list[HookImplementation]:
    """List a plugin's implementations in the order they run: tryfirst, the rest as written, trylast.

    Args:
        holder: the plugin's module, or the object its entry point names.
    """
    found: dict[int, HookImplementation] = {}
    for name, member in _members(holder):
        options = getattr(member, MARK, None)
        if not isinstance(options, HookOptions) or id(member) in found:
            continue
        found[id(member)] = HookImplementation(
            hook=options.specname or str(getattr(member, "__name__", name)),
            name=name,
            function=member,
            options=options,
            signature=read_signature(member),
        )
    return sorted(found.values(), key=_phase)


def foreign_hook(holder: Any) -> str | None:
    """Name a hook implementation that bears the mark of the real `llm` package, if there is one."""
    for name, member in _members(holder):
        if isinstance(getattr(member, FOREIGN_MARK, None), dict):
            return name
    return None


def _phase(implementation: HookImplementation) -> int:
    return implementation.options.trylast - implementation.options.tryfirst


def _members(holder: Any) -> Iterator[tuple[str, Any]]:
    """Give a holder's functions with their names; odd objects that raise when touched are passed over."""
    names: list[str] = [*getattr(holder, "__dict__", ()), *dir(cast("object", type(holder)))]
    for name in dict.fromkeys(names):
        if name.startswith("__"):
            continue
        try:
            member = getattr(holder, name)
            if callable(member):
                yield name, member
        except Exception:  # noqa: BLE001, S112 - a property of the author's may raise anything; it is not a hook
            continue
