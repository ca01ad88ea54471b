"""`grants.json`: private, replaced as a whole, closed when it is damaged, and pinned to files."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from cellwall_kernel.discovery import PluginRecord, discover
from cellwall_kernel.errors import PluginChanged, StoreProblem, UsageProblem
from cellwall_kernel.grants import Grant, Grants, accept, asked_by, change_grant, valid_grant
from cellwall_kernel.permissions import Permission, Permissions, permissions_of
from tests.children.kit import environment_of, install, install_editable

if TYPE_CHECKING:
    from pathlib import Path

    from cellwall_kernel.paths import Paths

KEY = Permissions(keys=("foo",))


@pytest.fixture
def record(site: Path) -> PluginRecord:
    """A plugin in the environment of `llm` that asks for a key."""
    files = {"llm_foo/__init__.py": "one = 1\n", "llm_foo/plugin.toml": '[permissions]\nkeys = ["foo"]\n'}
    install(site, "llm-foo", files, points={"foo": "llm_foo"}, version="1.2")
    return found(site)


def found(site: Path) -> PluginRecord:
    """Return the one plugin that is installed."""
    (record,) = discover(environment_of(site))
    return record


def test_without_a_file_nothing_is_granted(paths: Paths, record: PluginRecord) -> None:
    """The default: no network, no keys, own folder only; reading makes no folder."""
    assert Grants.load(paths).of(record) == Grant()
    assert valid_grant(paths, record).is_empty
    assert not paths.root.exists()


def test_what_was_accepted_is_kept_with_pin_and_date(paths: Paths, record: PluginRecord) -> None:
    """Grant = what the user accepted, with pin, date and level then, mode 0600 (sandbox.md §12)."""
    accept(paths, record, asked_by(record), level="STRONG", wheels=[("llm_foo.whl", "ab")])

    kept = valid_grant(paths, record)

    assert (kept.permissions, kept.unsandboxed, kept.level) == (KEY, False, "STRONG")
    assert kept.granted_at[4] == "-"
    assert len(kept.asked) == 64
    assert kept.pin is not None
    assert (kept.pin.dist, kept.pin.version, kept.pin.wheels) == ("llm-foo", "1.2", (("llm_foo.whl", "ab"),))
    assert stat.S_IMODE(paths.grants.stat().st_mode) == 0o600
    assert list(json.loads(paths.grants.read_text())["plugins"]) == ["llm-foo/foo"]


def test_wheels_are_remembered_for_the_same_version(paths: Paths, record: PluginRecord) -> None:
    """Only the installer knows them; a later grant by hand must not lose them."""
    accept(paths, record, KEY, wheels=[("llm_foo.whl", "ab")])

    again = accept(paths, record, Permissions(keys=("a",)))

    assert again.pin is not None
    assert again.pin.wheels == (("llm_foo.whl", "ab"),)


def test_a_plugin_without_grants_needs_no_entry(paths: Paths, record: PluginRecord) -> None:
    """It runs in the default wall whatever its files are; one of `llm install` keeps its pin."""
    accept(paths, record, KEY)
    accept(paths, record, Permissions())

    assert Grants.load(paths).by_key == {}
    assert list(paths.folder("pins").glob("*.json")) == []
    own = msgspec.structs.replace(record, environment=record.location)
    assert accept(paths, own, Permissions()).pin is not None


def test_a_file_open_to_others_is_closed(paths: Paths, record: PluginRecord) -> None:
    """A copy or a backup may have lost the mode."""
    accept(paths, record, KEY)
    paths.grants.chmod(0o666)

    Grants.load(paths)

    assert stat.S_IMODE(paths.grants.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "damaged"),
        (b"{}", "damaged"),
        (b'{"format": 1, "plugins": {"a/b": {"permissions": {"network": "all"}}}}', "damaged"),
        (b'{"format": 1, "plugins": {"a/b": {"unsandboxed": "no"}}}', "damaged"),
        (b"\xff", "damaged"),
        (b"[" * 100_000, "damaged"),
        (b'{"format": 2, "plugins": {}}', "another version of Cellwall"),
    ],
)
def test_a_damaged_file_fails_closed_and_stays(
    paths: Paths, record: PluginRecord, content: bytes, cause: str
) -> None:
    """Nobody knows what was taken back: neither a launch nor a change goes on, and nothing is overwritten."""
    paths.folder()
    paths.grants.write_bytes(content)

    with pytest.raises(StoreProblem, match=cause):
        valid_grant(paths, record)
    with pytest.raises(StoreProblem, match=cause):
        accept(paths, record, KEY)
    assert paths.grants.read_bytes() == content


def test_changed_files_get_nothing(paths: Paths, record: PluginRecord, site: Path) -> None:
    """Changed content does not start (sandbox.md §12); the sentence says how to look and how to accept."""
    accept(paths, record, KEY)
    (site / "llm_foo/__init__.py").write_text("two = 2\n")

    with pytest.raises(PluginChanged, match=r"files are others; 'llm plugins verify foo'.*--accept-change"):
        valid_grant(paths, record)
    accept(paths, record, KEY)
    assert valid_grant(paths, record).permissions == KEY


def test_another_version_gets_nothing(paths: Paths, record: PluginRecord, site: Path) -> None:
    """An upgrade behind our back is a change, and named as such."""
    accept(paths, record, KEY)
    install(site, "llm-foo", {"llm_foo/__init__.py": "one = 1\n"}, points={"foo": "llm_foo"}, version="1.3")

    with pytest.raises(PluginChanged, match=r"it is llm-foo 1\.3 now and was llm-foo 1\.2"):
        valid_grant(paths, found(site))


def test_a_new_time_of_the_same_content_is_no_change(paths: Paths, record: PluginRecord, site: Path) -> None:
    """A backup that was restored, a reinstallation: the files are read once, and the new stamp is kept."""
    before = accept(paths, record, KEY)
    (site / "llm_foo/__init__.py").write_text("one = 1\n")

    assert valid_grant(paths, record).permissions == KEY
    after = Grants.load(paths).of(record)
    assert after.pin is not None
    assert before.pin is not None
    assert after.pin.stamp != before.pin.stamp
    assert after.pin.tree == before.pin.tree


def test_a_grant_without_a_pin_is_not_believed(paths: Paths, record: PluginRecord) -> None:
    """Somebody wrote it by hand, or a version with a bug did: fail closed."""
    change_grant(paths, record.grant_key, lambda _: Grant(permissions=KEY))

    with pytest.raises(PluginChanged, match="nobody noted which files"):
        valid_grant(paths, record)


def test_an_editable_plugin_is_pinned_by_its_manifest_alone(paths: Paths, tmp_path: Path, site: Path) -> None:
    """Kernel policy: sources that change with every edit cannot be pinned, and the pin says so."""
    package = tmp_path / "project/src/llm_dev"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("one = 1\n")
    (package / "plugin.toml").write_text('[permissions]\nkeys = ["foo"]\n')
    install_editable(site, "llm-dev", tmp_path / "project", "dev", "llm_dev")
    grant = accept(paths, found(site), KEY)
    (package / "__init__.py").write_text("two = 2\n")

    assert grant.pin is not None
    assert not grant.pin.has_content
    assert valid_grant(paths, found(site)).permissions == KEY
    (package / "plugin.toml").write_text('[permissions]\nkeys = ["foo", "bar"]\n')
    with pytest.raises(PluginChanged, match="its manifest is another one"):
        valid_grant(paths, found(site))


@pytest.mark.parametrize("kind", ["read", "write"])
def test_no_grant_reaches_into_the_user_folder(paths: Paths, record: PluginRecord, kind: str) -> None:
    """Landlock cannot subtract: a grant that contains the host's own folders is refused (sandbox.md §5)."""
    paths.folder()
    link = paths.root.parent / "link"
    link.symlink_to(paths.root)
    below, above, beside = paths.root / "plugins", paths.root.parent, paths.root.parent / "home2"

    for place in (paths.root, below, above, link, "/"):
        with pytest.raises(UsageProblem, match="cannot be granted: Cellwall keeps keys"):
            accept(paths, record, permissions_of([Permission(kind, str(place))]))
    assert Grants.load(paths).by_key == {}
    harmless = permissions_of([Permission(kind, str(beside)), Permission(kind, ".")])
    assert accept(paths, record, harmless).pin is not None


def test_no_grant_allows_to_change_us(paths: Paths, record: PluginRecord) -> None:
    """Who writes our code has no wall around it."""
    import cellwall_kernel

    code = cellwall_kernel.__path__[0]

    with pytest.raises(UsageProblem, match="Cellwall itself is in"):
        accept(paths, record, Permissions(write=(code,)))
    assert accept(paths, record, Permissions(read=(code,))).pin is not None


def test_parallel_grants_lose_nothing(paths: Paths) -> None:
    """Eight processes that grant ten plugins each leave eighty grants."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from cellwall_kernel.grants import Grant, change_grant\n"
        "from cellwall_kernel.paths import Paths\n"
        "paths, number = Paths(Path(sys.argv[1])), sys.argv[2]\n"
        "for index in range(10):\n"
        "    change_grant(paths, f'{number}/{index}', lambda _: Grant(unsandboxed=True))\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", program, str(paths.root), str(number)]) for number in range(8)
    ]

    assert [child.wait(timeout=30) for child in children] == [0] * 8
    assert len(Grants.load(paths).by_key) == 80


def test_loading_grants_stays_light() -> None:
    """House rule: a launch pays for every import."""
    code = (
        "import sys; import cellwall_kernel.grants\n"
        "print(sorted({'hashlib', 'json', 'pathlib', 'subprocess', 'socket', 'ipaddress',\n"
        "    'cellwall_kernel.permissions._parse', 'cellwall_kernel.grants._listings'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=20
    )

    assert done.stdout.strip() == "[]"
