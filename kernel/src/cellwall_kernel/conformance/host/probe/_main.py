"""The beginning and the end of every conversation; what is between them is the scenario's."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from . import _asking, _broken, _calm, _given, _stubborn
from ._talk import Call, Talk
from ._watch import WATCHED, is_list, is_object

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]

CANARIES = ("CELLWALL_PROBE_CANARY", "PROBE_API_KEY")
"""Variables that whoever runs the host sets for it, and that no plugin may see."""

LEAVE_S = 8.0
"""How long the host may take to let go of a plugin that has answered (seconds)."""

SCENARIOS: dict[str, Callable[[Talk, Call], None]] = (
    _calm.SCENARIOS | _asking.SCENARIOS | _given.SCENARIOS | _broken.SCENARIOS | _stubborn.SCENARIOS
)

GREETINGS: dict[str, Callable[[Talk, str], None]] = _calm.GREETINGS | _broken.GREETINGS | _stubborn.GREETINGS
"""Scenarios that are about `initialize`; what such a function has not answered, nobody does."""

SUPPORTS: dict[str, dict[str, Any]] = {
    "chain": {"system": True, "conversation": True},
    "poor": {"system": False, "conversation": False, "tools": False, "schema": False},
}


def main(name: str) -> None:
    """Speak with a host until it has gone."""
    if name not in SCENARIOS and name not in GREETINGS:
        sys.stderr.write(f"the probe has no scenario '{name}'.\n")
        sys.exit(2)
    talk = Talk()
    asked = talk.wait(lambda _: True, 30)
    if asked is None:
        sys.exit(0)
    talk.hello = asked["params"] if is_object(asked.get("params")) else {}
    judge_hello(talk, asked)
    judge_variables(talk)
    is_first = not os.path.exists(marker(talk))
    if name in GREETINGS and not is_first:
        GREETINGS[name](talk, asked["id"])
    else:
        accept(talk, asked["id"])
    converse(talk, name)
    leave(talk, name)


def accept(talk: Talk, call_id: str) -> None:
    """Answer `initialize` as everybody does."""
    talk.watch.is_ready = True
    talk.answer(call_id, {"protocol": 1, "plugin": {"name": "probe"}})


def marker(talk: Talk) -> str:
    """Return the path of the file that says that the probe was described."""
    return os.path.join(talk.hello.get("dirs", {}).get("data", "."), "described")


def judge_hello(talk: Talk, asked: dict[str, Any]) -> None:
    """Look at the first line."""
    protocols, host = talk.hello.get("protocols"), talk.hello.get("host")
    passed = (
        asked.get("method") == "initialize"
        and is_list(protocols)
        and 1 in protocols
        and all(type(each) is int for each in protocols)
        and is_object(host)
        and isinstance(host.get("name"), str)
        and isinstance(host.get("version"), str)
    )
    talk.found("first-line", passed, "nothing yet", asked)
    limits = talk.hello.get("limits")
    passed = is_object(limits) and all(
        type(limits.get(each)) is int and limits[each] > 0 for each in ("line", "data_line")
    )
    talk.found("limits-told", passed, "nothing yet", limits)


def judge_variables(talk: Talk) -> None:
    """Look at the environment."""
    seen = [name for name in CANARIES if name in os.environ]
    talk.found(
        "environment", not seen, f"the host has the variables {', '.join(CANARIES)}", f"visible: {seen}"
    )


def converse(talk: Talk, name: str) -> None:
    """Answer until a prompt has been answered, or nothing more comes."""
    while (asked := talk.request("plugin/describe", "model/prompt", "shutdown")) is not None:
        if asked["method"] == "plugin/describe":
            describe(talk, asked["id"], name)
        elif asked["method"] == "shutdown":
            talk.answer(asked["id"], {})
            return
        else:
            talk.notes.cue("prompted")
            SCENARIOS.get(name, _calm.answer)(talk, Call(talk, asked))
            return


def describe(talk: Talk, call_id: str, name: str) -> None:
    """Say that there is one model."""
    talk.notes.cue("described")
    with open(marker(talk), "w", encoding="utf-8"):
        pass
    model: dict[str, Any] = {
        "id": "probe",
        "title": "A probe\x1b]0;owned\x07",
        "supports": {"stream": True, "system": True, "conversation": True, **SUPPORTS.get(name, {})},
    }
    if name == "keys":
        model["key"] = {"alias": "probe-key", "env": "PROBE_API_KEY"}
        other = {"id": "probe-other", "key": {"alias": "probe-other"}}
        talk.answer(call_id, {"digest": "1", "models": [model, other]})
        return
    if name == "attachments":
        model["input"] = ["text/plain", "application/octet-stream"]
    talk.answer(call_id, {"digest": "1", "models": [model]})


def leave(talk: Talk, name: str) -> None:
    """See how the host lets go, and write down what was never broken."""
    parts = (_broken.SCENARIOS, _broken.GREETINGS, _stubborn.SCENARIOS, _stubborn.GREETINGS)
    is_broken = any(name in each for each in parts)
    asked = talk.request("shutdown", within_s=LEAVE_S) if not talk.has_ended else None
    if asked is not None:
        talk.answer(asked["id"], {})
    left = talk.is_left(LEAVE_S)
    if not is_broken:
        came = f"end of input: {talk.has_ended}, SIGTERM: {len(talk.terms)}"
        passed = left and not talk.terms
        talk.found("lets-go", passed, f"{name}: the answer, and then nothing", came)
        late = sorted(talk.watch.unanswered)
        talk.found("one-answer", not late, "requests of the probe", f"no answer to {late}")
    for check in WATCHED:
        talk.found(check, True, "all that was said", "no fault")
    os._exit(0)
