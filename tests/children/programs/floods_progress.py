"""Reports its progress fifty thousand times, to a future that never comes nearer."""

import json

import speak

call = speak.begin()
params = {"id": call, "done": -1, "total": 1e308, "message": "\x1b[2Jsoon"}
line = json.dumps({"jsonrpc": "2.0", "method": "$/progress", "params": params}).encode() + b"\n"
for _ in range(50):
    speak.raw(line * 1000)
speak.end_well(call, "fine")
