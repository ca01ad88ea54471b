"""Has what steers a terminal in its names, its texts and its answer."""

import speak

ESCAPES = "\x1b]0;hijacked\x07\x1b[2J\x9b31m\x08"
names = {"id": "steers_the_terminal", "title": f"title{ESCAPES}", "description": f"text{ESCAPES}"}
call = speak.meet({"digest": "1", "models": [names, {"id": f"id{ESCAPES}", "aliases": [f"alias{ESCAPES}"]}]})
note = {"t": "note", "text": f"note{ESCAPES}", "level": "info"}
speak.write({"jsonrpc": "2.0", "method": "$/data", "params": {"id": call, "seq": 0, "items": [note]}})
speak.data(call, 1, f"an answer{ESCAPES}")
speak.answer(call, {"finish": f"stop{ESCAPES}", "items": 2})
speak.read()
