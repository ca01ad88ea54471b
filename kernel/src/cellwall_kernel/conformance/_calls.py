"""Checks of calls: description, prompts, credit, cancelling, and the errors that a model must give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from cellwall_kernel.conformance._peer import AT_ONCE_S
from cellwall_kernel.conformance._types import Broken, Skipped
from cellwall_kernel.conformance._words import as_line, members_of, printable
from cellwall_wire import Code, DescribeResult

if TYPE_CHECKING:
    from cellwall_kernel.conformance._peer import Peer
    from cellwall_kernel.conformance._scene import Scene

__all__ = [
    "answer_a_cancelled_call",
    "answer_a_cancelled_call_soon",
    "answer_a_prompt",
    "answer_ping_while_busy",
    "answer_without_a_key",
    "describe_the_same",
    "describe_well",
    "ignore_unknown_calls",
    "keep_to_small_credit",
    "read_a_conversation",
    "refuse_bad_options",
    "refuse_bad_params",
    "refuse_unknown_models",
]

DATA_LINE = 512
"""A small `limits.data_line`; twice as much is the first credit (bytes)."""

MOST_GRANTS = 10_000
"""An answer that is longer is cancelled (a count of grants)."""

NO_OPTION = "cellwall_no_such_option"


async def describe_well(scene: Scene) -> None:
    """Check that a description can be read."""
    peer = scene.shared
    call = peer.ask("plugin/describe")
    result = await peer.result(call)
    try:
        described = msgspec.convert(result, DescribeResult)
    except msgspec.ValidationError as error:
        raise Broken(peer.call(call).line, f"{error}: {as_line(result)}") from None
    if not described.digest:
        raise Broken(peer.call(call).line, f"an empty digest: {as_line(result)}")


async def describe_the_same(scene: Scene) -> None:
    """Check that another process, asked twice, says what the first one said."""
    if scene.described is None:
        raise Skipped(scene.no_prompts)
    if scene.described.get("ttl_ms") is not None:
        raise Skipped("its description depends on the time: it has ttl_ms")
    async with scene.ready() as peer:
        for _ in range(2):
            call = peer.ask("plugin/describe")
            again = await peer.result(call)
            if again != scene.described:
                raise Broken(peer.call(call).line, f"{difference(scene.described, again)}")


def difference(first: dict[str, Any], again: dict[str, Any]) -> str:
    """Say in which member two descriptions differ."""
    for name in sorted({*first, *again}):
        if first.get(name) != again.get(name):
            return printable(f"'{name}' was {first.get(name)} and is {again.get(name)}")
    return "the same"


async def answer_a_prompt(scene: Scene) -> None:
    """Check that a prompt is answered with a result."""
    peer = scene.shared
    call = peer.prompt(scene.question())
    result = await scene.answered(peer, call)
    if not isinstance(result.get("finish", "stop"), str):
        raise Broken(peer.call(call).line, as_line(result))
    await peer.must_live(peer.call(call).line)


async def read_a_conversation(scene: Scene) -> None:
    """Check that earlier messages, with data that a plugin made, are read."""
    question = scene.question()
    if scene.model is None or not scene.model.supports.conversation:
        raise Skipped("the model takes no conversation")
    question["messages"] = [
        {"role": "user", "parts": [{"type": "text", "text": "Hello."}]},
        {
            "role": "assistant",
            "parts": [{"type": "text", "text": "Hello!", "provider": {"x_strange": 1}}],
            "provider": {"x_strange": [1]},
        },
        *question["messages"],
    ]
    if scene.model.supports.system:
        system = {"role": "system", "parts": [{"type": "text", "text": "Be brief."}]}
        question["messages"].insert(0, system)
    await scene.answered(scene.shared, scene.shared.prompt(question))


async def keep_to_small_credit(scene: Scene) -> None:
    """Check that an answer arrives whole over a narrow way: little credit, and never more."""
    question = scene.question()
    async with scene.ready(data_line=DATA_LINE) as peer:
        call_id = peer.prompt(question, credit=2 * DATA_LINE, grants=False)
        call = peer.call(call_id)
        grants = 0
        while call.answer is None:
            if call.credit < DATA_LINE:
                grants += 1
                peer.grant(call_id, DATA_LINE)
                continue
            seq, credit = call.stream.seq, call.credit
            if grants > MOST_GRANTS:
                peer.cancel(call_id)
            if not await peer.until(lambda: call.answer is not None or call.stream.seq != seq):  # noqa: B023
                raise Broken(call.line, f"{await peer.silence(peer.patience_s)}, with {credit} bytes granted")
        await scene.answered(peer, call_id)
        if not grants:
            raise Skipped("the answer was too short to need more credit; a longer --prompt may help")


async def answer_ping_while_busy(scene: Scene) -> None:
    """Check that a ping overtakes an answer that waits for credit."""
    peer = scene.shared
    call_id = peer.prompt(scene.question(), credit=None, grants=False)
    for _ in range(3):
        await peer.result(peer.ask("ping"), AT_ONCE_S)
    await finish(scene, peer, call_id)


async def finish(scene: Scene, peer: Peer, call_id: str) -> None:
    """Let a prompt that waits for credit end."""
    if peer.call(call_id).answer is None:
        peer.grant(call_id, 64 * 1024 * 1024)
    await scene.answered(peer, call_id)


async def answer_a_cancelled_call(scene: Scene) -> None:
    """Check that a cancelled call is answered, whenever."""
    await cancelled(scene, scene.patience_s)


async def answer_a_cancelled_call_soon(scene: Scene) -> None:
    """Check that a cancelled call is answered within two seconds."""
    await cancelled(scene, AT_ONCE_S)


async def cancelled(scene: Scene, within_s: float) -> None:
    """Cancel a prompt after its first data, and look at its answer."""
    question = scene.question()
    async with scene.ready(data_line=DATA_LINE) as peer:
        call_id = peer.prompt(question, credit=2 * DATA_LINE, grants=False)
        call = peer.call(call_id)
        await peer.until(lambda: call.stream.seq > 0 or call.answer is not None)
        peer.cancel(call_id)
        try:
            answer = await peer.answer(call_id, within_s)
        except Broken as problem:
            raise Broken(f"{call.line}, then $/cancel", problem.evidence.came) from None
        if members_of(answer.get("error")).get("code") == Code.CANCELLED:
            await peer.must_live("$/cancel")
        else:
            await scene.answered(peer, call_id)


async def answer_without_a_key(scene: Scene) -> None:
    """Check that a prompt is answered although the key for it cannot be had."""
    keyed = scene.keyed_model
    if keyed is None:
        raise Skipped("no model of the plugin needs a key")
    peer = scene.shared
    question = scene.question(model=keyed)
    await peer.answer(peer.prompt(question))
    await peer.must_live("a prompt whose key is missing")


async def ignore_unknown_calls(scene: Scene) -> None:
    """Check that notifications about calls which are not open are ignored."""
    peer = scene.shared
    done = peer.ask("ping")
    await peer.result(done)
    for call_id in (done, "h999999"):
        peer.notify("$/cancel", id=call_id, reason="this is a check")
        peer.notify("$/credit", id=call_id, n=1000)
        await peer.must_live(f'$/cancel and $/credit with "id":"{call_id}"')
    await peer.result(peer.ask("plugin/describe"))


async def refuse_bad_options(scene: Scene) -> None:
    """Check the error for an option that does not exist."""
    peer = scene.shared
    call_id = peer.prompt(scene.question(options={NO_OPTION: "1"}))
    error = await peer.refusal(call_id, Code.BAD_OPTIONS)
    if NO_OPTION not in str(error.get("message")):
        raise Broken(peer.call(call_id).line, f"{as_line(error)}, which does not name the option")


async def refuse_unknown_models(scene: Scene) -> None:
    """Check the error for a model that does not exist."""
    peer = scene.shared
    question = scene.question() | {"model": "cellwall-no-such-model"}
    await peer.refusal(peer.prompt(question), Code.UNKNOWN_MODEL)


async def refuse_bad_params(scene: Scene) -> None:
    """Check the error for parameters that do not fit."""
    peer = scene.shared
    call = peer.ask("model/prompt", {"model": 5, "messages": "none"})
    await peer.refusal(call, Code.INVALID_PARAMS)
    await peer.must_live(peer.call(call).line)
