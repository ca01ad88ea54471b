"""Speaks only a version of the future."""

import speak

call = speak.read()["id"]
data = {"kind": "UnsupportedVersion", "supported": [7], "requested": [1]}
speak.write(
    {"jsonrpc": "2.0", "id": call, "error": {"code": 1002, "message": "no version in common", "data": data}}
)
speak.read()
