"""Streams for ever, but only as many bytes as it was granted; says on stderr when it has to wait."""

import json
import os

import speak

request = None
speak.answer(speak.read()["id"], {"protocol": 1, "plugin": {"name": "zoo"}})
request = speak.read()
call, credit, seq = request["id"], request["params"]["meta"]["credit"], 0
while True:
    items = [{"t": "delta", "part": 0, "text": "x" * 4000}]
    message = {"jsonrpc": "2.0", "method": "$/data", "params": {"id": call, "seq": seq, "items": items}}
    line = json.dumps(message).encode() + b"\n"
    while credit < len(line):
        os.write(2, b"waiting\n")
        told = speak.read()
        if told.get("method") == "$/credit":
            credit += told["params"]["n"]
        elif told.get("method") == "$/cancel":
            speak.answer(call, {"finish": "cancelled", "items": seq})
            speak.read()
    credit -= len(line)
    seq += 1
    speak.raw(line)
