"""Cancels the host's own call, and gives itself credit."""

import speak

call = speak.begin()
for method, params in (("$/cancel", {"id": call}), ("$/credit", {"id": call, "n": 1 << 40})):
    speak.write({"jsonrpc": "2.0", "method": method, "params": params})
speak.end_well(call, "fine")
