"""Checks of embedding: items that go to the plugin, and vectors that come back."""

from __future__ import annotations

from binascii import a2b_base64
from typing import TYPE_CHECKING, Any

from cellwall_kernel.conformance._types import Broken, Skipped
from cellwall_kernel.conformance._words import as_line

if TYPE_CHECKING:
    from cellwall_kernel.conformance._peer import Peer
    from cellwall_kernel.conformance._scene import Scene

__all__ = ["cancel_an_embedding", "embed_a_text_in_pieces", "embed_nothing", "embed_two_texts"]

FLOAT_BYTES = 4


async def embed_two_texts(scene: Scene) -> None:
    """Check that each of two texts gets a vector of the same length."""
    async with scene.ready() as peer:
        call_id = await peer.embed(params_of(scene))
        peer.feed(call_id, 0, [{"t": "text", "id": "a", "text": "rain"}])
        peer.feed(call_id, 1, [{"t": "text", "id": "b", "text": "snow in May"}], end=True)
        await scene.answered(peer, call_id)
        lengths = {item["id"]: length for item, length in vectors_of(peer, call_id)}
        if set(lengths) != {"a", "b"} or len(set(lengths.values())) != 1:
            raise Broken(peer.call(call_id).line, f"vectors of these lengths: {lengths}")


async def embed_nothing(scene: Scene) -> None:
    """Check that an input may end before it has begun."""
    async with scene.ready() as peer:
        call_id = await peer.embed(params_of(scene))
        peer.feed(call_id, 0, [], end=True)
        result = await scene.answered(peer, call_id)
        if peer.call(call_id).stream.items:
            raise Broken(peer.call(call_id).line, as_line(result))


async def embed_a_text_in_pieces(scene: Scene) -> None:
    """Check that the pieces of a text are put together."""
    async with scene.ready() as peer:
        call_id = await peer.embed(params_of(scene))
        peer.feed(call_id, 0, [{"t": "text", "id": "a", "text": "a first half ", "more": True}])
        peer.feed(call_id, 1, [{"t": "text", "id": "a", "text": "and a second"}], end=True)
        await scene.answered(peer, call_id)
        count = len(vectors_of(peer, call_id))
        if count != 1:
            raise Broken(peer.call(call_id).line, f"{count} vectors for one text in two pieces")


async def cancel_an_embedding(scene: Scene) -> None:
    """Check that a cancel is heard while input is waited for, and that what was under way does no harm."""
    async with scene.ready() as peer:
        call_id = await peer.embed(params_of(scene))
        peer.cancel(call_id)
        peer.feed(call_id, 0, [{"t": "text", "id": "late", "text": "rain"}])
        await peer.answer(call_id)
        await peer.must_live("an embedding that was cancelled")


def params_of(scene: Scene) -> dict[str, Any]:
    """Return the parameters of an embedding, without `meta`.

    Raises:
        Skipped: nothing can be embedded.
    """
    if scene.embedder is None:
        raise Skipped("the plugin offers no embedding model that can be tried without a key")
    return {"model": scene.embedder}


def vectors_of(peer: Peer, call_id: str) -> list[tuple[dict[str, Any], int]]:
    """Give the vectors that came, each with its length in numbers.

    Raises:
        Broken: one of them is none.
        Skipped: the model embeds no text.
    """
    found: list[tuple[dict[str, Any], int]] = []
    for item in peer.call(call_id).stream.others:
        if item.get("t") == "failed":
            raise Skipped(f"the model does not embed such a text: {item.get('message')}")
        if item.get("t") != "vector":
            continue  # of a newer version
        try:
            content = a2b_base64(str(item["vector"]), strict_mode=True)
        except (KeyError, ValueError) as error:
            raise Broken(peer.call(call_id).line, f"{error}: {as_line(item)}") from None
        if not content or len(content) % FLOAT_BYTES or not isinstance(item.get("id"), str):
            raise Broken(peer.call(call_id).line, f"{len(content)} bytes: {as_line(item)}")
        found.append((item, len(content) // FLOAT_BYTES))
    return found
