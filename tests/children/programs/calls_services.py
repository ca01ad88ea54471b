"""Calls the services that its prompt lists, as JSON, and repeats what it was told, a line each.

    {"calls": [[METHOD, PARAMS], ...], "at_once": 64, "without": "parent", "after": true, "cancels": true}

`at_once`: how many are open at a time. `without`: they name no parent. `after`: the prompt is answered first.
`cancels`: each is cancelled as soon as it was sent.
"""

import json
import sys
from typing import Any

import speak


def reply_in_short(reply: dict[str, Any]) -> str:
    """Say what came of a call: its result as JSON, or the kind of its error."""
    return json.dumps(reply["result"]) if "result" in reply else str(reply["error"]["data"]["kind"])


def answer(call: str, told: list[str]) -> None:
    """Answer the prompt with a line for each call."""
    for seq, text in enumerate(told):
        speak.data(call, seq, text + "\n")
    speak.answer(call, {"finish": "stop", "items": len(told)})


def run(call: str, orders: dict[str, Any], numbers: list[int]) -> list[str]:
    """Make the calls and return what came of each, in their order."""
    ids: dict[str, int] = {}
    told: list[str] = [""] * len(numbers)
    waiting = list(numbers)
    base = numbers[0]
    while waiting or ids:
        while waiting and len(ids) < orders.get("at_once", 64):
            number = waiting.pop(0)
            method, params = orders["calls"][number - base]
            meta = {} if orders.get("without") == "parent" else {"parent": call}
            ids[f"p{number + 1}"] = number - base
            params = {**params, "meta": meta}
            speak.write({"jsonrpc": "2.0", "id": f"p{number + 1}", "method": method, "params": params})
            if orders.get("cancels"):
                speak.write({"jsonrpc": "2.0", "method": "$/cancel", "params": {"id": f"p{number + 1}"}})
        reply = json.loads(sys.stdin.buffer.readline() or sys.exit(0))
        if reply.get("id") in ids and "method" not in reply:
            told[ids.pop(reply["id"])] = reply_in_short(reply)
            refused = told.count("Unavailable")
            if refused and "error" in reply:
                progress = {"id": call, "done": refused}
                speak.write({"jsonrpc": "2.0", "method": "$/progress", "params": progress})
    return told


def main() -> None:
    """Answer prompts for ever."""
    first = json.loads(sys.stdin.buffer.readline())
    speak.answer(first["id"], {"protocol": 1, "plugin": {"name": "zoo"}})
    number = 0
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        if request.get("method") != "model/prompt":
            continue
        orders = json.loads(request["params"]["messages"][-1]["parts"][0]["text"])
        if orders.get("after"):
            speak.answer(request["id"], {"finish": "stop", "items": 0})
            run(request["id"], orders, list(range(number, number + len(orders["calls"]))))
            sys.exit(0)
        told = run(request["id"], orders, list(range(number, number + len(orders["calls"]))))
        number += len(told)
        answer(request["id"], told)


main()
