"""The data files that a user added to a plugin: `assets/user.json`.

A file stays where it is and only its place is recorded, because models are large and shared between programs;
`copy` takes it into the store of fetched files instead. Nothing here looks into a file beyond its first
bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.assets.spec import FileKind, is_plain_name
from cellwall_kernel.assets.store import assets_folder
from cellwall_kernel.errors import AssetProblem, NotFound, StoreProblem, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from cellwall_kernel.paths import Paths

__all__ = ["UserFile", "add_file", "files_digest", "is_unchanged", "name_for", "remove_file", "user_files"]


class UserFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that the user added.

    Args:
        path: absolute.
        sha256: at the time when it was added.
        size: in bytes, then.
        mtime_ns: its time of change, then.
        copied: whether `path` is a copy in the user folder, which is ours to delete.
    """

    path: str
    sha256: str
    size: int
    mtime_ns: int
    copied: bool = False


class _Document(msgspec.Struct):
    """The content of user.json: plugin name -> file name -> file."""

    plugins: dict[str, dict[str, UserFile]] = {}


def user_files(plugin: str, paths: Paths) -> dict[str, UserFile]:
    """Return the files that the user added to a plugin, by name.

    Raises:
        StoreProblem: user.json cannot be read.
    """
    return _load(paths).plugins.get(plugin, {})


def files_digest(plugin: str, paths: Paths) -> str:
    """Return a short text that is different when the user's files of the plugin are; "" when there is none.

    It belongs into the key of what the catalogue knows about a plugin: its models depend on these files.

    Raises:
        StoreProblem: user.json cannot be read.
    """
    files = user_files(plugin, paths)
    if not files:
        return ""
    import hashlib

    return hashlib.sha256(msgspec.json.encode(files, order="deterministic")).hexdigest()[:16]


def add_file(
    plugin: str,
    path: Path,
    name: str | None,
    *,
    kind: FileKind,
    paths: Paths,
    reserved: Collection[str] = (),
    copy: bool = False,
) -> tuple[str, UserFile]:
    """Record a file as one of a plugin's; adding the same file under its name again updates the record.

    Args:
        plugin: which plugin.
        path: the file.
        name: what it is to be called; None = after the file.
        kind: what the plugin takes.
        paths: the user folder.
        reserved: names that the plugin's own files have.
        copy: take a copy into the user folder.

    Returns:
        The name, and what was recorded.

    Raises:
        NotFound: there is no such file.
        UsageProblem: it is not of that kind, or the name is taken or not a plain one.
        AssetProblem: it cannot be read or copied.
        StoreProblem: user.json cannot be written.
    """
    path = path.expanduser().absolute()
    chosen = name_for(path) if name is None else name
    if not is_plain_name(chosen):
        raise UsageProblem(f"'{chosen}' cannot be a name: use letters, digits and any of . _ - + @ =")
    if chosen in reserved:
        raise UsageProblem(
            f"'{chosen}' is the name of a file that '{plugin}' brings along; choose another with --name."
        )
    _check_kind(path, kind)
    digest = _digest(path)
    _check_free(plugin, chosen, path, digest, user_files(plugin, paths))
    file = _recorded(path, digest, paths, copy=copy)

    def change(document: _Document) -> None:
        files = document.plugins.setdefault(plugin, {})
        _check_free(plugin, chosen, path, digest, files)
        files[chosen] = file

    _change(paths, change)
    return chosen, file


def remove_file(plugin: str, name: str, *, paths: Paths) -> UserFile:
    """Forget a file that the user added; only a copy of ours is deleted.

    Returns:
        What had been recorded.

    Raises:
        NotFound: no file of that name was added.
        StoreProblem: user.json cannot be written.
    """
    removed: list[UserFile] = []
    still_used: set[str] = set()

    def change(document: _Document) -> None:
        files = document.plugins.get(plugin, {})
        if name not in files:
            raise NotFound(
                f"no file named '{name}' was added to '{plugin}'; `llm {plugin} models` shows them."
            )
        removed.append(files.pop(name))
        still_used.update(file.path for others in document.plugins.values() for file in others.values())

    _change(paths, change)
    if removed[0].copied and removed[0].path not in still_used:
        from cellwall_kernel.assets.store import discard

        discard(Path(removed[0].path))
    return removed[0]


def is_unchanged(file: UserFile) -> bool:
    """Whether the file still has the size and the time of change that it had when it was added."""
    try:
        status = Path(file.path).stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (file.size, file.mtime_ns)


def name_for(path: Path) -> str:
    """Return a plain name made from a file's name without its ending."""
    name = "".join(c if is_plain_name("_" + c) else "-" for c in path.stem).strip("-.")
    return name[:100] or "file"


def _check_kind(path: Path, kind: FileKind) -> None:
    what = kind.title or " or ".join(kind.suffixes) + " file"
    if not path.exists():
        raise NotFound(f"there is no file {path}.")
    if not path.is_file():
        raise UsageProblem(f"{path} is not a file.")
    if not path.name.lower().endswith(tuple(suffix.lower() for suffix in kind.suffixes)):
        raise UsageProblem(
            f"{path.name} is not a {what}: its name does not end in {' or '.join(kind.suffixes)}."
        )
    if kind.magic:
        magic = kind.magic.encode()
        try:
            with path.open("rb") as file:
                begins_right = file.read(len(magic)) == magic
        except OSError as error:
            raise AssetProblem(f"{path} cannot be read: {error.strerror}.") from error
        if not begins_right:
            raise UsageProblem(f"{path.name} is not a {what}: it does not begin with '{kind.magic}'.")


def _check_free(plugin: str, name: str, path: Path, digest: str, files: dict[str, UserFile]) -> None:
    if name in files and files[name].path != str(path) and files[name].sha256 != digest:
        raise UsageProblem(
            f"'{name}' is already the name of {files[name].path}; choose another with --name, "
            f"or `llm {plugin} remove {name}` first."
        )


def _digest(path: Path) -> str:
    from cellwall_kernel.assets.store import sha256_of

    try:
        return sha256_of(path)
    except OSError as error:
        raise AssetProblem(f"{path} cannot be read: {error.strerror}.") from error


def _recorded(path: Path, digest: str, paths: Paths, *, copy: bool) -> UserFile:
    try:
        if copy:
            path = _copied(path, digest, paths)
        status = path.stat()
    except OSError as error:
        raise AssetProblem(f"{path} cannot be copied to {assets_folder(paths)}: {error.strerror}.") from error
    return UserFile(
        path=str(path), sha256=digest, size=status.st_size, mtime_ns=status.st_mtime_ns, copied=copy
    )


def _copied(path: Path, digest: str, paths: Paths) -> Path:
    """Copy a file into the store; a file that is there already is used."""
    import os
    import shutil

    from cellwall_kernel.assets.store import partial_path, place

    target = assets_folder(paths) / digest / path.name
    if not target.is_file():
        temporary = partial_path(paths, f"{digest}.{os.getpid()}.copy")
        try:
            shutil.copyfile(path, temporary)
            place(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    return target


def _file(paths: Paths) -> Path:
    return assets_folder(paths) / "user.json"


def _load(paths: Paths) -> _Document:
    try:
        return msgspec.json.decode(_file(paths).read_bytes(), type=_Document)
    except FileNotFoundError:
        return _Document()
    except (OSError, msgspec.MsgspecError) as error:
        raise StoreProblem(f"{_file(paths)} cannot be read ({error}); mend or delete it.") from error


def _change(paths: Paths, change: Callable[[_Document], None]) -> None:
    from cellwall_kernel.private_files import locked, replace

    file = paths.assets / "user.json"
    with locked(file):
        document = _load(paths)
        change(document)
        replace(file, msgspec.json.format(msgspec.json.encode(document)) + b"\n")
