"""The program of a plugin in another language: where it is, and what the kernel executes to run it."""

# ruff: noqa: PTH113, PTH118, PTH119, PTH123 - texts all along

from __future__ import annotations

import os
import shutil
import struct
from typing import TYPE_CHECKING

from cellwall_kernel.errors import PluginBroken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwall_kernel.discovery import PluginRecord

__all__ = ["needed_executables", "resolve_program"]

MOST_INTERPRETERS = 4
"""How many `#!` lines may lead to each other, as in the kernel."""

HEAD_BYTES = 4096
"""How much of a program is read to find out what it is."""

PT_INTERP = 3


def resolve_program(record: PluginRecord, command: Sequence[str]) -> tuple[str, ...]:
    """Return the command with real paths.

    Args:
        record: the plugin.
        command: as in its manifest: a program on the search path, or a file beside the manifest; arguments
            that name files beside the manifest become paths, too.

    Raises:
        PluginBroken: there is no such program.
    """
    folder = record.manifest_folder or record.location
    beside = os.path.join(folder, command[0])
    path = (
        beside
        if os.path.isfile(beside)
        else shutil.which(command[0], path=os.environ.get("PATH", os.defpath))
    )
    if path is None:
        raise PluginBroken(
            record.name,
            f"plugin '{record.name}' needs the program '{command[0]}', which is not installed; install it.",
        )
    arguments = (os.path.join(folder, word) if _is_beside(folder, word) else word for word in command[1:])
    return (os.path.realpath(path), *arguments)


def needed_executables(path: str) -> list[str]:
    """List the files that must be executable: the program, what its first line names, and their linkers."""
    found: list[str] = []
    while path and path not in found and len(found) <= 2 * MOST_INTERPRETERS:
        found.append(path)
        head = _head(path)
        if head.startswith(b"#!"):
            words = head[2:].split(b"\n", 1)[0].decode("utf-8", "surrogateescape").split()
            if words and os.path.basename(words[0]) == "env":
                found += [os.path.realpath(words[0]), *filter(None, [_linker(_head(words[0]))])]
                words = [shutil.which(words[-1]) or ""]
            path = os.path.realpath(words[0]) if words and words[0] else ""
        else:
            path = _linker(head)
    return [real for name in found for real in dict.fromkeys((name, os.path.realpath(name)))]


def _is_beside(folder: str, word: str) -> bool:
    return bool(word) and not word.startswith("-") and os.path.isfile(os.path.join(folder, word))


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def _linker(head: bytes) -> str:
    """Return the dynamic linker that a 64-bit ELF file asks for; empty if there is none."""
    if not head.startswith(b"\x7fELF\x02\x01"):
        return ""
    offset, size, count = struct.unpack_from("<Q", head, 32)[0], *struct.unpack_from("<HH", head, 54)
    for number in range(count):
        start = offset + number * size
        if start + 56 > len(head):
            break
        kind = struct.unpack_from("<I", head, start)[0]
        if kind == PT_INTERP:
            where, length = (
                struct.unpack_from("<Q", head, start + 8)[0],
                struct.unpack_from("<Q", head, start + 32)[0],
            )
            return head[where : where + length].rstrip(b"\0").decode("utf-8", "surrogateescape")
    return ""
