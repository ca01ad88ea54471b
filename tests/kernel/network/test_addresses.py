"""Addresses that a name must not lead to."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_kernel.network._addresses import is_own, objection


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "172.15.255.255",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "2001:4860:4860::8888",
        "64:ff9b::808:808",
    ],
)
def test_public_addresses_meet_no_objection(address: str) -> None:
    """sandbox.md §5; with NAT64 the last four bytes are what counts."""
    assert "" == objection(address)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("0.0.0.0", "of this machine"),
        ("0.1.2.3", "of this machine"),
        ("127.0.0.1", "of this machine"),
        ("127.255.255.254", "of this machine"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("100.127.255.255", "private"),
        ("169.254.169.254", "link-local"),
        ("192.0.0.8", "reserved"),
        ("192.0.2.1", "reserved"),
        ("198.18.0.1", "reserved"),
        ("198.51.100.1", "reserved"),
        ("203.0.113.1", "reserved"),
        ("224.0.0.251", "multicast"),
        ("239.255.255.250", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("::", "of this machine"),
        ("::1", "of this machine"),
        ("::7f00:1", "disguise"),
        ("::ffff:8.8.8.8", "disguise"),
        ("::ffff:127.0.0.1", "disguise"),
        ("::ffff:0:127.0.0.1", "reserved"),
        ("64:ff9b::7f00:1", "of this machine"),
        ("64:ff9b::a00:1", "private"),
        ("64:ff9b:1::a00:1", "reserved"),
        ("100::1", "reserved"),
        ("2001:0:a00:1::", "disguise"),
        ("2001:db8::1", "reserved"),
        ("2001:10::1", "reserved"),
        ("2002:a00:1::", "disguise"),
        ("3fff::1", "reserved"),
        ("5f00::1", "reserved"),
        ("fc00::1", "private"),
        ("fd12::1", "private"),
        ("fe80::1", "link-local"),
        ("fe80::1%lo", "link-local"),
        ("fec0::1", "private"),
        ("ff02::1", "multicast"),
        ("api.example", "no address"),
        ("127.1", "no address"),
        ("", "no address"),
    ],
)
def test_special_addresses_are_named(address: str, words: str) -> None:
    """sandbox.md §5: private, loopback and link-local, also in the clothes of IPv6."""
    assert words in objection(address)


@given(st.ip_addresses())
def test_nothing_that_python_calls_private_is_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """The tables are at least as strict as the standard library's."""
    if objection(str(address)) == "":
        is_nat64 = address in ipaddress.ip_network("64:ff9b::/96")
        assert is_nat64 or (address.is_global and not address.is_multicast)


def test_an_address_of_this_machine_is_known_without_sending() -> None:
    """A service of ours on a public address stands behind no firewall for us."""
    assert is_own("127.0.0.1")
    assert is_own("127.9.9.9")
    assert not is_own("192.0.2.1")
    assert not is_own("no address")
