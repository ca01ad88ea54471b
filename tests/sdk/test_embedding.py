"""Embedding models in a real child: a stream of texts in, a stream of vectors out."""

from __future__ import annotations

import struct
from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING, Any

import pytest

import cellwall_wire as wire
from cellwall_wire import Code, ErrorResponse, Response
from tests.sdk.hosting import Child, write_plugin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLUGIN = """
import sys, time
from array import array
from cellwall_sdk import EmbeddingModel, KeyMissing, hookimpl

class Lengths(EmbeddingModel):
    model_id = "lengths"
    title = "How long texts are"
    dimensions = 2
    batch_size = 3
    def embed_batch(self, items):
        items = list(items)
        print("batch of", len(items), file=sys.stderr, flush=True)
        for item in items:
            yield [len(item), -1.5]

class Bytes(EmbeddingModel):
    model_id = "bytes"
    supports_text = False
    supports_binary = True
    embed_types = {"image/png"}
    def embed_batch(self, items):
        return [array("d", list(item)) for item in items]

class Wide(EmbeddingModel):
    model_id = "wide"
    def embed_batch(self, items):
        return [[float(i)] * 3000 for i, _ in enumerate(items)]

class Short(EmbeddingModel):
    model_id = "short"
    def embed_batch(self, items):
        return [[1.0]]

class Long(EmbeddingModel):
    model_id = "long"
    def embed_batch(self, items):
        return [[1.0]] * (len(items) + 1)

class Uneven(EmbeddingModel):
    model_id = "uneven"
    def embed_batch(self, items):
        return [[1.0] * (n + 1) for n, _ in enumerate(items)]

class Words(EmbeddingModel):
    model_id = "words"
    def embed_batch(self, items):
        return ["no numbers" for _ in items]

class Fails(EmbeddingModel):
    model_id = "fails"
    def embed_batch(self, items):
        raise KeyMissing("No key is stored.")

class Sleeps(EmbeddingModel):
    model_id = "sleeps"
    def embed_batch(self, items):
        yield [1.0]
        time.sleep(3600)

@hookimpl
def register_embedding_models(register):
    register(Lengths(), aliases=("len",))
    for model in (Bytes, Wide, Short, Long, Uneven, Words, Fails, Sleeps):
        register(model())
"""


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    """A started plugin with embedding models."""
    write_plugin(tmp_path, PLUGIN)
    with Child(tmp_path) as started:
        started.start()
        yield started


def begin(child: Child, model: str, *, credit: int = 262_144, dimensions: int | None = None) -> str:
    """Open an embedding, and wait until the plugin takes its input."""
    params = wire.EmbedParams(model=model, dimensions=dimensions, meta=wire.Meta(credit=credit))
    call = child.send("embed/batch", params)
    child.wait_until(lambda: call in child.granted or call in child.answers)
    return call


def embed(child: Child, model: str, items: list[Any], **details: Any) -> tuple[list[Any], Any]:
    """Embed items in one line; what came, and how it ended."""
    call = begin(child, model, **details)
    child.put(wire.Data(call, items, end=True))
    answer = child.wait_answer(call)
    return child.items[call], answer


def texts(*values: str) -> list[Any]:
    """Number texts."""
    return [wire.EmbedText(str(number), text) for number, text in enumerate(values)]


def numbers(item: Any) -> tuple[float, ...]:
    """Read a vector as somebody does who knows only the protocol."""
    packed = a2b_base64(item.vector)
    return struct.unpack(f"<{len(packed) // 4}f", packed)


def test_every_text_gets_its_vector(child: Child) -> None:
    """[P-75] [P-41] Ids tell which is whose; the result tells how long they are."""
    items, answer = embed(child, "lengths", texts("a", "bb", "", "dddd"))

    assert {"0": (1, -1.5), "1": (2, -1.5), "2": (0, -1.5), "3": (4, -1.5)} == {
        item.id: numbers(item) for item in items
    }
    assert (answer.result.items, answer.result.dimensions) == (4, 2)


def test_batches_are_no_larger_than_the_model_wants(child: Child) -> None:
    """A provider's limit is the author's business, and he has said it."""
    embed(child, "len", texts(*"abcdefg"))

    assert ["batch of 3", "batch of 3", "batch of 1"] == child.stderr.splitlines()


def test_what_has_come_is_embedded_while_more_is_on_the_way(child: Child) -> None:
    """[P-55] A slow source sees its vectors at once."""
    call = begin(child, "lengths")
    child.put(wire.Data(call, texts("abc")))
    (first,) = child.wait_items(call)
    child.put(wire.Data(call, [wire.EmbedText("x", "y" * 9)]))
    child.wait_items(call, 2)
    child.put(wire.Data(call, [], end=True))
    answer = child.wait_answer(call)

    assert [(3, -1.5), (9, -1.5)] == [numbers(item) for item in (first, child.items[call][1])]
    assert isinstance(answer, Response)


def test_nothing_to_embed_is_an_answer_without_vectors(child: Child) -> None:
    """[P-56] An input may end before it has begun."""
    items, answer = embed(child, "lengths", [])

    assert (items, answer.result.items, answer.result.dimensions) == ([], 0, None)


def test_a_long_input_goes_through_under_little_credit(child: Child) -> None:
    """[P-55] [P-42] [P-43] Some megabytes in, and vectors out, both within their windows."""
    call = begin(child, "wide", credit=140_000)
    child._windows[call] = 140_000
    for number in range(400):
        line = wire.Data(call, [wire.EmbedText(str(number), "x" * 10_000)], end=number == 399)
        child.wait_until(lambda: child.connection.input_credit_left(call) > 11_000)
        child.put(line)
    answer = child.wait_answer(call)

    assert isinstance(answer, Response)
    assert [str(number) for number in range(400)] == [item.id for item in child.items[call]]


def test_files_are_bytes(child: Child) -> None:
    """[P-75] Base64 on the wire; a model that embeds no text says so for that item and goes on."""
    data = b2a_base64(bytes([1, 2]), newline=False).decode()
    items, _ = embed(
        child, "bytes", [wire.EmbedFile("f", data), wire.EmbedText("t", "hi"), wire.EmbedFile("g", "!")]
    )

    assert (1, 2) == numbers(next(item for item in items if item.id == "f"))
    failed = {item.id: item.message for item in items if isinstance(item, wire.VectorFailure)}
    assert "embeds no text" in failed["t"]
    assert "no base64" in failed["g"]


def test_what_is_longer_than_a_line_comes_in_pieces(child: Child) -> None:
    """[P-75] `more` says that the next item goes on; base64 is decoded piece by piece."""
    call = begin(child, "lengths")
    for number in range(5):
        child.wait_until(lambda: child.connection.input_credit_left(call) > 61_000)
        child.put(wire.Data(call, [wire.EmbedText("long", "x" * 60_000, more=number < 4)], end=number == 4))
    answer = child.wait_answer(call)
    pieces = [b2a_base64(piece, newline=False).decode() for piece in (b"\x01", b"\x02\x03")]
    files, _ = embed(
        child, "bytes", [wire.EmbedFile("f", pieces[0], more=True), wire.EmbedFile("f", pieces[1])]
    )

    assert isinstance(answer, Response)
    assert [(300_000, -1.5)] == [numbers(item) for item in child.items[call]]
    assert [(1, 2, 3)] == [numbers(item) for item in files]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("short", "gave 1 vectors for 2 items"),
        ("long", "more vectors than the 2 items"),
        ("uneven", "differ in length"),
        ("words", "no list of numbers"),
    ],
)
def test_a_model_that_gives_something_else_is_told(child: Child, model: str, said: str) -> None:
    """[P-75] A vector that belongs to nothing would be worse than an error."""
    _, answer = embed(child, model, texts("a", "b"))

    assert isinstance(answer, ErrorResponse)
    assert answer.error.kind == "BadOutput"
    assert said in answer.error.message


def test_errors_of_the_author_keep_their_kind(child: Child) -> None:
    """[P-70] As for a prompt."""
    _, answer = embed(child, "fails", texts("a"))
    unknown = child.wait_answer(begin(child, "lenghts"))

    assert isinstance(unknown, ErrorResponse)
    assert (int(Code.KEY_MISSING), "No key is stored.") == (answer.error.code, answer.error.message)
    assert "Did you mean 'lengths'?" in unknown.error.message


def test_another_length_than_the_model_has_is_refused(child: Child) -> None:
    """[P-75] `dimensions` is a wish that a model may not be able to fulfil."""
    _, answer = embed(child, "lengths", texts("a"), dimensions=7)

    assert "vectors of 2 numbers, not of 7" in answer.error.message


@pytest.mark.parametrize("is_fed", [False, True])
def test_a_cancelled_embedding_ends(child: Child, *, is_fed: bool) -> None:
    """[P-46] [P-56] While it waits for input, and while the model sleeps."""
    call = begin(child, "sleeps")
    if is_fed:
        child.put(wire.Data(call, texts("a", "b")))
    child.cancel(call)
    answer = child.wait_answer(call)

    assert isinstance(answer, ErrorResponse)
    assert int(Code.CANCELLED) == answer.error.code
    child.exchange()


def test_embedding_models_are_described(child: Child) -> None:
    """[P-66] What the host lists."""
    described = {info.id: info for info in child.describe().embedders}

    lengths, files = described["lengths"], described["bytes"]
    assert (["len"], "How long texts are", 2, []) == (
        lengths.aliases,
        lengths.title,
        lengths.dimensions,
        lengths.input,
    )
    assert ["image/png"] == files.input


def test_what_is_no_embedding_model_is_reported(tmp_path: Path) -> None:
    """House rule: one wrong registration takes no other along."""
    write_plugin(
        tmp_path,
        """
        from cellwall_sdk import EmbeddingModel, hookimpl

        class Good(EmbeddingModel):
            model_id = "good"
            def embed_batch(self, items):
                return [[1.0] for _ in items]

        class Empty(EmbeddingModel):
            model_id = "empty"

        class Nameless(Good):
            model_id = "no name"

        @hookimpl
        def register_embedding_models(register):
            register(Good())
            register(Good())
            register(Good)
            register(Empty())
            register(Nameless())
            register("good")
        """,
    )
    with Child(tmp_path) as child:
        child.start()
        described = child.describe()

    assert ["good"] == [info.id for info in described.embedders]
    assert [
        "registered twice",
        "needs Good()",
        "no embed_batch()",
        "no usable model_id",
        "not a cellwall_sdk.EmbeddingModel",
    ] == [
        said
        for note in described.notes
        for said in (
            "registered twice",
            "needs Good()",
            "no embed_batch()",
            "no usable model_id",
            "not a cellwall_sdk.EmbeddingModel",
        )
        if said in note
    ]
