"""Writes a few lines that are no messages, as a careless wrapper does, and then behaves."""

import speak

speak.raw(b"Welcome to the plugin!\n")
call = speak.begin()
speak.raw(b"loading...\n[1, 2]\n")
speak.data(call, 0, "fine")
speak.answer(call, {"finish": "stop", "items": 1})
speak.read()
