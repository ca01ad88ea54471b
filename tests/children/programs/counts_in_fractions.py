"""Numbers its data 0.5."""

import speak

call = speak.begin()
speak.write({"jsonrpc": "2.0", "method": "$/data", "params": {"id": call, "seq": 0.5, "items": []}})
speak.read()
