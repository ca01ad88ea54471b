"""Offers one model with a title of seven megabytes."""

import speak

speak.meet({"digest": "1", "models": [{"id": "long", "title": "x" * (7 << 20)}]})
