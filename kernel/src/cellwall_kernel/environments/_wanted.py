"""From what a user types after `llm install` to what is wanted: a name, a wheel, or sources."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from cellwall_kernel.discovery import normal_name
from cellwall_kernel.environments._records import Wanted
from cellwall_kernel.errors import NotFound, UsageProblem

__all__ = ["SDK", "checked", "existing", "from_sources", "is_sources", "of_wheel", "understand", "wheel_name"]

SDK = "cellwall-sdk"
"""The distribution that every environment contains; it comes from the host and from nowhere else."""

MAX_NAME = 100
"""A longer name makes no folder; the longest one on the public index has 80 characters."""

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_REQUIREMENT = re.compile(rf"(?P<name>{_NAME})\s*(\[[A-Za-z0-9._,\s-]*\])?\s*(?:\(?\s*[<>=!~][^;@]*\)?)?")
_WHEEL = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._]*)-[^-]+(?:-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl")
_SDIST = (".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tar.xz")


def understand(text: str, *, extra: tuple[str, ...] = (), constraints: tuple[str, ...] = ()) -> Wanted:
    """Understand a name, a requirement, or a wheel's path or address.

    Args:
        text: as it was typed; sources are for `_build` and must have become a wheel by now.
        extra: more requirements.
        constraints: bounds on versions.

    Raises:
        UsageProblem: it is none of these.
        NotFound: there is no such file.
    """
    extra, constraints = tuple(map(_more, extra)), tuple(map(checked, constraints))
    if text.endswith(".whl"):
        return of_wheel(text, extra=extra, constraints=constraints)
    found = _REQUIREMENT.fullmatch(text.strip())
    if found is None or normal_name(found["name"]) == SDK:
        raise UsageProblem(
            f"{text!r} cannot be installed as a plugin; give the name of a distribution, such as llm-foo or "
            "'llm-foo>=1.2', the path of a wheel, or a folder with sources (with --build)."
        )
    return Wanted(name=_folder(found["name"]), requirement=text.strip(), extra=extra, constraints=constraints)


def of_wheel(text: str, *, extra: tuple[str, ...] = (), constraints: tuple[str, ...] = ()) -> Wanted:
    """Understand the path or the address of a wheel; see `understand`."""
    is_address = re.match(r"https?://", text) is not None
    name = wheel_name(text.rpartition("/")[2])
    if name is None or normal_name(name) == SDK:
        raise UsageProblem(f"{text} is not named as a wheel of a plugin is, NAME-VERSION-py3-none-any.whl.")
    origin = text if is_address else str(existing(text))
    return Wanted(
        name=_folder(name),
        requirement=name,
        source="wheel",
        origin=origin,
        extra=extra,
        constraints=constraints,
    )


def from_sources(
    text: str, wheel: Path, *, extra: tuple[str, ...] = (), constraints: tuple[str, ...] = ()
) -> Wanted:
    """Understand sources that were built.

    Args:
        text: the folder or archive, as it was typed.
        wheel: what became of it.
        extra: more requirements.
        constraints: bounds on versions.
    """
    found = understand(str(wheel), extra=extra, constraints=constraints)
    return msgspec.structs.replace(found, source="sources", origin=str(existing(text)))


def is_sources(text: str) -> bool:
    """Whether the text names a folder or an archive of sources, by the way it is written."""
    if text.endswith(".whl"):
        return False
    return "/" in text or text in {".", ".."} or text.startswith("~") or text.endswith(_SDIST)


def existing(text: str) -> Path:
    """Return the absolute path of a file or folder that the user named.

    Raises:
        NotFound: it is not there.
    """
    path = Path(text).expanduser().absolute()
    if not path.exists():
        raise NotFound(f"there is no file or folder {path}.")
    return path


def wheel_name(file: str) -> str | None:
    """Return the distribution's name in the name of a wheel; None if the file is not named as a wheel is."""
    found = _WHEEL.fullmatch(file)
    return None if found is None else found["name"].replace("_", "-")


def checked(requirement: str) -> str:
    """Return a requirement that an installer cannot take for an option or for two lines.

    Raises:
        UsageProblem: it could.
    """
    text = requirement.strip()
    if not text or text.startswith(("-", "#")) or any(ord(letter) < ord(" ") for letter in text):
        raise UsageProblem(f"{requirement!r} is not a requirement; write it like 'httpx' or 'click<8.2'.")
    return text


def _more(requirement: str) -> str:
    """Understand an extra requirement, which may also be a local wheel."""
    text = checked(requirement)
    if not text.endswith(".whl") or "@" in text:
        return text
    name = wheel_name(text.rpartition("/")[2])
    if name is None:
        raise UsageProblem(f"{text} is not named as a wheel is.")
    return f"{name} @ {existing(text).as_uri()}"


def _folder(name: str) -> str:
    if len(name) > MAX_NAME:
        raise UsageProblem(f"the name {name[:20]}… is longer than {MAX_NAME} characters.")
    return normal_name(name)
