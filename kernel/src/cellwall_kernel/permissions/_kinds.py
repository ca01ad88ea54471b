"""The kinds of permissions, as a table: the word of the command line, the place in the types, the values.

Parsing, printing and comparing all walk through these tables, so a new kind is one more line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cellwall_kernel.permissions import _values
from cellwall_kernel.permissions._amounts import duration_text, read_duration, read_size, size_text
from cellwall_kernel.permissions._places import check_place

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AMOUNTS", "ANY", "LISTS", "Amount", "Listed"]

ANY = "any"
"""The value that includes all values of its kind."""

LEAST_BYTES = 1 << 20
"""No plugin could start with less."""


class Listed(NamedTuple):
    """A kind whose values are a list.

    Args:
        member: its name in `Permissions` and in a manifest.
        check: returns a value as it is kept, or raises ValueError.
        has_any: whether `any` stands for all values.
        values: for people: what may be written.
    """

    member: str
    check: Callable[[str], str]
    has_any: bool
    values: str


class Amount(NamedTuple):
    """A kind whose value is a number, with a default.

    Args:
        member: its name in `Limits`; in a manifest it is the kind's own.
        read: returns the number of a text, or raises ValueError.
        write: returns the text of a number.
        least: no smaller number makes sense; 0 means that 0 stands for "no limit".
        values: for people: what may be written.
    """

    member: str
    read: Callable[[str], int]
    write: Callable[[int], str]
    least: int
    values: str


def _read_count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < len("1000000000")):
        raise ValueError("is no whole number")
    return int(text)


LISTS: dict[str, Listed] = {
    "network": Listed("network", _values.check_host, True, "HOST, HOST:PORT, *.DOMAIN or any"),
    "read": Listed("read", check_place, False, "FOLDER or FILE"),
    "write": Listed("write", check_place, False, "FOLDER or FILE"),
    "key": Listed("keys", _values.check_key, False, "NAME"),
    "env": Listed("env", _values.check_variable, False, "VARIABLE"),
    "spawn": Listed("spawn", _values.check_program, True, "PROGRAM or any"),
    "device": Listed("devices", _values.check_device, False, "gpu"),
    "host": Listed("host", _values.check_service, False, "prompt or ask"),
    "socket": Listed("sockets", _values.check_socket, False, "docker, ssh-agent or PATH"),
}

AMOUNTS: dict[str, Amount] = {
    "memory": Amount("memory_bytes", read_size, size_text, LEAST_BYTES, "SIZE such as 2G"),
    "processes": Amount("processes", _read_count, str, 1, "NUMBER"),
    "file_size": Amount("file_size_bytes", read_size, size_text, LEAST_BYTES, "SIZE"),
    "data": Amount("data_bytes", read_size, size_text, LEAST_BYTES, "SIZE"),
    "cpu_seconds": Amount("cpu_s", _read_count, str, 0, "NUMBER, 0 for no limit"),
    "deadline": Amount(
        "deadline_s", read_duration, duration_text, 0, "TIME such as 10m, 0 for the usual one"
    ),
}
