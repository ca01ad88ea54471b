"""Prompts that plugins ask for: `host/prompt`, answered by a model of any plugin [P-71].

The plugin that answers has its own grants and its own keys, never those of the one that asks. The answer is
logged as one of its own, under the name of the plugin that asked, and streams to it as it comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from cellwall_kernel.errors import CallFailed, CellwallError, NotFound
from cellwall_kernel.prompting.choose import default_model, is_kind_of
from cellwall_kernel.prompting.granted import require

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwall_kernel.catalogue import Catalogue
    from cellwall_kernel.config import Config
    from cellwall_kernel.grants import Grant
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.prompting.choose import Offer
    from cellwall_kernel.prompting.keys import KeyService
    from cellwall_kernel.prompting.log import PromptLog
    from cellwall_kernel.session import Call, Deadline, ServiceCall
    from cellwall_kernel.store import Outcome
    from cellwall_kernel.supervisor import Supervisor
    from cellwall_wire import AssetFile, HostPromptParams, Message, ModelInfo, PromptResult

__all__ = ["MOST_PROMPTS", "NestedPrompts"]

MOST_PROMPTS = 100
"""How many prompts plugins may run within one call of the user's: each may cost money."""


class _Scene(NamedTuple):
    """What a nested prompt is run with: the model, its plugin, what that may do, its data files."""

    offer: Offer
    grant: Grant
    assets: Mapping[str, AssetFile]
    deadline: Deadline


class NestedPrompts:
    """Answers `host/prompt`.

    Args:
        paths: the user folder.
        catalogue: which models there are.
        config: the user's settings.
        keys: gives plugins their keys.
        log: the log of the user's own prompt.
        notes: takes sentences for the user.
        supervisor: runs the plugins.
    """

    def __init__(
        self,
        paths: Paths,
        catalogue: Catalogue,
        config: Config,
        *,
        keys: KeyService,
        log: PromptLog,
        notes: list[str],
        supervisor: Supervisor,
    ) -> None:
        self._paths = paths
        self._catalogue = catalogue
        self._config = config
        self._keys = keys
        self._log = log
        self._notes = notes
        self._counts: WeakKeyDictionary[Call, int] = WeakKeyDictionary()
        self._supervisor = supervisor

    async def answer(self, call: ServiceCall) -> PromptResult:
        """Run a prompt for a plugin.

        Raises:
            CallFailed: it was not granted that, has run too many, or the model failed.
            CellwallError: the model cannot be asked.
        """
        require(call, self._paths, "prompt")
        self._count(call)
        try:
            scene = await self._settle(call, self._supervisor)
            return await self._ask(call, scene, self._supervisor)
        except CellwallError as problem:
            raise _for_plugin(call, problem) from problem

    def _count(self, call: ServiceCall) -> None:
        """Count a prompt, and refuse more than anybody meant."""
        root = call.parent
        while root.origin is not None:
            root = root.origin.parent
        count = self._counts.get(root, 0)
        if count >= MOST_PROMPTS:
            raise CallFailed(
                call.record.name,
                f"plugins may run {MOST_PROMPTS} prompts within one of yours, and have done so.",
                kind="BudgetExceeded",
            )
        self._counts[root] = count + 1

    # -- what it is run with ---------------------------------------------------------------------------------

    async def _settle(self, call: ServiceCall, supervisor: Supervisor) -> _Scene:
        """Find out who is asked, and refuse what cannot work before anything is started."""
        from cellwall_kernel.assets.launching import resolve_for_launch
        from cellwall_kernel.grants import valid_grant
        from cellwall_kernel.prompting.keys import check_key
        from cellwall_kernel.session import Deadline

        params: HostPromptParams = call.params
        entry, model = offer = await self._offer(params.model, call, supervisor)
        _check_abilities(model, params, call)
        grant = valid_grant(self._paths, entry.record)
        check_key(self._paths, entry.name, model, None, grant)
        self._refuse_to_fetch(offer)
        usual = Deadline.from_settings(self._config.timeouts, plugin=entry.name)
        scene = _Scene(
            offer=offer,
            grant=grant,
            assets=resolve_for_launch(entry.record.manifest, model.assets, entry.name, self._paths),
            deadline=usual.within(grant.permissions.limits.deadline_s).nested(call.remaining_s()),
        )
        self._keys.admit(entry, grant)
        return scene

    async def _offer(self, name: str | None, call: ServiceCall, supervisor: Supervisor) -> Offer:
        wanted = name or self._config.default_model
        try:
            if wanted is not None:
                return await self._catalogue.require_model(supervisor, wanted)
            found = default_model(self._catalogue)
            if found is None and not self._catalogue.is_complete:
                await self._catalogue.refresh(supervisor)
                found = default_model(self._catalogue)
        except NotFound as problem:
            raise CallFailed(call.record.name, problem.message, kind="UnknownModel") from problem
        if found is None:
            sentence = "no model was named, and none is the default; 'llm models default MODEL' chooses one."
            raise CallFailed(call.record.name, sentence, kind="UnknownModel")
        return found

    def _refuse_to_fetch(self, offer: Offer) -> None:
        """Refuse a model whose data files are not here: it is for the user to begin to fetch them."""
        from cellwall_kernel.assets.store import is_present

        entry, model = offer
        for spec in entry.record.manifest.assets if entry.record.manifest is not None else ():
            if spec.name in model.assets and not is_present(self._paths, spec):
                raise CallFailed(
                    entry.name,
                    f"the model '{model.id}' needs data files that are not here yet; "
                    f"'llm -m {model.id}' with any prompt fetches them.",
                    kind="Unavailable",
                )

    # -- asking ----------------------------------------------------------------------------------------------

    async def _ask(self, call: ServiceCall, scene: _Scene, supervisor: Supervisor) -> PromptResult:
        """Log the prompt, ask, and log how it ended."""
        from anyio import get_cancelled_exc_class

        from cellwall_kernel.prompting.forwarding import forwarded
        from cellwall_kernel.store import Outcome

        entry, model = scene.offer
        name, params = call.record.name, call.params
        scratch, to_scratch = self._paths.plugin_tmp(name), self._paths.plugin_tmp(entry.name)
        with forwarded(params.messages, name, scratch, to_scratch) as (whole, messages):
            log = self._begin_log(call, scene, whole)
            outcome = Outcome(status="interrupted")
            try:
                result = await self._stream(call, scene, messages, log, supervisor)
                outcome = _outcome_of(result)
                return result
            except CellwallError as problem:
                if problem.kind == "UnknownModel":
                    self._catalogue.forget(entry.name)
                outcome = Outcome(status="error", error_kind=problem.kind, error_message=problem.message)
                raise
            except get_cancelled_exc_class():
                outcome = Outcome(status="cancelled")
                raise
            finally:
                log.finish(outcome)
                if log.problem is not None:
                    self._notes.append(
                        f"what plugin '{name}' asked '{model.id}' is not logged: {log.problem}"
                    )

    async def _stream(
        self,
        call: ServiceCall,
        scene: _Scene,
        messages: list[Message],
        log: PromptLog,
        supervisor: Supervisor,
    ) -> PromptResult:
        from cellwall_wire import PromptParams

        (entry, model), asked = scene.offer, call.params
        params = PromptParams(
            model=model.id,
            messages=messages,
            options=asked.options,
            tools=asked.tools,
            tool_choice=asked.tool_choice,
            schema=asked.schema,
            stream=asked.stream and model.supports.stream,
        )
        opened = supervisor.call(
            entry.record, "model/prompt", params, deadline=scene.deadline, assets=scene.assets, origin=call
        )
        async with opened as inner:
            async for items in inner:
                log.append(items)
                await call.send(items)
        result: PromptResult | None = inner.result
        if result is None:
            raise CallFailed(entry.name, f"the prompt to '{model.id}' was cancelled.", kind="Cancelled")
        return result

    def _begin_log(self, call: ServiceCall, scene: _Scene, messages: list[Message]) -> PromptLog:
        from cellwall_kernel.doctor import quick_level
        from cellwall_kernel.store import PromptRow
        from cellwall_wire import TextPart

        entry, model = scene.offer
        system = [
            part.text
            for message in messages
            if message.role == "system"
            for part in message.parts
            if isinstance(part, TextPart)
        ]
        log = self._log.beside()
        log.begin(
            PromptRow(
                model=model.id,
                plugin=entry.name,
                asked_by=call.record.name,
                sandbox="NONE" if scene.grant.unsandboxed else quick_level(self._paths),
                messages=[message for message in messages if message.role != "system"],
                system="\n".join(system) if system else None,
                options=call.params.options,
                schema=call.params.schema,
            )
        )
        return log


def _outcome_of(result: PromptResult) -> Outcome:
    from cellwall_kernel.store import Outcome

    return Outcome(
        status="cancelled" if result.finish == "cancelled" else "done",
        finish=result.finish,
        usage=result.usage,
        resolved_model=result.model_resolved,
        provider=result.provider,
    )


def _for_plugin(call: ServiceCall, problem: CellwallError) -> CellwallError:
    """Return the error as a plugin may be told it: a kind of the host's becomes ProviderError [P-70]."""
    from cellwall_wire import Code

    if any(code.kind == problem.kind for code in Code if code < FIRST_OF_HOST):
        return problem
    kind = "Unavailable" if problem.kind == "StoreProblem" else "ProviderError"
    return CallFailed(call.record.name, problem.message, kind=kind)


FIRST_OF_HOST = 5000
"""Codes from here on are the host's own [P-70]."""


def _check_abilities(model: ModelInfo, params: HostPromptParams, call: ServiceCall) -> None:
    """Refuse what the model cannot do [P-65].

    Raises:
        CallFailed: the sentence says what.
    """
    from cellwall_wire import AttachmentPart

    parts = [part for message in params.messages for part in message.parts]
    kinds = [part.media_type or "" for part in parts if isinstance(part, AttachmentPart)]
    roles = {message.role for message in params.messages}
    lacks = {
        "cannot follow a schema": params.schema is not None and not model.supports.schema,
        "cannot call tools": bool(params.tools) and not model.supports.tools,
        "takes no system prompt": "system" in roles and not model.supports.system,
        "cannot continue a conversation": "assistant" in roles and not model.supports.conversation,
        "does not read such attachments": any(
            not any(is_kind_of(kind, known) for known in model.input) for kind in kinds
        ),
    }
    for what, is_so in lacks.items():
        if is_so:
            raise CallFailed(call.record.name, f"the model '{model.id}' {what}.", kind="InvalidParams")
    if not params.messages:
        raise CallFailed(call.record.name, "a prompt has at least one message.", kind="InvalidParams")
