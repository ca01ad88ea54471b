"""What covers what, what is missing, and sets put together and cut down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_kernel.permissions import (
    Permissions,
    covers,
    expanded,
    holds,
    items_of,
    missing,
    parse_item,
    permissions_of,
    union,
    with_items,
    without,
)

if TYPE_CHECKING:
    from pathlib import Path

ALL = """
    network=any network=a.com network=*.a.com network=b.a.com network=*.b.a.com network=a.com:8443
    network=localhost:11434 read=/ read=~ read=~/m read=/srv read=. read=./sub write=~/m write=. key=a key=b
    env=A spawn=any spawn=git device=gpu socket=docker memory=2G memory=512M processes=100 cpu_seconds=0
    cpu_seconds=5 deadline=10m deadline=0 data=6G file_size=3G
"""
SOME = st.lists(st.sampled_from(ALL.split()), max_size=6).map(
    lambda texts: permissions_of(map(parse_item, texts))
)


def set_of(text: str) -> Permissions:
    """Return the permissions of a command line."""
    return permissions_of(parse_item(word) for word in text.split())


@pytest.mark.parametrize(
    ("granted", "item"),
    [
        ("network=any", "network=a.com:8443"),
        ("network=*.a.com", "network=b.a.com"),
        ("network=*.a.com", "network=*.b.a.com"),
        ("network=a.com", "network=A.com:443"),
        ("write=~/models", "read=~/models/small"),
        ("read=/", "read=."),
        ("read=.", "read=./sub"),
        ("read=~", "read=~/a/b"),
        ("spawn=any", "spawn=git"),
        ("memory=4G", "memory=2G"),
        ("cpu_seconds=0", "cpu_seconds=100"),
        ("deadline=1h", "deadline=10m"),
        ("", "memory=1G"),
        ("", "processes=64"),
        ("", "data=5G"),
        ("", "cpu_seconds=0"),
        ("", "deadline=0"),
    ],
)
def test_a_wide_permission_covers_a_narrow_one(granted: str, item: str) -> None:
    """Kernel policy; what everybody may use needs no grant."""
    assert covers(set_of(granted), parse_item(item))


@pytest.mark.parametrize(
    ("granted", "item"),
    [
        ("", "network=a.com"),
        ("network=a.com", "network=any"),
        ("network=*.a.com", "network=a.com"),
        ("network=*.a.com", "network=evila.com"),
        ("network=*.b.a.com", "network=*.a.com"),
        ("network=a.com", "network=*.a.com"),
        ("network=a.com", "network=a.com:8443"),
        ("network=*.a.com", "network=b.a.com:80"),
        ("read=~/models", "write=~/models"),
        ("read=~/models", "read=~/models2"),
        ("read=~/models/small", "read=~/models"),
        ("read=.", "read=~/x"),
        ("read=./sub", "read=."),
        ("read=/srv", "read=."),
        ("key=a", "key=A"),
        ("key=a", "env=a"),
        ("spawn=git", "spawn=any"),
        ("spawn=git", "spawn=ffmpeg"),
        ("socket=docker", "socket=ssh-agent"),
        ("memory=2G", "memory=4G"),
        ("deadline=10m", "deadline=1h"),
        ("", "memory=1025M"),
    ],
)
def test_what_was_not_granted_is_not_covered(granted: str, item: str) -> None:
    """The other side of the same table: near is not the same."""
    assert not covers(set_of(granted), parse_item(item))


def test_a_shell_may_have_replaced_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bash turns `read=~/models` on its command line into a whole path, and that is what is granted."""
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    assert missing(set_of("read=~/models"), set_of("read=/home/ada/models")) == Permissions()
    assert missing(set_of("read=${XDG_CACHE_HOME}/x"), set_of("read=~/.cache")) == Permissions()
    assert without(set_of("read=/home/ada/models key=a"), [parse_item("read=~/models")]) == set_of("key=a")


def test_places_mean_paths_only_if_their_variable_is_set() -> None:
    """A variable that is not set, or is no whole path, leads nowhere."""
    environ = {"HOME": "/home/ada", "DATA": "/data/", "ODD": "relative"}

    assert expanded("~/a", environ) == "/home/ada/a"
    assert expanded("${DATA}/a", environ) == "/data/a"
    assert expanded("${XDG_CONFIG_HOME}", environ) == "/home/ada/.config"
    assert expanded("./a", environ) == "a"
    assert [expanded(place, environ) for place in ("${NOTHING}/a", "${ODD}/a")] == [None, None]
    assert holds("${NOTHING}/a", "${NOTHING}/a", environ)
    assert not holds("${NOTHING}", "${NOTHING}/a", environ)


def test_an_update_wants_only_the_difference() -> None:
    """Update: more permissions show the difference only (sandbox.md §12)."""
    old = set_of("network=*.a.com key=a memory=2G")
    new = set_of("network=b.a.com network=c.com key=a memory=4G")

    assert missing(new, old) == set_of("network=c.com memory=4G")
    assert missing(old, union(old, new)) == Permissions()


def test_a_typed_amount_takes_the_place_of_the_old_one() -> None:
    """Lists grow by a grant; an amount is what was typed last."""
    granted = with_items(set_of("key=a memory=4G"), [parse_item("key=b"), parse_item("memory=2G")])

    assert granted == set_of("key=a key=b memory=2G")


def test_what_is_taken_back_is_gone_and_parts_are_not() -> None:
    """A part of a folder cannot be taken out of it: the wall cannot subtract."""
    granted = set_of("network=any read=~/models key=a")

    assert without(granted, [parse_item("network=any"), parse_item("key=a")]) == set_of("read=~/models")
    assert without(granted, [parse_item("read=~/models/x"), parse_item("network=a.com")]) == granted


@given(SOME, SOME)
def test_a_union_leaves_nothing_missing(one: Permissions, other: Permissions) -> None:
    """What was granted together covers each part, and nothing is missing from itself."""
    together = union(one, other)

    assert missing(one, together) == missing(other, together) == Permissions()
    assert missing(one, one) == Permissions()
    assert union(one, one) == one


@given(SOME, SOME)
def test_granting_what_is_missing_is_enough(asked: Permissions, granted: Permissions) -> None:
    """The prompt shows what is missing; after a Yes nothing is."""
    assert missing(asked, union(granted, missing(asked, granted))) == Permissions()


@given(SOME)
def test_taking_everything_back_leaves_nothing(granted: Permissions) -> None:
    """Every permission can be named and revoked."""
    assert without(granted, items_of(granted)) == Permissions()


def test_folders_of_links_are_not_followed_in_comparisons(tmp_path: Path) -> None:
    """Comparing is about texts; real paths are the wall's business, at launch."""
    (tmp_path / "link").symlink_to(tmp_path / "real")

    assert not covers(set_of(f"read={tmp_path}/real"), parse_item(f"read={tmp_path}/link"))
