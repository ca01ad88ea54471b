"""Making an environment with each of the two installers: what is inside, what is refused, what never runs."""

from __future__ import annotations

import hashlib
import sys
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.discovery import discover
from cellwall_kernel.environments.making import understand
from cellwall_kernel.errors import InstallProblem
from tests.support.wheels import make_plugin, make_wheel

if TYPE_CHECKING:
    from cellwall_kernel.paths import Paths
    from tests.kernel.environments.conftest import Installing
    from tests.support.wheels import Shelf


def test_an_environment_holds_plugin_sdk_and_hashes(install: Installing, shelf: Shelf) -> None:
    """Issue 4, 5: resolved, pinned and hashed, with the SDK inside."""
    make_wheel(shelf.folder, "dep-x", "1.5", {"dep_x.py": ""})
    wheel = make_plugin(shelf.folder, "foo", requires=["dep-x>=1"])

    install("llm-foo")

    found = install.all["llm-foo"]
    lock = {each.name: each for each in found.file.lock}
    assert (found.dist, found.version, found.file.plugins) == ("llm-foo", "1.0", ("foo",))
    assert list(lock) == ["cellwall-sdk", "dep-x", "llm-foo", "msgspec"]
    assert all(len(each.sha256) == 64 for each in lock.values())
    assert lock["llm-foo"].sha256 == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert lock["llm-foo"].file == wheel.name
    assert Path(found.python).exists()
    assert found.problem is None


def test_only_the_requested_distribution_counts_as_a_plugin(install: Installing, shelf: Shelf) -> None:
    """A plugin may depend on another one, which the user did not ask for."""
    make_plugin(shelf.folder, "bar")
    make_plugin(shelf.folder, "foo", requires=["llm-bar"])

    install("llm-foo")

    assert [record.name for record in discover(install.all["llm-foo"].environment())] == ["foo"]


def test_two_plugins_may_pin_one_library_differently(install: Installing, shelf: Shelf) -> None:
    """Issue 4, 5: click==8.1.7 and click==8.1.8 both work."""
    for version in ("8.1.7", "8.1.8"):
        make_wheel(shelf.folder, "click", version, {"click.py": f"__version__ = {version!r}"})
    make_plugin(shelf.folder, "seven", requires=["click==8.1.7"])
    make_plugin(shelf.folder, "eight", requires=["click==8.1.8"])

    install("llm-seven")
    install("llm-eight")

    modules = {name: Path(found.site, "click.py").read_text() for name, found in install.all.items()}
    assert modules == {"llm-eight": "__version__ = '8.1.8'", "llm-seven": "__version__ = '8.1.7'"}


def test_more_requirements_and_bounds_mend_a_plugin(install: Installing, shelf: Shelf) -> None:
    """Five of 54 published plugins need it (plugin-corpus.md, 1)."""
    for version in ("1.0", "2.0"):
        make_wheel(shelf.folder, "dep-x", version, {"dep_x.py": ""})
    forgotten = make_wheel(shelf.scratch / "elsewhere", "forgotten", "3.0", {"forgotten.py": ""})
    make_plugin(shelf.folder, "foo", requires=["dep-x"])

    install("llm-foo", extra=(str(forgotten),), constraints=("dep-x<2",))

    file = install.all["llm-foo"].file
    versions = {each.name: each.version for each in file.lock}
    assert (versions["dep-x"], versions["forgotten"]) == ("1.0", "3.0")
    assert file.wanted.constraints == ("dep-x<2",)


def test_a_requirement_chooses_the_version(install: Installing, shelf: Shelf) -> None:
    """`llm install 'llm-foo<2'`."""
    for version in ("1.0", "1.9", "2.0"):
        make_plugin(shelf.folder, "foo", version)

    install("llm-foo<2")

    assert install.all["llm-foo"].version == "1.9"


def test_a_wheel_is_installed_from_its_path_and_kept(install: Installing, shelf: Shelf) -> None:
    """The environment can be made again when the file has gone."""
    wheel = make_plugin(shelf.scratch / "downloads", "foo")
    install(str(wheel))
    wheel.unlink()

    install_again = install.all["llm-foo"].file.wanted
    assert install_again.origin == str(wheel)
    found = install.all["llm-foo"]
    assert Path(found.root, found.file.wheel).is_file()


def test_nothing_of_a_plugin_runs_while_it_is_installed(install: Installing, shelf: Shelf) -> None:
    """A `.pth` file, `sitecustomize` and modules that pip might import would run in the host's name."""
    proof = shelf.scratch / "it ran"
    code = f"open({str(proof)!r}, 'a').write(__name__)\n"
    traps = ("sitecustomize", "usercustomize", "_brotli", "brotlicffi", "simplejson", "chardet", "keyring")
    files = {f"{name}.py": code for name in (*traps, "socks", "truststore", "distutils_hack")}
    files |= {"trap.pth": f"import builtins; {code}", "pip/__init__.py": code, "pip/_internal/x.py": code}
    make_plugin(shelf.folder, "foo", body="raise SystemExit", files=files)

    install("llm-foo")
    install("llm-foo")

    assert not proof.exists()
    assert Path(install.all["llm-foo"].site, "trap.pth").exists()


def test_what_exists_only_as_sources_is_refused_and_not_run(install: Installing, shelf: Shelf) -> None:
    """`--only-binary` alone does not keep pip from building what a wheel names by its address."""
    proof = shelf.scratch / "it ran"
    project = shelf.scratch / "evil-1.0"
    project.mkdir()
    (project / "setup.py").write_text(f"open({str(proof)!r}, 'w').write('')")
    (project / "backend.py").write_text(f"open({str(proof)!r}, 'w').write('')")
    (project / "pyproject.toml").write_text(
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    )
    (project / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    archive = shelf.folder / "evil-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(project, "evil-1.0")
    make_plugin(shelf.folder, "name", requires=["evil"])
    make_plugin(shelf.folder, "archive", requires=[f"evil @ {archive.as_uri()}"])
    make_plugin(shelf.folder, "folder", requires=[f"evil @ {project.as_uri()}"])

    for name in ("name", "archive", "folder"):
        with pytest.raises(InstallProblem, match=r"\.log"):
            install(f"llm-{name}")

    assert not proof.exists()
    assert install.all == {}


def test_what_is_no_plugin_is_refused(install: Installing, shelf: Shelf) -> None:
    """It would lie around and do nothing."""
    make_wheel(shelf.folder, "dep-x", "1.5", {"dep_x.py": ""})

    with pytest.raises(InstallProblem, match="is no plugin: it has no entry point in the group 'llm'"):
        install("dep-x")

    assert install.all == {}
    assert not (install.paths.root / "environments" / "dep-x").exists()


def test_a_manifest_that_cannot_be_used_is_refused(install: Installing, shelf: Shelf) -> None:
    """Issue 4, 4: unknown keys refuse to install."""
    make_plugin(shelf.folder, "foo", manifest="[permissions]\ncolour = 'red'\n")

    with pytest.raises(InstallProblem, match="colour"):
        install("llm-foo")

    assert install.all == {}


def test_an_upgrade_that_fails_leaves_the_old_version(install: Installing, shelf: Shelf) -> None:
    """Issue 4, 5: a failed install changes nothing."""
    make_plugin(shelf.folder, "foo", "1.0")
    install("llm-foo")
    before = install.all
    make_plugin(shelf.folder, "foo", "2.0", requires=["nowhere-to-be-found"])

    with pytest.raises(InstallProblem, match="nowhere-to-be-found"):
        install("llm-foo>=2")

    assert install.all == before
    assert [path.name for path in Path(before["llm-foo"].root).parent.glob("g*")] == ["g1"]


def test_the_generation_before_stays_until_the_next_change(install: Installing, shelf: Shelf) -> None:
    """Cells may run in it."""
    make_plugin(shelf.folder, "foo")
    folder = install.paths.root / "environments" / "llm-foo"
    generations: list[list[str]] = []
    for _ in range(3):
        install("llm-foo")
        generations.append(sorted(path.name for path in folder.glob("g*")))

    assert generations == [["g1"], ["g1", "g2"], ["g2", "g3"]]
    assert Path(install.all["llm-foo"].root).name == "g3"


def test_a_name_in_a_wheel_cannot_lead_out_of_the_environment(install: Installing, shelf: Shelf) -> None:
    """A wheel is an archive, and its maker chose the names in it; pip refuses it, uv leaves the file out."""
    names = ["../../../../../outside.py", str(shelf.scratch / "outside.py")]
    wheel = make_plugin(shelf.folder, "foo", files=dict.fromkeys(names, "x = 1"))
    assert set(names) <= set(zipfile.ZipFile(wheel).namelist())

    with suppress(InstallProblem):
        install("llm-foo")

    assert list(shelf.scratch.parent.rglob("outside.py")) == []


def test_a_wheel_that_is_not_the_one_the_index_names_is_refused(
    install: Installing, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SHA-256 stands in the index; whoever changes the file cannot change that."""
    wheel = make_plugin(shelf.scratch / "files", "foo")
    page = shelf.scratch / "simple" / "llm-foo" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="{wheel.as_uri()}#sha256={"0" * 64}">{wheel.name}</a>')
    index = (shelf.scratch / "simple").as_uri()
    for name in ("PIP_NO_INDEX", "UV_NO_INDEX", "UV_OFFLINE"):
        monkeypatch.delenv(name)
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"):
        monkeypatch.setenv(name, index)

    with pytest.raises(InstallProblem, match="its SHA-256 differs"):
        install("llm-foo")

    assert install.all == {}


def test_a_script_of_a_plugin_runs_with_its_environment(install: Installing, shelf: Shelf) -> None:
    """Plugins that may start programs start their own scripts."""
    make_plugin(shelf.folder, "foo")
    install("llm-foo")
    found = install.all["llm-foo"]

    first = Path(found.root, "bin", "foo-tool").read_text().splitlines()[:2]

    assert found.python in "".join(first)


def test_bytecode_is_there_and_belongs_to_its_source(install: Installing, shelf: Shelf) -> None:
    """A plugin cannot write it, and would compile itself at every start."""
    make_plugin(shelf.folder, "foo", files={"llm_foo/broken.py": "def ("})
    install("llm-foo")

    compiled = Path(install.all["llm-foo"].site, "llm_foo", "__pycache__")

    assert [path.name for path in compiled.iterdir()] == [f"__init__.{sys.implementation.cache_tag}.pyc"]


def test_settings_that_would_redirect_an_installation_do_not_count(
    install: Installing, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's environment, and every other, is never touched."""
    elsewhere = shelf.scratch / "elsewhere"
    for name in ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "UV_TARGET", "UV_PREFIX", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, str(elsewhere))
    for name in ("PIP_NO_DEPS", "PIP_USER", "PIP_DRY_RUN", "PIP_REQUIRE_HASHES", "UV_SYSTEM_PYTHON"):
        monkeypatch.setenv(name, "1")
    make_plugin(shelf.folder, "foo")

    install("llm-foo")

    assert not elsewhere.exists()
    assert [each.name for each in install.all["llm-foo"].file.lock] == ["cellwall-sdk", "llm-foo", "msgspec"]


def test_an_environment_whose_interpreter_has_gone_says_so(install: Installing, shelf: Shelf) -> None:
    """Systems drop old Pythons; the way out is an upgrade."""
    make_plugin(shelf.folder, "foo")
    install("llm-foo")
    python = Path(install.all["llm-foo"].python)
    python.unlink()
    python.symlink_to(shelf.scratch / "python3.1")

    assert "'llm upgrade llm-foo' makes it again" in (install.all["llm-foo"].problem or "")


def test_the_host_that_is_asked_for_is_never_found_on_an_index(install: Installing, shelf: Shelf) -> None:
    """A stranger's cellwall-sdk of a higher version does not get in."""
    make_wheel(shelf.folder, "cellwall-sdk", "99.0", {"cellwall_sdk/__init__.py": "raise SystemExit"})
    make_plugin(shelf.folder, "foo", requires=["cellwall-sdk>=0.1"])

    install("llm-foo")

    assert [each.version for each in install.all["llm-foo"].file.lock if each.name == "cellwall-sdk"] != [
        "99.0"
    ]


def test_a_plugin_that_needs_a_newer_sdk_is_refused(install: Installing, shelf: Shelf) -> None:
    """The host has to be upgraded first."""
    make_plugin(shelf.folder, "foo", requires=["cellwall-sdk>=98"])

    with pytest.raises(InstallProblem, match=r"cellwall-sdk"):
        install("llm-foo")


def test_damaged_and_foreign_folders_are_left_out(paths: Paths) -> None:
    """Every command lists the environments; none may stop it."""
    from cellwall_kernel.environments import installed

    folder = paths.folder("environments")
    (folder / "file").touch()
    for name, content in {"empty": None, "broken": "{", "newer": '{"format": 2}', "text": '"x"'}.items():
        (folder / name).mkdir()
        if content is not None:
            (folder / name / "environment.json").write_text(content)

    assert installed(paths) == []
    assert understand("llm-foo").name == "llm-foo"
