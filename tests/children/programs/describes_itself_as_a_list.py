"""Answers what it offers with something that is no description."""

import speak

speak.meet({"digest": "1", "models": "all of them"})
