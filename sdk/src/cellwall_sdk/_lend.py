"""Lends the name `llm` to the SDK: `from llm import Model, hookimpl` works with no dependency declared.

The finder stands last on `sys.meta_path`: it is asked only when no package of that name is installed. What
the SDK does not have is refused with a sentence that says so, at import and at use.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

__all__ = ["lend_llm"]

_NAME = "llm"
_PARTS = (
    "AttachmentPart",
    "Message",
    "Part",
    "ReasoningPart",
    "StreamEvent",
    "TextPart",
    "ToolCallPart",
    "ToolResultPart",
)


def lend_llm() -> None:
    """Let `import llm` find the SDK, if it finds nothing else; a second time changes nothing."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


class _Finder:
    """Finds `llm` and `llm.parts`, and explains why nothing else of it is there."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Give the spec of a lent module; None for names that are none of our business.

        Raises:
            ImportError: a part of `llm` is asked for that the SDK does not have.
        """
        del path, target
        if name in (_NAME, f"{_NAME}.parts"):
            loader: Any = (
                _Loader()
            )  # not a subclass of importlib.abc.Loader, whose import costs 9 ms and 2 MiB
            return ModuleSpec(name, loader, origin="lent by cellwall_sdk", is_package=name == _NAME)
        lender = sys.modules.get(_NAME)
        if name.startswith(f"{_NAME}.") and isinstance(getattr(lender, "__loader__", None), _Loader):
            raise ImportError(_missing(name.partition(".")[2]), name=name)
        return None


class _Loader:
    """Fills a lent module."""

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make an ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        """Give the module the SDK's names, each when it is first used."""
        import cellwall_sdk

        lent = _PARTS if module.__name__ != _NAME else cellwall_sdk.__all__

        def look_up(name: str) -> Any:
            if name in lent:
                return getattr(cellwall_sdk, name)
            raise AttributeError(_missing(name))

        module.__dict__["__getattr__"] = look_up
        module.__dict__["__all__"] = list(lent)
        if module.__name__ == _NAME:
            module.__dict__["get_key"] = _get_key


def _missing(name: str) -> str:
    return (
        f"the name llm is lent by Cellwall's SDK here, and the SDK has no '{name}'; what it has is listed by "
        "`python -c 'import cellwall_sdk; print(cellwall_sdk.__all__)'`"
    )


def _get_key(
    explicit_key: str | None = None,
    key_alias: str | None = None,
    env_var: str | None = None,
    *,
    input: str | None = None,  # noqa: A002 - the name that authors know
    alias: str | None = None,
    env: str | None = None,
) -> str | None:
    """Give a key as `llm.get_key` does: the one at hand, else the user's under the alias, else None."""
    from ._context import get_key
    from .errors import KeyMissing

    del env_var, env  # the host knows which variable may hold the key; the plugin does not see it
    at_hand, name = explicit_key or input, key_alias or alias
    if at_hand or not name:
        return at_hand
    try:
        return get_key(name)
    except KeyMissing:
        return None
