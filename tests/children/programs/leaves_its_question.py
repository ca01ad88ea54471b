"""Asks the host something and answers its own call before it hears; tells the next call what it heard."""

import speak

call = speak.begin()
params = {"alias": "slow", "meta": {"parent": call}}
speak.write({"jsonrpc": "2.0", "id": "p1", "method": "keys/get", "params": params})
speak.answer(call, {"finish": "stop", "items": 0})
messages = {message["id"]: message for message in (speak.read(), speak.read())}  # in either order
answer = messages.pop("p1")
(call,) = messages
speak.data(call, 0, answer["error"]["data"]["kind"])
speak.answer(call, {"finish": "stop", "items": 1})
speak.read()
