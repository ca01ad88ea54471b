"""Sends a line of data that is longer than one may be."""

import speak

speak.data(speak.begin(), 0, "x" * 70_000)
speak.read()
