"""Sends objects and arrays ten thousand deep, whole and cut off."""

import speak

call = speak.begin()
depth = 10_000
speak.raw(b'{"jsonrpc": "2.0", "method": "x", "params": ' + b"[" * depth + b"]" * depth + b"}\n")
speak.raw(b'{"a":' * (depth // 2) + b"\n")
speak.end_well(call, "fine")
