"""The name that a TLS client asks for, read from the first bytes that it sends.

Many names share one address, and only this field tells the server which of them is meant; so a connection
that was opened for one name must not ask for another. With encrypted client hello the field holds the name of
the front door only, and what is asked for behind it cannot be seen; `sandbox.md` promises nothing there.
"""

from __future__ import annotations

__all__ = ["Incomplete", "NoHello", "looks_like_tls", "server_name"]

HANDSHAKE, CLIENT_HELLO, SERVER_NAME, HOST_NAME = 0x16, 1, 0, 0
MAJOR_VERSION = 3
RECORD_HEAD, MESSAGE_HEAD = 5, 4
MAX_RECORD = 2**14
"""The longest record before encryption (bytes)."""

RANDOM_AND_VERSION = 34


class Incomplete(Exception):
    """Raised when more bytes are needed to tell."""


class NoHello(Exception):
    """Raised when the bytes are no beginning of a TLS connection that can be understood."""


def looks_like_tls(data: bytes) -> bool:
    """Whether bytes begin as a TLS connection does; True also if one byte is too few to exclude it."""
    return data[:1] == bytes([HANDSHAKE]) and data[1:2] in {b"", bytes([MAJOR_VERSION])}


def server_name(data: bytes) -> str:
    """Return the name that the client asks for; empty if it asks for none.

    Args:
        data: all that the client has sent; it may go on after the message.

    Raises:
        Incomplete: the message is not whole yet.
        NoHello: it is not one, or one that two readers could understand differently.
    """
    names: list[bytes] = []
    fields = _Fields(_message(data))
    fields.take(RANDOM_AND_VERSION)
    for size_bytes in (1, 2, 1):  # the session, the ciphers, the compressions
        fields.take_sized(size_bytes)
    extensions = _Fields(fields.take_sized(2) if fields.is_left else b"")
    if fields.is_left:
        raise NoHello
    while extensions.is_left:
        kind = extensions.take_number(2)
        content = extensions.take_sized(2)
        if kind == SERVER_NAME:
            names.append(_only_name(content))
    if len(names) > 1:
        raise NoHello
    try:
        return names[0].decode("ascii") if names else ""
    except UnicodeDecodeError as error:
        raise NoHello from error


def _message(data: bytes) -> bytes:
    """Return the content of the first message, which may be spread over many records."""
    message = b""
    at = 0
    while True:
        head = data[at : at + RECORD_HEAD]
        if not looks_like_tls(head):
            raise Incomplete if not head else NoHello
        if len(head) < RECORD_HEAD:
            raise Incomplete
        size = int.from_bytes(head[3:], "big")
        if not 0 < size <= MAX_RECORD:
            raise NoHello
        at += RECORD_HEAD
        message += data[at : at + size]
        if message and message[0] != CLIENT_HELLO:
            raise NoHello
        if len(message) >= MESSAGE_HEAD:
            end = MESSAGE_HEAD + int.from_bytes(message[1:MESSAGE_HEAD], "big")
            if len(message) >= end:
                return message[MESSAGE_HEAD:end]
        at += size
        if at > len(data):
            raise Incomplete


def _only_name(content: bytes) -> bytes:
    """Return the one host name of the extension; the standard allows no second."""
    extension = _Fields(content)
    entries = _Fields(extension.take_sized(2))
    kind, name = entries.take_number(1), entries.take_sized(2)
    if kind != HOST_NAME or not name or entries.is_left or extension.is_left:
        raise NoHello
    return name


class _Fields:
    """Fields one after the other; every one must be there whole."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_left(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise NoHello
        taken, self._at = self._data[self._at : end], end
        return taken

    def take_number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def take_sized(self, size_bytes: int) -> bytes:
        return self.take(self.take_number(size_bytes))
