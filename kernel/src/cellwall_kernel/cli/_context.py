"""What the commands share: the user folder and the flags of the root command."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwall_kernel.paths import Paths

__all__ = ["App", "attach_option", "debug_option", "pass_app", "trace_option"]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(slots=True)
class App:
    """The state that the root command hands to every command.

    Attributes:
        debug: tracebacks and details are shown with errors.
        traces: a trace of the plugins is being written.
        attaches: a plugin is connected to instead of being started.
    """

    debug: bool = False
    traces: bool = False
    attaches: bool = False
    _paths: Paths | None = field(default=None, repr=False)

    @property
    def paths(self) -> Paths:
        """The places of the user folder; nothing is created by asking."""
        if self._paths is None:
            from cellwall_kernel.paths import Paths

            self._paths = Paths.from_environment()
        return self._paths


def set_debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    """Note `--debug` in the shared state."""
    if value:
        context.ensure_object(App).debug = True


def debug_option(*, hidden: bool) -> click.Option:
    """Make the option `--debug`, for the root command and, hidden, for those whose line is long."""
    return click.Option(
        ["--debug"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        hidden=hidden,
        callback=set_debug,
        help="Show tracebacks and details with errors.",
    )


def set_trace(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    """Begin the trace that `--trace-plugins` asks for."""
    if value:
        from contextlib import suppress

        from cellwall_kernel import tracing
        from cellwall_kernel.errors import StoreProblem
        from cellwall_kernel.keys import stored_values

        app = context.ensure_object(App)
        secrets: list[str] = []
        with suppress(StoreProblem):  # a command that needs the keys will say what is wrong with them
            secrets = stored_values(app.paths)
        tracing.begin(value, secrets=secrets)
        app.traces = True


def trace_option(*, hidden: bool) -> click.Option:
    """Make the option `--trace-plugins`, for the root command and, hidden, for those whose line is long."""
    return click.Option(
        ["--trace-plugins"],
        metavar="FILE",
        expose_value=False,
        hidden=hidden,
        envvar=None if hidden else "CELLWALL_TRACE_PLUGINS",
        callback=set_trace,
        help="Write what the host and its plugins say to each other into FILE, prompts and answers included, "
        "API keys not.",
    )


def set_attachment(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    """Attach to the plugin that `--attach` names."""
    if value:
        from cellwall_kernel import attaching
        from cellwall_kernel.cli import _output

        attaching.begin(value, say=_output.note)
        context.ensure_object(App).attaches = True


def attach_option(*, hidden: bool) -> click.Option:
    """Make the option `--attach`, for the root command and, hidden, for those whose line is long."""
    return click.Option(
        ["--attach"],
        metavar="PLUGIN",
        expose_value=False,
        hidden=hidden,
        envvar=None if hidden else "CELLWALL_ATTACH",
        callback=set_attachment,
        help="Ask a plugin that waits under a debugger, without a wall and without deadlines: its name, its "
        "socket, or NAME=SOCKET.",
    )


def pass_app(function: Callable[Concatenate[App, P], R]) -> Callable[P, R]:
    """Hand the shared state to a command as its first argument; its deadlines count from then on."""

    @wraps(function)
    def run(app: App, /, *args: P.args, **kwargs: P.kwargs) -> R:
        from cellwall_kernel.timeouts import note_command

        note_command(click.get_current_context().command_path.partition(" ")[2])
        return function(app, *args, **kwargs)

    return click.make_pass_decorator(App, ensure=True)(run)
