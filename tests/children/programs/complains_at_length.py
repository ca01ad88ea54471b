"""Fails with a message of a megabyte, full of newlines and of what steers a terminal."""

import speak

call = speak.begin()
message = "\x1b]0;hijacked\x07\x1b[2Jthe provider said no\r\n" + "and no again\n" * 80_000
speak.write({"jsonrpc": "2.0", "id": call, "error": {"code": 2009, "message": message}})
speak.read()
