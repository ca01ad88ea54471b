"""Answers what was never asked, by ids of every kind, and then what was."""

import speak

call = speak.begin()
for wrong in ("h999", "p1", "", "\x1b[2J"):
    speak.answer(wrong, {"finish": "stop", "items": 0})
speak.data("h999", 0, "not for anybody")
speak.end_well(call, "fine")
