"""The scripted plugins are started as `python3`."""

from __future__ import annotations

import os
import sys

import pytest


@pytest.fixture(autouse=True)
def real_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `python3` mean the interpreter that runs the tests, and not a script in front of it."""
    monkeypatch.setenv("PATH", f"{sys.base_prefix}/bin{os.pathsep}{os.environ.get('PATH', os.defpath)}")
