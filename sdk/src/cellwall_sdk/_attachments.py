"""Files given to a model: bytes that came with the prompt, a blob in the scratch folder, or a web address."""

from __future__ import annotations

__all__ = ["Attachment"]

_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"%PDF-", "application/pdf"),
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
)
"""How common media begin: offset, bytes, media type."""


class Attachment:
    """A file in a prompt. Its bytes are read when they are first asked for.

    Args:
        type: the media type, where it is known.
        path: a file that this process can read; the host never sends one, it sends bytes or a blob.
        url: a web address; the plugin passes it on, its bytes are not here.
        content: the bytes themselves.
        name: the file's name as the user gave it.
    """

    __slots__ = ("_content", "_data", "_id", "name", "path", "type", "url")

    def __init__(
        self,
        type: str | None = None,  # noqa: A002 - the name that authors know
        path: str | None = None,
        url: str | None = None,
        content: bytes | None = None,
        *,
        name: str | None = None,
        data: str | None = None,
    ) -> None:
        self.type = type
        self.path = path
        self.url = url
        self.name = name
        self._content = content
        self._data = data  # base64, as it came over the wire
        self._id: str | None = None

    @property
    def content(self) -> bytes | None:
        """The bytes, or None for a web address."""
        if self._content is None and (self._data is not None or self.path):
            self._content = self._read()
            self._data = None
        return self._content

    def content_bytes(self) -> bytes:
        """Give the bytes.

        Raises:
            ValueError: it is a web address; pass `url` on instead.
            OSError: the file cannot be read.
        """
        content = self.content
        if content is None:
            raise ValueError(
                f"the attachment {self.url or '(empty)'} is a web address: pass its url to the provider"
            )
        return content

    def base64_content(self) -> str:
        """Give the bytes as base64 text."""
        if self._data is not None:
            return self._data
        from base64 import b64encode

        return b64encode(self.content_bytes()).decode("ascii")

    def resolve_type(self) -> str | None:
        """Give the media type: as stated, else by the first bytes, else by the name, else None."""
        if self.type:
            return self.type
        content = self.content or b""
        for offset, signature, media_type in _SIGNATURES:
            if content.startswith(signature, offset):
                return media_type
        from mimetypes import guess_type

        return guess_type(self.name or self.path or self.url or "")[0]

    def id(self) -> str:
        """Give the SHA-256 of the bytes, or of `{"url": "…"}`, in hexadecimal."""
        if self._id is None:
            from hashlib import sha256

            content = self.content
            if content is None:
                from json import dumps

                content = dumps({"url": self.url}).encode()
            self._id = sha256(content).hexdigest()
        return self._id

    def _read(self) -> bytes:
        if self._data is not None:
            from binascii import a2b_base64

            return a2b_base64(self._data)
        assert self.path is not None  # noqa: S101 - for the type checker; content() made sure
        with open(self.path, "rb") as file:
            return file.read()

    def __repr__(self) -> str:
        known = {"type": self.type, "name": self.name, "path": self.path, "url": self.url}
        return f"Attachment({', '.join(f'{key}={value!r}' for key, value in known.items() if value)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Attachment) and self.type == other.type and self.id() == other.id()

    def __hash__(self) -> int:
        return hash(self.id())
