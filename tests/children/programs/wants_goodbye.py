"""Asks for a `shutdown` before its input is closed, and says on stderr that it got one."""

import os

import speak

speak.answer(speak.read()["id"], {"protocol": 1, "plugin": {"name": "zoo"}, "needs_shutdown": True})
while True:
    message = speak.read()
    os.write(2, f"asked: {message['method']}\n".encode())
    speak.answer(message["id"], {})
