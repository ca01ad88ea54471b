"""Claims a version that was not offered."""

import speak

speak.answer(speak.read()["id"], {"protocol": 9, "plugin": {"name": "zoo"}})
speak.read()
