"""The protocol by hand, for programs that break it on purpose: one JSON object per line, nothing checked."""

import json
import os
from typing import Any


def read() -> dict[str, Any]:
    """Read the next message from the host; end the process when there is none."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            os._exit(0)
        line += byte
    message: dict[str, Any] = json.loads(line)
    return message


def write(message: object) -> None:
    """Write a message to the host."""
    raw(json.dumps(message).encode() + b"\n")


def raw(data: bytes) -> None:
    """Write bytes to the host; end the process when nobody reads them."""
    while data:
        try:
            data = data[os.write(1, data) :]
        except BrokenPipeError:
            os._exit(0)


def answer(call: str, result: object) -> None:
    """Answer a call."""
    write({"jsonrpc": "2.0", "id": call, "result": result})


def data(call: str, seq: int, *texts: str) -> None:
    """Send deltas of a call."""
    items = [{"t": "delta", "part": 0, "text": text} for text in texts]
    write({"jsonrpc": "2.0", "method": "$/data", "params": {"id": call, "seq": seq, "items": items}})


def meet(description: dict[str, Any] | None = None) -> str:
    """Answer `initialize` well, and `plugin/describe` where that is asked; return the id of what comes next.

    Args:
        description: what it offers; by default one model that is called like the plugin.
    """
    greeting = read()
    answer(greeting["id"], {"protocol": 1, "plugin": {"name": "zoo"}})
    message = read()
    if message["method"] == "plugin/describe":
        name = greeting["params"].get("plugin", {}).get("name", "zoo")
        answer(message["id"], description or {"digest": "1", "models": [{"id": name}]})
        message = read()
    call: str = message["id"]
    return call


def begin() -> str:
    """Do as `meet` does for a prompt, and return its id."""
    return meet()


def end_well(call: str, *texts: str) -> None:
    """Answer a prompt with a text, as if nothing had been, and wait for the end."""
    data(call, 0, *texts)
    answer(call, {"finish": "stop", "items": len(texts)})
    read()
