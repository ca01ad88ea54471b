"""Tells a usage below zero, and one beyond all numbers; ends for a reason of its own."""

import speak

call = speak.begin()
for seq, usage in enumerate(({"input": -7, "output": 10**40}, {"input": "many"}, {"input": 1e300})):
    items = [{"t": "usage", "usage": usage}]
    speak.write({"jsonrpc": "2.0", "method": "$/data", "params": {"id": call, "seq": seq, "items": items}})
speak.data(call, 3, "fine")
speak.answer(call, {"finish": "boredom", "items": 4, "usage": {"input": -7, "output": -1}})
speak.read()
