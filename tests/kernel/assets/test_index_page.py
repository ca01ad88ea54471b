"""Pages of package indexes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cellwall_kernel.assets.index_page import WheelLink, links_of_page, wheel_name_and_version

URL = "https://example.org/simple/pkg/"


def test_an_html_page_gives_links_with_their_hashes() -> None:
    """PEP 503: relative links count from the base, hashes that are too weak are none."""
    page = b"""<html><head><base href="https://files.example.org/x/"></head><body>
        <a href="pkg-1-py3-none-any.whl#sha256=ABC&amp;y=1" data-yanked>one</a>
        <a href="/abs/pkg-1%2Bcpu-py3-none-any.whl#md5=123">two</a> <a name="no-link">three</a>"""

    assert links_of_page(page, "text/html", URL) == [
        WheelLink(
            filename="pkg-1-py3-none-any.whl",
            url="https://files.example.org/x/pkg-1-py3-none-any.whl",
            algorithm="sha256",
            digest="abc",
        ),
        WheelLink(
            filename="pkg-1+cpu-py3-none-any.whl",
            url="https://files.example.org/abs/pkg-1%2Bcpu-py3-none-any.whl",
        ),
    ]


def test_a_json_page_gives_sizes_as_well() -> None:
    """PEP 691 and 700; the best hash is taken."""
    files: list[dict[str, Any]] = [
        {
            "filename": "a.whl",
            "url": "a.whl",
            "hashes": {"md5": "1", "sha512": "FF", "sha256": "EE"},
            "size": 7,
        },
        {"filename": "b.whl", "url": "https://other/b.whl", "hashes": {}},
    ]
    page = json.dumps({"files": files}).encode()

    assert links_of_page(page, "application/vnd.pypi.simple.v1+json", URL) == [
        WheelLink(filename="a.whl", url=f"{URL}a.whl", algorithm="sha256", digest="ee", size=7),
        WheelLink(filename="b.whl", url="https://other/b.whl"),
    ]


@pytest.mark.parametrize("page", [b"", b"[]", b"{}", b'{"files": [1]}', b'{"files": [{}]}'])
def test_a_json_page_that_is_none_is_refused(page: bytes) -> None:
    """The caller turns the error into a cause."""
    with pytest.raises(ValueError, match=r"JSON|Expected|required|truncated"):
        links_of_page(page, "application/json", URL)


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("Some_Pkg-1.0-py3-none-any.whl", ("some-pkg", "1.0")),
        ("some.pkg-1.0_1-2-py3-none-any.whl", ("some-pkg", "1.0_1")),
        ("some-pkg-1.0.tar.gz", None),
        ("nonsense.whl", None),
    ],
)
def test_a_file_name_tells_distribution_and_version(filename: str, expected: tuple[str, str] | None) -> None:
    """Names are compared in their normalised form."""
    assert wheel_name_and_version(filename) == expected
