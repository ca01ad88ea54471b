"""What a prompt is made of on the command line: the words, what is piped in, files, a schema."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._lazy import similar
from cellwall_kernel.errors import NotFound, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["check_text", "one_prompt", "parsed_schema", "prompt_text", "read_stdin"]

SILENCE_MS = 3000
"""How long nothing may be piped in before a person is told what is waited for (milliseconds)."""

BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


def one_prompt(words: Sequence[str], commands: Mapping[str, object]) -> str | None:
    """The prompt among the arguments of `llm prompt`, or None.

    A prompt is one argument. Several mean that its quotes, or a command's right name, are missing, and what
    was not meant for a model is not sent to one.

    Args:
        words: the arguments.
        commands: the names of the other commands, to see a mistyped one.

    Raises:
        click.UsageError: there are several arguments.
    """
    meant = similar(words[0], commands) if words and words[0].isalpha() else None
    if len(words) > 1:
        hint = (
            f"did you mean 'llm {meant}'?"
            if meant
            else f'put the prompt in quotes: llm "{words[0]} {words[1]} …"'
        )
        raise click.UsageError(f"a prompt is one argument, and here are {len(words)}; {hint}")
    if meant is not None:
        _output.note(f"Hint: '{words[0]}' is sent to the model as a prompt. The command is 'llm {meant}'.")
    return words[0] if words else None


def prompt_text(prompt: str | None, piped: str) -> str:
    """The text of the prompt: what is piped in comes before the argument, with an empty line between them."""
    piped = piped.rstrip("\r\n")
    return "\n\n".join(part for part in (piped, prompt) if part)


def read_stdin() -> str:
    """Everything that is piped or redirected into this command; empty on a terminal or when stdin is closed.

    Raises:
        UsageProblem: it is not text, or cannot be read.
    """
    try:
        if os.isatty(sys.stdin.fileno()):
            return ""
        note_waiting(sys.stdin.fileno())
        content = sys.stdin.buffer.read()
    except (OSError, ValueError):
        return ""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UsageProblem("what is piped in is not UTF-8 text; give it to a model as a file with '-a -'.")
    return text.removeprefix(BOM)


def note_waiting(descriptor: int) -> None:
    """Tell a person why nothing happens if nothing is piped in: some programs leave stdin open."""
    import select

    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if sys.stderr.isatty() and not poll.poll(SILENCE_MS):
        _output.note("Waiting for what is piped in; if nothing is, end the command with '</dev/null'.")


def check_text(what: str, text: str) -> None:
    """Refuse what the command line brought in another encoding than UTF-8.

    Args:
        what: names it, for the sentence.
        text: as Python gives it, with what it could not decode as surrogates.

    Raises:
        UsageProblem: it holds such.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageProblem(f"{what} is not UTF-8 text.") from None


def parsed_schema(given: str) -> dict[str, Any]:
    """The JSON Schema that `--schema` names: JSON text, or the path of a file that holds it.

    Raises:
        NotFound: it is neither JSON text nor a file.
        UsageProblem: it is not a JSON object.
    """
    import msgspec

    if given.lstrip().startswith("{"):
        content = given.encode()
    else:
        try:
            content = Path(given).read_bytes()
        except OSError:
            raise NotFound(
                f"--schema takes JSON text or a file; there is no readable file '{given}'."
            ) from None
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as problem:
        raise UsageProblem(f"the schema is not a JSON object: {problem}.") from problem
