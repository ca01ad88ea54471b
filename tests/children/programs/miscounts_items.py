"""Says that it sent more than it did: something was lost on the way."""

import speak

call = speak.begin()
speak.data(call, 0, "one")
speak.answer(call, {"finish": "stop", "items": 5})
speak.read()
