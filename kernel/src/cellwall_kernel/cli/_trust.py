"""Asking a person what a plugin may do: the table of sandbox.md §12, and the answer.

Everything stands on stderr. Nobody is asked who cannot see the question or whose answer may have been piped
in: consent to what was not read is none. What nobody answered is a No.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click
import msgspec

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._lazy import similar
from cellwall_kernel.errors import UsageProblem
from cellwall_kernel.permissions import (
    KINDS,
    Permission,
    Permissions,
    Reasons,
    cautions_about,
    in_short,
    items_of,
    missing,
    parse_item,
    permissions_of,
    plain_words,
    rows,
    union,
    what_is_not_asked,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cellwall_kernel.permissions import Row

__all__ = [
    "Wish",
    "ask_trust",
    "can_ask",
    "command_for",
    "confirmed",
    "read_items",
    "say_cautions",
    "show_wish",
]

ATTEMPTS = 3
"""How many times an answer that is none is asked for again."""

DIGEST_DIGITS = 12
YES, EDIT = frozenset({"y", "yes"}), frozenset({"e", "edit"})
NO = frozenset({"n", "no", ""})


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin wants, for the person who decides.

    Args:
        name: the plugin.
        version: the version that wants it.
        asked: all that its manifest asks for.
        reasons: why, in the author's words.
        granted: what it was granted so far.
        previous: the version that was granted it; None for a plugin that is seen for the first time.
        digest: SHA-256 of its files, or of what is installed; may be empty.
        source: where it comes from, in words; may be empty.
    """

    name: str
    version: str
    asked: Permissions
    reasons: Reasons = {}
    granted: Permissions = Permissions()
    previous: str | None = None
    digest: str = ""
    source: str = ""

    @property
    def wanted(self) -> Permissions:
        """What is asked for and not granted."""
        return missing(self.asked, self.granted)


def ask_trust(wish: Wish, *, instead: str, enforcement: Callable[[Permission], str]) -> Permissions | None:
    """Show what a plugin wants beyond what it was granted, and ask whether it may.

    Args:
        wish: the plugin and what it wants.
        instead: what to do where nobody can be asked; ends a sentence.
        enforcement: says of a permission how well its limits hold, in one or two words.

    Returns:
        all that it may do from now on; None if the answer is No. If nothing new is wanted, nobody is asked.

    Raises:
        UsageProblem: stdin or stderr is no terminal.
    """
    wanted = wish.wanted
    if wanted == Permissions():
        show_wish(wish, enforcement=enforcement)
        return wish.granted
    if not can_ask():
        raise UsageProblem(
            f"plugin '{wish.name}' asks for {in_short(wanted)}, and nobody can be asked here, because stdin "
            f"or stderr is no terminal; {instead}"
        )
    show_wish(wish, enforcement=enforcement)
    answer = _answer("Allow? [y/N/edit] ", YES | EDIT)
    if answer in YES:
        return union(wish.granted, wanted)
    if answer in EDIT:
        chosen = [row.item for row in rows(wanted, {}) if confirmed(f"  {row.label} {row.value}?")]
        return union(wish.granted, permissions_of(chosen))
    return None


def show_wish(wish: Wish, *, enforcement: Callable[[Permission], str]) -> None:
    """Show what a plugin wants beyond what it was granted, on stderr."""
    wanted = wish.wanted
    title = plain_words(f"{wish.name} {wish.version}".rstrip())
    if wish.previous is not None and wish.previous != wish.version:
        title = plain_words(f"{wish.name} {wish.previous or '?'} -> {wish.version or '?'}")
    if wanted == Permissions():
        nothing = "same permissions" if wish.previous is not None else "asks for nothing beyond the default"
        _output.note(f"{title}, {nothing}.")
        return
    facts = [title, *([f"sha256 {wish.digest[:DIGEST_DIGITS]}"] if wish.digest else [])]
    facts += [plain_words(wish.source)] if wish.source else []
    facts += ["unsigned, first seen"] if wish.previous is None else []
    more = "wants" if wish.granted == Permissions() else "also wants"
    _output.note(f"{'  '.join(facts)}  {more} (in quotes: its author's words):")
    cells = [_cells(row, enforcement(row.item)) for row in rows(wanted, wish.reasons)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    for row in cells:
        columns = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        _output.note("  " + "  ".join(columns).rstrip())
    if wish.granted == Permissions():
        _output.note(what_is_not_asked(wanted))
    say_cautions(union(wish.granted, wanted))


def say_cautions(permissions: Permissions) -> None:
    """Say on stderr what permissions add up to; the worst in red, where there are colours."""
    for caution in cautions_about(permissions):
        if caution.is_severe and sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
            text = click.style(_output.visible(caution.text), fg="red", bold=True)
            encoding = sys.stderr.encoding or "utf-8"
            sys.stderr.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        else:
            _output.note(caution.text)


def confirmed(question: str) -> bool:
    """Whether the answer to a question on the terminal is Yes; without a clear answer it is not."""
    return _answer(f"{question} [y/N] ", YES) in YES


def can_ask() -> bool:
    """Whether there is a person who sees stderr and answers on stdin."""
    try:
        return os.isatty(0) and os.isatty(2)
    except OSError:
        return False


def read_items(words: Iterable[str]) -> list[Permission]:
    """Read permissions from a command line.

    Raises:
        UsageProblem: one of them cannot be read; the sentence says what is possible.
    """
    items: list[Permission] = []
    for word in words:
        try:
            items.append(parse_item(word))
        except ValueError as error:
            kind = word.partition("=")[0]
            meant = similar(kind, KINDS) if kind not in KINDS else None
            hint = f"; did you mean '{meant}'?" if meant else "."
            possible = "" if kind in KINDS else f" Possible are {', '.join(f'{kind}=' for kind in KINDS)}."
            raise UsageProblem(f"{plain_words(str(error))}{hint}{possible}") from None
    return items


def command_for(name: str, permissions: Permissions) -> str:
    """Return the command that grants a plugin exactly those permissions."""
    from shlex import join

    return join(["llm", "plugins", "grant", name, *map(str, items_of(permissions))])


def _cells(row: Row, level: str) -> tuple[str, str, str, str]:
    remark = "; ".join(part for part in (f'"{row.reason}"' if row.reason else "", row.facts) if part)
    return row.label, row.value, remark, level


def _answer(question: str, accepted: frozenset[str]) -> str:
    """Return a lower-case answer that is accepted; empty for No, for the end of input and for nonsense."""
    with suppress(OSError, ImportError):
        import termios

        termios.tcflush(0, termios.TCIFLUSH)  # what was typed before the question is no answer to it
    for _ in range(ATTEMPTS):
        sys.stderr.write(_output.visible(question))
        sys.stderr.flush()
        line = sys.stdin.readline()
        answer = line.strip().lower()
        if answer in accepted:
            return answer
        if not line or answer in NO:
            break
        question = f"Please answer with one of {', '.join(sorted(accepted))}, no: "
    return ""
