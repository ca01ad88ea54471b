"""Hosts: how they are written, and what they include."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_kernel.permissions import HostPattern


@pytest.mark.parametrize(
    ("text", "expected", "canonical"),
    [
        ("api.example.com", HostPattern("api.example.com"), "api.example.com"),
        ("API.Example.COM.", HostPattern("api.example.com"), "api.example.com"),
        ("api.example.com:443", HostPattern("api.example.com"), "api.example.com"),
        ("*.example.com:8443", HostPattern("example.com", 8443, is_wildcard=True), "*.example.com:8443"),
        ("localhost:11434", HostPattern("localhost", 11434), "localhost:11434"),
        ("_dmarc.my-host.example", HostPattern("_dmarc.my-host.example"), "_dmarc.my-host.example"),
        ("1.2.3.4.example", HostPattern("1.2.3.4.example"), "1.2.3.4.example"),
        ("192.0.2.7:80", HostPattern("192.0.2.7", 80), "192.0.2.7:80"),
        ("[::1]:8080", HostPattern("::1", 8080), "[::1]:8080"),
        ("[2001:DB8::7]", HostPattern("2001:db8::7"), "[2001:db8::7]"),
        ("bücher.example", HostPattern("xn--bcher-kva.example"), "xn--bcher-kva.example"),
        ("*.BÜCHER.example", HostPattern("xn--bcher-kva.example", 443, is_wildcard=True), None),
        ("x.example:1", HostPattern("x.example", 1), "x.example:1"),
        ("x.example:65535", HostPattern("x.example", 65535), "x.example:65535"),
    ],
)
def test_a_host_has_one_canonical_form(text: str, expected: HostPattern, canonical: str | None) -> None:
    """sandbox.md §5: exact names or `*.name`, port 443 unless given."""
    pattern = HostPattern.parse(text)

    assert expected == pattern
    assert canonical in {None, pattern.text}
    assert expected == HostPattern.parse(pattern.text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        (".", "has an empty label"),
        ("a..example", "has an empty label"),
        ("*..example.com", "has an empty label"),
        ("a.example..", "has an empty label"),
        ("https://a.example", "names a scheme"),
        ("a.example/v1", "names a path"),
        ("a.example\\v1", "has a backslash"),
        ("me:secret@a.example", "names a user"),
        ("a.example?x", "has a question mark"),
        ("a.example#x", "has a number sign"),
        ("a%2eexample", "has a percent sign"),
        ("a.example,b.example", "has a comma"),
        ("a example", "has a space"),
        ("a.example\n", "has a space"),
        ("a\x00.example", "has a control character"),
        ("a\u200b.example", "has a control character or an invisible one"),
        ("\u202ea.example", "has a control character or an invisible one"),
        ("a。example", "looks like a dot"),
        ("a․example", "looks like a dot"),  # noqa: RUF001 - that is the point
        ("*", "means every host"),
        ("*.com", "means too much"),
        ("*.1.2.3.4", "has a '*' before an address"),
        ("a.*.example", "has a '*' that is not the whole first label"),
        ("*a.example", "has a '*' that is not the whole first label"),
        ("a.example:", "has no port"),
        ("a.example:0", "has no port"),
        ("a.example:65536", "has no port"),
        ("a.example:0443", "has no port"),
        ("a.example:+443", "has no port"),
        ("a.example:٤٤٣", "has no port"),
        ("a.example:https", "has no port"),
        ("::1", "stands in brackets"),
        ("[::1", "has no ']'"),
        ("[::1]8080", "goes on after ']'"),
        ("[a.example]", "has no IPv6 address"),
        ("[fe80::1%eth0]", "zones"),
        ("[0:0:0:0:0:0:0:1]", "write [::1]"),
        ("[::0001]", "write [::1]"),
        ("[::ffff:127.0.0.1]", "write 127.0.0.1"),
        ("[::]", "no address that can be reached"),
        ("0.0.0.0", "no address that can be reached"),
        ("0x7f.1", "unusual spelling"),
        ("0x7f000001", "unusual spelling"),
        ("127.1", "unusual spelling"),
        ("127.0.0.01", "unusual spelling"),
        ("0177.0.0.1", "unusual spelling"),
        ("127.0.0.256", "unusual spelling"),
        ("2130706433", "unusual spelling"),
        ("0", "unusual spelling"),
        ("a.0x", "unusual spelling"),
        ("-a.example", "something other than letters"),
        ("a-.example", "something other than letters"),
        ("a!.example", "something other than letters"),
        ("straße.example", "can be read in two ways"),
        ("ｅxample.com", "can be read in two ways"),  # noqa: RUF001 - that is the point
        ("℀.example", "can be read in two ways"),
        ("é" * 64 + ".example", "cannot be written in ASCII"),
        ("a" * 64 + ".example", "more than 63"),
        (".".join(["a" * 60] * 5), "more than 253"),
    ],
)
def test_what_is_no_host_is_refused_in_words(text: str, problem: str) -> None:
    """sandbox.md §3: two readers that understand an address differently make a hole."""
    with pytest.raises(ValueError, match=r".") as caught:
        HostPattern.parse(text)

    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "host", "port", "expected"),
    [
        ("api.example.com", "api.example.com", 443, True),
        ("api.example.com", "API.EXAMPLE.COM.", 443, True),
        ("api.example.com", "api.example.com..", 443, False),
        ("api.example.com", "api.example.com", 80, False),
        ("api.example.com", "xapi.example.com", 443, False),
        ("api.example.com", "x.api.example.com", 443, False),
        ("api.example.com", "api.example.com.evil.example", 443, False),
        ("*.example.com", "api.example.com", 443, True),
        ("*.example.com", "a.b.Example.Com.", 443, True),
        ("*.example.com", "example.com", 443, False),
        ("*.example.com", ".example.com", 443, False),
        ("*.example.com", "evilexample.com", 443, False),
        ("*.example.com", "a/b.example.com", 443, False),
        ("*.example.com", "a..example.com", 443, False),
        ("[::1]:80", "[::1]", 80, True),
        ("[::1]:80", "0:0:0:0:0:0:0:1", 80, True),
        ("[::1]:80", "::2", 80, False),
        ("[::1]:80", "localhost", 80, False),
        ("192.0.2.7", "192.0.2.7", 443, True),
        ("192.0.2.7", "192.0.2.07", 443, False),
        ("localhost:80", "127.0.0.1", 80, False),
        ("localhost:80", "a.localhost", 80, False),
    ],
)
def test_a_pattern_includes_just_what_it_says(pattern: str, host: str, port: int, *, expected: bool) -> None:
    """sandbox.md §15: case, trailing dot, ports and literals."""
    assert expected == HostPattern.parse(pattern).matches(host, port)


@given(st.text(max_size=40))
def test_any_text_is_a_stable_host_or_a_value_error(text: str) -> None:
    """A manifest may hold anything; what is shown to the user is what is enforced."""
    try:
        pattern = HostPattern.parse(text)
    except ValueError:
        return

    assert pattern == HostPattern.parse(pattern.text)
    assert pattern.text.isascii()
    assert pattern.is_wildcard or pattern.matches(pattern.host, pattern.port)


def test_an_authority_always_has_its_port() -> None:
    """The proxy of the network package writes it into requests."""
    assert "[::1]:443" == HostPattern.parse("[::1]").authority
    assert "a.example:443" == HostPattern.parse("a.example").authority
    assert "a.example:80" == HostPattern.parse("a.example", default_port=80).authority


def test_reading_hosts_loads_no_sockets() -> None:
    """House rule: every command reads manifests."""
    code = (
        "import sys; from cellwall_kernel.permissions import HostPattern\n"
        "HostPattern.parse('*.example.com:8443')\n"
        "print(sorted({'socket', 'ssl', 'ipaddress', 'asyncio'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]" == done.stdout.strip()
