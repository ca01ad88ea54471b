"""A plugin that does what its prompts say, in the standard library alone; several calls at a time if it may.

Arguments: how many calls it takes at a time, and "reentrant" or nothing. A prompt's text is a JSON list of
steps, done one after the other:

    ["say", TEXT]               sends a text; "ME" stands for a name that this process alone has
    ["ask", PLUGIN, STEPS, N]   has the host prompt PLUGIN with STEPS, N times at once (once if left out), and
                                says what comes back, each in brackets, or the kind of the error
    ["hold", REASON, MS]        asks to be kept, and says for how long that will be
    ["why"]                     says why the host refused something last
    ["wait"]                    does nothing until it is cancelled
    ["crash"]                   ends the process with code 7
"""

import json
import os
import sys
from collections.abc import Generator
from typing import Any

CONCURRENCY, REENTRANT = int(sys.argv[1]), sys.argv[2:] == ["reentrant"]
CREDIT = 1 << 20

Running = Generator[list[str], list[str], None]

calls: dict[str, Running] = {}  # the host's, by id
asked: dict[str, str] = {}  # ours -> the host's that it was made for
texts: dict[str, str] = {}  # ours -> what came
waiting: dict[str, dict[str, str | None]] = {}  # the host's -> ours that it waits for, with their outcome
counts = {"ask": 0}
last = {"message": ""}
ME = os.urandom(8).hex()


def write(message: dict[str, Any]) -> None:
    """Write a message to the host."""
    data = json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]


def request(call: str, method: str, params: dict[str, Any]) -> str:
    """Ask the host on behalf of a call."""
    counts["ask"] += 1
    number = f"p{counts['ask']}"
    asked[number], texts[number] = call, ""
    meta = {"parent": call, "credit": CREDIT}
    write({"id": number, "method": method, "params": {**params, "meta": meta}})
    return number


def play(call: str, steps: list[Any]) -> Running:
    """Do the steps of one prompt; yields the ids of what it waits for, and is sent what came."""
    seq = 0
    for step in steps:
        said = step[1].replace("ME", ME) if step[0] == "say" else ""
        if step[0] == "ask":
            messages = [{"role": "user", "parts": [{"type": "text", "text": json.dumps(step[2])}]}]
            params = {"model": step[1], "messages": messages}
            times = step[3] if len(step) > 3 else 1
            came = yield [request(call, "host/prompt", params) for _ in range(times)]
            said = "".join(f"[{text}]" for text in came)
        elif step[0] == "hold":
            (said,) = yield [request(call, "plugin/hold", {"reason": step[1], "max_ms": step[2]})]
        elif step[0] == "why":
            said = last["message"]
        elif step[0] == "wait":
            yield []
        elif step[0] == "crash":
            os._exit(7)
        items = [{"t": "delta", "part": 0, "text": said}]
        write({"method": "$/data", "params": {"id": call, "seq": seq, "items": items}})
        seq += 1
    write({"id": call, "result": {"finish": "stop", "items": seq}})


def go_on(call: str, came: list[str] | None) -> None:
    """Let a prompt take its next steps."""
    try:
        numbers = calls[call].send(came) if came is not None else next(calls[call])
        waiting[call] = dict.fromkeys(numbers)
    except StopIteration:
        del calls[call]
        waiting.pop(call, None)


def take(message: dict[str, Any]) -> None:
    """Take a message from the host."""
    params = message.get("params", {})
    method = message.get("method")
    if method == "initialize":
        limits = {"concurrency": CONCURRENCY, "reentrant": REENTRANT}
        result = {"protocol": 1, "plugin": {"name": "scripted"}, "limits": limits}
        write({"id": message["id"], "result": result})
    elif method == "model/prompt":
        text = params["messages"][-1]["parts"][0]["text"]
        calls[message["id"]] = play(message["id"], json.loads(text))
        go_on(message["id"], None)
    elif method == "$/data":
        texts[params["id"]] += "".join(item.get("text", "") for item in params["items"])
    elif method == "$/cancel":
        if calls.pop(params["id"], None) is not None:
            waiting.pop(params["id"], None)
            write({"id": params["id"], "error": {"code": -32800, "message": "cancelled"}})
    elif method is None:
        take_answer(message["id"], message)


def take_answer(number: str, message: dict[str, Any]) -> None:
    """Take an answer of the host's; with the last one that a prompt waits for, that goes on."""
    came = texts.pop(number)
    if "error" in message:
        came += "!" + message["error"]["data"]["kind"]
        last["message"] = message["error"]["message"]
    elif "granted_ms" in message["result"]:
        came = str(message["result"]["granted_ms"])
    call = asked.pop(number)
    if call in waiting:
        waiting[call][number] = came
        if None not in waiting[call].values():
            go_on(call, [text for text in waiting[call].values() if text is not None])


for line in sys.stdin.buffer:
    take(json.loads(line))
