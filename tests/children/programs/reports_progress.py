"""Reports progress a few times at an interval longer than the patience for silence, then answers."""

import time

import speak

call = speak.begin()
for number in range(4):
    time.sleep(0.2)
    speak.write(
        {"jsonrpc": "2.0", "method": "$/progress", "params": {"id": call, "done": number, "total": 4}}
    )
speak.data(call, 0, "ready")
speak.answer(call, {"finish": "stop", "items": 1})
speak.read()
