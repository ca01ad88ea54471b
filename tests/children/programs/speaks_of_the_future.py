"""Stands between a host and the echo plugin, as if each were newer than the other: adds what nobody knows.

Every object gets a member before and one after its own; every line is followed by a notification of the
future; each line of data has an item more, which is counted; an answer ends for an unheard-of reason; and the
host is asked for a method of the future with each line of the plugin.
"""

import json
import os
import subprocess
import sys
import threading
from typing import IO, Any, cast

OPAQUE = {"provider", "detail", "details", "options_schema", "features", "options", "assets"}
"""Members whose inner names are data."""

LATER = {"at": [1, {"deep": None}], "word": "\u00e9\U0001f989"}

plugin = subprocess.Popen(
    [sys.executable, "-m", "cellwall_sdk", "cellwall_echo"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
)
added: dict[str, int] = {}


def more(value: Any, name: str = "") -> Any:
    """Return a message with members of the future."""
    if name in OPAQUE:
        return value
    if isinstance(value, list):
        return [more(entry) for entry in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    members = {key: more(member, key) for key, member in cast("dict[str, object]", value).items()}
    return {"x_before": LATER, **members, "x_after": LATER}


def newer(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message as a newer peer might write it."""
    params, result = message.get("params", {}), message.get("result", {})
    if "protocols" in params:
        params["features"] = {"org.example.later": LATER}
    if "protocol" in result:
        result["features"] = {"org.example.later": LATER}
    if message.get("method") == "$/data":
        params["items"].insert(0, {"t": "later", "part": "any"})
        added[params["id"]] = added.get(params["id"], 0) + 1
    if "items" in result:
        result["items"] += added[message["id"]]
        result["finish"] = "bored"
    changed: dict[str, Any] = more(message)
    return changed


def write(target: IO[bytes], message: object) -> None:
    """Write a line at once."""
    target.write(json.dumps(message).encode() + b"\n")
    target.flush()


def from_host(source: IO[bytes], target: IO[bytes]) -> None:
    """Carry what the host says; its answers are to our own questions, for the plugin has none."""
    for line in source:
        message = json.loads(line)
        if "method" not in message:
            os.write(2, f"answered: {message['error']['code']}\n".encode())
            continue
        write(target, newer(message))
        write(target, {"jsonrpc": "2.0", "method": "$/later", "params": {"id": message.get("id")}})
    target.close()


def from_plugin(source: IO[bytes], target: IO[bytes]) -> None:
    """Carry what the plugin says, and ask something after each line."""
    for number, line in enumerate(source, 1):
        write(target, newer(json.loads(line)))
        write(target, {"jsonrpc": "2.0", "method": "$/later", "params": {"n": number}})
        write(target, {"jsonrpc": "2.0", "id": f"p{number}", "method": "later/thing", "params": LATER})


assert plugin.stdin is not None
assert plugin.stdout is not None
with os.fdopen(0, "rb") as read, os.fdopen(1, "wb") as written:
    threading.Thread(target=from_host, args=(read, plugin.stdin), daemon=True).start()
    from_plugin(plugin.stdout, written)
    sys.exit(plugin.wait())
