"""The settings: what is read, what is kept, and what is said when the file is wrong."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.config import Config, change_config, load_config
from cellwall_kernel.errors import StoreProblem, UsageProblem
from cellwall_kernel.timeouts import Timeouts

if TYPE_CHECKING:
    from cellwall_kernel.paths import Paths


def write(paths: Paths, content: str | bytes) -> None:
    """Put a settings file into the user folder."""
    paths.folder()
    paths.config.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_without_a_file_the_defaults_hold(paths: Paths) -> None:
    """Reading makes no folder."""
    assert load_config(paths) == Config()
    assert load_config(paths).logging
    assert not paths.root.exists()


def test_every_member_is_read(paths: Paths) -> None:
    """The file of the module's docstring."""
    write(
        paths, '{"default_model": "m", "timeouts": {"total_s": 60}, "owners": {"m": "p"}, "logging": false}'
    )
    assert load_config(paths) == Config(
        default_model="m", timeouts=Timeouts({"total": 60}), owners={"m": "p"}, logging=False
    )


def test_a_change_is_kept_and_private(paths: Paths) -> None:
    """What was changed is read again; the file is its owner's alone."""
    change_config(
        paths, lambda config: config.with_default_model("m").with_owner("m", "p").with_owner("n", "q")
    )
    changed = change_config(paths, lambda config: config.with_owner("n", None).with_logging(False))
    assert changed == load_config(paths) == Config(default_model="m", owners={"m": "p"}, logging=False)
    assert stat.S_IMODE(paths.config.stat().st_mode) == 0o600


def test_a_plugin_is_disabled_once_and_enabled_whole(paths: Paths) -> None:
    """`llm plugins disable` twice is like once."""
    for _ in range(2):
        change_config(
            paths, lambda config: config.with_disabled("llm-foo/foo", True).with_disabled("a/b", True)
        )
    assert load_config(paths).disabled == ("llm-foo/foo", "a/b")
    change_config(paths, lambda config: config.with_disabled("llm-foo/foo", False))
    assert json.loads(paths.config.read_text()) == {"disabled": ["a/b"]}


def test_deadlines_come_back_as_they_were_written(paths: Paths) -> None:
    """Issue 3, item 3: for all, for plugins and for commands; what is empty goes."""
    members = {
        "total_s": 60,
        "commands": {"models list": {"describe_s": 2.5}},
        "plugins": {"foo": {"first_s": 30, "idle_s": 0}},
    }
    write(paths, json.dumps({"timeouts": members}))
    change_config(paths, lambda config: config.with_default_model("m"))
    assert members == json.loads(paths.config.read_text())["timeouts"]

    gone = {"first": None, "idle": None}
    change_config(paths, lambda config: config.with_timeouts(config.timeouts.changed(gone, plugin="foo")))
    assert "plugins" not in json.loads(paths.config.read_text())["timeouts"]


def test_members_of_other_versions_are_kept(paths: Paths) -> None:
    """An older Cellwall must not destroy the settings of a newer one."""
    write(paths, '{"future": {"a": [1, null]}, "default_model": "m"}')
    change_config(paths, lambda config: config.with_default_model(None))
    assert json.loads(paths.config.read_text()) == {"future": {"a": [1, None]}}


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("", "line 1, column 1"),
        ('{"default_model": \n "m",}', "line 2"),
        (b'{"default_model": "\xff"}', "not UTF-8"),
        ("[]", "one JSON object"),
        ("[" * 100_000, "deeply"),
        ('{"default_model": 3}', "'default_model' must be the name of a model"),
        ('{"owners": {"m": 1}}', "'owners' must be"),
        ('{"owners": []}', "'owners' must be"),
        ('{"timeouts": {"total_s": 0}}', "'timeouts.total_s' must be seconds greater than 0"),
        ('{"timeouts": {"start_s": 0}}', "'timeouts.start_s' must be seconds greater than 0"),
        ('{"timeouts": {"total_s": true}}', "seconds greater than 0"),
        ('{"timeouts": {"total_s": NaN}}', "seconds greater than 0"),
        ('{"timeouts": {"total_s": Infinity}}', "seconds greater than 0"),
        ('{"timeouts": {"total_s": 1e9}}', "at most a year"),
        ('{"timeouts": {"idle_s": -1}}', "'timeouts.idle_s' must be seconds of 0 (which is off) or more"),
        ('{"timeouts": {"totl_s": 1}}', "'timeouts.totl_s' is no deadline; there are start_s, describe_s"),
        ('{"timeouts": {"total": 1}}', "'timeouts.total' is no deadline"),
        ('{"timeouts": 60}', "'timeouts' must be an object of names and seconds"),
        ('{"timeouts": {"plugins": []}}', "'timeouts.plugins' must be an object of names and objects"),
        (
            '{"timeouts": {"plugins": {"foo": 5}}}',
            "'timeouts.plugins.foo' must be an object of names and sec",
        ),
        (
            '{"timeouts": {"plugins": {"foo": {"describe_s": "5"}}}}',
            "'timeouts.plugins.foo.describe_s' must be seconds greater than 0",
        ),
        (
            '{"timeouts": {"commands": {"models list": {"x_s": 5}}}}',
            "'timeouts.commands.models list.x_s' is no deadline",
        ),
        ('{"logging": "yes"}', "'logging' must be true or false"),
        ('{"disabled": "foo"}', "'disabled' must be a list of plugins"),
        ('{"disabled": [1]}', "'disabled' must be a list of plugins"),
    ],
)
def test_a_wrong_file_is_one_sentence_and_stays(paths: Paths, content: str | bytes, cause: str) -> None:
    """The sentence names file, place and cure; a change does not overwrite what a person wrote."""
    write(paths, content)
    before = paths.config.read_bytes()
    with pytest.raises(UsageProblem, match=r"move it away\.$") as raised:
        load_config(paths)
    assert cause in raised.value.message
    assert str(paths.config) in raised.value.message
    with pytest.raises(UsageProblem):
        change_config(paths, lambda config: config.with_default_model("x"))
    assert paths.config.read_bytes() == before


def test_a_folder_in_the_place_of_the_file_is_named(paths: Paths) -> None:
    """What cannot be read is a StoreProblem."""
    paths.config.mkdir(parents=True)
    with pytest.raises(StoreProblem, match=r"config\.json cannot be read"):
        load_config(paths)


def test_parallel_changes_lose_nothing(paths: Paths) -> None:
    """Eight processes that each choose owners for ten models leave eighty choices."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from cellwall_kernel.config import change_config\n"
        "from cellwall_kernel.paths import Paths\n"
        "paths, number = Paths(Path(sys.argv[1])), sys.argv[2]\n"
        "for index in range(10):\n"
        "    change_config(paths, lambda config: config.with_owner(f'{number}-{index}', 'p'))\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", program, str(paths.root), str(number)]) for number in range(8)
    ]
    assert [child.wait(timeout=30) for child in children] == [0] * 8
    assert len(load_config(paths).owners) == 80
