"""Writes a line that never ends, as fast as it can."""

import speak

speak.begin()
while True:
    speak.raw(b"x" * 65536)
