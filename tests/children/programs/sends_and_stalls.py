"""Sends two items and then nothing, but answers a cancel."""

import speak

call = speak.begin()
speak.data(call, 0, "one", "two")
while (message := speak.read()).get("method") != "$/cancel":
    pass
speak.answer(call, {"finish": "cancelled", "items": 2})
speak.read()
