"""Embeds by the order in the name of the model; the number of letters of a text stands for its vector.

each     gives credit for 65,536 bytes at a time, and a vector for each text as it comes
tiny     the same, with 200 bytes at a time
early    answers as soon as the first text came
absurd   gives credit for half a terabyte and reads nothing more
never    gives no credit
refuses  fails after the first text
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


def grant(call: str, size: int) -> None:
    """Give credit for the input."""
    speak.write({"jsonrpc": "2.0", "method": "$/credit", "params": {"id": call, "n": size}})


def vectors(call: str, seq: int, texts: list[str]) -> None:
    """Send what each text comes to."""
    items = [{"t": "vector", "id": str(len(text)), "vector": ""} for text in texts]
    speak.write({"jsonrpc": "2.0", "method": "$/data", "params": {"id": call, "seq": seq, "items": items}})


speak.answer(read()["id"], {"protocol": 1, "plugin": {"name": "zoo"}})
request = read()
call, order = request["id"], request["params"]["model"]
window = {"each": 131_072, "early": 131_072, "refuses": 131_072, "tiny": 200, "absurd": 1 << 39}.get(order, 0)
if window:
    grant(call, window)
while order == "absurd":
    time.sleep(1)
seq = count = 0
while True:
    params = read()["params"]
    if params.get("id") != call or "items" not in params:
        continue
    texts = [item["text"] for item in params["items"]]
    if order == "refuses":
        error = {"code": 2009, "message": "the model is tired.", "data": {"kind": "ProviderError"}}
        speak.write({"jsonrpc": "2.0", "id": call, "error": error})
        break
    if texts:
        vectors(call, seq, texts)
        seq, count = seq + 1, count + len(texts)
    if params.get("end") or order == "early":
        speak.answer(call, {"items": count})
        break
    grant(call, window)
while True:
    read()
