"""The heads of HTTP messages: read strictly, written anew.

What is understood differently by us and by a server behind us is a way around the rules. So a head is taken
apart, refused where it is not plain, and written again from its parts; nothing of it travels as it came.
"""

from __future__ import annotations

import re

import msgspec

__all__ = ["HEAD_END", "MAX_HEAD_BYTES", "Fields", "Malformed", "Request", "read_request", "read_status"]

HEAD_END = b"\r\n\r\n"
MAX_HEAD_BYTES = 64 * 1024
"""What the first line and the fields of a message may take together; real ones take a hundredth."""

Fields = tuple[tuple[str, str], ...]
"""Names as they were written, and values."""

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
REQUEST_LINE = re.compile(r"([A-Z][A-Z0-9!#$%&'*+.^_`|~-]*) ([!-~]+) HTTP/1\.([01])")
STATUS_LINE = re.compile(r"HTTP/1\.[01] ([1-9][0-9]{2})(?: [\t -~\x80-\xff]*)?")
VALUE = re.compile(r"[\t -~\x80-\xff]*")
LENGTH = re.compile(r"[0-9]{1,18}")

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
    }
)
"""Fields for the next hop only; "transfer-encoding" is one too, but the body keeps its shape."""

FRAMING = frozenset({"content-length", "host", "transfer-encoding"})
"""Fields that no `Connection` field can take away, however it is worded."""


class Malformed(Exception):
    """Raised when a message of a client or a server cannot be used.

    Args:
        message: a sentence.
        status: how a client is answered.
    """

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks of a proxy.

    Args:
        method: "CONNECT" for a tunnel, any other for one exchange.
        authority: the host, and the port if one is given, as written.
        path: path and query; empty for a tunnel.
        version: "1.0" or "1.1".
        host_field: what the field `Host` says; None if there is none.
        fields: all fields that belong to the message and not to the hop, without `Host`.
        length: bytes of the body; None if it comes in chunks.
    """

    method: str
    authority: str
    path: str = ""
    version: str
    host_field: str | None = None
    fields: Fields = ()
    length: int | None = 0

    @property
    def is_tunnel(self) -> bool:
        """Whether everything after the head is between the client and the host it names."""
        return self.method == "CONNECT"

    def head(self, authority: str, *, prefix: str = "", extra: Fields = ()) -> bytes:
        """Write the head for the next hop, which is asked to close the connection afterwards.

        Args:
            authority: the host as it was checked.
            prefix: what stands before the path, for another proxy.
            extra: more fields.
        """
        fields = (("Host", authority), *self.fields, *extra, ("Connection", "close"))
        return _written(f"{self.method} {prefix}{self.path} HTTP/{self.version}", fields)


def read_request(head: bytes) -> Request:
    """Read the head of a request to a proxy.

    Args:
        head: everything up to the empty line and with it.

    Raises:
        Malformed: it is none, or not a plain one.
    """
    first, fields = _parts(head)
    line = REQUEST_LINE.fullmatch(first)
    if line is None:
        raise Malformed("The first line is no request of HTTP/1.1 or 1.0.")
    method, target, minor = line.groups()
    version = f"1.{minor}"
    host_field = _single(fields, "host")
    if method == "CONNECT":
        return Request(method=method, authority=target, version=version, host_field=host_field)
    authority, path = _absolute(target)
    if host_field is None and version == "1.1":
        raise Malformed("The field Host is missing.")
    kept = tuple((name, value) for name, value in _end_to_end(fields) if name.lower() != "host")
    return Request(
        method=method,
        authority=authority,
        path=path,
        version=version,
        host_field=host_field,
        fields=kept,
        length=_length(fields, version),
    )


def read_status(head: bytes) -> tuple[int, bytes]:
    """Read the head of an answer.

    Args:
        head: everything up to the empty line and with it.

    Returns:
        the status, and the head as the client may see it: it says that the connection will be closed, unless
        it is only an interim one.

    Raises:
        Malformed: it is no head of an answer.
    """
    first, fields = _parts(head)
    line = STATUS_LINE.fullmatch(first)
    if line is None:
        raise Malformed("The first line is no answer of HTTP/1.1 or 1.0.")
    status = int(line[1])
    closing: Fields = () if status < 200 else (("Connection", "close"),)  # noqa: PLR2004 - interim ones are 1xx
    return status, _written(first, (*_end_to_end(fields), *closing))


def _parts(head: bytes) -> tuple[str, Fields]:
    """Split a head into its first line and its fields."""
    first, *lines = head.removesuffix(HEAD_END).decode("latin-1").split("\r\n")
    fields: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not TOKEN.fullmatch(name):  # also a line that continues the one before
            raise Malformed("A field has no plain name.")
        if not VALUE.fullmatch(value):
            raise Malformed("A field has a control character.")
        fields.append((name, value.strip(" \t")))
    return first, tuple(fields)


def _single(fields: Fields, name: str) -> str | None:
    """Return the value of a field that may be there once."""
    values = [value for found, value in fields if found.lower() == name]
    if len(values) > 1:
        raise Malformed(f"The field {name} is there more than once.")
    return values[0] if values else None


def _absolute(target: str) -> tuple[str, str]:
    """Split `http://host:port/path` into host and port, and path."""
    scheme, separator, rest = target.partition("://")
    if scheme.lower() != "http" or not separator:
        raise Malformed("The target is no http:// address; other protocols go through CONNECT.")
    if "#" in rest:
        raise Malformed("The target has a fragment.")
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    path = rest[len(authority) :]
    return authority, path if path.startswith("/") else f"/{path}"


def _length(fields: Fields, version: str) -> int | None:
    """Return how long the body is; None if it comes in chunks."""
    length, coding = _single(fields, "content-length"), _single(fields, "transfer-encoding")
    if coding is not None:
        if length is not None:
            raise Malformed("The body has two lengths: Content-Length and Transfer-Encoding.")
        if coding.lower() != "chunked" or version != "1.1":
            raise Malformed("The body has a coding other than chunked.")
        return None
    if length is None:
        return 0
    if not LENGTH.fullmatch(length):
        raise Malformed("Content-Length is no number.")
    return int(length)


def _end_to_end(fields: Fields) -> Fields:
    """Return the fields without those that are for this hop."""
    named = {
        word.strip().lower()
        for name, value in fields
        if name.lower() == "connection"
        for word in value.split(",")
    }
    dropped = HOP_BY_HOP | (named - FRAMING)
    return tuple((name, value) for name, value in fields if name.lower() not in dropped)


def _written(first: str, fields: Fields) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1")
