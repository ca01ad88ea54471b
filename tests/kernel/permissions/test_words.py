"""What people are shown: the table, the short form, and what permissions add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.permissions import (
    Permissions,
    cautions_about,
    in_short,
    parse_item,
    permissions_of,
    rows,
    what_is_not_asked,
)

if TYPE_CHECKING:
    from pathlib import Path

HOME = {"HOME": "/home/ada", "PATH": "/usr/bin:/opt/tools/bin:relative"}


def set_of(text: str) -> Permissions:
    """Return the permissions of a command line."""
    return permissions_of(parse_item(word) for word in text.split())


def cautions(text: str) -> list[tuple[str, bool]]:
    """Return what is said about permissions in Ada's home."""
    return [(caution.text, caution.is_severe) for caution in cautions_about(set_of(text), HOME)]


def test_a_row_shows_value_facts_and_the_authors_words(tmp_path: Path) -> None:
    """The table of sandbox.md §12."""
    (tmp_path / "a").mkdir()
    (tmp_path / "file").touch()
    granted = set_of(
        f"network=a.com network=b.com:80 read={tmp_path} read={tmp_path}/file read={tmp_path}/none read=. "
        "key=foo env=FOO_API_KEY env=LANGUAGE spawn=git memory=2G"
    )

    shown = [
        (row.label, row.value, row.facts, row.reason)
        for row in rows(granted, {"network": "why", "limits": "big"})
    ]

    assert shown == [
        ("network", "a.com:443", "", "why"),
        ("network", "b.com:80", "", "why"),
        ("read", str(tmp_path), "1 folder below it", ""),
        ("read", f"{tmp_path}/file", "a file", ""),
        ("read", f"{tmp_path}/none", "not there now", ""),
        ("read", ".", "where the command is called", ""),
        ("key", "foo", "only this key", ""),
        ("variable", "FOO_API_KEY", "looks like a secret", ""),
        ("variable", "LANGUAGE", "", ""),
        ("programs", "git", "any program, inside the same wall", ""),
        ("memory", "2G", "", "big"),
    ]


def test_what_is_not_asked_for_is_said_too() -> None:
    """§12: what a plugin cannot do is what people want to know first."""
    assert what_is_not_asked(Permissions()).startswith(
        "Nothing else: no network, no keys, no files but its own"
    )
    assert "files" not in what_is_not_asked(set_of("write=/a"))


def test_the_short_form_names_everything() -> None:
    """One column of `llm plugins list`."""
    assert in_short(Permissions()) == "default"
    assert in_short(set_of("key=x network=a.com network=b.com")) == "network a.com, b.com; key x"


@pytest.mark.parametrize(
    ("place", "what"),
    [
        ("~/.bashrc", "a shell start file"),
        ("~", "a shell start file"),
        ("/", "a shell start file"),
        ("~/.config/fish/conf.d", "a shell start file"),
        ("/home/ada/.zshrc", "a shell start file"),
        ("~/.config/autostart", "an autostart folder"),
        ("~/.ssh/authorized_keys", "the settings of ssh"),
        ("/opt/tools/bin", "a folder of programs"),
        ("/opt/tools", "a folder of programs"),
        ("~/.local/bin", "a folder of programs"),
        ("~/code/.git/hooks", "hooks of git"),
        (".", "in a checkout of git its hooks"),
        ("${UNSET}/x", "nobody knows where it leads, since its variable is not set"),
    ],
)
def test_writing_where_programs_start_is_called_what_it_is(
    place: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """§11: shell start files, hooks, PATH and autostart folders are ways out of the sandbox."""
    monkeypatch.chdir(tmp_path)  # no checkout of git

    assert (f"By writing {place} it can run code outside the sandbox ({what}).", False) in cautions(
        f"write={place}"
    )


def test_a_checkout_is_found_on_the_disk(tmp_path: Path) -> None:
    """Its hooks run with the next commit."""
    (tmp_path / ".git").mkdir()

    assert "hooks of git" in cautions(f"write={tmp_path}")[0][0]


@pytest.mark.parametrize("harmless", ["write=~/models", "read=~/.bashrc", "write=~/.config/foo", "key=a"])
def test_ordinary_permissions_raise_no_alarm(harmless: str) -> None:
    """Warnings for everything would be read by nobody."""
    assert cautions(harmless) == []


@pytest.mark.parametrize(
    ("granted", "reason"),
    [
        ("socket=docker", "the socket docker starts anything"),
        ("socket=/var/run/docker.sock", "starts anything"),
        ("network=any read=~", "it reads ~ and reaches any host"),
        ("network=any write=/home", "it reads /home and reaches any host"),
        ("spawn=any write=~/.local/bin", "it starts programs and changes those in ~/.local/bin"),
    ],
)
def test_what_undoes_the_wall_comes_first_and_is_severe(granted: str, reason: str) -> None:
    """§11: one red line, "as good as unsandboxed"."""
    text, is_severe = cautions(granted)[0]

    assert is_severe
    assert text.startswith("As good as unsandboxed: ")
    assert reason in text


def test_it_is_said_where_data_can_go() -> None:
    """§12: "Could send anything it can read to HOST."."""
    assert cautions("network=a.com network=b.com") == [
        ("Could send anything it can read to a.com and b.com.", False)
    ]
    assert cautions("network=any") == [("Could send anything it can read to any host.", False)]


def test_services_of_the_host_are_shown_with_what_they_come_to() -> None:
    """[P-69] Questions may be used to phish, and prompts cost money."""
    granted = set_of("host=ask host=prompt")

    assert [(row.label, row.value, row.facts) for row in rows(granted, {})] == [
        ("host service", "ask", "questions to you, shown with its name"),
        ("host service", "prompt", "prompts on any of your models, which may cost money"),
    ]
    assert cautions("host=prompt") == [("Could run prompts on any of your models, at your expense.", False)]
    assert "as any web page could" in cautions("host=ask")[0][0]
