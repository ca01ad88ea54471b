"""Answers `initialize` with a result that is a number."""

import speak

speak.answer(speak.read()["id"], 42)
speak.read()
