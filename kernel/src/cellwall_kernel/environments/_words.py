"""From the log of an installer to one sentence for a person."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cellwall_kernel.environments._run_pip import REFUSED
from cellwall_kernel.errors import InstallProblem

if TYPE_CHECKING:
    from cellwall_kernel.environments._programs import Program

__all__ = ["file_name", "problem_of", "sha256_of"]

LONGEST = 400
"""How many characters of an installer's own words are shown; resolvers can write pages."""

SOURCES_HINT = "sources can be built, inside the wall, by 'llm install --build FOLDER'"

FULL = "the disk is full; make room and try again."
MISMATCH = (
    "a downloaded file is not the one that the index names (its SHA-256 differs); nothing was installed."
)
NO_WHEEL = f"something that it needs exists only as sources, and only wheels are installed; {SOURCES_HINT}."
ADDRESS = (
    "something in it depends on an address instead of a name; if you trust that address, name it yourself: "
    "--with 'NAME @ ADDRESS'."
)
OFFLINE = "the package index cannot be reached; is the network there?"

CAUSES = {
    r"No space left on device|Disk quota exceeded": FULL,
    r"[Hh]ash mismatch|DO NOT MATCH THE HASHES": MISMATCH,
    rf"{REFUSED}|Building source distributions|no usable wheels": NO_WHEEL,
    r"URL dependencies must be expressed": ADDRESS,
    r"Name or service not known|failure in name resolution|Network is unreachable|No route to host": OFFLINE,
    r"NewConnectionError|ConnectTimeoutError|Connection refused|client error \(Connect\)|timed out": OFFLINE,
}
"""What may stand in a log, and the sentence for it; the first match counts."""

DECORATION = re.compile(r"^[\s×╰─▶│├]+|^(error|cause|ERROR|hint)[: ]\s*", re.MULTILINE)


def problem_of(program: Program) -> InstallProblem:
    """Return the problem that a failed installer's log tells of."""
    text = program.text()
    last_call = text.rpartition("\n$ ")[2].partition("\n")[2]
    return InstallProblem(
        f"{reason(last_call)} The installer's own words are in {program.log}.", detail=last_call
    )


def reason(text: str) -> str:
    """Return the cause of a failure as a sentence.

    Args:
        text: what the installer printed.
    """
    for pattern, sentence in CAUSES.items():
        if re.search(pattern, text):
            return sentence
    return _own_words(text)


def _own_words(text: str) -> str:
    """Return what the installer says itself: pip's ERROR lines, or uv's error with its causes."""
    lines = [line.rstrip() for line in text.splitlines()]
    errors = [line for line in lines if line.startswith("ERROR: ")]
    missing = next((line for line in errors if "Could not find a version" in line), None)
    if missing is not None:
        found = re.search(r"requirement (.+?) \(from versions: (.*)\)", missing)
        if found is not None and found[2] == "none":
            return f"the package index has no wheel of '{found[1]}' for this Python; is the name right?"
        return f"{missing.removeprefix('ERROR: ')}."
    begin = next((at for at, line in enumerate(lines) if re.match(r"\s*(error:|×)", line)), None)
    if begin is not None:
        absent = re.search(r"Because (\S+) was not found in the package registry", text)
        if absent is not None:
            return f"the package index has no wheel of '{absent[1]}' for this Python; is the name right?"
        errors = [line for line in lines[begin:] if not line.startswith("hint:")]
    chosen = errors or [line for line in lines if line][-1:] or ["the installer ended without a word"]
    words = " ".join(" ".join(DECORATION.sub("", line) for line in chosen).split())[:LONGEST]
    return words if words.endswith((".", "!", "?")) else f"{words}."


def file_name(url: str) -> str:
    """Return the name of the file that an address or a path leads to."""
    from urllib.parse import unquote, urlsplit

    return unquote(urlsplit(url).path).rpartition("/")[2]


def sha256_of(url: str) -> str:
    """Return the SHA-256 of a local file given by its address; empty for other addresses."""
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(url)
    if parts.scheme != "file":
        return ""
    import hashlib

    with open(unquote(parts.path), "rb") as file:  # noqa: PTH123 - as above
        return hashlib.file_digest(file, "sha256").hexdigest()
