"""The numbers both sides agree on; every one is a policy with a reason."""

from __future__ import annotations

import msgspec

__all__ = ["PROTOCOL", "SUPPORTED", "Limits"]

PROTOCOL = 1
"""The protocol's major version, spoken by this package [P-30]."""

SUPPORTED: tuple[int, ...] = (1,)
"""All majors that this package can speak, newest first."""

KIB = 1024


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes that a Connection enforces; all in bytes unless said.

    Attributes:
        line: the longest line. 8 MiB carries a million words and bounds what an endless line can cost.
        early_line: the longest line before `initialize` is answered; nothing legal is that long.
        data_line: the longest `$/data` line. Small, so that cancel and credit never wait long behind one.
        window: the credit that a consumer grants at first, and the most it lets a producer have outstanding.
        junk_lines: how many lines that are not messages are tolerated (a count).
        junk_bytes: how many bytes of such lines are tolerated.
    """

    line: int = 8 * KIB * KIB
    early_line: int = 64 * KIB
    data_line: int = 64 * KIB
    window: int = 256 * KIB
    junk_lines: int = 100
    junk_bytes: int = 64 * KIB
