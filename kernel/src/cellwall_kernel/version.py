"""The version of the kernel, as a constant: reading it from metadata would cost 35 ms per command."""

from __future__ import annotations

__all__ = ["VERSION"]

VERSION = "0.1.0"
