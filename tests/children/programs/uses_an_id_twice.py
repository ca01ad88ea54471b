"""Asks the host twice under one id."""

import speak

call = speak.begin()
for _ in range(2):
    speak.write({"jsonrpc": "2.0", "id": "p1", "method": "ping", "params": {}})
speak.read()
