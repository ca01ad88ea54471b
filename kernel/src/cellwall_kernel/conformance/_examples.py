"""What a manifest says that its plugin answers, as checks: each of its `[[examples]]` is one more."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from cellwall_kernel.conformance._types import Broken, Check, Skipped
from cellwall_kernel.conformance._words import printable

if TYPE_CHECKING:
    from cellwall_kernel.conformance._scene import Scene
    from cellwall_kernel.manifest import Example, Manifest

__all__ = ["EXAMPLE", "example_checks"]

EXAMPLE = "example-"
"""How the id of such a check begins; its number follows, from 1."""

MATCH_S = 5.0
"""How long it may take to look for a pattern in an answer (seconds)."""

SHOWN_TITLE = 60
"""How many characters of an example's name are shown."""

ADVICE = (
    "Mend the plugin, or correct [[examples]] in its plugin.toml; one that needs a key says so by needs_key."
)


def example_checks(manifest: Manifest | None) -> list[Check]:
    """Return a check for each example of a manifest."""
    return [
        Check(
            id=f"{EXAMPLE}{number}",
            rules=("plugin.toml",),
            what=f"It answers as its manifest says: {_title(example)}",
            advice=ADVICE,
            run=partial(_try, example),
            is_shared=True,
        )
        for number, example in enumerate(manifest.examples if manifest is not None else (), start=1)
    ]


def _title(example: Example) -> str:
    return printable(example.name or example.prompt)[:SHOWN_TITLE]


async def _try(example: Example, scene: Scene) -> None:
    """Ask, and hold the answer against the example.

    Raises:
        Broken: it is another one, or none.
        Skipped: it needs a key, and no key is given.
    """
    if example.needs_key is not None:
        raise Skipped(f"it needs the key '{example.needs_key}', and no key is given to a plugin here")
    peer = scene.shared
    call_id = peer.prompt(_params(example, scene))
    await peer.result(call_id)
    text = "".join(peer.call(call_id).stream.said)
    if not await _fits(example, text):
        raise Broken(peer.call(call_id).line, f"the text {printable(text)}, but {_expected(example)}")


def _params(example: Example, scene: Scene) -> dict[str, Any]:
    messages = [{"role": "user", "parts": [{"type": "text", "text": example.prompt}]}]
    if example.system is not None:
        messages.insert(0, {"role": "system", "parts": [{"type": "text", "text": example.system}]})
    return {"model": example.model or _default(scene), "messages": messages, "options": example.options}


def _default(scene: Scene) -> str:
    models: list[dict[str, Any]] = list((scene.described or {}).get("models") or ())
    if not models:
        raise Skipped("the plugin offers no model")
    return str(next((model for model in models if model.get("default")), models[0]).get("id"))


async def _fits(example: Example, text: str) -> bool:
    if example.answer is not None:
        return text == example.answer
    if example.contains is not None:
        return example.contains in text
    return await _matches(example.matches or "", text)


async def _matches(pattern: str, text: str) -> bool:
    """Whether a pattern is found, looked for in a process of its own.

    The pattern is a stranger's, and some take longer than anybody lives: `(a+)+b`.

    Raises:
        Broken: it took longer than MATCH_S.
    """
    import anyio

    code = "import re, sys; sys.exit(re.search(sys.argv[1], sys.stdin.read()) is None)"
    argv = [sys.executable, "-I", "-S", "-c", code, pattern]
    try:
        with anyio.fail_after(MATCH_S):
            ended = await anyio.run_process(
                argv, input=text.encode("utf-8", "replace"), check=False, stderr=subprocess.DEVNULL
            )
    except TimeoutError:
        raise Broken(f"matches = {printable(pattern)}", f"no result within {MATCH_S:g} s") from None
    return ended.returncode == 0


def _expected(example: Example) -> str:
    if example.answer is not None:
        return f"the example's is {printable(example.answer)}"
    if example.contains is not None:
        return f"{printable(example.contains)} does not stand in it"
    return f"{printable(example.matches or '')} is not found in it"
