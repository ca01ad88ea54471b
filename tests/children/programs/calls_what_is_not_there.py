"""Calls two thousand methods that the host does not have, and one with a parent that is no call."""

import speak

call = speak.begin()
for number in range(1, 2001):
    speak.write({"jsonrpc": "2.0", "id": f"p{number}", "method": "host/format_disk", "params": {}})
    assert speak.read()["error"]["code"] == -32601
params = {"alias": "any", "meta": {"parent": "h999"}}
speak.write({"jsonrpc": "2.0", "id": "p2001", "method": "keys/get", "params": params})
speak.end_well(call, speak.read()["error"]["data"]["kind"])
