"""Ends its call with a result that is a list."""

import speak

call = speak.begin()
speak.data(call, 0, "one")
speak.answer(call, ["stop"])
speak.read()
