"""Discovery on laid-out installations: who is found, under which name, and what changes a plugin's key."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from cellwall_kernel.discovery import Environment, PluginRecord, discover, scan
from tests.children.kit import environment_of, install, install_editable, uninstall

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S = 20.0


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a package that is installed for editing."""
    package = tmp_path / "project" / "src" / "llm_dev"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("VALUE = 1\n")
    return tmp_path / "project"


def only(*sites: Path) -> PluginRecord:
    """Return the one plugin that is installed."""
    (record,) = discover(environment_of(*sites))
    return record


def test_a_plugin_is_found_by_its_entry_point_and_not_imported(site: Path) -> None:
    """The module would fail if anybody imported it."""
    install(
        site, "llm-zoo", {"llm_zoo.py": "raise SystemExit"}, points={"zoo": "llm_zoo:plugin"}, version="2.1"
    )

    record = only(site)

    assert (record.name, record.dist, record.version) == ("zoo", "llm-zoo", "2.1")
    assert (record.target, record.location, record.python) == ("llm_zoo:plugin", str(site), sys.executable)
    assert (record.editable, record.manifest, record.problem) == (False, None, None)


def test_a_distribution_may_bring_several_plugins(site: Path) -> None:
    """Each entry point is a plugin of its own."""
    install(site, "llm-two", {}, points={"b": "two.b", "a": "two.a"})

    assert [record.name for record in discover(environment_of(site))] == ["a", "b"]


def test_plugins_that_share_a_name_are_all_found_and_none_keeps_it(site: Path) -> None:
    """A name that passed to the next distribution would bring folders and settings; capitals do not count."""
    install(site, "llm-templates-github", {}, points={"templates": "one"})
    install(site, "llm-templates-fsspec", {}, points={"Templates": "two"})
    install(site, "llm-alone", {}, points={"alone": "three"})

    names = [record.name for record in discover(environment_of(site))]

    assert names == ["Templates@llm-templates-fsspec", "alone", "templates@llm-templates-github"]


def test_the_first_distribution_on_the_path_hides_those_of_its_name(tmp_path: Path, site: Path) -> None:
    """As for the import system, also when the first one is no plugin."""
    second = tmp_path / "second"
    second.mkdir()
    install(site, "llm-zoo", {}, points={"zoo": "llm_zoo"}, version="1.0")
    install(second, "LLM_Zoo", {}, points={"zoo": "llm_zoo"}, version="2.0")
    install(second, "llm-hidden", {}, points={"hidden": "llm_hidden"})
    install(site, "llm.hidden", {}, points={})

    assert only(site, second).version == "1.0"


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ("pkg", "pkg"),
        ("pkg.mod : attr.more", "pkg.mod:attr.more"),
        ("pkg:attr [extra,more]", "pkg:attr"),
    ],
)
def test_an_entry_point_may_be_written_with_spaces_and_extras(value: str, target: str, site: Path) -> None:
    """The packaging specification allows them."""
    install(site, "llm-zoo", {}, points={"zoo": value})

    assert (only(site).target, only(site).problem) == (target, None)


@pytest.mark.parametrize("value", ["", "not a module", "pkg:", "pkg:at-tr", "1pkg", "../evil", "pkg::a"])
def test_an_entry_point_that_makes_no_sense_is_a_problem_of_its_plugin(value: str, site: Path) -> None:
    """It is listed with its cause, and the others are found."""
    install(site, "llm-zoo", {}, points={"zoo": value})
    install(site, "llm-good", {}, points={"good": "good"})

    good, bad = discover(environment_of(site))

    assert good.problem is None
    assert "is not MODULE or MODULE:ATTRIBUTE" in (bad.problem or "")


def test_damaged_metadata_hide_nobody(site: Path) -> None:
    """Disks fill and hands edit; name and version then come from the folder's name."""
    info = install(site, "llm-zoo", {}, points={"zoo": "llm_zoo"})
    (info / "METADATA").write_bytes(b"\xff\xfe\x00 no headers")
    (info / "RECORD").unlink()
    (info / "direct_url.json").write_text("{broken")
    other = install(site, "llm-other", {}, points={"other": "llm_other"})
    (other / "entry_points.txt").write_bytes(
        b"[console_scripts]\nx\n[llm]\nnonsense\n=\n\xff = y\nother = llm_other\n"
    )
    (site / "empty-1.0.dist-info").mkdir()
    (site / "file-1.0.dist-info").write_text("not a folder")
    (site / "~lm_zoo-0.9.dist-info").mkdir()

    found = {record.name: record for record in discover(environment_of(site))}

    assert (found["zoo"].dist, found["zoo"].version) == ("llm_zoo", "1.0")
    assert found["other"].problem is None


def test_an_unfinished_upgrade_counts_as_done(site: Path) -> None:
    """Two versions of a distribution may lie side by side; the one that was written last is in use."""
    old = install(site, "llm-zoo", {}, points={"zoo": "llm_zoo"}, version="1.0")
    old.rename(site / "kept")
    install(site, "llm-zoo", {}, points={"zoo": "llm_zoo"}, version="2.0")
    (site / "kept").rename(old)
    os.utime(old, (1, 1))

    assert only(site).version == "2.0"


def test_an_egg_info_beside_the_sources_is_found(site: Path) -> None:
    """`python setup.py develop` and some Linux distributions still make them."""
    info = site / "llm_old.egg-info"
    info.mkdir()
    (info / "PKG-INFO").write_text("Name: llm-old\nVersion: 0.3\n\nVersion: not this one\n")
    (info / "entry_points.txt").write_text("[llm]\nold = llm_old\n")
    (site / "llm_old.py").write_text("A = 1")
    before = only(site)

    (site / "llm_old.py").write_text("A = 22")

    assert (before.name, before.dist, before.version) == ("old", "llm-old", "0.3")
    assert only(site).key != before.key


def test_a_folder_that_does_not_exist_is_no_problem(tmp_path: Path, site: Path) -> None:
    """Paths outlive what they name."""
    install(site, "llm-zoo", {}, points={"zoo": "llm_zoo"})

    assert only(tmp_path / "gone", site).name == "zoo"


# -- keys ----------------------------------------------------------------------------------------------------


def test_a_key_stays_as_long_as_nothing_changes(site: Path) -> None:
    """A key that moved by itself would start every plugin for every command."""
    install(site, "llm-zoo", {"llm_zoo.py": "A = 1"}, points={"zoo": "llm_zoo"})
    before = only(site).key
    install(site, "another", {"another.py": ""}, points={})

    assert only(site).key == before


def test_a_reinstallation_with_other_content_changes_the_key(site: Path) -> None:
    """The same version may be built twice; RECORD holds the hash of every file."""
    install(site, "llm-zoo", {"llm_zoo.py": "A = 1"}, points={"zoo": "llm_zoo"})
    before = only(site).key
    install(site, "llm-zoo", {"llm_zoo.py": "A = 2"}, points={"zoo": "llm_zoo"})

    assert only(site).key != before


def test_interpreter_and_sdk_are_part_of_the_key(site: Path) -> None:
    """What a plugin says may depend on both."""
    install(site, "llm-zoo", {}, points={"zoo": "llm_zoo"})
    install(site, "cellwall-sdk", {"cellwall_sdk/x.py": "1"}, points={}, version="1.0")
    environment = environment_of(site)
    keys = {discover(environment)[0].key}

    keys.add(discover(msgspec.structs.replace(environment, tag="another interpreter"))[0].key)
    install(site, "cellwall-sdk", {"cellwall_sdk/x.py": "1"}, points={}, version="1.1")
    keys.add(discover(environment)[0].key)

    assert len(keys) == 3


def test_the_manifest_is_found_in_the_package_and_part_of_the_key(site: Path) -> None:
    """Without a RECORD of its own, a change of it would go unseen."""
    files = {
        "zoo/__init__.py": "",
        "zoo/deep/__init__.py": "",
        "zoo/plugin.toml": "[files]\nsuffixes = ['.a']",
    }
    info = install(site, "llm-zoo", files, points={"zoo": "zoo.deep:plugin"})
    before = only(site)
    assert before.manifest is not None
    assert before.manifest.files is not None

    (site / "zoo" / "plugin.toml").write_text("[files]\nsuffixes = ['.b']")

    assert only(site).key != before.key
    assert info.is_dir()


def test_a_plugin_of_one_file_has_a_manifest_named_after_it(site: Path) -> None:
    """Two such plugins share a folder, so the plain name would be one too few."""
    install(
        site,
        "llm-zoo",
        {"zoo.py": "", "zoo.plugin.toml": "[files]\nsuffixes = ['.a']"},
        points={"zoo": "zoo"},
    )

    assert only(site).manifest is not None


def test_a_bad_manifest_is_a_problem_of_its_plugin(site: Path) -> None:
    """It is listed with the cause instead of being started."""
    install(site, "llm-zoo", {"zoo/__init__.py": "", "zoo/plugin.toml": "colour = 1"}, points={"zoo": "zoo"})

    assert "unknown field `colour`" in (only(site).problem or "")


# -- editable installations ----------------------------------------------------------------------------------


def test_an_edit_of_an_editable_plugin_changes_its_key(site: Path, project: Path) -> None:
    """Its RECORD never changes, so its sources are looked at."""
    install_editable(site, "llm-dev", project, "dev", "llm_dev")
    before = only(site)
    assert (before.editable, before.source_root) == (True, str(project))

    (project / "src" / "llm_dev" / "__init__.py").write_text("VALUE = 22\n")
    edited = only(site)
    (project / "src" / "llm_dev" / "new.py").write_text("")
    added = only(site)
    (project / "src" / "neighbour.py").write_text("")

    assert len({before.key, edited.key, added.key, only(site).key}) == 4


def test_what_is_made_from_sources_does_not_count_as_an_edit(site: Path, project: Path) -> None:
    """A bytecode cache, a virtual environment or a checkout's inside would change with every run."""
    install_editable(site, "llm-dev", project, "dev", "llm_dev")
    before = only(site)
    package = project / "src" / "llm_dev"
    for folder in ("__pycache__", ".git", ".venv", "node_modules", "build"):
        (package / folder).mkdir()
        (package / folder / "made.py").write_text("")
    (package / "deep").mkdir()
    (package / "deep" / "env2").mkdir()
    (package / "deep" / "env2" / "pyvenv.cfg").write_text("")
    (package / "deep" / "env2" / "lib.py").write_text("")

    assert only(site).key == before.key


def test_the_watched_files_of_a_large_project_are_bounded(site: Path, project: Path) -> None:
    """Every command looks at all of them."""
    data = project / "src" / "llm_dev" / "data"
    data.mkdir()
    for number in range(2500):
        (data / f"{number}.txt").touch()
    install_editable(site, "llm-dev", project, "dev", "llm_dev")

    assert len(scan(environment_of(site)).watched) < 2100


@pytest.mark.parametrize(
    "finder",
    [
        "MAPPING: dict[str, str] = {{'llm_dev': '{place}'}}\n",
        "MAPPING = {{'llm_dev': '{place}'}}\nNAMESPACES = {{}}\n",
        "from editables.redirector import RedirectingFinder as F\nF.map_module('llm_dev', '{place}')\n",
    ],
    ids=["setuptools", "older setuptools", "editables"],
)
def test_editable_finders_are_read_and_not_run(
    finder: str, site: Path, project: Path, tmp_path: Path
) -> None:
    """Some build backends leave code that finds the modules; its table is enough."""
    elsewhere = tmp_path / "elsewhere" / "llm_dev"
    elsewhere.mkdir(parents=True)
    (elsewhere / "__init__.py").write_text("")
    install_editable(site, "llm-dev", project, "dev", "llm_dev")
    (info,) = site.glob("llm_dev-*.dist-info")
    (site / "__editable___llm_dev_finder.py").write_text(finder.format(place=elsewhere))
    (site / "_llm_dev.pth").write_text("import __editable___llm_dev_finder\n")
    with (info / "RECORD").open("a") as record:
        record.write("__editable___llm_dev_finder.py,,\n")
    before = only(site)

    (elsewhere / "__init__.py").write_text("A = 1")

    assert only(site).key != before.key


@pytest.mark.parametrize(
    "content", ["MAPPING = open('/etc/passwd')", "MAPPING = {", "MAPPING = 3", "map_module(1)"]
)
def test_a_finder_that_makes_no_sense_is_ignored(content: str, site: Path, project: Path) -> None:
    """It is foreign code, and may be anything."""
    install_editable(site, "llm-dev", project, "dev", "llm_dev")
    (info,) = site.glob("llm_dev-*.dist-info")
    (site / "finder.py").write_text(content)
    with (info / "RECORD").open("a") as record:
        record.write("finder.py,,\n")

    assert only(site).problem is None


# -- watching ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["install", "upgrade", "uninstall", "edit", "add", "entry point"])
def test_every_change_shows_in_what_is_watched(change: str, site: Path, project: Path) -> None:
    """The next command looks at nothing else, so a change that does not show here would never be seen."""
    install(site, "llm-zoo", {"zoo.py": ""}, points={"zoo": "zoo"})
    install_editable(site, "llm-dev", project, "dev", "llm_dev")
    (info,) = site.glob("llm_dev-*.dist-info")
    watched = scan(environment_of(site)).watched
    assert all(stamp.is_current for stamp in watched)

    match change:
        case "install":
            install(site, "llm-more", {}, points={"more": "more"})
        case "upgrade":
            install(site, "llm-zoo", {"zoo.py": ""}, points={"zoo": "zoo"}, version="2.0")
        case "uninstall":
            uninstall(site, "llm-zoo")
        case "edit":
            (project / "src" / "llm_dev" / "__init__.py").write_text("VALUE = 22\n")
        case "add":
            (project / "src" / "llm_dev" / "more.py").touch()
        case _:
            (info / "entry_points.txt").write_text("[llm]\ndev = llm_dev:other\n")

    assert not all(stamp.is_current for stamp in watched)


def test_the_folder_of_the_running_script_is_not_searched(tmp_path: Path) -> None:
    """Nothing becomes a plugin because somebody stands beside it: `python -m` puts that folder first."""
    install(tmp_path, "llm-zoo", {}, points={"zoo": "zoo"})
    code = "from cellwall_kernel.discovery import *; print([r.name for r in discover(Environment.current())])"
    (tmp_path / "script.py").write_text(code)

    for argv in (["-c", code], ["script.py"], ["-m", "script"]):
        done = subprocess.run(
            [sys.executable, *argv], cwd=tmp_path, capture_output=True, check=True, timeout=PATIENCE_S
        )
        assert b"zoo" not in done.stdout


def test_a_folder_that_the_user_put_on_the_path_is_searched(tmp_path: Path) -> None:
    """PYTHONPATH is a decision of the user's."""
    install(tmp_path, "llm-zoo", {}, points={"zoo": "zoo"})
    code = "from cellwall_kernel.discovery import *; print([r.name for r in discover(Environment.current())])"
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd="/", env=env, capture_output=True, check=True, timeout=PATIENCE_S
    )

    assert b"zoo" in done.stdout


def test_two_environments_have_different_ids() -> None:
    """Each has a catalogue of its own."""
    here = Environment.current()

    assert here.id == Environment.current().id
    assert here.id != msgspec.structs.replace(here, prefix="/elsewhere").id
    assert len(here.id) == 16
