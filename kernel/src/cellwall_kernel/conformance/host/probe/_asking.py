"""Scenarios about what a plugin asks the host for while it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._calm import answer
from ._watch import is_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._talk import Call, Talk

__all__ = ["SCENARIOS"]

UNAVAILABLE = {4004, -32601}
"""The host does not have the service here, and says so."""

LONG_KEY = "k" * 513
LONG_VALUE = "v" * (1024 * 1024 + 1)


def is_missing(code: object) -> bool:
    """Whether an answer says that the host does not have the service here."""
    return isinstance(code, int) and code in UNAVAILABLE


def parents(talk: Talk, call: Call) -> None:
    """Ask on behalf of nobody."""
    for meta in ({}, {"parent": "h999999"}, {"parent": "p1"}):
        code = talk.code_of("keys/get", alias="probe-key", meta=meta)
        talk.found("no-parent", code == 1007, f"keys/get with meta {meta}", code)
    code = talk.code_of("keys/get", alias=5, meta={"parent": call.id})
    talk.found("bad-params", code == -32602, "keys/get with a number as alias", code)
    code = talk.code_of("ping")
    talk.found("ping-plain", code is not None, "ping without a parent", code)
    answer(talk, call)


def keys(talk: Talk, call: Call) -> None:
    """Ask for a key that is granted, for one that is not, and for one that nobody declared."""
    meta = {"parent": call.id}
    secret = given(talk, meta)
    if secret is not None:
        elsewhere = [line for line in talk.watch.raw if secret.encode() in line and b'"result"' not in line]
        talk.found("keys-elsewhere", not elsewhere, "all that the host wrote", "the key is in another line")
    for alias in ("probe-undeclared", "probe-other"):
        code = talk.code_of("keys/get", alias=alias, meta=meta)
        talk.found("keys-refused", code == 4001, f"keys/get for '{alias}', which was not granted", code)
    answer(talk, call)


def given(talk: Talk, meta: dict[str, Any]) -> str | None:
    """Return the key that was granted; None if it was not given."""
    result = talk.code_of("keys/get", alias="probe-key", meta=meta)
    value = result.get("value") if is_object(result) else None
    passed = isinstance(value, str) and bool(value)
    talk.found("keys-given", passed, "keys/get for a key that was granted", "a value" if passed else result)
    return value if passed else None


def services(talk: Talk, call: Call) -> None:
    """Ask for what needs the user's grant, which was not given."""
    meta = {"parent": call.id}
    message = {"role": "user", "parts": [{"type": "text", "text": "hi"}]}
    asked: dict[str, dict[str, Any]] = {
        "host/prompt": {"messages": [message], "meta": {**meta, "credit": 131_072}},
        "user/ask": {"kind": "confirm", "message": "May I?", "meta": meta},
    }
    for method, params in asked.items():
        code = talk.code_of(method, **params)
        if is_missing(code):
            talk.notes.skip("services-refused", f"the host has no {method} here")
        else:
            talk.found("services-refused", code == 4001, f"{method} without a grant", code)
    answer(talk, call)


def store(talk: Talk, call: Call) -> None:
    """Keep a value, read it, forget it, and keep what is too large."""
    meta = {"parent": call.id}
    kept = talk.code_of("store/set", key="probe", value={"n": [1, None]}, meta=meta)
    if is_missing(kept):
        for check in ("store", "store-limits"):
            talk.notes.skip(check, "the host has no store here")
        answer(talk, call)
        return
    read = talk.code_of("store/get", key="probe", meta=meta)
    passed = is_object(read) and read.get("value") == {"n": [1, None]}
    talk.found("store", passed, "store/set, then store/get", read)
    talk.code_of("store/delete", key="probe", meta=meta)
    listed = talk.code_of("store/list", meta=meta)
    passed = is_object(listed) and "probe" not in listed.get("keys", [])
    talk.found("store", passed, "store/delete, then store/list", listed)
    code = talk.code_of("store/set", key=LONG_KEY, value=1, meta=meta)
    talk.found("store-limits", code == 1008, "store/set with a key of 513 bytes", code)
    code = talk.code_of("store/set", key="probe", value=LONG_VALUE, meta=meta)
    talk.found("store-limits", code == 1008, "store/set with more than 1 MiB", code)
    answer(talk, call)


SCENARIOS: dict[str, Callable[[Talk, Call], None]] = {
    "parents": parents,
    "keys": keys,
    "services": services,
    "store": store,
}
