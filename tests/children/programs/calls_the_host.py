"""Calls the host on behalf of its call, for a key, and without a parent; repeats what it was told."""

import speak

call = speak.begin()
params = {"alias": "zoo", "meta": {"parent": call}}
speak.write({"jsonrpc": "2.0", "id": "p1", "method": "keys/get", "params": params})
first = speak.read()
speak.write({"jsonrpc": "2.0", "id": "p2", "method": "keys/get", "params": {"alias": "zoo"}})
second = speak.read()
speak.write({"jsonrpc": "2.0", "id": "p3", "method": "ping", "params": {}})
third = speak.read()
told = [
    str(reply.get("result", reply.get("error", {}).get("data", {}).get("kind")))
    for reply in (first, second, third)
]
speak.data(call, 0, *told)
speak.answer(call, {"finish": "stop", "items": 3})
speak.read()
