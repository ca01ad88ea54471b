"""Answers `initialize` with an error."""

import speak

message = "the licence has expired\n\x1b[2Jpay here"
speak.write({"jsonrpc": "2.0", "id": speak.read()["id"], "error": {"code": 2009, "message": message}})
speak.read()
