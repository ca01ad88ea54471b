"""Sends data without asking for credit."""

import speak

call = speak.begin()
for number in range(1000):
    speak.data(call, number, "x" * 8000)
speak.read()
