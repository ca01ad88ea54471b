"""What the kit's host answers when the plugin asks: keys, a store, questions, prompts of other models.

A test says it by a table, `answers={"user/ask": True}`: a value, or a function that is given the parameters.
Methods that the table does not name are answered as by a host without a terminal and without other models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

import cellwall_wire as wire
from cellwall_wire import Code, ErrorInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Refusal", "Services"]

NOTHING = object()


class Refusal(Exception):
    """Raise it in a function of `answers` to refuse what the plugin asks.

    Args:
        kind: the error's stable name, such as NotGranted.
        message: one sentence.
    """

    def __init__(self, kind: str, message: str = "The test refuses this.") -> None:
        codes = {code.kind: code for code in Code}
        if kind not in codes:
            raise ValueError(f"there is no error of the kind {kind!r}; there are {', '.join(sorted(codes))}")
        super().__init__(message)
        self.info = ErrorInfo.of(codes[kind], message)


class Services:
    """Answers what the plugin asks.

    Args:
        keys: the user's API keys, by alias.
        answers: what answers other calls: by method, a result, a plain value that stands for one, or a
            function that is given the parameters and returns either.

    Attributes:
        asked: the plugin's calls so far, (method, parameters) each.
        stored: what the plugin has stored.
    """

    def __init__(self, keys: Mapping[str, str], answers: Mapping[str, Any]) -> None:
        for method in answers:
            spec = wire.METHODS.get(method)
            if spec is None or spec.caller is not wire.Role.PLUGIN:
                known = sorted(name for name, each in wire.METHODS.items() if each.caller is wire.Role.PLUGIN)
                raise ValueError(f"answers: a plugin never asks for {method!r}; it asks for {known}")
        self.keys: dict[str, str] = dict(keys)
        self.answers: dict[str, Any] = dict(answers)
        self.asked: list[tuple[str, Any]] = []
        self.stored: dict[str, Any] = {}
        self._own: dict[str, Callable[[Any], Any]] = {
            "keys/get": self._key,
            "store/get": self._get,
            "store/set": self._set,
            "store/delete": self._delete,
            "store/list": self._list,
            "user/ask": lambda _params: wire.AskResult(action="unavailable"),
            "plugin/hold": lambda params: wire.HoldResult(granted_ms=params.max_ms),
            "host/prompt": self._no_model,
        }

    def copy_with(self, keys: Mapping[str, str], answers: Mapping[str, Any]) -> Services:
        """Return the same host, store included, with more keys and answers."""
        both = Services({**self.keys, **keys}, {**self.answers, **answers})
        both.asked, both.stored = self.asked, self.stored
        return both

    def answer(self, method: str, params: Any) -> tuple[list[Any], Any]:
        """Answer a call of the plugin.

        Returns:
            the items that its answer streams, and its result, of the type that METHODS names.

        Raises:
            Refusal: it is refused.
        """
        self.asked.append((method, params))
        given = self.answers.get(method, NOTHING)
        if given is NOTHING:
            given = self._own.get(method, _unknown)(params)
        elif callable(given):
            given = given(params)
        return _items_and_result(method, params, given)

    def _key(self, params: wire.KeysGetParams) -> wire.KeysGetResult:
        if params.alias not in self.keys:
            refusal = Refusal(Code.KEY_MISSING.kind)
            text, hint = f"No key '{params.alias}' was given to the test.", f"keys={{'{params.alias}': …}}"
            refusal.info = ErrorInfo.of(Code.KEY_MISSING, text, hint=hint)
            raise refusal
        return wire.KeysGetResult(value=self.keys[params.alias])

    def _get(self, params: wire.StoreGetParams) -> wire.StoreGetResult:
        return wire.StoreGetResult(found=params.key in self.stored, value=self.stored.get(params.key))

    def _set(self, params: wire.StoreSetParams) -> wire.Empty:
        self.stored[params.key] = params.value
        return wire.Empty()

    def _delete(self, params: wire.StoreDeleteParams) -> wire.Empty:
        self.stored.pop(params.key, None)
        return wire.Empty()

    def _list(self, params: wire.StoreListParams) -> wire.StoreListResult:
        return wire.StoreListResult(keys=sorted(key for key in self.stored if key.startswith(params.prefix)))

    def _no_model(self, _params: Any) -> Any:
        raise Refusal(Code.UNAVAILABLE.kind, 'The test answers no prompts: answers={"host/prompt": "…"}.')


def _unknown(_params: Any) -> Any:
    raise Refusal(Code.METHOD_NOT_FOUND.kind, "The testing kit does not know this method.")


def _items_and_result(method: str, params: Any, given: Any) -> tuple[list[Any], Any]:
    """Turn what a table says into items and a result of the wire's types."""
    spec = wire.METHODS[method]
    if isinstance(given, spec.result):
        return [], given
    if method == "host/prompt":
        pieces = [given] if isinstance(given, str) else list(given)
        items = [wire.PartStart(0, "text"), *(wire.Delta(0, piece) for piece in pieces), wire.PartEnd(0)]
        return items, wire.PromptResult(finish="stop")
    if method == "user/ask":
        action = "decline" if given is None or given is False else "accept"
        return [], wire.AskResult(action=action, value=given if action == "accept" else None)
    if method == "keys/get":
        return [], wire.KeysGetResult(value=given)
    if method == "store/get":
        return [], wire.StoreGetResult(found=True, value=given)
    del params
    return [], msgspec.convert(given if given is not None else {}, spec.result)
