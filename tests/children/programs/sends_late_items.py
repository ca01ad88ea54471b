"""Sends items after the response."""

import speak

call = speak.begin()
speak.data(call, 0, "fine")
speak.answer(call, {"finish": "stop", "items": 1})
speak.data(call, 1, "and one more thing")
speak.read()
