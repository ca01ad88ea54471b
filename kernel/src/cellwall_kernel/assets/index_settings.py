"""Where packages come from on this machine: the configuration of pip and of uv, read as these two read it.

Owns no network and no page format: `index` asks the places, `web` talks to them. The person who installed the
project has told pip or uv once where packages are (a company's mirror, a folder of wheels, a proxy); asking
again would be rude.
"""

from __future__ import annotations

import configparser
import os
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["STANDARD_INDEX", "IndexSettings", "read_settings"]

STANDARD_INDEX = "https://pypi.org/simple"
# Sections of pip.conf that count, the later one wins (pip's own order).
_SECTIONS = ("global", "install")
_TRUE = frozenset({"1", "y", "yes", "t", "true", "on"})


@dataclass(frozen=True, kw_only=True)
class IndexSettings:
    """The places to ask for a wheel, and how to reach them.

    Args:
        find_links: folders, files or pages with links to wheels; asked first.
        indexes: simple indexes (PEP 503), in order.
        cert: a file or folder with the authorities to trust; None = the system's.
        client_cert: a file with certificate and key to show.
        proxy: address of a proxy; None = what the environment says.
        trusted_hosts: hosts that may be talked to without https or without a valid certificate.
    """

    find_links: tuple[str, ...] = ()
    indexes: tuple[str, ...] = (STANDARD_INDEX,)
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    trusted_hosts: frozenset[str] = field(default_factory=frozenset)


def read_settings(
    environment: Mapping[str, str] | None = None, *, prefix: str | None = None
) -> IndexSettings:
    """Read the configuration of pip and uv.

    Args:
        environment: stands for `os.environ`.
        prefix: the environment that the program runs in, whose `pip.conf` counts; `sys.prefix` when None.
    """
    environment = os.environ if environment is None else environment
    pip = _pip_options(environment, Path(prefix or sys.prefix))
    uv = _uv_options(environment)
    main = [*pip.get("index-url", ())[-1:], *uv["default"]]
    extra = [*pip.get("extra-index-url", ()), *uv["indexes"]]
    no_index = uv["no-index"] or _is_true(pip.get("no-index", ()))
    return IndexSettings(
        find_links=_unique([*pip.get("find-links", ()), *uv["find-links"]]),
        indexes=() if no_index else _unique([*(main or [STANDARD_INDEX]), *extra]),
        cert=_last(pip.get("cert")) or _ca_bundle(environment),
        client_cert=_last(pip.get("client-cert")),
        proxy=_last(pip.get("proxy")),
        trusted_hosts=frozenset(host.lower() for host in pip.get("trusted-host", ())),
    )


def _pip_options(environment: Mapping[str, str], prefix: Path) -> dict[str, list[str]]:
    """Every option of pip as a list of words; later files win over earlier ones, variables over files."""
    by_section: dict[str, dict[str, list[str]]] = {section: {} for section in _SECTIONS}
    for file in _pip_files(environment, prefix):
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue  # pip itself complains about such a file; it is not ours to do
        for section in _SECTIONS:
            if parser.has_section(section):
                for key, value in parser.items(section):
                    by_section[section][key.lower().replace("_", "-")] = value.split()
    options = {key: words for section in _SECTIONS for key, words in by_section[section].items()}
    for name, value in environment.items():
        if name.startswith("PIP_") and value.strip():
            options[name[4:].lower().replace("_", "-")] = value.split()
    return options


def _pip_files(environment: Mapping[str, str], prefix: Path) -> Iterator[Path]:
    """The files of pip's configuration, weakest first: machine, user, environment, `PIP_CONFIG_FILE`."""
    chosen = environment.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return
    home = Path(environment.get("HOME") or Path.home())
    if sys.platform == "darwin":
        yield Path("/Library/Application Support/pip/pip.conf")
    for folder in environment.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"):
        if folder:
            yield Path(folder, "pip", "pip.conf")
    yield Path("/etc/pip.conf")
    if not (chosen and Path(chosen).exists()):
        yield home / ".pip" / "pip.conf"
        yield _config_home(environment) / "pip" / "pip.conf"
        if sys.platform == "darwin":
            yield home / "Library" / "Application Support" / "pip" / "pip.conf"
    yield prefix / "pip.conf"
    if chosen:
        yield Path(chosen)


def _uv_options(environment: Mapping[str, str]) -> dict[str, Any]:
    """What uv's files and variables say: addresses by `default`, `indexes`, `find-links`; `no-index`."""
    options: dict[str, Any] = {"default": [], "indexes": [], "find-links": [], "no-index": False}
    for file in _uv_files(environment):
        try:
            _merge_uv_file(options, tomllib.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
    default = environment.get("UV_DEFAULT_INDEX") or environment.get("UV_INDEX_URL")
    if default:
        options["default"] = [_with_uv_credentials(default, environment)]
    words = f"{environment.get('UV_INDEX', '')} {environment.get('UV_EXTRA_INDEX_URL', '')}".split()
    options["indexes"] = [*(_with_uv_credentials(word, environment) for word in words), *options["indexes"]]
    options["find-links"] += environment.get("UV_FIND_LINKS", "").replace(",", " ").split()
    options["no-index"] = options["no-index"] or _is_true([environment.get("UV_NO_INDEX", "")])
    return options


def _uv_files(environment: Mapping[str, str]) -> list[Path]:
    chosen = environment.get("UV_CONFIG_FILE")
    if chosen:
        return [Path(chosen)]
    if _is_true([environment.get("UV_NO_CONFIG", "")]):
        return []
    return [Path("/etc/uv/uv.toml"), _config_home(environment) / "uv" / "uv.toml"]


def _merge_uv_file(options: dict[str, Any], document: dict[str, Any]) -> None:
    for table in (document, document.get("pip", {})):
        for index in table.get("index", ()):
            options["default" if index.get("default") else "indexes"].append(str(index["url"]))
        if "index-url" in table:
            options["default"] = [str(table["index-url"])]
        options["indexes"] += [str(address) for address in table.get("extra-index-url", ())]
        options["find-links"] += [str(address) for address in table.get("find-links", ())]
        options["no-index"] = bool(table.get("no-index", options["no-index"]))


def _with_uv_credentials(word: str, environment: Mapping[str, str]) -> str:
    """Read `name=address`, with the credentials of `UV_INDEX_NAME_USERNAME` and `UV_INDEX_NAME_PASSWORD`."""
    name, separator, address = word.partition("=")
    if not separator or "/" in name:
        return word
    variable = "UV_INDEX_" + "".join(c if c.isalnum() else "_" for c in name.upper())
    user, password = environment.get(f"{variable}_USERNAME"), environment.get(f"{variable}_PASSWORD")
    scheme, separator, rest = address.partition("://")
    if not (user or password) or not separator:
        return address
    from urllib.parse import quote

    return f"{scheme}://{quote(user or '', safe='')}:{quote(password or '', safe='')}@{rest}"


def _ca_bundle(environment: Mapping[str, str]) -> str | None:
    # SSL_CERT_FILE and SSL_CERT_DIR are read by the ssl module itself, the other two by pip's HTTP library.
    if environment.get("SSL_CERT_FILE") or environment.get("SSL_CERT_DIR"):
        return None
    return environment.get("REQUESTS_CA_BUNDLE") or environment.get("CURL_CA_BUNDLE") or None


def _config_home(environment: Mapping[str, str]) -> Path:
    home = environment.get("HOME") or str(Path.home())
    return Path(environment.get("XDG_CONFIG_HOME") or Path(home, ".config"))


def _is_true(words: Iterable[str]) -> bool:
    return any(word.strip().lower() in _TRUE for word in words)


def _last(words: list[str] | None) -> str | None:
    return words[-1] if words else None


def _unique(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))
