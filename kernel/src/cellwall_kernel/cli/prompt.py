"""`llm prompt`, which is also `llm` itself: ask a model and print its answer.

This module only translates: options into a `PromptRequest`, what arrives into lines, how it ended into an
exit code. The work is done by `cellwall_kernel.prompting`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, attach_option, debug_option, pass_app, trace_option
from cellwall_kernel.cli._lazy import HELP_SETTINGS

if TYPE_CHECKING:
    from cellwall_kernel.assets.progress import Progress
    from cellwall_kernel.prompting.request import PromptRequest
    from cellwall_kernel.prompting.turn import Answer
    from cellwall_wire import Usage

__all__ = ["prompt"]

UNUSUAL_ENDS = {
    "length": "The answer ends here because the model may not write more tokens.",
    "refusal": "The model refused to answer.",
    "filtered": "The provider withheld the answer or a part of it.",
}
"""What is said on stderr after an answer that did not simply end."""


HELP = """Ask a model and print its answer.

\b
Examples:
  llm "Explain what a command line is."
  git diff | llm -s "Describe these changes"
  llm -m MODEL -o temperature 0.2 -a photo.jpg "What is this?"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The options and arguments of `llm prompt`, as click hands them over."""

    words: tuple[str, ...]
    system: str | None
    model: str | None
    attachments: tuple[str, ...]
    typed_attachments: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]
    schema: str | None
    latest: bool
    conversation: str | None
    no_stream: bool
    hide_reasoning: bool
    no_log: bool
    log: bool
    key: str | None
    timeout: float | None
    usage: bool
    as_json: bool


@click.command(
    context_settings=HELP_SETTINGS,
    help=HELP,
    epilog="What is piped in comes before PROMPT. Exit codes: 2 usage, 3 not found, 4 key, 5 plugin, "
    "6 out of time, 7 data file, 8 log or user folder, 10 try again later, 11 prompt too long, 12 filtered, "
    "130 Ctrl-C, 141 the reader of the output has gone.",
)
@click.argument("words", metavar="[PROMPT]", nargs=-1)
@click.option("-s", "--system", metavar="TEXT", help="System prompt.")
@click.option(
    "-m", "--model", metavar="MODEL", envvar=["CELLWALL_MODEL", "LLM_MODEL"], help="Model id or alias."
)
@click.option(
    "-a", "--attachment", "attachments", metavar="FILE", multiple=True, help="Attach a file; - is stdin."
)
@click.option(
    "--at",
    "--attachment-type",
    "typed_attachments",
    metavar="FILE TYPE",
    nargs=2,
    multiple=True,
    help="Attach a file of this media type.",
)
@click.option(
    "-o", "--option", "options", metavar="NAME VALUE", nargs=2, multiple=True, help="An option of the model."
)
@click.option("--schema", metavar="JSON|FILE", help="JSON Schema that the answer is to follow.")
@click.option("-c", "--continue", "latest", is_flag=True, help="Continue the latest conversation.")
@click.option("--cid", "--conversation", "conversation", metavar="ID", help="Continue this conversation.")
@click.option("--no-stream", is_flag=True, help="Print the answer when it is complete.")
@click.option("-R", "--hide-reasoning", is_flag=True, help="Do not show what the model thinks.")
@click.option("-n", "--no-log", is_flag=True, help="Keep neither prompt nor answer.")
@click.option("--log", is_flag=True, help="Keep them even though logging is off.")
@click.option("--key", metavar="KEY", help="API key, or the name of a stored one.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    help="Give up after this time.",
)
@click.option("-u", "--usage", is_flag=True, help="Show the tokens used, on stderr.")
@click.option("--json", "as_json", is_flag=True, help="Print prompt, answer and all about them as JSON.")
@pass_app
def prompt(app: App, /, **given: Any) -> None:
    """Read the line, ask, print."""
    options = Given(**given)
    answer = ask(app, request_from(options), prints=not (options.as_json or options.no_stream))
    if options.as_json:
        _output.print_json(answer.record)
    elif options.no_stream:
        _output.text(answer.text)
    if options.usage and answer.usage is not None:
        _output.note(usage_line(answer.usage))
    if answer.problem is not None:
        raise answer.problem
    if answer.finish in UNUSUAL_ENDS:
        _output.note(UNUSUAL_ENDS[answer.finish])


prompt.params += [
    debug_option(hidden=True),
    trace_option(hidden=True),
    attach_option(hidden=True),
]  # `llm "…" --debug` is how people add it to their last line


def request_from(given: Given) -> PromptRequest:
    """Read stdin and files, and put the request together.

    Raises:
        UsageProblem: the options do not fit together, or there is nothing to ask.
        NotFound: a file does not exist.
    """
    from cellwall_kernel.cli._prompt_input import (
        check_text,
        one_prompt,
        parsed_schema,
        prompt_text,
        read_stdin,
    )
    from cellwall_kernel.cli._root import COMMANDS
    from cellwall_kernel.prompting.attachments import STDIN, read_attachment
    from cellwall_kernel.prompting.request import LATEST, PromptRequest

    for one, other, names in (
        (given.latest, given.conversation, "-c and --cid"),
        (given.no_log, given.log, "-n and --log"),
    ):
        if one and other:
            raise click.UsageError(f"{names} exclude each other.")
    places: list[tuple[str, str | None]] = [(place, None) for place in given.attachments]
    places += given.typed_attachments
    is_stdin_attached = any(place == STDIN for place, _ in places)
    text = prompt_text(one_prompt(given.words, COMMANDS), "" if is_stdin_attached else read_stdin())
    if not text and not places:
        raise click.UsageError('there is no prompt: give one in quotes, llm "Your question", or pipe one in.')
    check_text("the prompt", text)
    check_text("the system prompt", given.system or "")
    for name, value in given.options:
        check_text("an option", name + value)
    return PromptRequest(
        prompt=text,
        model=given.model,
        system=given.system,
        options=dict(given.options),
        attachments=[read_attachment(*place) for place in places],
        schema=None if given.schema is None else parsed_schema(given.schema),
        conversation=LATEST if given.latest else given.conversation,
        stream=not given.no_stream,
        log=False if given.no_log else True if given.log else None,
        key=given.key,
        timeout_s=given.timeout,
        hide_reasoning=given.hide_reasoning,
        wants_record=given.as_json,
    )


def ask(app: App, request: PromptRequest, *, prints: bool) -> Answer:
    """Run the prompt; signals stop it.

    Args:
        app: the shared state.
        request: what is asked.
        prints: whether the answer is printed while it arrives.

    Returns:
        The answer, also one that ended badly.

    Raises:
        CellwallError: the model could not be asked.
        BrokenPipeError: the reader of stdout has gone.
    """
    from cellwall_kernel.cli._answer_output import AnswerOutput, SilentOutput
    from cellwall_kernel.cli._questions import TerminalAsker
    from cellwall_kernel.cli._running import stoppable
    from cellwall_kernel.prompting.request import SinkClosed
    from cellwall_kernel.prompting.run import Prompting

    hides = request.hide_reasoning
    sink = AnswerOutput(hide_reasoning=hides) if prints else SilentOutput(hide_reasoning=hides)
    with stoppable() as stop:
        prompting = Prompting(
            app.paths, request, sink, run=stop.run, progress=download_progress, asker=TerminalAsker(sink)
        )
        stop.kill = prompting.kill
        try:
            answer = prompting.answer()
        except SinkClosed:
            raise BrokenPipeError from None
        finally:
            _output.attempts(prompting.notes)
    return answer


def download_progress() -> Progress:
    """Make what shows the progress of a download."""
    from cellwall_kernel.assets.progress import progress_for

    return progress_for()


def usage_line(usage: Usage) -> str:
    """Put the tokens used into words, as far as they are known."""
    counts = (
        (usage.input, "input"),
        (usage.output, "output"),
        (usage.cached_input, "cached"),
        (usage.reasoning, "reasoning"),
    )
    known = ", ".join(f"{count:,} {name}" for count, name in counts if count is not None)
    return f"Token usage: {known or 'unknown'}"
