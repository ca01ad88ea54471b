"""llama.cpp as this plugin uses it: one model in memory, one answer at a time. Knows nothing of the SDK.

What has to be so, and why (each was a failure first):
- GNU OpenMP's workers spin while they wait. With other busy processes around that costs a factor of up to
  100, so they are told to sleep before the library is loaded, and one thread generates while two read the
  prompt.
- The library always opens an HTTP listener, by default on a TCP port, without a key. It gets a Unix socket in
  a private folder, and the socket is unlinked as soon as it exists: nobody can connect.
- An exception in the callback is printed and ignored, so the callback only puts chunks into a queue and
  answers whether to stop. It is called for every token and for every batch of the prompt, which makes both
  interruptible.
- Failures come as chunks (`error`), as ValueError, and as RuntimeErrors that say nothing: all become
  `EngineProblem`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from ._machine import advice_for_import_error, missing_cpu_features, read_cpu_info

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Done", "Engine", "EngineProblem", "Piece", "PromptTooLong", "Reading"]

_GENERATING_THREADS = 1
_READING_THREADS = 2
_BATCH_TOKENS = (
    128  # a stop is noticed between batches: about 0.2 s here, at the cost of 2 % of the reading speed
)
_STOP_WAIT_S = 5.0  # one batch of a large model on a busy machine


class EngineProblem(Exception):
    """Raised when the engine cannot do what it was asked; the message is a sentence for a person."""


class PromptTooLong(EngineProblem):
    """Raised when the prompt does not fit the context.

    Args:
        tokens: the length of the prompt.
        limit: the size of the context.
    """

    def __init__(self, tokens: int, limit: int) -> None:
        super().__init__(f"The prompt has {tokens:,} tokens and the context {limit:,}.")
        self.tokens = tokens
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Reading:
    """So much of the prompt has been read."""

    done: int
    total: int
    cached: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the answer, or of the reasoning before it."""

    text: str
    is_reasoning: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The end of the answer.

    Args:
        finish: "stop" or "length".
        prompt_tokens: how many were read, those from the cache included.
        cached_tokens: how many of them were still known from the last prompt.
        answer_tokens: how many were written.
        timings: llama.cpp's own account.
    """

    finish: str
    prompt_tokens: int
    cached_tokens: int
    answer_tokens: int
    timings: dict[str, Any]


class Engine:
    """A model in memory.

    Args:
        path: the GGUF file.
        context: how many tokens prompt and answer may have together.
        threads: for everything; None takes what suits a shared machine.

    Raises:
        EngineProblem: the library or the file cannot be used.
    """

    def __init__(self, path: Path, *, context: int, threads: int | None = None) -> None:
        self.path = path
        self.context = context
        self.threads = threads
        self.is_stuck = False
        _check_file(path)
        self._server = _start(path, context, threads)

    def answer(self, body: dict[str, Any], stop: Event) -> Iterator[Reading | Piece | Done]:
        """Answer one request; leaving the iteration early stops the work.

        Args:
            body: as for `/v1/chat/completions`, without the members about streaming.
            stop: may be set at any time, by any thread; the iteration then ends within a token or a batch.

        Raises:
            PromptTooLong: prompt and template do not fit the context.
            EngineProblem: the request cannot be answered.
        """
        request = {**body, "stream": True, "return_progress": True, "stream_options": {"include_usage": True}}
        chunks: SimpleQueue[Any] = SimpleQueue()

        def take(chunk: Any) -> bool:
            chunks.put(chunk)
            return stop.is_set()

        def work() -> None:
            try:
                self._server.handle_chat_completions(request, take)
            except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the caller of `answer`
                chunks.put(error)
            finally:
                chunks.put(None)

        thread = Thread(target=work, name="llama.cpp", daemon=True)
        thread.start()
        try:
            yield from _events(chunks)
        finally:
            stop.set()
            thread.join(_STOP_WAIT_S)
            self.is_stuck = thread.is_alive()


def _start(path: Path, context: int, threads: int | None) -> Any:
    """Load the library and the model."""
    xllamacpp = _library()
    from tempfile import TemporaryDirectory

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.n_ctx = context
    parameters.n_parallel = 1
    parameters.n_batch = parameters.n_ubatch = _BATCH_TOKENS
    parameters.cpuparams.n_threads = threads or _GENERATING_THREADS
    parameters.cpuparams_batch.n_threads = threads or _READING_THREADS
    parameters.n_threads_http = 1
    parameters.verbosity = -1
    parameters.ui = False
    parameters.warmup = False
    with TemporaryDirectory() as folder:  # removed together with the socket, which stays bound
        # A path of more than 107 bytes does not fit a socket address, and the folder may be deep: the
        # relative one is short.
        absolute = f"{folder}/s.sock"
        parameters.hostnames = [min(absolute, os.path.relpath(absolute), key=len)]
        try:
            return xllamacpp.Server(parameters)
        except RuntimeError as error:
            raise EngineProblem(
                f"The file {path} cannot be loaded: it is damaged, of a kind that this version of llama.cpp "
                f"does not know, or too large for this machine's memory with a context of {context:,} tokens."
            ) from error


def _library() -> Any:
    """Import llama.cpp; its threads must be told to sleep before that."""
    missing = missing_cpu_features(read_cpu_info())
    if missing:
        raise EngineProblem(
            f"The CPU of this machine lacks {', '.join(missing).upper()}, which the packaged llama.cpp "
            "needs; local models do not run here."
        )
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        return import_module("xllamacpp")
    except ImportError as error:
        raise EngineProblem(advice_for_import_error(error)) from error


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            is_gguf = file.read(4) == b"GGUF"
    except OSError as error:
        raise EngineProblem(f"The file {path} cannot be read: {error.strerror}.") from error
    if not is_gguf:
        raise EngineProblem(f"The file {path} is not a GGUF model: it does not begin with 'GGUF'.")


def _events(chunks: SimpleQueue[Any]) -> Iterator[Reading | Piece | Done]:
    finish = "stop"
    while (chunk := chunks.get()) is not None:
        if isinstance(chunk, Exception):
            raise EngineProblem(f"llama.cpp refuses the request: {str(chunk).strip()}") from chunk
        if "error" in chunk:
            raise _problem(chunk["error"])
        progress = chunk.get("prompt_progress")
        if progress:
            yield Reading(progress["processed"], progress["total"], progress["cache"])
        for choice in chunk.get("choices", ()):
            finish = choice.get("finish_reason") or finish
            yield from _pieces(choice.get("delta") or {})
        if chunk.get("usage"):
            yield _done(finish, chunk)


def _pieces(delta: dict[str, Any]) -> Iterator[Piece]:
    if delta.get("reasoning_content"):
        yield Piece(delta["reasoning_content"], is_reasoning=True)
    if delta.get("content"):
        yield Piece(delta["content"])


def _done(finish: str, chunk: dict[str, Any]) -> Done:
    usage: dict[str, Any] = chunk["usage"]
    details: dict[str, Any] = usage.get("prompt_tokens_details") or {}
    return Done(
        finish="length" if finish == "length" else "stop",
        prompt_tokens=usage["prompt_tokens"],
        cached_tokens=details.get("cached_tokens", 0),
        answer_tokens=usage["completion_tokens"],
        timings=chunk.get("timings") or {},
    )


def _problem(error: dict[str, Any]) -> EngineProblem:
    if error.get("type") == "exceed_context_size_error":
        return PromptTooLong(error.get("n_prompt_tokens", 0), error.get("n_ctx", 0))
    return EngineProblem(f"llama.cpp cannot answer: {error.get('message', error)}")
