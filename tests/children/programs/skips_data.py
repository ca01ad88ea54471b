"""Leaves a gap in its data."""

import speak

call = speak.begin()
speak.data(call, 0, "one")
speak.data(call, 2, "three")
speak.read()
