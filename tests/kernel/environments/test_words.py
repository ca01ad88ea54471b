"""From the log of an installer to one sentence."""

from __future__ import annotations

import pytest

from cellwall_kernel.environments._words import file_name, reason

PIP_MISSING = """Looking in links: /tmp/x
ERROR: Could not find a version that satisfies the requirement llm-zz (from versions: none)
ERROR: No matching distribution found for llm-zz
"""

PIP_VERSIONS = """
ERROR: Could not find a version that satisfies the requirement llm-foo==9 (from versions: 1.0, 1.1)
ERROR: No matching distribution found for llm-foo==9
"""

PIP_OFFLINE = """WARNING: Retrying after connection broken by 'NewConnectionError(...)': /simple/x/
ERROR: Could not find a version that satisfies the requirement llm-zz (from versions: none)
"""

UV_MISSING = """error: No solution found when resolving dependencies
  cause: Because llm-zz was not found in the package registry and you require llm-zz, we can conclude that
"""

UV_OLDER = """  × No solution found:
  ╰─▶ Because there is no version of llm-foo==9 and
      you require llm-foo==9.
"""

UV_OFFLINE = """error: Failed to fetch: http://127.0.0.1:9/simple/llm-foo/
  cause: client error (Connect)
"""


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        (PIP_MISSING, "the package index has no wheel of 'llm-zz' for this Python; is the name right?"),
        (UV_MISSING, "the package index has no wheel of 'llm-zz' for this Python; is the name right?"),
        (
            PIP_VERSIONS,
            "Could not find a version that satisfies the requirement llm-foo==9 (from versions: 1.0, 1.1).",
        ),
        (
            UV_OLDER,
            "No solution found: Because there is no version of llm-foo==9 and you require llm-foo==9.",
        ),
        (PIP_OFFLINE, "the package index cannot be reached; is the network there?"),
        (UV_OFFLINE, "the package index cannot be reached; is the network there?"),
        ("ERROR: [Errno 28] No space left on device: 'x'", "the disk is full; make room and try again."),
        ("", "the installer ended without a word."),
        ("Killed", "Killed."),
    ],
)
def test_the_cause_is_one_sentence(log: str, sentence: str) -> None:
    """Issue 4: what a person has to do stands in it where it is known."""
    assert reason(log) == sentence


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://u:p@example.com/a/x-1-py3-none-any.whl#sha256=1", "x-1-py3-none-any.whl"),
        ("file:///a%20b/x-1%2Bcpu-py3-none-any.whl", "x-1+cpu-py3-none-any.whl"),
        ("/a/x-1-py3-none-any.whl", "x-1-py3-none-any.whl"),
    ],
)
def test_of_an_address_only_the_name_is_kept(url: str, name: str) -> None:
    """An address may hold a password."""
    assert file_name(url) == name
