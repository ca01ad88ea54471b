"""Writes lines that are no messages, without end."""

import speak

speak.begin()
while True:
    speak.raw(b"this is not for you\n" * 100)
