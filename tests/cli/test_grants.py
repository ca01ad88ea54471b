"""`llm plugins grant|revoke|verify|enable|disable`, and what `list` and `show` say about permissions."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

MANIFEST = """
[permissions]
network = ["api.example.com"]
keys = ["foo"]
[permissions.reason]
network = "calls the Example API"
"""


@pytest.fixture
def foo(llm: CommandLine) -> CommandLine:
    """A command line with a plugin that asks for a host and a key, and another that asks for nothing."""
    llm.plugin("foo", "VALUE = 1\n")
    (llm.site / "foo.plugin.toml").write_text(MANIFEST)
    record = llm.site / "foo-1.0.dist-info/RECORD"
    record.write_text(record.read_text() + "foo.plugin.toml,,\n")
    llm.plugin("bar", "VALUE = 1\n")
    return llm


def granted(llm: CommandLine, name: str = "foo") -> list[str]:
    """What a plugin may do, as `llm plugins list` says it to programs."""
    listed = json.loads(llm("plugins", "--json").out)
    return list(next(each for each in listed if each["name"] == name)["permissions"])


def test_what_is_typed_is_granted_without_a_question(foo: CommandLine) -> None:
    """By hand, and beyond what the manifest asks for; everything that is said stands on stderr."""
    done = foo("plugins", "grant", "foo", "key=foo", "read=/srv/models", "memory=2G")

    assert (done.code, done.out) == (0, "")
    assert "'foo' may do now: read /srv/models; key foo; memory 2G." in done.err
    assert "It asks for more, which it may not: network api.example.com." in done.err
    assert granted(foo) == ["read=/srv/models", "key=foo", "memory=2G"]
    assert stat.S_IMODE((foo.home / "grants.json").stat().st_mode) == 0o600


def test_a_plugin_without_a_manifest_may_be_granted_something(foo: CommandLine) -> None:
    """Its user may grant more by hand (sandbox.md §12)."""
    assert foo("plugins", "grant", "bar", "network=any").code == 0
    assert granted(foo, "bar") == ["network=any"]


def test_all_that_is_asked_can_be_granted_by_a_flag(foo: CommandLine) -> None:
    """For scripts: `--yes-as-asked`."""
    assert foo("plugins", "grant", "foo", "--yes-as-asked").code == 0
    assert granted(foo) == ["network=api.example.com", "key=foo"]


def test_without_a_terminal_nobody_is_asked(foo: CommandLine) -> None:
    """A piped "y" is no consent: the sentence names both ways to grant without a question."""
    done = foo("plugins", "grant", "foo", piped="y\n")

    assert done.code == 2
    assert "nobody can be asked here" in done.err
    assert "--yes-as-asked" in done.err
    assert "'llm plugins grant foo network=api.example.com key=foo'" in done.err
    assert granted(foo) == []


def test_nothing_to_ask_is_said_and_no_mistake(foo: CommandLine) -> None:
    """A plugin that asks for nothing beyond the default needs no grant."""
    done = foo("plugins", "grant", "bar")

    assert done.code == 0
    assert "bar 1.0, asks for nothing beyond the default." in done.err
    assert not (foo.home / "grants.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("netwrok=a.com",), "did you mean 'network'?"),
        (("keys=foo",), "did you mean 'key'?"),
        (("teleport=yes",), "Possible are network=, read=, write=, key=, env=, spawn=,"),
        (("network",), "'network' needs a value: network=HOST"),
        (("read=models",), "does not begin with '/', '~/'"),
        (("env=PYTHONPATH",), "changes how a program starts"),
        (("network=a.com\x1b[2J",), "invisible"),
    ],
)
def test_a_wrong_permission_is_one_sentence(foo: CommandLine, words: tuple[str, ...], said: str) -> None:
    """It names what is possible, and nothing is granted of the others on the line."""
    done = foo("plugins", "grant", "foo", "key=foo", *words)

    assert done.code == 2
    assert said in done.err
    assert "\x1b" not in done.err
    assert not (foo.home / "grants.json").exists()


def test_the_user_folder_cannot_be_granted(foo: CommandLine) -> None:
    """Keys and conversations are not for plugins, not even as part of a larger folder."""
    done = foo("plugins", "grant", "foo", f"read={foo.home.parent}")

    assert done.code == 2
    assert "cannot be granted: Cellwall keeps keys and conversations in" in done.err


def test_ways_out_of_the_sandbox_are_pointed_out(foo: CommandLine) -> None:
    """§11: by hand as at the prompt."""
    done = foo("plugins", "grant", "foo", "write=~/.bashrc", "socket=docker")

    assert "As good as unsandboxed: the socket docker starts anything." in done.err
    assert "By writing ~/.bashrc it can run code outside the sandbox (a shell start file)." in done.err


def test_the_wall_can_be_taken_down_and_put_back(foo: CommandLine) -> None:
    """`--unsandboxed` is for one plugin, is shown wherever it matters, and can be revoked alone."""
    done = foo("plugins", "grant", "foo", "--unsandboxed", "key=foo")
    assert done.code == 0
    assert "runs without a wall now" in done.err
    assert "everything: unsandboxed" in foo("plugins").out
    assert "it runs without a wall" in foo("plugins", "show", "foo").out

    assert foo("plugins", "revoke", "foo", "unsandboxed").code == 0
    assert "unsandboxed" not in foo("plugins").out
    assert granted(foo) == ["key=foo"]


def test_permissions_are_taken_back_one_by_one_or_all(foo: CommandLine) -> None:
    """By value, by kind, or everything."""
    foo("plugins", "grant", "foo", "key=foo", "key=bar", "read=/a", "read=/b", "network=any")

    assert foo("plugins", "revoke", "foo", "key=bar", "read").code == 0
    assert granted(foo) == ["network=any", "key=foo"]
    assert "may do now: default." in foo("plugins", "revoke", "foo").err
    assert granted(foo) == []
    assert json.loads((foo.home / "grants.json").read_text())["plugins"] == {}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("key=bar", "was not granted 'key=bar'; it may do: read /a; key foo."),
        ("read=/a/b", "'read=/a/b' is part of what plugin 'foo' may do"),
        ("network", "was granted no network"),
        ("unsandboxed", "does not run unsandboxed"),
        ("kee=foo", "did you mean 'key'?"),
    ],
)
def test_what_was_not_granted_cannot_be_taken_back(foo: CommandLine, word: str, said: str) -> None:
    """Somebody who believes to have taken something back must not be mistaken."""
    foo("plugins", "grant", "foo", "key=foo", "read=/a")
    done = foo("plugins", "revoke", "foo", "key=foo", word)

    assert done.code == 2
    assert said in done.err
    assert granted(foo) == ["read=/a", "key=foo"]


def test_grants_of_a_removed_plugin_can_be_taken_back(foo: CommandLine) -> None:
    """They are kept for its return, until somebody thinks better of it."""
    foo("plugins", "grant", "bar", "key=bar")
    for file in (foo.site / "bar-1.0.dist-info").iterdir():
        file.unlink()
    (foo.site / "bar-1.0.dist-info").rmdir()

    assert foo("plugins", "revoke", "bar").code == 0
    assert json.loads((foo.home / "grants.json").read_text())["plugins"] == {}
    assert foo("plugins", "revoke", "bar").code == 3


def test_changed_files_are_found_named_and_accepted(foo: CommandLine) -> None:
    """Changed content gets nothing until its user has looked (sandbox.md §12)."""
    foo("plugins", "grant", "foo", "key=foo")
    assert foo("plugins", "verify").out == "foo\tsame\t\n"
    (foo.site / "foo.py").write_text("VALUE = 2\n")

    found = foo("plugins", "verify")
    assert found.code == 5
    assert found.out == "foo\tchanged\tits files are others\nfoo\tchanged\tfoo.py\n"
    assert "nothing: it has changed" in foo("plugins").out
    refused = foo("plugins", "grant", "foo", "read=/a")
    assert refused.code == 5
    assert "'llm plugins grant foo --accept-change' accepts it" in refused.err

    assert foo("plugins", "grant", "foo", "--accept-change").code == 0
    assert foo("plugins", "verify", "foo").code == 0
    assert granted(foo) == ["key=foo"]


def test_taking_back_does_not_accept_a_change(foo: CommandLine) -> None:
    """Revoking must work at any time, and must not pin new files by the way."""
    foo("plugins", "grant", "foo", "key=foo", "read=/a")
    (foo.site / "foo.py").write_text("VALUE = 2\n")

    assert foo("plugins", "revoke", "foo", "read").code == 0
    assert foo("plugins", "verify").code == 5


def test_verifying_speaks_to_programs_too(foo: CommandLine) -> None:
    """The same members for every plugin; a named one without a pin is no failure."""
    foo("plugins", "grant", "foo", "key=foo")
    (foo.site / "foo.plugin.toml").unlink()
    done = foo("plugins", "verify", "foo", "bar", "--json")

    assert done.code == 5
    assert json.loads(done.out) == [
        {
            "name": "foo",
            "state": "changed",
            "cause": "its files are others, its manifest among them",
            "files": [{"what": "gone", "path": "foo.plugin.toml"}],
        },
        {"name": "bar", "state": "unpinned", "cause": "nothing was granted", "files": []},
    ]


def test_disabling_is_a_setting_that_lasts(foo: CommandLine) -> None:
    """It stays installed and keeps what it was granted."""
    foo("plugins", "grant", "foo", "key=foo")

    assert foo("plugins", "disable", "foo").code == 0
    assert json.loads((foo.home / "config.json").read_text()) == {"disabled": ["foo/foo"]}
    assert foo("plugins", "disable", "foo").code == 0
    assert granted(foo) == ["key=foo"]
    assert foo("plugins", "enable", "foo").code == 0
    assert json.loads((foo.home / "config.json").read_text()) == {}


@pytest.mark.parametrize("command", ["grant", "revoke", "verify", "enable", "disable"])
def test_an_unknown_plugin_is_named(foo: CommandLine, command: str) -> None:
    """With the one that was probably meant."""
    done = foo("plugins", command, "fo")

    assert done.code == 3
    assert "no plugin 'fo' is installed; did you mean 'foo'?" in done.err


def test_the_list_says_what_each_may_do(foo: CommandLine) -> None:
    """In a pipe it is the last column, so that older scripts go on working."""
    foo("plugins", "grant", "foo", "key=foo")
    rows = {row.split("\t")[0]: row.split("\t") for row in foo("plugins").out.splitlines()}

    assert rows["foo"][5] == "key foo (asks for more)"
    assert rows["bar"][5] == "default"
    members = {each["name"]: each for each in json.loads(foo("plugins", "--json").out)}
    assert members["foo"]["asked"] == ["network=api.example.com", "key=foo"]
    assert (members["foo"]["walled"], members["foo"]["changed"]) == (True, False)


def test_a_plugin_is_shown_with_what_it_may_and_may_not(foo: CommandLine) -> None:
    """The author's words are marked as such."""
    foo("plugins", "grant", "foo", "key=foo")
    shown = foo("plugins", "show", "foo").out

    assert "granted:       key=foo (only this key)\n" in shown
    assert 'not granted:   network=api.example.com (its author: "calls the Example API")\n' in shown
    assert "pinned:        sha256 " in shown
    facts = json.loads(foo("plugins", "show", "foo", "--json").out)
    assert (facts["permissions"], facts["missing"]) == (["key=foo"], ["network=api.example.com"])
    assert len(facts["pin"]["tree"]) == 64


def test_a_manifest_with_a_slip_is_refused_whole(foo: CommandLine) -> None:
    """Unknown keys refuse to install; nothing can be granted to what nobody understands."""
    (foo.site / "foo.plugin.toml").write_text('[permissions]\nnetwrok = "any"\n')
    record = foo.site / "foo-1.0.dist-info/RECORD"
    record.write_text(record.read_text() + "changed,,\n")

    done = foo("plugins", "grant", "foo", "--yes-as-asked")

    assert done.code == 5
    assert "[permissions] has 'netwrok', which is unknown; possible are network, read," in done.err


def test_damaged_grants_are_told_and_kept(foo: CommandLine) -> None:
    """Fail closed: nobody knows what was taken back."""
    foo("plugins", "grant", "foo", "key=foo")
    (foo.home / "grants.json").write_text("{")

    done = foo("plugins", "grant", "foo", "key=bar")

    assert done.code == 8
    assert "are damaged" in done.err
    assert (foo.home / "grants.json").read_text() == "{"
