"""Permissions as the command line writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_kernel.permissions import Limits, Permission, Permissions, items_of, parse_item, permissions_of
from cellwall_kernel.permissions._amounts import duration_text, read_duration, read_size, size_text


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("network=any", Permission("network", "any")),
        ("network=API.Example.com:443", Permission("network", "api.example.com")),
        ("network=[2001:db8::7]:80", Permission("network", "[2001:db8::7]:80")),
        ("read=~/models/", Permission("read", "~/models")),
        ("write=.", Permission("write", ".")),
        ("read=./sub", Permission("read", "./sub")),
        ("read=/", Permission("read", "/")),
        ("read=/a=b", Permission("read", "/a=b")),
        ("key=openai", Permission("key", "openai")),
        ("env=HTTPS_PROXY", Permission("env", "HTTPS_PROXY")),
        ("spawn=any", Permission("spawn", "any")),
        ("spawn=git", Permission("spawn", "git")),
        ("device=gpu", Permission("device", "gpu")),
        ("socket=ssh-agent", Permission("socket", "ssh-agent")),
        ("memory=2048M", Permission("memory", "2G")),
        ("processes=128", Permission("processes", "128")),
        ("cpu_seconds=0", Permission("cpu_seconds", "0")),
        ("deadline=600", Permission("deadline", "10m")),
    ],
)
def test_every_kind_is_read_and_kept_in_its_shortest_form(text: str, item: Permission) -> None:
    """The text of a permission is what `llm plugins grant` takes and what refusals print."""
    assert parse_item(text) == item
    assert parse_item(str(item)) == item


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("netwrok=x", "there is no permission 'netwrok'"),
        ("unsandboxed", "there is no permission 'unsandboxed'"),
        ("network", "'network' needs a value: network=HOST"),
        ("network=", "'network' needs a value"),
        ("network=none", "is no host"),
        ("network=a.com/x", "names a path"),
        ("read=any", "does not begin with"),
        ("key=", "needs a value"),
        ("memory=1K", "is less than 1M"),
        ("memory=999999999T", "larger than any limit"),
        ("device=any", "is no group of devices"),
    ],
)
def test_what_is_none_is_told_in_a_sentence(text: str, problem: str) -> None:
    """The command line shows it as it is."""
    with pytest.raises(ValueError, match=r"\S") as raised:
        parse_item(text)

    assert problem in str(raised.value)


def test_any_takes_the_place_of_single_values() -> None:
    """Kernel policy: a list that ends in `any` would be read as a short list."""
    items = [parse_item(text) for text in ("network=a.com", "network=any", "spawn=git", "spawn=any")]

    assert permissions_of(items) == Permissions(network="any", spawn=True)


def test_items_are_listed_by_kind() -> None:
    """The same order everywhere, whatever the order of typing."""
    granted = permissions_of(map(parse_item, ("memory=2G", "key=a", "network=b.com", "memory=3G")))

    assert granted.limits == Limits(memory_bytes=3 << 30)
    assert [str(item) for item in items_of(granted)] == ["network=b.com", "key=a", "memory=3G"]


@pytest.mark.parametrize(
    ("text", "size"),
    [("1.5G", 3 << 29), ("512MB", 512 << 20), ("512 MiB", 512 << 20), ("7", 7), ("1t", 1 << 40)],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    """Powers of 1024, whatever the spelling."""
    assert read_size(text) == size


@given(st.integers(0, (1 << 63) - 1), st.integers(0, 366 * 24 * 3600))
def test_amounts_are_read_back_as_they_are_written(size: int, seconds: int) -> None:
    """The text of an amount loses nothing."""
    assert read_size(size_text(size)) == size
    assert read_duration(duration_text(seconds)) == seconds
