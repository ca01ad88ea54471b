"""Fails its call with a code that only the host may give."""

import speak

call = speak.begin()
error = {"code": 5005, "message": "quarantined by its own wish", "data": {"kind": "Quarantined"}}
speak.write({"jsonrpc": "2.0", "id": call, "error": error})
speak.read()
