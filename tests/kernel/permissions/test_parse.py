"""`[permissions]` and `[sandbox]`: the whole vocabulary, and that nothing unknown is overlooked."""

from __future__ import annotations

import tomllib
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_kernel.permissions import (
    Limits,
    Permissions,
    items_of,
    parse_permissions,
    parse_requirements,
    permissions_of,
)

WHOLE = """
network = ["API.example.com:443", "*.example.org:8443", "localhost:11434"]
read = ["~/models/", "${XDG_CACHE_HOME}/models", "/srv/data"]
write = ["."]
keys = ["example"]
env = ["EXAMPLE_HOST"]
spawn = ["git", "ffmpeg"]
devices = ["gpu"]
host = ["prompt", "ask"]
sockets = ["docker", "/run/example.sock"]
[limits]
memory = "1.5G"
processes = 128
file_size = 2097152
data = "10G"
cpu_seconds = 0
deadline = "10m"
[reason]
network = "calls the Example API"
limits = "holds a model in memory"
"""


def table(text: str) -> dict[str, Any]:
    """Return what stands in the table `[permissions]`."""
    return tomllib.loads(text)


def test_the_whole_vocabulary_is_understood() -> None:
    """Manifest vocabulary of sandbox.md §11; hosts are kept in their shortest form."""
    asked, reasons = parse_permissions(table(WHOLE))

    assert asked == Permissions(
        network=("api.example.com", "*.example.org:8443", "localhost:11434"),
        read=("~/models", "${XDG_CACHE_HOME}/models", "/srv/data"),
        write=(".",),
        keys=("example",),
        env=("EXAMPLE_HOST",),
        spawn=("git", "ffmpeg"),
        devices=("gpu",),
        host=("prompt", "ask"),
        sockets=("docker", "/run/example.sock"),
        limits=Limits(
            memory_bytes=3 << 29,
            processes=128,
            file_size_bytes=2 << 20,
            data_bytes=10 << 30,
            cpu_s=0,
            deadline_s=600,
        ),
    )
    assert reasons == {"network": "calls the Example API", "limits": "holds a model in memory"}


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("", Permissions()),
        ('network = "none"', Permissions()),
        ("network = []", Permissions()),
        ('network = "any"', Permissions(network="any")),
        ("spawn = false", Permissions()),
        ("spawn = []", Permissions()),
        ("spawn = true", Permissions(spawn=True)),
        ('keys = ["a", "a"]', Permissions(keys=("a",))),
    ],
)
def test_words_and_lists_say_the_same_where_they_can(text: str, asked: Permissions) -> None:
    """What is absent or empty is the default."""
    assert parse_permissions(table(text)) == (asked, {})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('netwrok = "any"', "[permissions] has 'netwrok', which is unknown; possible are network, read,"),
        ('network = "all"', 'network in [permissions] is \'all\'; it must be "none", "any" or a list'),
        ('network = ["none"]', "is no host"),
        ('network = ["any"]', 'write network = "any" instead'),
        ('network = ["http://a.example"]', "'http://a.example', which names a scheme"),
        ("network = [3]", "it must be"),
        ("network = true", "it must be"),
        ('read = "~/models"', "read in [permissions] is '~/models'; it must be a list of texts"),
        ('read = ["models"]', "does not begin with '/', '~/'"),
        ('read = ["~root/x"]', "does not begin with"),
        ('read = ["~/a/../b"]', "has a part '..'"),
        ('read = ["/a/*"]', "has a '*'"),
        ('read = ["~/a$b"]', "has a '$'"),
        ('read = ["/a\\u0000b"]', "control character"),
        ('read = ["/a\\u202eb"]', "invisible"),
        ('read = [""]', "does not begin with"),
        ('keys = [" "]', "is empty"),
        ('keys = ["//note"]', "begins with '//'"),
        ('keys = ["a\\nb"]', "control character"),
        ('env = ["PYTHONPATH"]', "changes how a program starts"),
        ('env = ["LD_PRELOAD"]', "changes how a program starts"),
        ('env = ["DYLD_INSERT_LIBRARIES"]', "changes how a program starts"),
        ('env = ["CELLWALL_HOME"]', "changes how a program starts"),
        ('env = ["TMPDIR"]', "changes how a program starts"),
        ('env = ["A=B"]', "is no name of an environment variable"),
        ('spawn = "git"', "it must be true, false or a list"),
        ("spawn = 1", "it must be true, false or a list"),
        ('spawn = ["bin/git"]', "neither the name of a program"),
        ('devices = ["camera"]', "possible is gpu"),
        ('host = ["everything"]', "possible are prompt and ask"),
        ('sockets = ["podman"]', "possible are docker, ssh-agent and a path"),
        ("limits = 3", "it must be a table"),
        ('[limits]\nram = "1G"', "[permissions.limits] has 'ram', which is unknown"),
        ('[limits]\nmemory = "much"', "is no size such as"),
        ("[limits]\nmemory = true", "it must be a SIZE"),
        ("[limits]\nmemory = 5", "the least is 1M"),
        ("[limits]\nprocesses = 0", "the least is 1"),
        ("[limits]\nprocesses = -1", "is no whole number"),
        ('[limits]\ndeadline = "soon"', "is no duration"),
        ('[limits]\ndeadline = "0.5s"', "whole seconds"),
        ('[reason]\ncolour = "red"', "[permissions.reason] has 'colour'"),
        ("[reason]\nnetwork = 3", "it must be a text"),
    ],
)
def test_what_is_not_understood_refuses_the_manifest(text: str, problem: str) -> None:
    """Unknown keys or values refuse to install (sandbox.md §11); the sentence names what is possible."""
    with pytest.raises(ValueError, match=r"^\S") as raised:
        parse_permissions(table(text))

    assert problem in str(raised.value)
    assert str(raised.value).isprintable()


def test_a_list_that_nobody_would_read_is_refused() -> None:
    """Kernel policy: a hundred values of a kind."""
    with pytest.raises(ValueError, match="has 101 values"):
        parse_permissions({"keys": [f"k{number}" for number in range(101)]})


def test_reasons_cannot_drive_a_terminal() -> None:
    """The author's words are a stranger's: control and invisible characters go, and length has an end."""
    _, reasons = parse_permissions({"reason": {"network": "a\x1b[2J\u202eb\n" + "c" * 500, "read": "\x00 "}})

    assert reasons["network"].startswith("a [2J b ccc")
    assert len(reasons["network"]) <= 160
    assert reasons.keys() == {"network"}


def test_a_plugin_may_insist_on_parts_of_the_wall() -> None:
    """`[sandbox] require` of sandbox.md §11."""
    assert parse_requirements({}) == ()
    assert parse_requirements({"require": ["files", "network", "files"]}) == ("files", "network")


@pytest.mark.parametrize(
    "wrong", [{"require": "files"}, {"require": ["everything"]}, {"require": [1]}, {"minimum": "strong"}]
)
def test_other_requirements_are_refused(wrong: dict[str, Any]) -> None:
    """A plugin that insists on something we do not know must not start with less."""
    with pytest.raises(ValueError, match=r"\[sandbox\]"):
        parse_requirements(wrong)


def test_permissions_survive_the_catalogue() -> None:
    """What a manifest asks for is kept as JSON in the catalogue and in the grants."""
    asked, _ = parse_permissions(table(WHOLE))

    assert msgspec.json.decode(msgspec.json.encode(asked), type=Permissions) == asked
    assert permissions_of(items_of(asked)) == asked


KNOWN = st.sampled_from(["any", "none", "~/x", "a.com", "*.a.com:1", "gpu", "1G", "10m"])
VALUES = st.recursive(
    st.text(max_size=20) | KNOWN | st.booleans() | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
MEMBERS = "network read write keys env spawn devices host sockets".split()  # noqa: SIM905 - a line of words


@given(st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=5), VALUES, max_size=4))
def test_any_table_is_permissions_or_a_value_error(members: dict[str, Any]) -> None:
    """A stranger wrote the file; what is accepted can be written on a command line and read again."""
    with suppress(ValueError):
        asked, _ = parse_permissions(members)

        assert permissions_of(items_of(asked)) == asked
