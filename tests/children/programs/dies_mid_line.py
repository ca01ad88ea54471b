"""Ends in the middle of a message, after two whole ones."""

import speak

call = speak.begin()
speak.data(call, 0, "one")
speak.data(call, 1, "two")
speak.raw(b'{"jsonrpc": "2.0", "method": "$/da')
