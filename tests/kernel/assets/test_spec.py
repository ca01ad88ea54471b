"""What a manifest may say about a data file."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cellwall_kernel.assets.spec import (
    AssetSpec,
    PathSource,
    PypiSource,
    Source,
    UrlSource,
    is_plain_name,
    parse_source,
)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("pypi:some-pkg==1.0.post1/pkg/a b.bin", PypiSource("some-pkg", "1.0.post1", "pkg/a b.bin")),
        ("pypi:p==1!2+cpu/m", PypiSource("p", "1!2+cpu", "m")),
        ("https://example.org:8443/m.gguf?x=1", UrlSource("https://example.org:8443/m.gguf?x=1")),
        ("http://127.0.0.1:80/m", UrlSource("http://127.0.0.1:80/m")),
        ("http://[::1]:80/m", UrlSource("http://[::1]:80/m")),
        ("file:/a/b", PathSource("/a/b")),
        ("file:///a/b", PathSource("/a/b")),
        ("file://localhost/a/b", PathSource("/a/b")),
        ("/a/b", PathSource("/a/b")),
        ("~/b", PathSource("~/b")),
    ],
)
def test_each_kind_of_source_is_read(text: str, source: Source) -> None:
    """The syntax stands in `parse_source`."""
    assert parse_source(text) == source


@pytest.mark.parametrize(
    "text",
    [
        "",
        "relative/path",
        "file:relative",
        "ftp://example.org/m",
        "http://example.org/m",
        "http://localhost@example.org/m",
        "https:///m",
        "https://exa mple.org/m",
        "pypi:p/m",
        "pypi:p==/m",
        "pypi:p==1",
        "pypi:p==1/",
        "pypi:p==1/a/../b",
        "pypi:p==1//etc/passwd",
        "pypi:p>=1/m",
        "pypi:p==1/a\\b",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """A source that leaves the wheel or the safety of https is one of them."""
    with pytest.raises(ValueError, match="source"):
        parse_source(text)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "a/b"},
        {"name": ""},
        {"file": "../model"},
        {"file": ".hidden"},
        {"file": "-o"},
        {"file": "a\nb"},
        {"sha256": "A" * 64},
        {"sha256": "a" * 63},
        {"size": 0},
        {"sources": []},
        {"sources": ["nonsense"]},
    ],
)
def test_a_wrong_field_of_a_declaration_is_refused_while_it_is_read(change: dict[str, Any]) -> None:
    """The manifest's reader reports it as a fault of the plugin."""
    values: dict[str, Any] = {"name": "m", "file": "m.bin", "sha256": "a" * 64, "sources": ["/m"]}
    assert msgspec.convert(values, AssetSpec).label == "m.bin"

    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(values | change, AssetSpec)


def test_a_plain_name_is_one_harmless_path_component() -> None:
    """Names become folders, options and model ids."""
    assert is_plain_name("Qwen2.5-0.5B_q4@x")
    assert not any(map(is_plain_name, ["", ".", "..", "a b", "a/b", "-a", "ä", "a" * 201]))
