"""Reads and never answers."""

import speak

while True:
    speak.read()
