"""Lines to envelopes and back; every way that JSON can go wrong ends in one of two exceptions here."""

from __future__ import annotations

from codecs import getincrementaldecoder
from typing import Any

import msgspec

from ._errors import Unencodable
from ._nesting import MOST_LEVELS, SHALLOW_BYTES, is_too_deep
from ._params import DataParams

__all__ = [
    "DATA_HEAD",
    "Envelope",
    "Undecodable",
    "decode",
    "decode_data",
    "decode_envelope",
    "encode",
    "encode_data",
]

DATA_HEAD = b'{"jsonrpc":"2.0","method":"$/data","params":{"id":"'
"""How a `$/data` line begins when encode_data() wrote it; what begins like this is read in one go."""

TOO_DEEP = msgspec.Raw(b"null")
"""Stands for a part of a message that is nested too deeply to be read."""

HOW_DEEP = f"it is nested more than {MOST_LEVELS} levels deep"

MOST_SAID = 300
"""How many characters of a cause are told."""

CHECKED_BYTES = 1 << 16
"""How much of a line is checked for UTF-8 at once: the text made of it takes four times that at worst."""

_HEX = rb"[0-9a-fA-F]{2}"
ANY_ESCAPE = rb"(?s)\\(?:u[dD][89abAB]%b\\u[dD][c-fC-F]%b|(u[dD][89a-fA-F]%b)|.)" % (_HEX, _HEX, _HEX)
"""Any escape of a JSON string; the group is a surrogate without its other half."""


class Undecodable(Exception):
    """Raised when bytes are not JSON or not of the type asked for; the text says which, in few words.

    Some causes repeat what they found, however long that is, and the answer to it must fit into a line.
    """

    def __init__(self, cause: object) -> None:
        super().__init__(str(cause)[:MOST_SAID])


class Envelope(msgspec.Struct):
    """Any message, its inner parts still undecoded."""

    jsonrpc: str = ""
    id: str | int | float | msgspec.UnsetType | None = msgspec.UNSET
    method: str | msgspec.UnsetType = msgspec.UNSET
    params: msgspec.Raw = msgspec.Raw(b"{}")
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Strange(msgspec.Struct):
    """A message whose id is something that no id can be."""

    jsonrpc: str = ""
    method: str | msgspec.UnsetType = msgspec.UNSET
    params: msgspec.Raw = msgspec.Raw(b"{}")
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_encoder = msgspec.json.Encoder()
_envelopes = msgspec.json.Decoder(Envelope)
_strange = msgspec.json.Decoder(_Strange)
_data_params = msgspec.json.Decoder(DataParams)
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {DataParams: _data_params}


def encode(message: msgspec.Struct) -> bytes:
    """Write a message as one line, newline included.

    Raises:
        Unencodable: it holds a lone surrogate, an integer beyond 64 bits or an object without a JSON form, or
            its nesting is too deep.
    """
    try:
        line = _encoder.encode(message) + b"\n"
    except (UnicodeEncodeError, TypeError, OverflowError, RecursionError) as error:
        raise Unencodable(f"the message cannot be written as JSON: {error}") from error
    if len(line) > SHALLOW_BYTES and is_too_deep(line):
        raise Unencodable(f"the message cannot be sent: {HOW_DEEP}")
    return line


def encode_data(call_id: str, seq: int, items: list[Any], *, end: bool = False) -> bytes:
    """Write a `$/data` line; the hot path, so the envelope around the items is a constant.

    Args:
        call_id: the call.
        seq: the number of the line.
        items: the items.
        end: whether it is the last line of an input.

    Raises:
        Unencodable: as encode().
    """
    try:
        body = _encoder.encode(items)
    except (UnicodeEncodeError, TypeError, OverflowError, RecursionError) as error:
        raise Unencodable(f"an item cannot be written as JSON: {error}") from error
    tail = b',"end":true}}\n' if end else b"}}\n"
    line = b"".join((DATA_HEAD, f'{call_id}","seq":{seq},"items":'.encode(), body, tail))
    if len(line) > SHALLOW_BYTES and is_too_deep(line):
        raise Unencodable(f"an item cannot be sent: {HOW_DEEP}")
    return line


_data_lines: dict[Any, msgspec.json.Decoder[Any]] = {}


def decode_data(line: bytes, item: Any) -> tuple[str, int, list[Any], bool]:
    """Read a `$/data` line that begins with DATA_HEAD, all of it at once.

    Args:
        line: the line.
        item: the union of the items that the call streams.

    Returns:
        the call's id, `seq`, the items, and whether the line says `end`.

    Raises:
        Undecodable: it is not exactly that; an item may be unknown, or the line a request in disguise.
    """
    if len(line) > SHALLOW_BYTES and is_too_deep(line):
        raise Undecodable(HOW_DEEP)
    decoder = _data_lines.get(item)
    if decoder is None:
        inner: list[Any] = [("id", str), ("seq", int), ("items", list[item]), ("end", bool, False)]
        params = msgspec.defstruct("DataLineParams", inner)
        fields: list[tuple[str, Any, Any]] = [
            ("params", params, msgspec.NODEFAULT),
            ("id", msgspec.UnsetType, msgspec.UNSET),
        ]
        decoder = _data_lines[item] = msgspec.json.Decoder(msgspec.defstruct("DataLine", fields))
    try:
        found = decoder.decode(line).params
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(error) from error
    return found.id, found.seq, found.items, found.end


def decode_envelope(line: bytes) -> Envelope:
    """Read the outer members of a line.

    Lone surrogates, which JSON text can spell and UTF-8 cannot, become U+FFFD, and so do bytes that are not
    UTF-8 [P-14]: whoever cuts text at the wrong place loses a character and not an answer.

    Raises:
        Undecodable: it is not a JSON object of that shape.
    """
    try:
        if is_too_deep(line):
            return _without_parts(_envelopes.decode(line))
        if _is_utf8(line):  # what is kept raw, msgspec does not look at
            return _envelopes.decode(line)
    except msgspec.ValidationError as error:
        return _decode_strange(line, error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if b"\\ud" not in line and b"\\uD" not in line:
            raise Undecodable(error) from error
    return _decode_repaired(line)


def _is_utf8(line: bytes) -> bool:
    if line.isascii():
        return True
    decode_piece = getincrementaldecoder("utf-8")().decode
    try:
        for start in range(0, len(line), CHECKED_BYTES):
            decode_piece(line[start : start + CHECKED_BYTES])
        decode_piece(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _without_parts(envelope: Envelope) -> Envelope:
    """Leave what can be answered or refused, and nothing that anybody could try to read."""
    for name in ("params", "result", "error"):
        if isinstance(getattr(envelope, name), msgspec.Raw):
            setattr(envelope, name, TOO_DEEP)
    return envelope


def _decode_strange(line: bytes | bytearray, problem: Exception) -> Envelope:
    """Read a message that has an object, a list or a truth for an id [P-21]."""
    try:
        found = _strange.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Undecodable(problem) from problem
    return Envelope(found.jsonrpc, None, found.method, found.params, found.result, found.error)


def _decode_repaired(line: bytes) -> Envelope:
    # Rare: a peer cut text between the halves of a pair of surrogates, or between the bytes of a character.
    import re

    text = bytearray(line.decode("utf-8", "replace").encode())
    for found in re.finditer(ANY_ESCAPE, bytes(text)):
        if found.group(1):
            text[found.start() : found.end()] = b"\\ufffd"  # as long as what it replaces
    try:
        return _envelopes.decode(text)
    except msgspec.ValidationError as error:
        return _decode_strange(text, error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(error) from error


def decode(raw: msgspec.Raw, type_: Any) -> Any:
    """Read an inner part of a message as `type_`.

    Raises:
        Undecodable: it does not fit the type.
    """
    if raw is TOO_DEEP:
        raise Undecodable(HOW_DEEP)
    decoder = _decoders.get(type_)
    if decoder is None:
        decoder = _decoders[type_] = msgspec.json.Decoder(type_)
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(error) from error
