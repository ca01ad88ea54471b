"""A key is found in every form in which a plugin is likely to bring it back."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_kernel.tracing.hiding import Secrets

KEY = 'sk-"canary\\5f3a/91c7+é'
MARK = "(the key)"


def hiding(*keys: str) -> Secrets:
    """Return a set of secrets."""
    secrets = Secrets(MARK)
    for key in keys:
        secrets.add(key)
    return secrets


@pytest.mark.parametrize(
    "said",
    [
        KEY,
        json.dumps(KEY)[1:-1],
        json.dumps(KEY, ensure_ascii=False)[1:-1],
        KEY.encode().hex(),
        KEY.encode().hex().upper(),
        quote(KEY, safe=""),
    ],
)
def test_a_key_is_hidden_in_each_usual_spelling(said: str) -> None:
    """[P-90] As it is, escaped as JSON, in hexadecimal digits, with percent signs."""
    assert hiding(KEY).hide(f"a {said} b") == f"a {MARK} b"


@given(before=st.binary(max_size=7), after=st.binary(max_size=7), is_for_addresses=st.booleans())
def test_no_base64_text_shows_the_middle_of_a_key(
    before: bytes, after: bytes, is_for_addresses: bool
) -> None:
    """[P-90] Wherever the key begins in what is encoded, and with either alphabet."""
    encode = base64.urlsafe_b64encode if is_for_addresses else base64.b64encode

    hidden = hiding(KEY).hide(encode(before + KEY.encode() + after).decode())

    assert MARK in hidden
    assert len(hidden) < len(MARK) + 2 * (len(before) + len(after)) + 8


def test_letters_that_are_spelled_as_escapes_are_read() -> None:
    """[P-90] The arguments of a tool are JSON inside of JSON, and may escape what need not be."""
    said = '{"key": "canary\\u002d5f3a\\u00391c7"}'

    assert hiding("canary-5f3a91c7").hide(said) == f'{{"key": "{MARK}"}}'


def test_names_of_members_are_looked_at_too() -> None:
    """[P-90] A key may come back as the name of something."""
    assert hiding("abcd").hide_in({"xabcd": [1, {"b": "abcd!"}]}) == {f"x{MARK}": [1, {"b": f"{MARK}!"}]}


def test_the_longer_of_two_keys_is_hidden_whole() -> None:
    """[P-90] One key may begin like another."""
    assert hiding("abcd", "abcdefgh").hide("-abcdefgh-abcd-") == f"-{MARK}-{MARK}-"


@pytest.mark.parametrize(("text", "begun"), [("xxab", 2), ("xxabc", 3), ("xx", 0), ("abcd", 0), ("", 0)])
def test_the_beginning_of_a_key_at_the_end_of_a_text_is_counted(text: str, begun: int) -> None:
    """Kernel policy: so much of a text is not certain before the next piece."""
    assert hiding("abcd").begun_in(text) == begun
