"""Lines to envelopes and back; every way that JSON can go wrong ends in one of two exceptions here."""

from __future__ import annotations

from typing import Any

import msgspec

from ._errors import Unencodable
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


class Undecodable(Exception):
    """Raised when bytes are not JSON or not of the type asked for; the text says which."""


class Envelope(msgspec.Struct):
    """Any message, its inner parts still undecoded."""

    jsonrpc: str = ""
    id: str | int | float | msgspec.UnsetType | None = msgspec.UNSET
    method: str | msgspec.UnsetType = msgspec.UNSET
    params: msgspec.Raw = msgspec.Raw(b"{}")
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_encoder = msgspec.json.Encoder()
_envelopes = msgspec.json.Decoder(Envelope)
_data_params = msgspec.json.Decoder(DataParams)
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {DataParams: _data_params}


def encode(message: msgspec.Struct) -> bytes:
    """Write a message as one line, newline included.

    Raises:
        Unencodable: it holds a lone surrogate, an integer beyond 64 bits, or an object without a JSON form.
    """
    try:
        return _encoder.encode(message) + b"\n"
    except (UnicodeEncodeError, TypeError, OverflowError, RecursionError) as error:
        raise Unencodable(f"the message cannot be written as JSON: {error}") from error


def encode_data(call_id: str, seq: int, items: list[Any]) -> bytes:
    """Write a `$/data` line; the hot path, so the envelope around the items is a constant.

    Raises:
        Unencodable: as encode().
    """
    try:
        body = _encoder.encode(items)
    except (UnicodeEncodeError, TypeError, OverflowError, RecursionError) as error:
        raise Unencodable(f"an item cannot be written as JSON: {error}") from error
    return b"".join((DATA_HEAD, f'{call_id}","seq":{seq},"items":'.encode(), body, b"}}\n"))


_data_lines: dict[Any, msgspec.json.Decoder[Any]] = {}


def decode_data(line: bytes, item: Any) -> tuple[str, int, list[Any]]:
    """Read a `$/data` line that begins with DATA_HEAD, all of it at once.

    Args:
        line: the line.
        item: the union of the items that the call streams.

    Returns:
        the call's id, `seq`, and the items.

    Raises:
        Undecodable: it is not exactly that; an item may be unknown, or the line a request in disguise.
    """
    decoder = _data_lines.get(item)
    if decoder is None:
        params = msgspec.defstruct("DataLineParams", [("id", str), ("seq", int), ("items", list[item])])
        fields: list[tuple[str, Any, Any]] = [
            ("params", params, msgspec.NODEFAULT),
            ("id", msgspec.UnsetType, msgspec.UNSET),
        ]
        decoder = _data_lines[item] = msgspec.json.Decoder(msgspec.defstruct("DataLine", fields))
    try:
        found = decoder.decode(line).params
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(str(error)) from error
    return found.id, found.seq, found.items


def decode_envelope(line: bytes) -> Envelope:
    """Read the outer members of a line.

    Lone surrogates, which JSON text can spell and UTF-8 cannot, become U+FFFD [P-14].

    Raises:
        Undecodable: it is not a JSON object of that shape.
    """
    try:
        return _envelopes.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if b"\\ud" not in line and b"\\uD" not in line:
            raise Undecodable(str(error)) from error
        return _decode_repaired(line)


def _decode_repaired(line: bytes) -> Envelope:
    # Rare: a peer cut UTF-16 text between the halves of a pair. The standard library reads such text.
    import json

    try:
        text = json.dumps(json.loads(line), ensure_ascii=False)
        return _envelopes.decode(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    except (ValueError, msgspec.DecodeError, RecursionError) as error:
        raise Undecodable(str(error)) from error


def decode(raw: msgspec.Raw, type_: Any) -> Any:
    """Read an inner part of a message as `type_`.

    Raises:
        Undecodable: it does not fit the type.
    """
    decoder = _decoders.get(type_)
    if decoder is None:
        decoder = _decoders[type_] = msgspec.json.Decoder(type_)
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(str(error)) from error
