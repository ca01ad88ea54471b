"""Wants a `shutdown`, answers neither that nor the end of its input, and is deaf to SIGTERM."""

import os
import signal

import speak


def hear(_number: int, _frame: object) -> None:
    """Say that it came, and do nothing about it."""
    os.write(2, b"heard: SIGTERM\n")


signal.signal(signal.SIGTERM, hear)
speak.answer(speak.read()["id"], {"protocol": 1, "plugin": {"name": "zoo"}, "needs_shutdown": True})
message = speak.read()
os.write(2, f"asked: {message['method']}\n".encode())
while True:
    signal.pause()
