"""Building from sources: behind the wall, from a copy, within bounds."""

from __future__ import annotations

import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.environments._sources import MAX_FILES, copy_sources
from cellwall_kernel.environments.making import built_wheel, from_sources
from cellwall_kernel.errors import InstallProblem, NotFound
from cellwall_kernel.wall import Mechanisms
from tests.support.wheels import PLUGIN, need_installer

if TYPE_CHECKING:
    from pathlib import Path

    from cellwall_kernel.paths import Paths
    from tests.support.wheels import Shelf

BACKEND = """
import os, socket, subprocess, sys, zipfile
from pathlib import Path

def tried(name, call):
    try:
        call()
    except OSError as error:
        print("refused", name, type(error).__name__, flush=True)
    else:
        print("SUCCEEDED", name, flush=True)

def get_requires_for_build_wheel(settings=None):
    return []

def build_wheel(out, settings=None, metadata=None):
    {attempts}
    info = "llm_built-0.5.dist-info"
    files = {{
        "llm_built.py": Path("src/llm_built.py").read_text(),
        info + "/METADATA": "Metadata-Version: 2.1\\nName: llm-built\\nVersion: 0.5\\n",
        info + "/WHEEL": "Wheel-Version: 1.0\\nGenerator: b\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        info + "/entry_points.txt": "[llm]\\nbuilt = llm_built\\n",
        info + "/RECORD": "",
    }}
    name = "llm_built-0.5-py3-none-any.whl"
    with zipfile.ZipFile(Path(out) / name, "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
"""


def project(folder: Path, attempts: str = "pass") -> Path:
    """Write a plugin that brings its own build backend, which needs no network."""
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "llm_built.py").write_text(PLUGIN.format(name="built", body="yield 'built'"))
    (folder / "backend.py").write_text(BACKEND.format(attempts=attempts))
    (folder / "pyproject.toml").write_text(
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    )
    return folder


@pytest.fixture
def walled(paths: Paths) -> Paths:
    """A machine with a wall: without one, nothing is built."""
    if not Mechanisms.detect(paths).confines:
        pytest.skip("this machine has neither Landlock nor bubblewrap, or no seccomp")
    return paths


def log(paths: Paths) -> str:
    """What the last build said."""
    return (paths.root / "environments" / ".builds.log").read_text()


def test_a_folder_becomes_a_wheel(walled: Paths, shelf: Shelf, tmp_path: Path) -> None:
    """Issue 4, 5: `llm install --build PATH`."""
    folder = project(tmp_path / "project")

    with built_wheel(walled, str(folder), installer=need_installer("pip")) as wheel:
        wanted = from_sources(str(folder), wheel)
        names = zipfile.ZipFile(wheel).namelist()

    assert (wanted.name, wanted.source, wanted.origin) == ("llm-built", "sources", str(folder))
    assert "llm_built.py" in names
    assert not list((walled.root / "environments" / ".builds").iterdir())
    assert sorted(path.name for path in folder.iterdir()) == ["backend.py", "pyproject.toml", "src"]


def test_an_archive_of_sources_becomes_a_wheel(walled: Paths, shelf: Shelf, tmp_path: Path) -> None:
    """A source distribution holds one folder."""
    folder = project(tmp_path / "project")
    archive = tmp_path / "llm-built-0.5.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(folder, "llm-built-0.5")

    with built_wheel(walled, str(archive), installer=need_installer("pip")) as wheel:
        assert wheel.name == "llm_built-0.5-py3-none-any.whl"


@pytest.mark.parametrize("has_bubblewrap", [True, False])
def test_a_build_reaches_nothing_of_the_user(
    has_bubblewrap: bool, walled: Paths, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no network, no keys, no files but its own; it may start programs (sandbox.md §12)."""
    if not has_bubblewrap:
        monkeypatch.setenv("PATH", "/nowhere")
    secret = tmp_path / "secret"
    secret.write_text("x")
    walled.folder()
    walled.keys.write_text("{}")
    attempts = "; ".join(
        [
            f"tried('read', lambda: open({str(secret)!r}).read())",
            f"tried('keys', lambda: open({str(walled.keys)!r}).read())",
            f"tried('original', lambda: open({str(tmp_path / 'project' / 'x')!r}, 'w'))",
            "tried('network', lambda: socket.socket())",
            "tried('program', lambda: subprocess.run([sys.executable, '-I', '-c', 'pass'], check=True))",
            "print('variables', sorted(os.environ), flush=True)",
        ]
    )
    monkeypatch.setenv("SECRET_TOKEN", "x")

    with built_wheel(walled, str(project(tmp_path / "project", attempts)), installer=need_installer("pip")):
        said = log(walled)

    refused = [line.split()[1] for line in said.splitlines() if line.startswith("refused")]
    assert refused == ["read", "keys", "original", "network"]
    assert "SUCCEEDED program" in said
    assert "SECRET_TOKEN" not in said


@pytest.mark.parametrize(
    "attempts",
    [
        "sys.exit(3)",
        "os._exit(0)",
        "raise ValueError",
        "os.symlink('/etc/passwd', Path(out) / 'build_wheel.json'); os._exit(0)",
        "os.symlink('/etc/passwd', Path(out) / 'a-1-py3-none-any.whl')",
        "os.mkfifo(Path(out) / 'build_wheel.json'); os._exit(0)",
    ],
)
def test_a_build_that_misbehaves_is_a_sentence(
    attempts: str, walled: Paths, shelf: Shelf, tmp_path: Path
) -> None:
    """What it leaves is looked at like anything a stranger has written; the log says more."""
    if "symlink" in attempts and "whl" in attempts:
        attempts += "; return 'a-1-py3-none-any.whl'"
    folder = project(tmp_path / "project", attempts)

    with (
        pytest.raises(InstallProblem, match=r"\.builds\.log"),
        built_wheel(walled, str(folder), installer=need_installer("pip")),
    ):
        pass

    assert not list((walled.root / "environments" / ".builds").iterdir())


def test_what_is_no_project_is_said_to_be_none(walled: Paths, shelf: Shelf, tmp_path: Path) -> None:
    """Neither an empty folder nor a text file nor nothing at all."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.tar.gz").write_text("no archive")
    for name, problem in {"empty": InstallProblem, "text.tar.gz": InstallProblem, "gone": NotFound}.items():
        with pytest.raises(problem), built_wheel(walled, str(tmp_path / name)):
            pass


def test_a_copy_leaves_out_what_is_no_source(tmp_path: Path) -> None:
    """Environments, histories and links may be huge, private or elsewhere."""
    folder = project(tmp_path / "project")
    for name in (".git", "node_modules", "__pycache__"):
        (folder / name).mkdir()
        (folder / name / "x").touch()
    (folder / "env").mkdir()
    (folder / "env" / "pyvenv.cfg").touch()
    (folder / "link").symlink_to("/etc")
    (folder / "src" / "passwd").symlink_to("/etc/passwd")

    copy = copy_sources(folder, tmp_path / "copy")

    names = sorted(path.relative_to(copy).as_posix() for path in copy.rglob("*"))
    assert names == ["backend.py", "pyproject.toml", "src", "src/llm_built.py"]


def test_an_archive_cannot_write_beside_the_copy(tmp_path: Path) -> None:
    """Names in it were chosen by a stranger."""
    tar, archive = tmp_path / "evil.tar.gz", tmp_path / "evil.zip"
    (tmp_path / "x").touch()
    with tarfile.open(tar, "w:gz") as packed:
        packed.add(tmp_path / "x", "../outside")
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("../outside", "")

    with pytest.raises(InstallProblem):
        copy_sources(tar, tmp_path / "one" / "copy")
    (tmp_path / "two").mkdir()
    copy_sources(archive, tmp_path / "two" / "copy")

    assert not (tmp_path / "two" / "outside").exists()
    assert not (tmp_path / "one" / "outside").exists()


def test_sources_without_end_are_refused(tmp_path: Path) -> None:
    """Somebody's home folder is no project."""
    archive = tmp_path / "many.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for number in range(MAX_FILES + 1):
            zipped.writestr(f"p/{number}", "")

    with pytest.raises(InstallProblem, match="move what is no source code out"):
        copy_sources(archive, tmp_path / "copy")
