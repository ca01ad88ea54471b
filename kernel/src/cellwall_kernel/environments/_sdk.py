"""The running host's SDK as a wheel, so that every environment contains the very SDK that it was tested with.

It is taken from the files that this process would import, whether they were installed or are being edited,
and none of them is imported. A plugin keeps the SDK that it was installed with when the host is upgraded.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import TYPE_CHECKING

from cellwall_kernel.environments._records import ENVIRONMENTS
from cellwall_kernel.environments._wanted import SDK
from cellwall_kernel.errors import InstallProblem
from cellwall_kernel.private_files import locked, replace

if TYPE_CHECKING:
    from cellwall_kernel.paths import Paths

__all__ = ["sdk_wheel"]

PACKAGES = ("cellwall_sdk", "cellwall_wire")
CACHE = ".sdk"

KEPT_HEADERS = ("Name", "Version", "Summary", "Requires-Dist", "Requires-Python", "License-Expression")
"""What of the SDK's metadata means something to an installer."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every file in the wheel: the same content gives the same wheel."""


def sdk_wheel(paths: Paths) -> Path:
    """Return the wheel, which is written when its content is new.

    Raises:
        InstallProblem: the SDK's files are not where they should be.
        StoreProblem: the user folder cannot be written.
    """
    version, content = _pack()
    digest = hashlib.sha256(content).hexdigest()[:16]
    path = paths.folder(ENVIRONMENTS, CACHE, digest) / f"{SDK.replace('-', '_')}-{version}-py3-none-any.whl"
    with locked(path):
        if not path.exists() or path.read_bytes() != content:
            replace(path, content)
    return path


def _pack() -> tuple[str, bytes]:
    """Return the SDK's version and its wheel."""
    headers = _headers()
    version = next(value for name, value in headers if name == "Version")
    info = f"{SDK.replace('-', '_')}-{version}.dist-info"
    files = {name: content for package in PACKAGES for name, content in _files_of(package)}
    files[f"{info}/METADATA"] = "".join(
        f"{name}: {value}\n" for name, value in [("Metadata-Version", "2.4"), *headers]
    ).encode()
    files[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: cellwall\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = "".join(f"{name},{_digest(content)},{len(content)}\n" for name, content in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o100644 << 16
            wheel.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return version, archive.getvalue()


def _headers() -> list[tuple[str, str]]:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        metadata = distribution(SDK).metadata
    except PackageNotFoundError as error:
        raise InstallProblem(f"{SDK} is not installed beside the host; install Cellwall again.") from error
    return [(name, value) for name in KEPT_HEADERS for value in metadata.get_all(name) or ()]


def _files_of(package: str) -> list[tuple[str, bytes]]:
    from importlib.util import find_spec

    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InstallProblem(f"the package {package} is not where the host runs; install Cellwall again.")
    folder = Path(spec.submodule_search_locations[0])
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        (f"{package}/{path.relative_to(folder).as_posix()}", path.read_bytes())
        for path in found
        if "__pycache__" not in path.parts and path.suffix != ".pyc"
    ]


def _digest(content: bytes) -> str:
    return "sha256=" + urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
