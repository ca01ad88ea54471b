"""Sends items that are no objects, and some of no known kind."""

import speak

call = speak.begin()
items = ["text", 7, None, {"t": "hologram", "x": [1]}, {"t": "delta", "part": "zero", "text": 1}]
speak.write({"jsonrpc": "2.0", "method": "$/data", "params": {"id": call, "seq": 0, "items": items}})
speak.data(call, 1, "fine")
speak.answer(call, {"finish": "stop", "items": len(items) + 1})
speak.read()
