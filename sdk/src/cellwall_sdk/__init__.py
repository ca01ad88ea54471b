"""Write plugins for Cellwall: models that run as isolated child processes.

    from cellwall_sdk import Model, hookimpl

    class AwesomeModel(Model):
        model_id = "awesome-model"
        def execute(self, prompt, response):
            yield f"AwesomeModel says: {prompt.prompt}"

    @hookimpl
    def register_models(register):
        register(AwesomeModel())

A map of the package. What authors use:
    errors        what a model raises            host          what a plugin may ask its host for
    testing       test a plugin: in memory, as a child, from a transcript; pytest_plugin has the fixtures
    _models       Model and its kin              _options      typed options
    _hooks        hookimpl                       _parts        messages, stream events, tools
    _prompt       what a model is asked          _response     what a model fills
    _attachments  files in a prompt              _context      folders, data files, keys
What runs them:
    __main__      python -m cellwall_sdk MODULE  _child        the process: pipes, reader thread, signals
    _session      requests and answers           _link         the connection and the pipe behind it
    _asking       questions to the host          _incoming     what the host streams to us
    _embed        vectors for a stream of texts  _host_aio     host for async authors
    _call         one call: cancel, wake, shield _emit         credit, merging, order
    _answer       yields to stream items         _execute      what execute() may return
    _async        the loop for async authors     _registry     hooks, models, description
    _load         the import and its errors      _failures     exceptions to error answers
    _signature    arguments by name              _lend         the name `llm`

Importing this package imports nothing else: each name is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._attachments import Attachment
    from ._context import Asset, assets, data_dir, get_key, user_dir
    from ._hooks import hookimpl
    from ._models import AsyncKeyModel, AsyncModel, EmbeddingModel, KeyModel, Model
    from ._options import Field, Options
    from ._parts import (
        AttachmentPart,
        Message,
        Part,
        ReasoningPart,
        StreamEvent,
        TextPart,
        Tool,
        ToolCall,
        ToolCallPart,
        ToolResult,
        ToolResultPart,
        Usage,
    )
    from ._prompt import Conversation, PastPrompt, PastResponse, Prompt
    from ._response import Response
    from ._version import __version__ as __version__
    from .errors import (
        BadOptions,
        BadOutput,
        Cancelled,
        ContextTooLong,
        Filtered,
        KeyMissing,
        KeyRejected,
        ModelError,
        NeedsKeyException,
        Overloaded,
        ProviderError,
        RateLimited,
        RegistrationError,
        ServiceError,
        UnknownModel,
        UnknownModelError,
    )

__all__ = [
    "Asset",
    "AsyncKeyModel",
    "AsyncModel",
    "Attachment",
    "AttachmentPart",
    "BadOptions",
    "BadOutput",
    "Cancelled",
    "ContextTooLong",
    "Conversation",
    "EmbeddingModel",
    "Field",
    "Filtered",
    "KeyMissing",
    "KeyModel",
    "KeyRejected",
    "Message",
    "Model",
    "ModelError",
    "NeedsKeyException",
    "Options",
    "Overloaded",
    "Part",
    "PastPrompt",
    "PastResponse",
    "Prompt",
    "ProviderError",
    "RateLimited",
    "ReasoningPart",
    "RegistrationError",
    "Response",
    "ServiceError",
    "StreamEvent",
    "TextPart",
    "Tool",
    "ToolCall",
    "ToolCallPart",
    "ToolResult",
    "ToolResultPart",
    "UnknownModel",
    "UnknownModelError",
    "Usage",
    "assets",
    "data_dir",
    "get_key",
    "hookimpl",
    "user_dir",
]

_HOMES = {
    "_attachments": ("Attachment",),
    "_context": ("Asset", "assets", "data_dir", "get_key", "user_dir"),
    "_hooks": ("hookimpl",),
    "_models": ("AsyncKeyModel", "AsyncModel", "EmbeddingModel", "KeyModel", "Model"),
    "_options": ("Field", "Options"),
    "_parts": (
        "AttachmentPart",
        "Message",
        "Part",
        "ReasoningPart",
        "StreamEvent",
        "TextPart",
        "Tool",
        "ToolCall",
        "ToolCallPart",
        "ToolResult",
        "ToolResultPart",
        "Usage",
    ),
    "_prompt": ("Conversation", "PastPrompt", "PastResponse", "Prompt"),
    "_response": ("Response",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used."""
    from importlib import import_module

    if name in _HOME_OF:
        value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    elif name in __all__:
        value = getattr(import_module(f"{__name__}.errors"), name)
    elif name == "__version__":
        from ._version import __version__ as value
    elif name in ("errors", "host", "testing"):
        return import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"cellwall_sdk has no '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return [*__all__, "errors", "host", "testing"]
