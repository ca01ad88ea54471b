"""API keys: `keys.json` in the user folder, and the order in which a key is looked for.

    {"// Note": "This file stores secret API credentials. Do not share!", "openai": "sk-…"}

The file is the one that `llm` writes, so either program can use the other's. Only its owner can read it, and
it is replaced as a whole under a lock. Values leave this module only as the answer to a question for one
name, and for a trace that must leave them out: no error and no representation holds one. Which plugin may ask
for which key is left to the callers.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from cellwall_kernel.errors import KeyProblem, NotFound, StoreProblem, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cellwall_kernel.paths import Paths

__all__ = [
    "check_key_name",
    "key_names",
    "missing_key",
    "resolve_key",
    "store_key",
    "stored_key",
    "stored_values",
]

NOTE_NAME = "// Note"
LONG_ENOUGH = 8
"""From how many characters on a key can be told from other texts."""

NOTE = "This file stores secret API credentials. Do not share!"


def key_names(paths: Paths) -> list[str]:
    """Return the names of the stored keys, sorted.

    Raises:
        StoreProblem: `keys.json` cannot be read or is not what it must be.
    """
    return sorted(name for name in _load(paths) if not _is_comment(name))


def stored_key(paths: Paths, name: str) -> str:
    """Return the stored key of that name.

    Raises:
        NotFound: there is none.
        StoreProblem: `keys.json` cannot be read or is not what it must be.
    """
    key = _lookup(_load(paths), name)
    if key is None:
        raise NotFound(f"no key is stored under '{name}'; store one with 'llm keys set {name}'.")
    return key


def stored_values(paths: Paths) -> list[str]:
    """Return all stored keys, for those who must not write any of them: they are looked for, nothing else.

    Short ones are left out: they are found everywhere, and nobody's key.

    Raises:
        StoreProblem: `keys.json` cannot be read or is not what it must be.
    """
    keys = _load(paths)
    return [key for name, key in keys.items() if not _is_comment(name) and len(key) >= LONG_ENOUGH]


def store_key(paths: Paths, name: str, value: str) -> None:
    """Store a key under a name, in place of an older one. Parallel calls lose nothing.

    Args:
        paths: the user folder.
        name: what the key is asked for by, such as "openai".
        value: the key; spaces around it are dropped, since they come from copying.

    Raises:
        UsageProblem: the name or the value is empty or cannot be one.
        StoreProblem: `keys.json` cannot be read or written, or is wrong; then it is left as it is.
    """
    import json

    from cellwall_kernel.private_files import locked, replace

    name, value = check_key_name(name), value.strip()
    if not value:
        raise UsageProblem(f"the value for '{name}' is empty; nothing was stored.")
    paths.folder()
    with locked(paths.keys):
        keys = _load(paths)
        keys.setdefault(NOTE_NAME, NOTE)
        keys[name] = value
        replace(paths.keys, json.dumps(keys, indent=2).encode() + b"\n")


def check_key_name(name: str) -> str:
    """Return the name as it is stored, without spaces around it.

    Raises:
        UsageProblem: it cannot be a name.
    """
    name = name.strip()
    if not name or _is_comment(name) or not name.isprintable():
        raise UsageProblem("a key needs a name of printable characters that does not begin with '//'.")
    return name


def resolve_key(
    paths: Paths,
    *,
    explicit: str | None = None,
    alias: str | None = None,
    env_var: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> str | None:
    """Return the key to use: what the user named, else the stored one, else the environment's.

    Args:
        paths: the user folder.
        explicit: the value of `--key`: a name in `keys.json`, or else the key itself.
        alias: the name that the model's key is stored under.
        env_var: the environment variable that may hold it; an empty variable counts as none.
        environ: the environment, if not this process's own.

    Returns:
        The key, or None when there is none anywhere; `missing_key` says so in a sentence.

    Raises:
        StoreProblem: `keys.json` cannot be read or is not what it must be.
    """
    if explicit is not None or alias is not None:
        keys = _load(paths)
        if explicit is not None:
            named = _lookup(keys, explicit)
            return explicit if named is None else named
        if alias is not None and (stored := _lookup(keys, alias)) is not None:
            return stored
    if env_var is None:
        return None
    return (os.environ if environ is None else environ).get(env_var) or None


def missing_key(alias: str, env_var: str | None = None) -> KeyProblem:
    """Return the error that says which key is missing and how to give it."""
    ways = f"store it with 'llm keys set {alias}'"
    if env_var is not None:
        ways += f", set the variable {env_var}"
    return KeyProblem(f"no API key is known for '{alias}'; {ways} or pass --key.")


def _lookup(keys: dict[str, str], name: str) -> str | None:
    return None if _is_comment(name) else keys.get(name)


def _is_comment(name: str) -> bool:
    return name.startswith("//")


def _load(paths: Paths) -> dict[str, str]:
    """The file's members, comments included.

    Errors of the JSON reader are not chained: they carry the whole text, keys and all.
    """
    import json

    from cellwall_kernel.private_files import make_private

    path = paths.keys
    make_private(path)
    try:
        keys: object = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreProblem(f"the keys {path} cannot be read: {error.strerror}.") from error
    except json.JSONDecodeError as error:
        raise _wrong(path, f"are not JSON text (line {error.lineno}, column {error.colno})") from None
    except (UnicodeDecodeError, RecursionError):
        raise _wrong(path, "are not JSON text") from None
    if not isinstance(keys, dict):
        raise _wrong(path, "must be one JSON object of names and texts")
    table = cast("dict[str, object]", keys)
    texts = {name: value for name, value in table.items() if isinstance(value, str)}
    if len(texts) < len(table):
        raise _wrong(path, "must be one JSON object of names and texts")
    return texts


def _wrong(path: Path, cause: str) -> StoreProblem:
    return StoreProblem(f"the keys {path} {cause}; correct the file, or move it away.")
