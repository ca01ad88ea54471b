"""Which files a plugin consists of, how they look, and what is in them.

    installed by `llm install`      everything in its environment
    in the environment of `llm`     what its RECORD lists; without one, its module
    installed for editing           its manifest alone: the rest changes with every edit

Bytecode is read where a plugin has an environment of its own, but does not count for how that looks: it is
half of all files, and who could change it could set its time as well. In a shared environment any command may
write it, so it is left out, and so is what installers note about themselves. Libraries that such a plugin
shares with others are not its files.
"""

# ruff: noqa: PTH112, PTH113, PTH114, PTH115, PTH116, PTH118, PTH119, PTH123, PTH208 - thousands of files at every launch

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from cellwall_kernel.discovery import normal_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwall_kernel.discovery import PluginRecord

__all__ = ["Listing", "contents_of", "manifest_digest", "stamp_of"]

Listing = dict[str, str]
"""Path -> SHA-256 of the content; `-> TARGET` for a link to a folder or to the interpreter."""

UNREADABLE, SPECIAL = "unreadable", "no file"
NOTES = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})
"""Files of a `.dist-info` that differ between installers of the same wheel."""

READ_BYTES = 1 << 20


def stamp_of(record: PluginRecord) -> str:
    """Return a digest of the paths, sizes and times of a plugin's files; none of them is read."""
    from _blake2 import blake2b  # hashlib would bring a whole library of ciphers along, for 3 ms

    looks: list[str] = []
    for path, place in _files(record, with_bytecode=False):
        try:
            status = os.lstat(place) if _is_interpreter(path) else os.stat(place)
        except OSError:
            looks.append(f"{path}\0")
        else:
            looks.append(f"{path}\0{status.st_size}\0{status.st_mtime_ns}")
    return blake2b("\n".join(looks).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def contents_of(record: PluginRecord) -> Listing:
    """Read all files of a plugin that are there; empty for one that is installed for editing."""
    files = () if record.editable else _files(record)
    return {path: content for path, place in files if (content := _content(path, place)) is not None}


def manifest_digest(record: PluginRecord) -> str:
    """Return the SHA-256 of the plugin's manifest; empty without one."""
    place = _manifest(record)
    return "" if place is None else _content("plugin.toml", place) or ""


def _files(record: PluginRecord, *, with_bytecode: bool = True) -> Iterator[tuple[str, str]]:
    """Yield the files: a name that does not depend on where the environment is, and the place."""
    if record.editable:
        place = _manifest(record)
        if place is not None:
            yield os.path.basename(place), place
    elif record.environment is not None:
        yield from _below(record.environment, with_bytecode=with_bytecode)
    else:
        names = _recorded(record)
        yield from ((name, os.path.join(record.location, name)) for name in sorted(names))
        if not names:
            yield from _module(record)


def _below(root: str, prefix: str = "", *, with_bytecode: bool) -> Iterator[tuple[str, str]]:
    """Yield everything in a folder that is not a folder itself; what cannot be listed is yielded as it is."""
    try:
        with os.scandir(root) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        yield prefix, root
        return
    for entry in found:
        if not entry.is_dir(follow_symlinks=False):
            yield prefix + entry.name, entry.path
        elif with_bytecode or entry.name != "__pycache__":
            yield from _below(entry.path, f"{prefix}{entry.name}/", with_bytecode=with_bytecode)


def _recorded(record: PluginRecord) -> set[str]:
    """Return the paths in the distribution's RECORD, relative to where it is installed."""
    info = _info_folder(record)
    if info is None:
        return set()
    place = os.path.join(record.location, info, "RECORD")
    try:
        with open(place, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return set()
    names = (line.rsplit(",", 2)[0] for line in lines if line)
    plain = {name[1:-1].replace('""', '"') if name.startswith('"') else name for name in names}
    notes = {f"{info}/{note}" for note in NOTES}
    return {name for name in plain - notes if "/__pycache__/" not in f"/{name}" and "\0" not in name}


def _info_folder(record: PluginRecord) -> str | None:
    """Return the name of the `.dist-info` of the plugin's version; None if there is none."""
    wanted = (normal_name(record.dist), normal_name(record.version))
    try:
        names = os.listdir(record.location)
    except OSError:
        return None
    for name in names:
        if name.endswith(".dist-info"):
            dist, _, version = name.removesuffix(".dist-info").partition("-")
            if (normal_name(dist), normal_name(version)) == wanted:
                return name
    return None


def _module(record: PluginRecord) -> Iterator[tuple[str, str]]:
    """Yield the files of the plugin's own package or module, found by its name."""
    top = record.target.partition(":")[0].partition(".")[0]
    folder = os.path.join(record.location, top)
    if os.path.isdir(folder):
        yield from _below(folder, f"{top}/", with_bytecode=False)
        return
    for suffix in (".py", ".plugin.toml"):
        if os.path.isfile(folder + suffix):
            yield top + suffix, folder + suffix


def _manifest(record: PluginRecord) -> str | None:
    """Return the place of the plugin's manifest; None if there is no such file."""
    if record.manifest_folder is None:
        return None
    module = record.target.partition(":")[0]
    own = os.path.join(record.manifest_folder, f"{module.partition('.')[0]}.plugin.toml")
    shared = os.path.join(record.manifest_folder, "plugin.toml")
    return next((place for place in (own, shared) if os.path.isfile(place)), None)


def _is_interpreter(path: str) -> bool:
    """Whether a path of an environment may be a link to the interpreter, which the system updates."""
    return path.startswith("bin/")


def _content(path: str, place: str) -> str | None:
    """Return what stands for a file's content; None if there is no such file."""
    import hashlib

    try:
        if os.path.islink(place) and (_is_interpreter(path) or os.path.isdir(place)):
            return f"-> {os.readlink(place)}"
        if not stat.S_ISREG(os.stat(place).st_mode):
            return SPECIAL  # a pipe or a device would keep us for ever
        digest = hashlib.sha256()
        with open(place, "rb", buffering=0) as file:
            while block := file.read(READ_BYTES):
                digest.update(block)
    except FileNotFoundError:
        return None
    except OSError:
        return UNREADABLE
    return digest.hexdigest()
