"""Wheels made by hand, an index of them in a folder, and the settings that make installers use only that."""

from __future__ import annotations

import hashlib
import zipfile
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.environments._installer import find_installer
from cellwall_kernel.errors import InstallProblem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLUGIN = """
from cellwall_sdk import Model, hookimpl

class Sample(Model):
    model_id = "{name}-model"
    def execute(self, prompt, response):
        {body}

@hookimpl
def register_models(register):
    register(Sample())
"""


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    files: Mapping[str, str | bytes],
    *,
    requires: Sequence[str] = (),
    points: str = "",
    tag: str = "py3-none-any",
) -> Path:
    """Write a wheel.

    Args:
        folder: where to.
        name: of the distribution.
        version: likewise.
        files: their content, by path.
        requires: what it depends on.
        points: its entry_points.txt.
        tag: for which interpreter it is.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    headers = "".join(f"Requires-Dist: {line}\n" for line in requires)
    content: dict[str, str | bytes] = {
        **files,
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{headers}",
        f"{stem}.dist-info/WHEEL": f"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    if points:
        content[f"{stem}.dist-info/entry_points.txt"] = points
    folder.mkdir(parents=True, exist_ok=True)
    return pack(folder / f"{stem}-{tag}.whl", content, f"{stem}.dist-info/RECORD")


def pack(path: Path, files: Mapping[str, str | bytes], record: str) -> Path:
    """Write files and the RECORD of them into an archive."""
    lines = ""
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            content = text.encode() if isinstance(text, str) else text
            digest = urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            lines += f"{name},sha256={digest},{len(content)}\n"
            wheel.writestr(name, content)
        wheel.writestr(record, f"{lines}{record},,\n")
    return path


def make_plugin(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    body: str = "yield 'an answer'",
    manifest: str = "",
    files: Mapping[str, str] | None = None,
    requires: Sequence[str] = (),
) -> Path:
    """Write the wheel of a plugin `llm-NAME` with the model `NAME-model`."""
    package = f"llm_{name}"
    content = {f"{package}/__init__.py": PLUGIN.format(name=name, body=body), **(files or {})}
    if manifest:
        content[f"{package}/plugin.toml"] = manifest
    points = f"[llm]\n{name} = {package}\n[console_scripts]\n{name}-tool = {package}:main\n"
    return make_wheel(folder, f"llm-{name}", version, content, requires=requires, points=points)


def repack(name: str, folder: Path) -> Path:
    """Make a wheel again of a distribution that is installed beside the tests."""
    dist = distribution(name)
    if not dist.files or not (text := dist.read_text("WHEEL")):
        pytest.skip(f"{name} is installed here without its list of files, so no wheel can be made of it")
    listed = [file for file in dist.files if ".." not in file.parts and "__pycache__" not in file.parts]
    files = {str(file): Path(str(file.locate())).read_bytes() for file in listed if file.name != "RECORD"}
    tags = [
        line.partition(":")[2].strip().split("-") for line in text.splitlines() if line.startswith("Tag:")
    ]
    tag = "-".join(".".join(dict.fromkeys(parts)) for parts in zip(*tags, strict=True))
    stem = f"{dist.name.replace('-', '_')}-{dist.version}"
    return pack(folder / f"{stem}-{tag}.whl", files, f"{stem}.dist-info/RECORD")


@dataclass(frozen=True)
class Shelf:
    """A folder of wheels that installers take for the whole world.

    Args:
        folder: the wheels.
        scratch: for caches and homes.
    """

    folder: Path
    scratch: Path

    @property
    def variables(self) -> dict[str, str]:
        """Settings that let pip and uv see this folder and nothing else of the machine."""
        return {
            "HOME": str(self.scratch / "home"),
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.folder),
            "PIP_CACHE_DIR": str(self.scratch / "pip"),
            "UV_NO_CONFIG": "1",
            "UV_NO_INDEX": "1",
            "UV_FIND_LINKS": str(self.folder),
            "UV_CACHE_DIR": str(self.scratch / "uv"),
            "UV_OFFLINE": "1",
        }


def stock(folder: Path, scratch: Path) -> Shelf:
    """Put what every plugin needs onto a shelf."""
    folder.mkdir(parents=True)
    (scratch / "home").mkdir(parents=True)
    repack("msgspec", folder)
    return Shelf(folder, scratch)


def need_installer(kind: str) -> str:
    """Return the name of an installer that is here; else the test is skipped."""
    try:
        find_installer(kind)
    except InstallProblem as problem:
        pytest.skip(f"{kind}: {problem.message}")
    return kind
