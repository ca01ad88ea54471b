"""Texts that go on in the next message: a key that is cut in two is found where the pieces meet.

The pieces of one answer's part belong together. As long as the last of them ends like the beginning of a
secret, the records that hold that end wait; the next piece, or the end of the call, lets them go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable

    from cellwall_kernel.tracing.hiding import Secrets

__all__ = ["Joints", "Record"]


@dataclass(slots=True, eq=False)
class Record:
    """A line of the trace that is about to be written.

    Attributes:
        members: what it says.
        holds: how many of its texts are not certain yet.
    """

    members: dict[str, Any]
    holds: int = 0


@dataclass(slots=True, eq=False)
class _Piece:
    record: Record
    holder: dict[str, Any]
    name: str
    text: str
    is_written: bool = False

    def change(self, text: str) -> None:
        self.text = text
        if not self.is_written:
            self.holder[self.name] = text

    def let_go(self) -> None:
        if not self.is_written:
            self.is_written = True
            self.record.holds -= 1


@dataclass(slots=True)
class Joints:
    """Joins the pieces of texts.

    Args:
        secrets: what is looked for.
        mark: what is written in its place.
    """

    secrets: Secrets
    mark: str
    _open: dict[tuple[Hashable, ...], list[_Piece]] = field(
        default_factory=dict[tuple["Hashable", ...], list[_Piece]]
    )

    def add(self, key: tuple[Hashable, ...], record: Record, holder: dict[str, Any], name: str) -> None:
        """Take the next piece of a text.

        Args:
            key: of the text.
            record: where the piece stands.
            holder: the object in the record that holds it.
            name: under which name it does.
        """
        text = holder.get(name)
        if not isinstance(text, str) or not text:
            return
        pieces = self._open.setdefault(key, [])
        pieces.append(_Piece(record, holder, name, text))
        record.holds += 1
        self._cut_secrets(pieces)
        self._release(key, pieces)

    def end(self, *key: Hashable) -> None:
        """Let go of all texts whose key begins so."""
        for whole in [whole for whole in self._open if whole[: len(key)] == key]:
            for piece in self._open.pop(whole):
                piece.let_go()

    def give_up_waiting(self) -> None:
        """Let go of everything, with the mark where a secret may begin; what follows is cut all the same."""
        for pieces in self._open.values():
            begun = self.secrets.begun_in("".join(piece.text for piece in pieces))
            for piece in reversed(pieces):
                length = min(begun, len(piece.text))
                begun -= length
                if length and not piece.is_written:
                    piece.holder[piece.name] = piece.text[: len(piece.text) - length] + self.mark
                piece.let_go()

    def _cut_secrets(self, pieces: list[_Piece]) -> None:
        for begin, end in reversed(self.secrets.spans("".join(piece.text for piece in pieces))):
            at, mark = 0, self.mark
            for piece in pieces:
                first, last = max(begin - at, 0), min(end - at, len(piece.text))
                at += len(piece.text)
                if first < last:
                    piece.change(piece.text[:first] + mark + piece.text[last:])
                    mark = ""

    def _release(self, key: tuple[Hashable, ...], pieces: list[_Piece]) -> None:
        begun = self.secrets.begun_in("".join(piece.text for piece in pieces))
        kept: list[_Piece] = []
        for piece in reversed(pieces):
            if begun > 0:
                begun -= len(piece.text)
                kept.append(piece)
            else:
                piece.let_go()
        self._open[key] = kept[::-1]
        if not kept:
            del self._open[key]
