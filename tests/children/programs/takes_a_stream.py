"""Calls `host/prompt`; its prompt says, as JSON, what credit it gives: `first`, then `more` for each line.

With `more` 0 it reads nothing at all. It repeats how many letters and lines came, and how the call ended.
"""

import json
import sys
import time
from typing import Any

import speak


def read() -> dict[str, Any]:
    """Read a message; end the process when there is none."""
    message: dict[str, Any] = json.loads(sys.stdin.buffer.readline() or sys.exit(0))
    return message


speak.answer(read()["id"], {"protocol": 1, "plugin": {"name": "zoo"}})
request = read()
call, orders = request["id"], json.loads(request["params"]["messages"][-1]["parts"][0]["text"])
meta = {"parent": call, "credit": orders["first"]}
speak.write({"jsonrpc": "2.0", "id": "p1", "method": "host/prompt", "params": {"messages": [], "meta": meta}})
letters = lines = longest = 0
while orders["more"] == 0:
    time.sleep(1)
while True:
    message = read()
    if message.get("id") == "p1":
        break
    if message.get("method") == "$/data":
        letters += sum(len(item.get("text", "")) for item in message["params"]["items"])
        lines += 1
        speak.write({"jsonrpc": "2.0", "method": "$/credit", "params": {"id": "p1", "n": orders["more"]}})
told = message["result"]["items"] if "result" in message else message["error"]["data"]
speak.data(call, 0, json.dumps([letters, lines, told]))
speak.answer(call, {"finish": "stop", "items": 1})
read()
