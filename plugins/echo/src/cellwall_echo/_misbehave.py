"""Crashes, hangs and floods, on request: what a test of the host or of the SDK needs a real plugin for."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, NoReturn

import cellwall_sdk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._options import EchoOptions

__all__ = ["FLOOD_LINE", "misbehave", "misbehave_first"]

EXIT_CODE = 7
"""The code with which `crash=exit` ends the process."""

FLOOD_LINE = "x" * 999 + "\n"
"""One piece of a flood."""


def misbehave_first(options: EchoOptions) -> None:
    """Do what has to happen before the answer."""
    if options.print_stdout is not None:
        print(options.print_stdout)  # noqa: T201 - it is the point
        os.write(1, f"{options.print_stdout} (past Python)\n".encode())


def misbehave(options: EchoOptions) -> Iterator[str]:
    """Do what has to happen after it."""
    while options.flood:
        yield FLOOD_LINE
    if options.bad_output:
        number: str = 42  # type: ignore[assignment]  # what a type checker would have caught
        yield number
    if options.error is not None:
        raise getattr(cellwall_sdk, options.error)(f"The echo was told to end with {options.error}.")
    if options.crash is not None:
        _crash(options.crash)
    if options.hang is not None:
        _hang(options.hang)


def _crash(how: str) -> NoReturn:
    if how == "sys.exit":
        sys.exit(EXIT_CODE)
    if how == "exit":
        os._exit(EXIT_CODE)
    if how == "segfault":
        import ctypes

        ctypes.string_at(0)
    raise RuntimeError("The echo was told to raise an exception.")


def _hang(how: str) -> NoReturn:
    while True:
        try:
            while how == "busy":
                pass
            time.sleep(3600)
        except BaseException:
            if how != "deaf":
                raise
