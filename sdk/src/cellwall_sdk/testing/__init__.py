"""Test a plugin: the same questions to it in memory, as a real child process, or to a recorded transcript.

    from cellwall_sdk.testing import run_model

    def test_it_shouts():
        assert run_model(Shout(), "hello") == "HELLO"

A test sees what a user would: options are strings that are checked, keys are asked for, the answer is what
came over the wire. With pytest, the fixture `cellwall_plugin` is the whole plugin of the project:

    def test_it_shouts(cellwall_plugin):
        assert cellwall_plugin.prompt("hello") == "HELLO"

A map of the package:
    _plugin      PluginUnderTest: what a test asks
    _answers     Reply, PromptFailed, Running: what it gets
    _host        the host's side of the conversation
    _services    what the host answers the plugin
    _transport   what the three transports have in common: _memory, _process, _playing
    _recording   transcripts: writing, reading
    _project     which plugin a project makes
    _examples    the examples of a manifest
The fixtures are in `cellwall_sdk.pytest_plugin`, the only module that imports pytest.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellwall_sdk._hooks import hookimpl

from ._answers import PromptFailed, Reply, Running
from ._examples import BadExample, Example, ExampleFailed
from ._plugin import TIMEOUT_S, PluginUnderTest
from ._project import NoPlugin, Project, find_project, read_project
from ._recording import BadTranscript, Tape, read_calls
from ._services import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cellwall_sdk._attachments import Attachment
    from cellwall_sdk._models import Model
    from cellwall_sdk._parts import Tool

__all__ = [
    "TIMEOUT_S",
    "BadExample",
    "BadTranscript",
    "Example",
    "ExampleFailed",
    "NoPlugin",
    "PluginUnderTest",
    "Project",
    "PromptFailed",
    "Refusal",
    "Reply",
    "Running",
    "Tape",
    "find_project",
    "open_child",
    "open_memory",
    "open_transcript",
    "read_project",
    "run_model",
]


def open_memory(plugin: str | Model, **settings: Any) -> PluginUnderTest:
    """Open a plugin in this process.

    Args:
        plugin: the entry point's value, "module" or "module:attribute", which is imported here; or a
            model, which needs no plugin around it.
        settings: keys, answers, assets, timeout_s, tape and name, as for PluginUnderTest.

    Returns:
        the plugin; close it, or use it as a context manager.
    """
    from cellwall_sdk._load import Plugin, load_plugin

    from ._memory import Memory

    if isinstance(plugin, str):
        return PluginUnderTest(lambda _folder: Memory(lambda: load_plugin(plugin)), **settings)
    holder = _Models(plugin)
    return PluginUnderTest(lambda _folder: Memory(lambda: Plugin("model", holder, ())), **settings)


def open_child(
    plugin: str | Sequence[str], *, variables: Mapping[str, str] | None = None, **settings: Any
) -> PluginUnderTest:
    """Open a plugin as a process of its own.

    Args:
        plugin: the entry point's value; or the command of a program in any language.
        variables: more environment variables for it.
        settings: as for open_memory.

    Returns:
        the plugin; close it, or use it as a context manager.
    """
    from ._process import Process, python_command

    command = python_command(plugin) if isinstance(plugin, str) else plugin
    return PluginUnderTest(lambda folder: Process(command, folder, variables or {}), **settings)


def open_transcript(path: str | Path, *, plugin: str | None = None, **settings: Any) -> PluginUnderTest:
    """Open a transcript, which plays the plugin.

    Args:
        path: a file written by `llm --trace-plugins FILE`, by `pytest --cellwall-record` or by a Tape.
        plugin: only what was said to the plugin of this name; None for all.
        settings: as for open_memory.

    Returns:
        what answers as the plugin did then.

    Raises:
        BadTranscript: the file cannot be read.
    """
    from ._playing import Player

    calls = read_calls(Path(path), plugin)
    return PluginUnderTest(lambda _folder: Player(calls), **settings)


def run_model(  # noqa: PLR0913 - all but two are keywords, one for each thing a user can give
    model: Model,
    prompt: str = "",
    *,
    system: str | None = None,
    history: Sequence[tuple[str, str]] = (),
    attachments: Sequence[Attachment] = (),
    schema: dict[str, Any] | None = None,
    tools: Sequence[Tool] = (),
    stream: bool = True,
    keys: Mapping[str, str] | None = None,
    assets: Mapping[str, str | Path] | None = None,
    **options: Any,
) -> Reply:
    """Ask a model, in memory.

    Args:
        model: the model.
        prompt: what the user says.
        system: the system prompt.
        history: earlier turns, (prompt, answer) each.
        attachments: files that come with the prompt.
        schema: the JSON Schema that the answer must follow.
        tools: tools that the model may ask for.
        stream: whether pieces are wanted as they come.
        keys: the user's API keys, by alias.
        assets: the model's data files, by name.
        options: the model's options; strings are checked as those of a user are.

    Returns:
        the answer.

    Raises:
        PromptFailed: the model could not be described or run.
    """
    with open_memory(model, name="model", keys=keys, assets=assets, timeout_s=None) as plugin:
        plugin.describe()
        return plugin.prompt(
            prompt,
            model=getattr(model, "model_id", ""),
            system=system,
            history=history,
            attachments=attachments,
            schema=schema,
            tools=tools,
            stream=stream,
            options=options,
        )


class _Models:
    """A plugin that offers one model."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @hookimpl
    def register_models(self, register: Callable[[Model], None]) -> None:
        register(self._model)
