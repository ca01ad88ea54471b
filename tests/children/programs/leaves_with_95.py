"""Ends in its answer with a code that is the bootstrap's."""

import os

import speak

speak.data(speak.begin(), 0, "one")
os._exit(95)
