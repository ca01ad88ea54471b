"""What is settled before a plugin is asked: settings, the conversation so far, the model and its plugin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellwall_kernel.errors import NotFound
from cellwall_kernel.grants import valid_grant
from cellwall_kernel.prompting.choose import check_abilities
from cellwall_kernel.prompting.keys import check_key
from cellwall_kernel.prompting.request import LATEST
from cellwall_wire import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwall_kernel.catalogue import Entry
    from cellwall_kernel.config import Config
    from cellwall_kernel.grants import Grant
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.prompting.choose import Choice, Offer
    from cellwall_kernel.prompting.request import PromptRequest
    from cellwall_kernel.store import Conversation
    from cellwall_wire import ModelInfo

__all__ = ["Scene", "settle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a prompt is run with.

    Attributes:
        config: the user's settings.
        entry: the plugin.
        model: the model that answers.
        grant: what the user granted the plugin.
        conversation: the conversation that is continued, or None.
        history: its messages so far.
    """

    config: Config
    entry: Entry
    model: ModelInfo
    grant: Grant
    conversation: Conversation | None
    history: Sequence[Message]


def settle(paths: Paths, request: PromptRequest, config: Config, choice: Choice) -> Scene:
    """Find out who is asked, and refuse what cannot work before anything is started.

    Raises:
        NotFound: there is no such model or conversation.
        UsageProblem: the model cannot do what is asked.
        KeyProblem: it needs a key, and there is none, or it was not granted.
        PluginError: the plugin must not be started: it has changed, or is disabled.
        StoreProblem: something in the user folder cannot be read.
    """
    conversation, history = None, list[Message]()
    if request.conversation is not None:
        conversation, history = earlier(paths, request.conversation)
    entry, model = chosen(request, config, conversation, choice)
    check_abilities(model, request)
    grant = valid_grant(paths, entry.record)
    check_key(paths, entry.name, model, request.key, grant)
    return Scene(
        config=config, entry=entry, model=model, grant=grant, conversation=conversation, history=history
    )


def earlier(paths: Paths, conversation_id: str) -> tuple[Conversation, list[Message]]:
    """Read a conversation and its messages from the log.

    Raises:
        NotFound: there is no such conversation.
        StoreProblem: the log cannot be read.
    """
    from cellwall_kernel.store import Store

    with Store.open_for_reading(paths) as store:
        return store.conversation_messages(None if conversation_id == LATEST else conversation_id)


def chosen(
    request: PromptRequest, config: Config, conversation: Conversation | None, choice: Choice
) -> Offer:
    """Return the model that the user named, else the conversation's, else the user's default, else ours.

    Raises:
        NotFound: there is no such model, or none at all.
    """
    if request.model is not None:
        return choice.named(request.model)
    if conversation is not None:
        return choice.named(conversation.model)
    if config.default_model is None or choice.is_attached:
        return choice.default()
    try:
        return choice.named(config.default_model)
    except NotFound as problem:
        raise NotFound(
            f"the model that you made the default is not there: {problem.message} "
            "Another one is chosen with 'llm models default MODEL'."
        ) from problem
