"""`llm chat`: a conversation with a model, line by line; its plugin stays while it is used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, attach_option, debug_option, pass_app, trace_option
from cellwall_kernel.cli._lazy import HELP_SETTINGS
from cellwall_kernel.errors import CellwallError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cellwall_kernel.prompting.chat import Chat

__all__ = ["chat"]

BEGIN_LINES, END_LINES = "!multi", "!end"
LEAVE = frozenset({"exit", "quit"})

HELP = """Hold a conversation with a model.

Each line is a prompt. '!multi' begins one of several lines, which '!end' ends. 'exit', 'quit' or Ctrl-D
leave; Ctrl-C stops an answer, and leaves where none is running. When something is piped in, each of its lines
is a prompt, and the first one that fails ends the command.
"""


@click.command(
    context_settings=HELP_SETTINGS,
    help=HELP,
    epilog="Exit codes as for `llm prompt`.",
)
@click.option("-s", "--system", metavar="TEXT", help="System prompt.")
@click.option(
    "-m", "--model", metavar="MODEL", envvar=["CELLWALL_MODEL", "LLM_MODEL"], help="Model id or alias."
)
@click.option(
    "-o", "--option", "options", metavar="NAME VALUE", nargs=2, multiple=True, help="An option of the model."
)
@click.option("-c", "--continue", "latest", is_flag=True, help="Continue the latest conversation.")
@click.option("--cid", "--conversation", "conversation", metavar="ID", help="Continue this conversation.")
@click.option("-R", "--hide-reasoning", is_flag=True, help="Do not show what the model thinks.")
@click.option("-n", "--no-log", is_flag=True, help="Keep nothing of it.")
@click.option("--key", metavar="KEY", help="API key, or the name of a stored one.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    help="Give up an answer after this time.",
)
@pass_app
def chat(app: App, /, **given: Any) -> None:
    """Read lines, ask, print."""
    import anyio

    from cellwall_kernel.cli._answer_output import AnswerOutput
    from cellwall_kernel.cli._questions import TerminalAsker
    from cellwall_kernel.cli._running import stoppable
    from cellwall_kernel.cli._talking import Stops
    from cellwall_kernel.cli.prompt import download_progress
    from cellwall_kernel.prompting.chat import Chat
    from cellwall_kernel.prompting.request import LATEST, PromptRequest

    if given["latest"] and given["conversation"]:
        raise click.UsageError("-c and --cid exclude each other.")
    request = PromptRequest(
        prompt="",
        model=given["model"],
        system=given["system"],
        options=dict(given["options"]),
        conversation=LATEST if given["latest"] else given["conversation"],
        log=False if given["no_log"] else None,
        key=given["key"],
        timeout_s=given["timeout"],
        hide_reasoning=given["hide_reasoning"],
    )
    output = AnswerOutput(hide_reasoning=request.hide_reasoning)
    talk = Chat(app.paths, request, output, progress=download_progress, asker=TerminalAsker(output))
    with stoppable() as stop:
        stop.kill = talk.kill_now
        talk.settle(stop.run)
    tell_attempts(talk)
    with Stops(talk) as stops:
        anyio.run(stops.run, lambda: converse(talk))


chat.params += [debug_option(hidden=True), trace_option(hidden=True), attach_option(hidden=True)]


async def converse(talk: Chat) -> None:
    """Ask prompt after prompt, until there are no more.

    Raises:
        CellwallError: one failed, and nobody is there to go on.
        BrokenPipeError: the reader of stdout has gone.
    """
    from cellwall_kernel.cli._talking import lines_of

    is_person = os.isatty(0)
    if is_person:
        _output.note(f"Chatting with {talk.model}; 'exit' or Ctrl-D leaves, '!multi' begins several lines.")
    async with talk:
        lines = lines_of(is_person=is_person)
        while (prompt := await next_prompt(lines)) is not None:
            try:
                await ask(talk, prompt)
            except CellwallError as problem:
                if not is_person:
                    raise
                _output.error(problem.message)
    if is_person:
        _output.note("")


async def ask(talk: Chat, prompt: str) -> None:
    """Ask, and say what was unusual about the end of the answer.

    Raises:
        CellwallError: it failed.
        BrokenPipeError: the reader of stdout has gone.
    """
    from cellwall_kernel.cli.prompt import UNUSUAL_ENDS
    from cellwall_kernel.prompting.request import SinkClosed

    try:
        answer = await talk.ask(prompt)
    finally:
        tell_attempts(talk)
    if answer is None:
        _output.note("Stopped.")
    elif isinstance(answer.problem, SinkClosed):
        raise BrokenPipeError
    elif answer.problem is not None:
        raise answer.problem
    elif answer.finish in UNUSUAL_ENDS:
        _output.note(UNUSUAL_ENDS[answer.finish])


def tell_attempts(talk: Chat) -> None:
    """Say what plugins tried since the last time and were not allowed."""
    _output.attempts(talk.notes)
    talk.notes.clear()


async def next_prompt(lines: AsyncIterator[str]) -> str | None:
    """Return what is asked next; None when there is nothing more."""
    async for line in lines:
        word = line.strip()
        if word in LEAVE:
            return None
        if word == BEGIN_LINES:
            return await several(lines)
        if word:
            return line
    return None


async def several(lines: AsyncIterator[str]) -> str:
    """Return the lines up to the one that ends them."""
    taken: list[str] = []
    async for line in lines:
        if line.strip() == END_LINES:
            break
        taken.append(line)
    return "\n".join(taken)
