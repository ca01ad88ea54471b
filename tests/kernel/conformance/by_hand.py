"""A plugin written by hand, with nothing but the standard library: conforming, or with one fault.

It is started as `python3 by_hand.py FAULT` and serves one model, which repeats its prompt. Each fault stands
where the rule that it breaks is kept; `none` breaks none.
"""

# ruff: noqa: C901, PLR0912 - each fault is a branch where the rule is kept

import base64
import json
import os
import re
import struct
import sys
import time
from typing import Any, cast

FAULT = sys.argv[1]
MODEL = "parrot"
METHODS = {"plugin/describe", "model/prompt", "embed/batch", "ping", "shutdown"}
KINDS = {
    -32600: "InvalidRequest",
    -32601: "MethodNotFound",
    -32602: "InvalidParams",
    -32800: "Cancelled",
    1001: "NotInitialized",
    1002: "UnsupportedVersion",
    1008: "TooLarge",
    1009: "ShuttingDown",
    2003: "UnknownModel",
    2008: "BadOptions",
}


class Plugin:
    """What is known of the conversation."""

    state = "new"
    line = 65_536
    data_line = 65_536
    last_id = 0
    own = 0
    prompts: dict[str, "Prompt"]
    texts: dict[str, list[dict[str, Any]]]

    def __init__(self) -> None:
        self.prompts = {}
        self.texts = {}  # of embeddings: the items that have come


class Prompt:
    """One answer that is on its way."""

    def __init__(self, call: str, text: str, credit: int) -> None:
        self.call, self.credit, self.seq, self.items = call, credit, 0, 0
        size = max(1, plugin.data_line // 16)
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        self.waiting: list[dict[str, Any]] = [{"t": "delta", "part": 0, "text": piece} for piece in pieces]
        if FAULT == "closes no part":
            self.waiting.insert(0, {"t": "end", "part": 0})
        if FAULT == "items without a tag":
            self.waiting.append({"part": 0})


plugin = Plugin()


def raw(data: bytes) -> None:
    """Write bytes to the host."""
    while data:
        data = data[os.write(1, data) :]


def write(message: dict[str, Any]) -> None:
    """Write a message."""
    if FAULT == "leaves out jsonrpc" and message.get("error", {}).get("code") == -32601:
        message = {name: value for name, value in message.items() if name != "jsonrpc"}
    line = json.dumps(message).encode()
    if len(line) > plugin.line and FAULT != "writes long lines":
        fail(message["id"], 1008, "the answer is too large")
        return
    raw(line + b"\n")


def answer(call: str, result: Any) -> None:
    """Answer a call."""
    write({"jsonrpc": "2.0", "id": call, "result": result})


def fail(call: str | None, code: int, text: str, **data: Any) -> None:
    """Answer a call with an error."""
    data = {"kind": KINDS[code], "retryable": False, **data}
    if FAULT == "kinds of its own":
        data["kind"] = "Oops"
    error: dict[str, Any] = {"code": code, "message": text, "data": data}
    if FAULT == "an error without a message" and code == -32601:
        del error["message"]
    write({"jsonrpc": "2.0", "id": call, "error": error})


def stream(prompt: Prompt) -> None:
    """Send what the credit allows, and the result at the end."""
    while prompt.waiting:
        items = prompt.waiting[:1]
        seq = prompt.seq + (1 if FAULT == "skips a number" and prompt.seq > 0 else 0)
        params: dict[str, Any] = {"id": prompt.call, "seq": seq, "items": items}
        if FAULT == "long data lines":
            params["x_padding"] = "x" * plugin.data_line
        line = json.dumps({"jsonrpc": "2.0", "method": "$/data", "params": params}).encode() + b"\n"
        if len(line) > prompt.credit and FAULT != "needs no credit":
            return
        prompt.credit -= len(line)
        prompt.seq += 1
        prompt.items += 1
        del prompt.waiting[0]
        raw(line)
    del plugin.prompts[prompt.call]
    count = prompt.items + (1 if FAULT == "counts wrong" else 0)
    answer(prompt.call, {"finish": 5 if FAULT == "a number as finish" else "stop", "items": count})
    if FAULT == "answers twice":
        answer(prompt.call, {"finish": "stop", "items": count})
    if FAULT == "data after the end":
        data = {"id": prompt.call, "seq": prompt.seq, "items": [{"t": "delta", "part": 0, "text": "x"}]}
        write({"jsonrpc": "2.0", "method": "$/data", "params": data})


def initialize(call: str, params: dict[str, Any]) -> None:
    """Agree on a version."""
    if FAULT == "needs all members" and "dirs" not in params:
        os._exit(1)
    if 1 not in params["protocols"]:
        if FAULT == "no lists of versions":
            fail(call, 1002, "Upgrade one of us.")
        else:
            fail(call, 1002, "Upgrade one of us.", supported=[1], requested=params["protocols"])
        if FAULT == "leaves after a refusal":
            os._exit(0)
        return
    version = 2 if FAULT == "another version" else max(params["protocols"]) if FAULT == "too new" else 1
    if FAULT == "needs known limits" and len(params["limits"]) != 2:
        os._exit(1)
    plugin.line, plugin.data_line = params["limits"]["line"], params["limits"]["data_line"]
    plugin.state = "ready"
    answer(call, {"protocol": version, "plugin": {"name": "by_hand"}})


def describe(call: str) -> None:
    """Say what there is."""
    digest = str(time.monotonic_ns()) if FAULT == "another digest" else "1"
    models: list[dict[str, Any]] = [
        {"id": MODEL, "title": "Repeats its prompt " * 30, "supports": {"stream": True, "system": True}}
    ]
    if FAULT == "dies without a key":
        models.append({"id": "keyed", "key": {"alias": "secret"}})
    offer = {"models": models, "embedders": [{"id": "lengths", "dimensions": 1}]}
    answer(call, offer if FAULT == "no digest" else {"digest": digest, **offer})


def prompt(call: str, params: dict[str, Any]) -> None:
    """Begin an answer."""
    if FAULT == "any params" and params.get("model") == 5:
        answer(call, {"items": 0})
        return
    if not isinstance(params.get("model"), str) or not isinstance(params.get("messages"), list):
        fail(call, -32602, "these are no parameters of a prompt")
        return
    if params["model"] == "keyed" and FAULT == "dies without a key":
        os._exit(1)
    if params["model"] != MODEL and FAULT != "any model":
        fail(call, 2003, "there is no such model")
        return
    if params.get("options") and FAULT != "any option":
        fail(call, 2008, f"there is no option {next(iter(params['options']))}")
        return
    if FAULT == "takes one message" and len(params["messages"]) > 1:
        os._exit(1)
    last = params["messages"][-1]["parts"][0]["text"]
    text = last.encode("utf-8", "replace").decode() if FAULT != "repeats surrogates" else last
    credit = params.get("meta", {}).get("credit", 0)
    plugin.prompts[call] = Prompt(call, text, credit)
    ask_for_key(call)
    if FAULT == "too much progress":
        for _ in range(30):
            write({"jsonrpc": "2.0", "method": "$/progress", "params": {"id": call, "done": 1}})
    if FAULT == "prints":
        raw(b"thinking...\n")
    if FAULT == "writes NaN":
        raw(b'{"jsonrpc":"2.0","method":"$/progress","params":{"id":"h1","done":NaN}}\n')
    stream(plugin.prompts[call])


def ask_for_key(call: str) -> None:
    """Ask for a key, as it should not be done."""
    meta = {"parent": "h999999" if FAULT == "no parent" else call}
    plugin.own += 1
    number = 1 if FAULT == "one id for all" else plugin.own
    if FAULT in {"no parent", "undeclared key", "one id for all"}:
        method = "ping" if FAULT == "one id for all" else "keys/get"
        params = {"alias": "secret", "meta": meta}
        write({"jsonrpc": "2.0", "id": f"p{number}", "method": method, "params": params})


def embed(call: str) -> None:
    """Begin an embedding: let its input come."""
    plugin.texts[call] = []
    write({"jsonrpc": "2.0", "method": "$/credit", "params": {"id": call, "n": 200_000}})


def take_texts(call: str, items: list[dict[str, Any]], *, is_end: bool) -> None:
    """Take what is to be embedded; at the end, give a number for each text: its length."""
    plugin.texts[call] += items
    if not is_end or (FAULT == "overlooks an empty end" and not items):
        return
    lengths: dict[str, int] = {}
    vectors: list[dict[str, Any]] = []
    for item in plugin.texts.pop(call):
        lengths[item["id"]] = lengths.get(item["id"], 0) + len(item["text"])
        if not item.get("more") or FAULT == "embeds each piece":
            packed = base64.b64encode(struct.pack("<f", lengths[item["id"]])).decode()
            vectors.append({"t": "vector", "id": item["id"], "vector": packed})
    if FAULT == "embeds the first text":
        vectors = vectors[:1]
    if vectors:
        write({"jsonrpc": "2.0", "method": "$/data", "params": {"id": call, "seq": 0, "items": vectors}})
    answer(call, {"items": len(vectors)})


def control(method: str, params: dict[str, Any]) -> None:
    """Take a notification."""
    call = params.get("id", "")
    if call in plugin.texts:
        if method == "$/data":
            take_texts(call, params["items"], is_end=params.get("end", False))
        elif method == "$/cancel" and FAULT != "embeds on after a cancel":
            del plugin.texts[call]
            fail(call, -32800, "cancelled")
        return
    if FAULT == "answers notifications" and not method.startswith("$/") and plugin.state == "ready":
        fail(None, -32601, "there is no such notification")
    found = plugin.prompts.get(params.get("id", ""))
    if found is None:
        if FAULT == "dies of unknown calls" and method == "$/cancel" and plugin.state == "ready":
            os._exit(1)
        return
    if method == "$/credit":
        found.credit += params["n"] if FAULT != "takes no credit" else 0
        stream(found)
    elif method == "$/cancel" and FAULT != "ignores cancel":
        del plugin.prompts[found.call]
        told = {} if FAULT == "no count of items" else {"items_sent": found.items}
        fail(found.call, -32800, "cancelled", **told)


def request(call: Any, method: str, params: dict[str, Any]) -> None:
    """Take a request."""
    if not isinstance(call, str) or not re.fullmatch("h[1-9][0-9]*", call):
        if FAULT == "any id":
            answer(call, {})
        else:
            fail(call if isinstance(call, str) else None, -32600, "ids are strings")
        return
    if int(call[1:]) <= plugin.last_id and FAULT != "forgets ids":
        os._exit(76)
    plugin.last_id = int(call[1:])
    if plugin.state == "new" and method == "initialize":
        initialize(call, params)
    elif plugin.state == "new" and FAULT != "starts early":
        fail(call, 1001, "say initialize first")
    elif plugin.state == "closing" and FAULT != "goes on after shutdown":
        fail(call, 1009, "it is too late")
    elif method not in METHODS:
        if FAULT != "silent about methods":
            fail(call, -32601, "there is no such method")
    elif method == "ping":
        if FAULT == "no first ping" and call == "h2":
            return
        if FAULT != "no ping while busy" or not plugin.prompts:
            answer(call, {})
    elif method == "shutdown" and FAULT == "no shutdown":
        pass
    elif method == "shutdown":
        plugin.state = "closing"
        if FAULT == "drops calls at shutdown":
            plugin.prompts.clear()
        answer(call, {})
    elif method == "plugin/describe":
        describe(call)
    elif method == "embed/batch":
        embed(call)
    else:
        prompt(call, params)


def take(line: bytes) -> None:
    """Take a line."""
    if not line.strip():
        if FAULT == "dies of blank lines":
            os._exit(1)
        return
    if FAULT == "dies of carriage returns" and line.endswith(b"\r"):
        os._exit(1)
    if FAULT == "dies of surrogates" and b"\\ud83d" in line and b"\\udd89" not in line:
        os._exit(1)
    try:
        message: Any = json.loads(line)
    except ValueError:
        if FAULT == "dies of junk":
            os._exit(1)
        return
    if isinstance(message, list):
        if FAULT == "takes batches":
            for each in cast("Any", message):
                request(each["id"], each["method"], each["params"])
        else:
            fail(None, -32600, "no batches")
    elif isinstance(message, dict):
        take_object(cast("dict[str, Any]", message))


def take_object(message: dict[str, Any]) -> None:
    """Take a message."""
    if isinstance(message.get("method"), str):
        if "id" in message:
            request(message["id"], message["method"], message.get("params", {}))
        else:
            control(message["method"], message.get("params", {}))
    elif "result" in message and FAULT == "dies of stray answers":
        os._exit(1)


def main() -> None:
    """Read until the end."""
    rest = b""
    while chunk := os.read(0, 65_536):
        *lines, rest = (rest + chunk).split(b"\n")
        if FAULT == "needs whole lines" and not lines and len(rest) < 1000:
            rest = b""
        if FAULT == "forty lines a read":
            del lines[40:]
        if FAULT == "short buffer" and len(rest) > 60_000:
            os._exit(1)
        for line in lines:
            take(line)
    while FAULT == "stays when new" and plugin.state == "new":
        time.sleep(60)
    while FAULT == "stays" and plugin.state != "new":
        time.sleep(60)
    while FAULT == "stays while busy" and plugin.prompts:
        time.sleep(60)
    os._exit(3 if FAULT == "exit code 3" else 0)


main()
