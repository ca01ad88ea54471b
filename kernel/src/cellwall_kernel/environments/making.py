"""What commands need in order to change environments; no other command loads it."""

from __future__ import annotations

from cellwall_kernel.environments._build import built_wheel
from cellwall_kernel.environments._make import Fresh, make
from cellwall_kernel.environments._slot import Slot, remove, slot
from cellwall_kernel.environments._wanted import from_sources, is_sources, understand

__all__ = [
    "Fresh",
    "Slot",
    "built_wheel",
    "from_sources",
    "is_sources",
    "make",
    "remove",
    "slot",
    "understand",
]
