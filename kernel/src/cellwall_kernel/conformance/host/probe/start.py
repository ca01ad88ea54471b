"""Starts the probe as a plain program: `python3 start.py SCENARIO`, with the wire on descriptors 0 and 1."""

from __future__ import annotations

import importlib
import os
import sys

if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[0] = os.path.dirname(here)
    importlib.import_module(f"{os.path.basename(here)}._main").main(sys.argv[1])
