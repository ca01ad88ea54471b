"""Addresses that a name must not lead to: this machine, its network, and what only looks like somewhere else.

A granted name belongs to its owner, who may point it anywhere, also at the router or a database beside us.
The tables say more than `ipaddress.is_global`, whose answer differs between releases of Python.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

__all__ = ["objection"]

OWN = "an address of this machine"
PRIVATE = "a private address"
RESERVED = "a reserved address"
DISGUISED = "an IPv4 address in disguise"

SPECIAL_IPV4 = tuple(
    (IPv4Network(network), words)
    for network, words in (
        ("0.0.0.0/8", OWN),  # Linux takes 0.0.0.0 for itself
        ("10.0.0.0/8", PRIVATE),
        ("100.64.0.0/10", PRIVATE),  # shared by the customers of a carrier, and by some overlay networks
        ("127.0.0.0/8", OWN),
        ("169.254.0.0/16", "a link-local address"),  # a cloud's secrets are served at one
        ("172.16.0.0/12", PRIVATE),
        ("192.0.0.0/24", RESERVED),
        ("192.0.2.0/24", RESERVED),
        ("192.88.99.0/24", RESERVED),
        ("192.168.0.0/16", PRIVATE),
        ("198.18.0.0/15", RESERVED),
        ("198.51.100.0/24", RESERVED),
        ("203.0.113.0/24", RESERVED),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", RESERVED),  # the broadcast address included
    )
)

SPECIAL_IPV6 = tuple(
    (IPv6Network(network), words)
    for network, words in (
        ("::/127", OWN),  # unspecified and loopback
        ("::ffff:0:0/96", DISGUISED),
        ("::/96", DISGUISED),
        ("fc00::/7", PRIVATE),
        ("fec0::/10", PRIVATE),
        ("fe80::/10", "a link-local address"),
        ("ff00::/8", "a multicast address"),
        ("2001::/32", DISGUISED),  # Teredo
        ("2002::/16", DISGUISED),  # 6to4
        ("2001::/23", RESERVED),
        ("2001:db8::/32", RESERVED),
        ("3fff::/20", RESERVED),
    )
)

PUBLIC_IPV6 = IPv6Network("2000::/3")
"""All that has been given out to the internet."""

NAT64 = IPv6Network("64:ff9b::/96")
"""How the IPv4 internet looks from a network that has IPv6 only: the last four bytes are what counts."""

ANY_PORT = 9
"""Asked for to look up a way; nothing is sent there."""


def objection(text: str) -> str:
    """Say why a name must not lead to an address.

    Args:
        text: the address, as the resolver gave it.

    Returns:
        what the address is, such as "a private address"; empty if it is a public one of somebody else.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return "no address"
    if isinstance(address, IPv6Address) and address in NAT64:
        address = IPv4Address(int(address) & 0xFFFFFFFF)
    found = _ipv4(address) if isinstance(address, IPv4Address) else _ipv6(address)
    return found or (OWN if is_own(text) else "")


def _ipv4(address: IPv4Address) -> str:
    return next((words for network, words in SPECIAL_IPV4 if address in network), "")


def _ipv6(address: IPv6Address) -> str:
    words = next((words for network, words in SPECIAL_IPV6 if address in network), "")
    return words or ("" if address in PUBLIC_IPV6 else RESERVED)


def is_own(text: str) -> bool:
    """Whether an address belongs to an interface of this machine, where no firewall stands before a service.

    A socket can be bound to such an address and to no other; nothing is sent. Where the system was told to
    allow any (`ip_nonlocal_bind`), the way there is looked up: mostly it begins where it ends.

    Args:
        text: an address.
    """
    family, foreign = (socket.AF_INET6, "2001:db8::1") if ":" in text else (socket.AF_INET, "192.0.2.1")
    if not _can_bind(family, foreign):
        return _can_bind(family, text)
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((text, ANY_PORT))
            return ip_address(probe.getsockname()[0]) == ip_address(text)
    except (OSError, ValueError):
        return False  # no way there at all


def _can_bind(family: int, text: str) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((text, 0))
    except OSError:
        return False
    return True
