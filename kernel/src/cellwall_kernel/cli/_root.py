"""The root command: its table of commands, its flags, and what becomes of every error.

`llm WORDS…` is `llm prompt WORDS…`, as people know it. A first word that is no command of the table may still
be a plugin with data files (`llm local models`), which the catalogue knows; any other word begins a prompt.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, attach_option, debug_option, trace_option
from cellwall_kernel.cli._lazy import HELP_SETTINGS, LazyCommand, LazyGroup
from cellwall_kernel.errors import (
    CellwallError,
    DeadlineExceeded,
    Interrupted,
    PluginCrashed,
    PluginMisbehaved,
)
from cellwall_kernel.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["root", "run"]

COMMANDS = {
    "prompt": LazyCommand("cellwall_kernel.cli.prompt:prompt", "Ask a model and print its answer."),
    "chat": LazyCommand("cellwall_kernel.cli.chat:chat", "Hold a conversation with a model."),
    "models": LazyCommand(
        "cellwall_kernel.cli.models:models", "List the models; show or set the default one."
    ),
    "embed": LazyCommand("cellwall_kernel.cli.embed:embed", "Turn texts or files into vectors."),
    "embed-models": LazyCommand(
        "cellwall_kernel.cli.embed_models:embed_models", "List the embedding models; set the default one."
    ),
    "plugins": LazyCommand("cellwall_kernel.cli.plugins:plugins", "List, inspect and create plugins."),
    "install": LazyCommand(
        "cellwall_kernel.cli.install:install", "Install plugins, each into its own environment."
    ),
    "upgrade": LazyCommand("cellwall_kernel.cli.upgrade:upgrade", "Upgrade plugins that were installed so."),
    "uninstall": LazyCommand(
        "cellwall_kernel.cli.uninstall:uninstall", "Remove plugins that were installed so."
    ),
    "doctor": LazyCommand(
        "cellwall_kernel.cli.doctor:doctor", "Try the sandbox of this machine, and say what it holds."
    ),
    "keys": LazyCommand("cellwall_kernel.cli.keys:keys", "Store the API keys that models ask for."),
    "logs": LazyCommand("cellwall_kernel.cli.logs:logs", "Read the prompts and answers so far."),
}

PLUGIN_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
"""What the name of a plugin may look like; any other word need not be looked up."""

CODE_BROKEN_PIPE = 141
"""What a shell shows for a program that SIGPIPE ended: the reader of our output has gone."""

HELP = """Ask language models from the command line; every plugin runs in a cell of its own.

\b
    llm "Explain what a command line is."
    cat README.md | llm -s "Summarise in one sentence"
    llm -m MODEL -o temperature 0.2 "Three names for a pelican"
"""


SHOWN_WITH_DETAIL = (DeadlineExceeded, PluginCrashed, PluginMisbehaved)
"""Errors whose detail is the last that the plugin printed: without it nobody can tell why."""


def stdin_has_something() -> bool:
    """Whether stdin is a pipe or file rather than a terminal, so that a bare `llm` means a prompt."""
    try:
        return not os.isatty(0)
    except OSError:
        return False


def plugin_command(context: click.Context, name: str) -> click.Command | None:
    """Return the command group of a plugin that has data files; None if there is no such plugin."""
    if PLUGIN_NAME.fullmatch(name) is None:
        return None
    from cellwall_kernel.cli.data_files import find_group

    return find_group(name, context.ensure_object(App).paths)


root = LazyGroup(
    name="llm",
    table=COMMANDS,
    default="prompt",
    default_takes_words=True,
    may_be_bare=stdin_has_something,
    fallback=plugin_command,
    help=HELP,
    context_settings=HELP_SETTINGS,
    params=[debug_option(hidden=False), trace_option(hidden=False), attach_option(hidden=False)],
)
root = click.version_option(VERSION, message="llm, version %(version)s (Cellwall)")(root)


def run(arguments: Sequence[str]) -> int:
    """Run the command line and turn every error into one sentence on stderr.

    Args:
        arguments: what stands after the program's name.

    Returns:
        The exit code.
    """
    app = App(debug=bool(os.environ.get("CELLWALL_DEBUG")))
    is_done = False
    try:
        outcome = root.main(args=list(arguments), prog_name="llm", standalone_mode=False, obj=app)
        sys.stdout.flush()
        is_done = True
    except BrokenPipeError:
        discard_stdout()
        return CODE_BROKEN_PIPE
    except (KeyboardInterrupt, click.Abort):
        return report(Interrupted(), debug=False)
    except Exception as problem:  # noqa: BLE001 - the last place where an error can become a sentence
        return report(problem, debug=app.debug)
    finally:
        if app.traces:
            end_trace()
        if app.attaches:
            end_attachment(is_told=is_done)
    return outcome if isinstance(outcome, int) else 0


def end_trace() -> None:
    """Finish the trace, and say so if it is not complete."""
    from cellwall_kernel import tracing

    if problem := tracing.end():
        _output.note(f"Note: {problem}")


def end_attachment(*, is_told: bool) -> None:
    """Forget the plugin that was attached to, and say so if nobody has asked it anything."""
    from cellwall_kernel import attaching

    problem = attaching.end()
    if problem and is_told:
        _output.note(f"Note: {problem}")


def report(problem: Exception, *, debug: bool) -> int:
    """Say on stderr what went wrong.

    Args:
        problem: what was raised.
        debug: whether the detail and the traceback are shown too.

    Returns:
        The exit code that belongs to the problem.
    """
    if debug and not isinstance(problem, click.ClickException):
        import traceback

        _output.note("".join(traceback.format_exception(problem)).rstrip())
    if isinstance(problem, Interrupted):
        if _output.takes_more(sys.stderr):  # who stops `llm … 2>&1 | less` must not have to read on first
            _output.note("Stopped.")
    elif isinstance(problem, CellwallError):
        _output.error(problem.message)
        if problem.detail and (debug or isinstance(problem, SHOWN_WITH_DETAIL)):
            _output.note(indented(problem.detail))
    elif isinstance(problem, click.ClickException):
        report_usage(problem)
    elif isinstance(problem, OSError):
        _output.error(f"{problem.strerror or problem}{f': {problem.filename}' if problem.filename else ''}.")
        discard_stdout()  # it may be what cannot be written
    else:
        hint = "" if debug else " Run the command again as 'llm --debug …' for the traceback."
        _output.error(f"this is a mistake in Cellwall itself: {type(problem).__name__}: {problem}.{hint}")
    return problem.exit_code if isinstance(problem, (CellwallError, click.ClickException)) else 1


def report_usage(problem: click.ClickException) -> None:
    """Say what is wrong with the command line."""
    if type(problem).__name__ == "NoArgsIsHelpError":  # unknown to click 8.1
        _output.note(problem.format_message())
        return
    if isinstance(problem, click.UsageError) and problem.ctx is not None:
        _output.note(problem.ctx.get_usage())
    _output.error(sentence(problem.format_message()))


def sentence(text: str) -> str:
    """The text with a full stop, unless it ends in a mark of its own."""
    return text if text.endswith((".", "?", "!", ":")) else f"{text}."


def indented(text: str) -> str:
    """Every line of the text, four columns in."""
    return "\n".join(f"    {row}" for row in text.splitlines())


def discard_stdout() -> None:
    """Point stdout at nothing, so that what it still holds cannot fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
