"""Sizes and durations as people write them: `512M`, `1.5G`, `90s`, `10m`; K to T are powers of 1024."""

from __future__ import annotations

import re

__all__ = ["duration_text", "read_duration", "read_size", "size_text"]

SIZE = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,6})?) ?([KMGT]?)(?:i?B)?", re.IGNORECASE)
DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) ?([smh]?)")

SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
DURATION_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}

MOST_BYTES = (1 << 63) - 1
"""The largest limit that the system takes."""

MOST_SECONDS = 366 * 24 * 3600
"""A longer deadline is a mistake."""


def read_size(text: str) -> int:
    """Return the bytes of `1.5G`, `512MB`, `512 MiB` or `1048576`.

    Raises:
        ValueError: it is no size; the message ends a sentence that begins "'TEXT'".
    """
    found = SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError("is no size such as 512M or 1.5G")
    unit = SIZE_UNITS[found[2].upper()]
    size = int(float(found[1]) * unit) if "." in found[1] else int(found[1]) * unit
    if size > MOST_BYTES:
        raise ValueError("is larger than any limit can be")
    return size


def read_duration(text: str) -> int:
    """Return the seconds of `90s`, `10m`, `1.5h` or `90`.

    Raises:
        ValueError: it is no duration of whole seconds; the message ends a sentence that begins "'TEXT'".
    """
    found = DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError("is no duration such as 90s, 10m or 2h")
    seconds = float(found[1]) * DURATION_UNITS[found[2]]
    if seconds != int(seconds):
        raise ValueError("is not a number of whole seconds")
    if seconds > MOST_SECONDS:
        raise ValueError("is longer than a year")
    return int(seconds)


def size_text(size: int) -> str:
    """Return the shortest text that `read_size` reads as that many bytes."""
    return _text(size, SIZE_UNITS)


def duration_text(seconds: int) -> str:
    """Return the shortest text that `read_duration` reads as that many seconds."""
    return _text(seconds, DURATION_UNITS)


def _text(amount: int, units: dict[str, int]) -> str:
    exact = [unit for unit, worth in units.items() if amount >= worth and amount % worth == 0]
    unit = exact[-1] if exact else ""
    return f"{amount // units[unit]}{unit}"
