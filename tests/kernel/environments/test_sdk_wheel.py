"""The host's SDK as a wheel: the same content, the same bytes, whatever way the host was installed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from base64 import urlsafe_b64decode
from importlib.metadata import version
from typing import TYPE_CHECKING

from cellwall_kernel.environments._sdk import sdk_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from cellwall_kernel.paths import Paths


def test_the_wheel_holds_both_packages_and_a_true_record(paths: Paths) -> None:
    """An installer checks every file against RECORD."""
    with zipfile.ZipFile(sdk_wheel(paths)) as wheel:
        content = {name: wheel.read(name) for name in wheel.namelist()}
    info = f"cellwall_sdk-{version('cellwall-sdk')}.dist-info"
    record = [line.split(",") for line in content[f"{info}/RECORD"].decode().splitlines()]

    assert {"cellwall_sdk/__init__.py", "cellwall_wire/py.typed"} <= content.keys()
    assert not [name for name in content if "__pycache__" in name]
    assert {name for name, _, _ in record} == content.keys()
    for name, digest, size in record[:-1]:
        sha256 = urlsafe_b64decode(digest.removeprefix("sha256=") + "=")
        assert (sha256, int(size)) == (hashlib.sha256(content[name]).digest(), len(content[name]))
    assert b"Requires-Dist: msgspec" in content[f"{info}/METADATA"]


def test_the_wheel_is_made_once(paths: Paths) -> None:
    """The same content gives the same bytes, at the same place."""
    first = sdk_wheel(paths)
    before = first.stat().st_mtime_ns

    assert (sdk_wheel(paths), first.stat().st_mtime_ns) == (first, before)
    assert first.stat().st_mode & 0o777 == 0o600


def test_a_damaged_wheel_is_made_again(paths: Paths) -> None:
    """It lies in a cache for years."""
    wheel = sdk_wheel(paths)
    content = wheel.read_bytes()
    wheel.write_bytes(content[:100])

    assert sdk_wheel(paths).read_bytes() == content


def test_an_installed_sdk_gives_the_same_wheel_as_an_edited_one(paths: Paths, site: Path) -> None:
    """Developers and users install the same; here: unpacked as pip would, on the search path."""
    wheel = sdk_wheel(paths)
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(site)
    code = (
        "from pathlib import Path; from cellwall_kernel.paths import Paths; import sys;"
        "from cellwall_kernel.environments._sdk import sdk_wheel; print(sdk_wheel(Paths(Path(sys.argv[1]))));"
        "assert not {'cellwall_sdk'} & sys.modules.keys()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(paths.root)],
        env={**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert ran.stdout.strip() == str(wheel)
