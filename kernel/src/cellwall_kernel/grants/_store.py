"""`grants.json` in the user folder: what was granted to which plugin, when, and for which files.

    {"format": 1, "plugins": {"llm-foo/foo": {"permissions": {"keys": ["foo"]}, "pin": {…}, …}}}

The key is `PluginRecord.grant_key`. The file is its owner's alone and is replaced as a whole under a lock.
One that cannot be read is an error for every command that starts a plugin: without it, nobody knows what was
taken back.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.errors import PluginChanged, StoreProblem
from cellwall_kernel.grants._pins import Pin, check, pin_with_listing
from cellwall_kernel.permissions import Permissions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.paths import Paths

__all__ = ["Grant", "Grants", "accept", "asked_by", "change_grant", "valid_grant"]

FORMAT = 1
"""Raised when a file of this version would be misunderstood by the versions before."""


class Grant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the user has granted to a plugin.

    Args:
        permissions: what it may do beyond the default.
        unsandboxed: whether it runs without a wall, by the user's wish.
        pin: for which files; None where nothing is granted and nothing pinned.
        granted_at: when, in UTC, such as "2027-01-31T12:00:00Z".
        level: how strong the sandbox was then, in the doctor's word; may be empty.
        asked: SHA-256 of what the manifest asked for then.
    """

    permissions: Permissions = Permissions()
    unsandboxed: bool = False
    pin: Pin | None = None
    granted_at: str = ""
    level: str = ""
    asked: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether it allows nothing beyond the default."""
        return not self.unsandboxed and self.permissions == Permissions()


class _Content(msgspec.Struct, kw_only=True):
    """The file."""

    format: int
    plugins: dict[str, Grant] = {}


class Grants:
    """What the user has granted to all plugins.

    Args:
        by_key: `PluginRecord.grant_key` -> grant.
    """

    def __init__(self, by_key: dict[str, Grant]) -> None:
        self.by_key = by_key

    @classmethod
    def load(cls, paths: Paths) -> Grants:
        """Read the file; without one, nothing is granted.

        Raises:
            StoreProblem: it cannot be read, is damaged, or was written by a newer version.
        """
        return cls(_read(paths).plugins)

    def of(self, record: PluginRecord) -> Grant:
        """Return what a plugin was granted; an empty grant if nothing was."""
        return self.by_key.get(record.grant_key) or Grant()


def asked_by(record: PluginRecord) -> Permissions:
    """Return what a plugin's manifest asks for; nothing without one."""
    return Permissions() if record.manifest is None else record.manifest.permissions


def valid_grant(paths: Paths, record: PluginRecord, grants: Grants | None = None) -> Grant:
    """Return what a plugin may do, if its files still are those that it was granted for.

    Every launch asks this: a few `stat` calls, unless the files look different from last time.

    Args:
        paths: the user folder.
        record: the plugin.
        grants: if they have been loaded already.

    Raises:
        PluginChanged: its files are others.
        StoreProblem: as for `Grants.load`.
    """
    grant = (Grants.load(paths) if grants is None else grants).of(record)
    if grant.pin is None:
        if not grant.is_empty:
            raise PluginChanged(record.name, "nobody noted which files were meant")
        return grant
    verdict = check(record, grant.pin)
    if verdict.state == "changed":
        raise PluginChanged(record.name, verdict.cause)
    if verdict.state == "touched":
        with suppress(StoreProblem):  # the next launch will read the files once more
            change_grant(paths, record.grant_key, lambda known: _with_stamp(known, grant.pin, verdict.stamp))
    return grant


def accept(
    paths: Paths,
    record: PluginRecord,
    permissions: Permissions,
    *,
    unsandboxed: bool = False,
    level: str = "",
    wheels: Iterable[tuple[str, str]] | None = None,
) -> Grant:
    """Store what the user has accepted for a plugin, and pin its files as they are now.

    A plugin in the environment of `llm` that may do nothing beyond the default needs no pin.

    Args:
        paths: the user folder.
        record: the plugin.
        permissions: all that it may do from now on.
        unsandboxed: whether it shall run without a wall.
        level: how strong the sandbox is, in the doctor's word.
        wheels: file name and SHA-256 of what was installed for it; None keeps what is known.

    Raises:
        UsageProblem: a permission reaches into what is ours.
        StoreProblem: the file cannot be read or written.
    """
    import time

    from cellwall_kernel.grants._listings import remember
    from cellwall_kernel.grants._own import refuse_own_folders

    refuse_own_folders(paths, permissions)
    fresh = Grant(
        permissions=permissions,
        unsandboxed=unsandboxed,
        granted_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        level=level,
        asked=_digest(asked_by(record)),
    )
    if fresh.is_empty and record.environment is None:
        return change_grant(paths, record.grant_key, lambda _: Grant())
    pin, listing = pin_with_listing(record)
    remember(paths, pin, listing)

    def pinned(known: Grant) -> Grant:
        old = known.pin.wheels if known.pin is not None and known.pin.version == pin.version else ()
        kept = old if wheels is None else tuple(wheels)
        return msgspec.structs.replace(fresh, pin=msgspec.structs.replace(pin, wheels=kept))

    return change_grant(paths, record.grant_key, pinned)


def change_grant(paths: Paths, key: str, change: Callable[[Grant], Grant]) -> Grant:
    """Change what one plugin was granted, safely against other processes that do the same.

    Args:
        paths: the user folder.
        key: the plugin's, see `PluginRecord.grant_key`.
        change: gets the grant as it is and returns it as it shall be; `Grant()` removes it.

    Returns:
        The new grant.

    Raises:
        StoreProblem: the file cannot be read or written.
    """
    from cellwall_kernel.grants._listings import forget_others
    from cellwall_kernel.private_files import locked, replace

    paths.folder()
    with locked(paths.grants):
        content = _read(paths)
        grant = change(content.plugins.get(key, Grant()))
        if grant == Grant():
            content.plugins.pop(key, None)
        else:
            content.plugins[key] = grant
        text = msgspec.json.format(msgspec.json.encode(content), indent=2)
        replace(paths.grants, text + b"\n")
        forget_others(paths, [known.pin for known in content.plugins.values() if known.pin is not None])
    return grant


def _read(paths: Paths) -> _Content:
    from cellwall_kernel.private_files import make_private

    path = paths.grants
    make_private(path)
    try:
        content = msgspec.json.decode(path.read_bytes(), type=_Content)
    except FileNotFoundError:
        return _Content(format=FORMAT)
    except OSError as error:
        raise StoreProblem(f"the grants {path} cannot be read: {error.strerror}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StoreProblem(
            f"the grants {path} are damaged ({error}), and no plugin starts without them; move the file away "
            "and grant again what you want with 'llm plugins grant'."
        ) from error
    if content.format != FORMAT:
        raise StoreProblem(
            f"the grants {path} were written by another version of Cellwall (format {content.format}, not "
            f"{FORMAT}); use that version, or move the file away and grant again."
        )
    return content


def _with_stamp(known: Grant, pin: Pin | None, stamp: str) -> Grant:
    """Return the grant with another stamp, unless somebody has pinned other files meanwhile."""
    if known.pin is None or known.pin != pin:
        return known
    return msgspec.structs.replace(known, pin=msgspec.structs.replace(known.pin, stamp=stamp))


def _digest(permissions: Permissions) -> str:
    import hashlib

    return hashlib.sha256(msgspec.json.encode(permissions)).hexdigest()
