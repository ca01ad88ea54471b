"""Offers a hundred thousand models."""

import speak

speak.meet({"digest": "1", "models": [{"id": f"model-{number}"} for number in range(100_000)]})
