"""`llm embed`: vectors for one text or file, or for every line of a stream.

This module only translates; the work is done by `cellwall_kernel.prompting.embedding`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, debug_option, pass_app, trace_option
from cellwall_kernel.cli._lazy import HELP_SETTINGS
from cellwall_kernel.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cellwall_kernel.prompting.embedding import VectorSink
    from cellwall_wire import EmbedFile, EmbedResult, EmbedText

    Inputs = AsyncIterator[list[EmbedText | EmbedFile]]

__all__ = ["embed"]

FORMATS = ("json", "base64", "hex", "blob")

HELP = """Turn a text, a file, or every line of a stream into a vector.

\b
Examples:
  llm embed -c "What is a pelican?"
  llm embed -i photo.jpg --binary -m MODEL
  cat titles.txt | llm embed --lines > vectors.jsonl
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The options of `llm embed`, as click hands them over."""

    content: str | None
    file: str | None
    model: str | None
    form: str
    binary: bool
    lines: bool
    jsonl: bool
    dimensions: int | None
    key: str | None
    timeout: float | None

    @property
    def is_stream(self) -> bool:
        """Whether every line is an input of its own."""
        return self.lines or self.jsonl


@click.command(
    context_settings=HELP_SETTINGS,
    help=HELP,
    epilog="Without -c and -i, what is piped in is embedded. With --lines and --jsonl each vector is printed "
    'as a JSON object {"id", "embedding"} as soon as it is there. Exit codes as for `llm prompt`; 5 also '
    "when an input could not be embedded.",
)
@click.option("-c", "--content", metavar="TEXT", help="The text to embed.")
@click.option("-i", "--input", "file", metavar="FILE", help="The file to embed; - is stdin.")
@click.option(
    "-m", "--model", metavar="MODEL", envvar=["CELLWALL_EMBEDDING_MODEL", "LLM_EMBEDDING_MODEL"],
    help="Embedding model, id or alias.",
)  # fmt: skip
@click.option(
    "-f", "--format", "form", type=click.Choice(FORMATS), default="json", help="How the vector is printed."
)
@click.option("--binary", is_flag=True, help="The input is a file, not text.")
@click.option("--lines", is_flag=True, help="Embed each line; its number is its id.")
@click.option("--jsonl", is_flag=True, help='Embed each line, an object {"id", "content"}.')
@click.option(
    "-d", "--dimensions", metavar="NUMBER", type=click.IntRange(min=1), help="Shorter vectors, if it can."
)
@click.option("--key", metavar="KEY", help="API key, or the name of a stored one.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    help="Give up after this time.",
)
@pass_app
def embed(app: App, /, **options: Any) -> None:
    """Read the line, embed, print."""
    from cellwall_kernel.cli._vectors import OneVector, VectorLines

    given = Given(**options)
    check(given)
    if given.is_stream:
        lines = VectorLines(given.form)
        run(app, given, line_inputs(given), lines)
        if lines.failed:
            raise PluginError("", f"{lines.failed:,} of {lines.count:,} inputs could not be embedded.")
        return
    one = OneVector()
    run(app, given, one_input(given), one)
    one.print(given.form)


embed.params += [debug_option(hidden=True), trace_option(hidden=True)]


def check(given: Given) -> None:
    """Refuse what does not fit together.

    Raises:
        click.UsageError: it does not.
    """
    if given.content is not None and given.file is not None:
        raise click.UsageError("-c and -i exclude each other.")
    if given.is_stream and (given.content is not None or given.binary):
        raise click.UsageError("--lines and --jsonl read texts from stdin or -i; leave -c and --binary out.")
    if given.lines and given.jsonl:
        raise click.UsageError("--lines and --jsonl exclude each other.")
    if given.is_stream and given.form == "blob":
        raise click.UsageError("lines of JSON hold no blobs; choose -f json, base64 or hex.")


def run(app: App, given: Given, source: Inputs, sink: VectorSink) -> EmbedResult:
    """Run the embedding; signals stop it.

    Raises:
        CellwallError: it failed.
        BrokenPipeError: the reader of stdout has gone.
    """
    from cellwall_kernel.cli._running import stoppable
    from cellwall_kernel.cli.prompt import download_progress
    from cellwall_kernel.prompting.embedding import Embedding, EmbedRequest
    from cellwall_kernel.prompting.request import SinkClosed

    request = EmbedRequest(
        model=given.model, dimensions=given.dimensions, key=given.key, timeout_s=given.timeout
    )
    with stoppable() as stop:
        embedding = Embedding(app.paths, request, source, sink, run=stop.run, progress=download_progress)
        stop.kill = embedding.kill
        try:
            return embedding.vectors()
        except SinkClosed:
            raise BrokenPipeError from None
        finally:
            _output.attempts(embedding.notes)


def one_input(given: Given) -> Inputs:
    """The one thing to embed.

    Raises:
        UsageProblem: there is nothing, or it is not text.
        NotFound: there is no such file.
    """
    from cellwall_kernel.cli._embed_input import content_of, text_of, whole
    from cellwall_kernel.cli._prompt_input import check_text

    if given.content is not None:
        check_text("the text", given.content)
        return whole(given.content)
    content = content_of(given.file)
    return whole(content if given.binary else text_of(content))


def line_inputs(given: Given) -> Inputs:
    """Every line of stdin or a file.

    Raises:
        NotFound: there is no such file.
    """
    from cellwall_kernel.cli._embed_input import lines_of

    return lines_of(given.file, is_json=given.jsonl)
