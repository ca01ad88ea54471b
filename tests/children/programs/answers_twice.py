"""Answers every call twice."""

import speak

call = speak.begin()
speak.answer(call, {"finish": "stop", "items": 0})
speak.answer(call, {"finish": "stop", "items": 0})
speak.read()
