"""The SDK's version; a test compares it with the distribution's."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
