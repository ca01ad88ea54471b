"""Runs one attempt where a plugin's code would run, and says on the wire what came of it."""

from __future__ import annotations

import json
import os

__all__ = ["run"]

BROUGHT_AT_MOST = 1 << 20
"""How much of what an attempt brings is passed on (characters): a list of processes may be long."""


def run(target: str, read_fd: int, write_fd: int) -> None:
    """Read the scene, run the attempt that is its `target`, write its word as one line."""
    from tests.escapes.attempts import Scene, find

    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(read_fd, 65_536)
        if not piece:
            return
        line += piece
    verdict: dict[str, str] = {}
    try:
        brought = find(target).run(Scene(**json.loads(line)))
    except Exception as error:  # noqa: BLE001 - however it was stopped, it is told
        verdict["error"] = f"{type(error).__name__}: {error}"[:500]
    else:
        if brought:
            verdict["brought"] = str(brought)[:BROUGHT_AT_MOST]
    answer = json.dumps(verdict).encode() + b"\n"
    while answer:
        answer = answer[os.write(write_fd, answer) :]
