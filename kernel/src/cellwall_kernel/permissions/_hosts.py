"""Hosts that may be reached: how they are written, and which one a name and a port belong to.

Everything is text here; nothing is resolved. Whether an address that a name leads to may be reached is up to
`cellwall_kernel.network`. An address has one spelling only, because a filter and a system that read
`0x7f.1` differently are how walls get holes.
"""

from __future__ import annotations

import re
from typing import Self

import msgspec

__all__ = ["HostPattern"]

HTTPS_PORT = 443
"""The port when none is written."""

MAX_PORT = 65535
MAX_NAME, MAX_LABEL = 253, 63
"""As the domain name system has it (characters)."""

LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label like this makes some systems read the whole as an IPv4 address."""

OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4 = re.compile(rf"{OCTET}(?:\.{OCTET}){{3}}")

UNICODE_DOTS = "\u3002\uff0e\uff61\u2024"
"""What IDNA takes for a dot, and the one dot leader, which looks like one."""

FOREIGN = (
    ("://", "names a scheme; write the host alone"),
    ("/", "names a path; write the host alone"),
    ("\\", "has a backslash"),
    ("@", "names a user; write the host alone"),
    ("?", "has a question mark"),
    ("#", "has a number sign"),
    ("%", "has a percent sign; zones and escapes cannot be used"),
    (",", "has a comma; write one host at a time"),
)
"""What does not belong into a host, and how to say so; the first that is found is said."""


class HostPattern(msgspec.Struct, frozen=True):
    """A host, or all names below one, and a port.

    Args:
        host: a name in lower case, in ASCII and without a last dot, or an address in its usual spelling
            without brackets.
        port: from 1 to 65535.
        is_wildcard: whether every name below `host` is meant, `host` itself not included.
    """

    host: str
    port: int = HTTPS_PORT
    is_wildcard: bool = False

    @classmethod
    def parse(cls, text: str, *, default_port: int = HTTPS_PORT) -> Self:
        """Read `api.example.com`, `*.example.com:8443`, `localhost:11434`, `192.0.2.7` or `[2001:db8::7]:80`.

        Args:
            text: upper case and one last dot are allowed; a name may have letters beyond ASCII.
            default_port: the port when none is written.

        Raises:
            ValueError: it is no host; the message ends a sentence that begins "'TEXT'", such as "has an empty
                label".
        """
        _refuse_foreign(text)
        host, port = _split(text, default_port)
        if text.startswith("["):
            return cls(_ipv6(host), port)
        is_wildcard = host.startswith("*.")
        name = _name(host.removeprefix("*."))
        if is_wildcard and IPV4.fullmatch(name):
            raise ValueError("has a '*' before an address")
        if is_wildcard and "." not in name:
            raise ValueError("means too much; after '*.' comes a domain such as example.com")
        return cls(name, port, is_wildcard)

    @property
    def text(self) -> str:
        """The pattern as `parse` reads it, shortest form."""
        return self.authority.removesuffix(f":{HTTPS_PORT}") if self.port == HTTPS_PORT else self.authority

    @property
    def authority(self) -> str:
        """The pattern with its port in any case."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'*.' if self.is_wildcard else ''}{host}:{self.port}"

    @property
    def is_localhost(self) -> bool:
        """Whether this machine is meant by its name."""
        return self.host == "localhost" and not self.is_wildcard

    @property
    def is_address(self) -> bool:
        """Whether the host is an address, not a name."""
        return ":" in self.host or IPV4.fullmatch(self.host) is not None

    def matches(self, host: str, port: int) -> bool:
        """Say whether the pattern includes a host and a port.

        Args:
            host: a name in ASCII, or an address with or without brackets; case and one last dot do not count.
            port: the port.
        """
        if port != self.port:
            return False
        name = host.lower().removesuffix(".")
        if ":" in self.host:
            return _has_address(name, self.host)
        if not self.is_wildcard:
            return name == self.host
        above = name.removesuffix(f".{self.host}")
        return above != name and all(LABEL.fullmatch(label) for label in above.split("."))


def _refuse_foreign(text: str) -> None:
    """Refuse what no host contains, in words that tell people what they wrote."""
    if not text:
        raise ValueError("is empty")
    if any(character.isspace() for character in text):
        raise ValueError("has a space")
    if not text.isprintable():
        raise ValueError("has a control character or an invisible one")
    if any(dot in text for dot in UNICODE_DOTS):
        raise ValueError("has a character that looks like a dot and is none")
    for part, problem in FOREIGN:
        if part in text:
            raise ValueError(problem)


def _split(text: str, default_port: int) -> tuple[str, int]:
    """Separate the host, without brackets, from the port."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket:
            raise ValueError("has no ']' after its address")
        if rest and not rest.startswith(":"):
            raise ValueError("goes on after ']' with something other than ':' and a port")
        colon, port = rest[:1], rest[1:]
    else:
        host, colon, port = text.partition(":")
        if ":" in port:
            raise ValueError("has more than one colon; an IPv6 address stands in brackets")
    if not colon:
        return host, default_port
    if re.fullmatch(r"[1-9][0-9]{0,4}", port) is None or int(port) > MAX_PORT:
        raise ValueError(f"has no port from 1 to {MAX_PORT} after its colon")
    return host, int(port)


def _name(text: str) -> str:
    """Return a name or an IPv4 address in canonical form."""
    if text == "*":
        raise ValueError("means every host, which is called 'any'")
    if "*" in text:
        raise ValueError("has a '*' that is not the whole first label")
    name = text.removesuffix(".").lower()
    if not name.isascii():
        name = _ascii(name)
    labels = name.split(".")
    if not all(labels):
        raise ValueError("has an empty label")
    if NUMBER.fullmatch(labels[-1]):
        return _ipv4(name)
    for label in labels:
        if len(label) > MAX_LABEL:
            raise ValueError(f"has a label of more than {MAX_LABEL} characters")
        if not LABEL.fullmatch(label):
            raise ValueError("has a label with something other than letters, digits and inner hyphens")
    if len(name) > MAX_NAME:
        raise ValueError(f"has more than {MAX_NAME} characters")
    return name


def _ascii(name: str) -> str:
    """Return a name beyond ASCII as the network carries it; only if people read there what is meant."""
    try:
        ascii_name = name.encode("idna").decode("ascii").lower()
        is_same = ascii_name.encode("ascii").decode("idna") == name
    except UnicodeError as error:
        raise ValueError("has a label that cannot be written in ASCII") from error
    if not is_same:
        raise ValueError("can be read in two ways; write in ASCII what is meant")
    return ascii_name


def _ipv4(text: str) -> str:
    if not IPV4.fullmatch(text):
        raise ValueError("looks like an IPv4 address in an unusual spelling; write four decimal numbers")
    if text == "0.0.0.0":  # noqa: S104 - it is refused
        raise ValueError("is no address that can be reached")
    return text


def _ipv6(text: str) -> str:
    from ipaddress import AddressValueError, IPv6Address

    try:
        address = IPv6Address(text)
    except AddressValueError as error:
        raise ValueError("has no IPv6 address between its brackets") from error
    if address.ipv4_mapped is not None:
        raise ValueError(f"is an IPv4 address in disguise; write {address.ipv4_mapped}")
    if address.is_unspecified:
        raise ValueError("is no address that can be reached")
    if text.lower() != address.compressed:
        raise ValueError(f"is an address in an unusual spelling; write [{address.compressed}]")
    return address.compressed


def _has_address(text: str, address: str) -> bool:
    """Whether a text is that IPv6 address in any spelling."""
    from ipaddress import AddressValueError, IPv6Address

    try:
        return IPv6Address(text.removeprefix("[").removesuffix("]")).compressed == address
    except AddressValueError:
        return False
