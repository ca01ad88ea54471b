"""Permissions in words: the rows of the table that a person is shown, and the short form for lists."""

# ruff: noqa: PTH110, PTH112 - places are texts

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from cellwall_kernel.permissions._items import Permission, items_of, values_of
from cellwall_kernel.permissions._kinds import AMOUNTS, ANY, LISTS
from cellwall_kernel.permissions._places import expanded
from cellwall_kernel.permissions._values import is_secret_name

if TYPE_CHECKING:
    from cellwall_kernel.permissions._spec import Permissions, Reasons

__all__ = ["Row", "in_short", "plain_words", "rows", "what_is_not_asked"]

MOST_WORDS = 160
"""How many characters of an author's reason are shown."""

MOST_FOLDERS = 1000
"""Nobody needs to know the number of folders beyond this."""

LABELS = {
    "network": "network",
    "read": "read",
    "write": "write",
    "key": "key",
    "env": "variable",
    "spawn": "programs",
    "device": "device",
    "host": "host service",
    "socket": "socket",
    "memory": "memory",
    "processes": "processes",
    "file_size": "file size",
    "data": "data",
    "cpu_seconds": "CPU seconds",
    "deadline": "deadline",
}

SERVICES = {
    "prompt": "prompts on any of your models, which may cost money",
    "ask": "questions to you, shown with its name",
}
"""What the services of the host come to."""

ABSENCES = {
    "network": "network",
    "key": "keys",
    "read": "files but its own",
    "env": "variables",
    "spawn": "programs",
    "device": "devices",
    "socket": "sockets",
}
"""What is worth saying when it is not asked for."""


class Row(NamedTuple):
    """A line of the table of permissions.

    Args:
        item: what it is about.
        label: the kind, for people.
        value: what is allowed.
        facts: what we know about it; may be empty.
        reason: the author's words, cleaned; may be empty.
    """

    item: Permission
    label: str
    value: str
    facts: str
    reason: str


def rows(permissions: Permissions, reasons: Reasons) -> list[Row]:
    """Return a row for every permission.

    Args:
        permissions: what is asked for or granted.
        reasons: the author's words, by names of the manifest.
    """
    return [
        Row(
            item=item,
            label=LABELS[item.kind],
            value=_value(item),
            facts=_facts(item),
            reason=_reason(item.kind, reasons),
        )
        for item in items_of(permissions)
    ]


def what_is_not_asked(permissions: Permissions) -> str:
    """Return the line that says what the table does not contain; empty if everything is there."""
    absent = [
        word
        for kind, word in ABSENCES.items()
        if not values_of(permissions, kind) and not (kind == "read" and permissions.write)
    ]
    return f"Nothing else: no {', no '.join(absent)}." if absent else ""


def in_short(permissions: Permissions) -> str:
    """Return all permissions in a few words, such as "network api.example.com; key example"."""
    values: dict[str, list[str]] = {}
    for item in items_of(permissions):
        values.setdefault(LABELS[item.kind], []).append(item.value)
    return "; ".join(f"{label} {', '.join(several)}" for label, several in values.items()) or "default"


def plain_words(text: str, *, most: int = MOST_WORDS) -> str:
    """Return a stranger's text on one line, without characters that are not printed, and not too long.

    Those include the ones that turn the direction of writing around, and those of no width.
    """
    printed = "".join(character if character.isprintable() else " " for character in text)
    words = " ".join(printed.split())
    return words if len(words) <= most else f"{words[: most - 1]}…"


def _value(item: Permission) -> str:
    if item.kind == "network" and item.value != ANY and ":" not in item.value.rpartition("]")[2]:
        return f"{item.value}:443"
    return item.value


def _reason(kind: str, reasons: Reasons) -> str:
    member = LISTS[kind].member if kind in LISTS else "limits"
    return plain_words(reasons.get(kind) or reasons.get(member, ""))


def _facts(item: Permission) -> str:
    if item.kind in {"read", "write"}:
        return _about_place(item.value)
    if item.kind == "network" and item.value == ANY:
        return "every host, this machine's own services included"
    if item.kind == "env" and is_secret_name(item.value):
        return "looks like a secret"
    if item.kind == "spawn":
        return "any program, inside the same wall"
    if item.kind in AMOUNTS:
        return ""
    return {
        "key": "only this key",
        "host": SERVICES.get(item.value, ""),
        "socket": "full access to what answers there",
    }.get(item.kind, "")


def _about_place(place: str) -> str:
    """Say what is there now."""
    path = expanded(place)
    if path is None:
        return "its variable is not set"
    if not path.startswith("/"):
        return "where the command is called"
    if not os.path.isdir(path):
        return "a file" if os.path.exists(path) else "not there now"
    try:
        with os.scandir(path) as entries:
            count = sum(1 for entry, _ in zip(entries, range(MOST_FOLDERS), strict=False) if entry.is_dir())
    except OSError:
        return "a folder"
    some = f"{count} or more" if count == MOST_FOLDERS else str(count)
    return f"{some} folder{'' if count == 1 else 's'} below it"
