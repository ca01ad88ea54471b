"""Sends without end what the prompt names, and never reads; says on stderr how many MiB it has written."""

import json
import os
from collections.abc import Callable
from typing import Any

import speak

speak.answer(speak.read()["id"], {"protocol": 1, "plugin": {"name": "zoo"}})
request = speak.read()
call = request["id"]


def asks(method: str, **params: object) -> Callable[[int], dict[str, Any]]:
    """Return what makes requests."""
    return lambda number: {"jsonrpc": "2.0", "id": f"p{number}", "method": method, "params": params}


def tells(method: str, **params: object) -> Callable[[int], dict[str, Any]]:
    """Return what makes notifications."""
    return lambda _: {"jsonrpc": "2.0", "method": method, "params": params}


FLOODS: dict[str, Callable[[int], dict[str, Any] | None]] = {
    "pings": asks("ping"),
    "unknown methods": asks("future/method"),
    "requests without a parent": asks("keys/get", alias="zoo"),
    "questions": asks("keys/get", alias="slow", meta={"parent": call}),
    "quick questions": asks("keys/get", alias="zoo", meta={"parent": call}),
    "ids that are none": lambda _: {"jsonrpc": "2.0", "id": 7, "method": "ping", "params": {}},
    "answers to nothing": lambda number: {"jsonrpc": "2.0", "id": f"h{number + 1000}", "result": {}},
    "progress": tells("$/progress", id=call, done=1, message="m" * 500),
    "unknown notifications": tells("$/future", text="x" * 500),
    "control for nothing": tells("$/cancel", id="p77", reason="x" * 500),
    "data for nothing": tells("$/data", id="h777", seq=0, items=[{"t": "delta", "part": 0, "text": "x"}]),
    "blank lines": lambda _: None,
}

make = FLOODS[request["params"]["messages"][-1]["parts"][0]["text"]]
number = written = 0
while True:
    lines: list[bytes] = []
    for _ in range(200):
        number += 1
        message = make(number)
        lines.append(b" " * 500 + b"\n" if message is None else json.dumps(message).encode() + b"\n")
    data = b"".join(lines)
    speak.raw(data)
    if (written + len(data)) >> 20 > written >> 20:
        os.write(2, b"%d MiB\n" % ((written + len(data)) >> 20))
    written += len(data)
