"""Imports the plugin, and keeps what goes wrong so that the host can show it with file and line."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import msgspec

from cellwall_wire import LoadError

from ._failures import blame, clean, find_place, plugin_traceback
from ._hooks import foreign_hook
from ._lend import lend_llm

__all__ = ["Plugin", "load_plugin"]

_FOREIGN = (
    "The plugin's hooks bear the mark of the llm package itself, which is installed beside it, and this "
    "version of Cellwall runs only hooks marked by its own SDK. Remove llm from the plugin's environment, "
    "so that `from llm import …` means the SDK, or import from cellwall_sdk."
)


class Plugin(msgspec.Struct, frozen=True):
    """A plugin as it came out of its import.

    Attributes:
        target: "module" or "module:attribute".
        holder: the module, or the object that the attribute names; None after an error.
        roots: its own folders and files.
        error: why it could not be loaded.
    """

    target: str
    holder: Any
    roots: tuple[str, ...]
    error: LoadError | None = None


def load_plugin(target: str) -> Plugin:
    """Import a plugin; never raises, whatever the plugin does.

    Args:
        target: the entry point's value, "module" or "module:attribute".
    """
    module_name, _, attribute = target.partition(":")
    lend_llm()
    try:
        module = import_module(module_name)
        holder: Any = module
        for name in filter(None, attribute.split(".")):
            holder = getattr(holder, name)
    except BaseException as error:  # noqa: BLE001 - sys.exit() while importing is an import error, too
        roots = _search_roots(module_name)
        return Plugin(target, None, roots, _load_error(error, roots))
    roots = _roots_of(module)
    foreign = foreign_hook(holder)
    if foreign is not None:
        return Plugin(target, None, roots, LoadError(type="ForeignHook", message=_FOREIGN))
    return Plugin(target, holder, roots)


def _load_error(error: BaseException, roots: tuple[str, ...]) -> LoadError:
    place = find_place(error, roots)
    message = blame(error, roots)
    if isinstance(error, SyntaxError):
        where = f" ({place[0]}, line {place[1]})" if place else ""
        message = f"{type(error).__name__}: {error.msg}{where}"
    return LoadError(
        type=type(error).__name__,
        message=clean(message),
        file=clean(place[0]) if place else None,
        line=place[1] if place else None,
        traceback=plugin_traceback(error),
    )


def _roots_of(module: Any) -> tuple[str, ...]:
    """The folder of the plugin's top package, or the file of its only module."""
    import sys

    top = sys.modules.get(module.__name__.partition(".")[0], module)
    paths = [str(path) for path in getattr(top, "__path__", ())]
    file = getattr(top, "__file__", None)
    return tuple(paths or ([file] if file else []))


def _search_roots(module_name: str) -> tuple[str, ...]:
    """As _roots_of, for a module that could not be imported."""
    from importlib.util import find_spec

    try:
        spec = find_spec(module_name.partition(".")[0])
    except Exception:  # noqa: BLE001 - a broken finder is no reason to lose the real error
        return ()
    if spec is None:
        return ()
    paths = list(spec.submodule_search_locations or ())
    return tuple(os.path.normpath(path) for path in (paths or [spec.origin or ""]) if path)
