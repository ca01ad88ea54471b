"""Offers two models under one id."""

import speak

model = {"id": "offers_one_model_twice", "title": "the one"}
speak.end_well(speak.meet({"digest": "1", "models": [model, {**model, "title": "the other"}]}), "fine")
