"""One process played again: told what it was told, in the same order, and heard.

Before a line of the host goes out, the plugin must have said what the record shows it to have said by then:
that keeps the order without keeping the times. Credit is given as it is used, since the pieces of a text need
not be the same. What a cancelled call still says is a matter of luck, and is not compared.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, cast

import anyio
import msgspec

from cellwall_kernel.process import Exit
from cellwall_kernel.process.child import Child
from cellwall_kernel.replaying._compare import differences, joined
from cellwall_kernel.session import Outbox, Warden
from cellwall_kernel.tracing import MARK
from cellwall_kernel.tracing.hiding import Secrets
from cellwall_kernel.tracing.lines import LONGEST_LINE_BYTES, Lines
from cellwall_wire import Code, ErrorInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cellwall_kernel.process import Spawned, StderrLog
    from cellwall_kernel.replaying._record import Recorded

__all__ = ["Replay"]

PATIENCE_S = 60.0
"""How long a plugin may be silent while something is awaited (seconds)."""

ABSENT = "was never sent"


class Replay:
    """Plays the host's side of one process.

    Args:
        spawned: the plugin, just started and not greeted.
        log: takes what it prints.
        setting: members of `initialize` that are this machine's, such as `dirs`.
        key: gives a key that the plugin may have, by its alias; None if it may not, or there is none.
        exact: everything is compared, the sizes of pieces too.

    Attributes:
        found: what is different, each as a sentence.
    """

    def __init__(
        self,
        spawned: Spawned,
        log: StderrLog,
        *,
        setting: dict[str, Any],
        key: Callable[[str], str | None],
        exact: bool = False,
    ) -> None:
        self.found: list[str] = []
        self._child = Child(spawned, log)
        self._outbox = Outbox(self._child, lambda: None)
        self._setting = setting
        self._key = key
        self._exact = exact
        self._secrets = Secrets(MARK)
        self._news = anyio.Event()
        self._is_deaf = False
        self._answers: dict[str, dict[str, Any]] = {}
        self._items: dict[str, list[Any]] = {}
        self._calls: deque[dict[str, Any]] = deque()
        self._past_items: dict[str, list[Any]] = {}
        self._asked: dict[str, str] = {}
        self._known_calls: dict[str, dict[str, Any]] = {}
        self._cancelled: set[str] = set()

    async def run(self, recorded: Sequence[Recorded]) -> None:
        """Play a whole process; it has ended when this returns.

        Args:
            recorded: its lines, in their order.
        """
        child = self._child
        warden = Warden(child.plugin, child.wall) if child.wall is not None else None
        ended = Exit(None)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(child.attend)
            if warden is not None:
                tasks.start_soon(warden.attend)
            tasks.start_soon(self._outbox.run)
            tasks.start_soon(self._listen)
            try:
                await self._play(recorded)
            finally:
                ended = await child.stop()
                child.close_stdout()
                tasks.cancel_scope.cancel()
        then = [line.exit for line in recorded if line.event == "ended"]
        if then and then[0] != ended.cause:
            self.found.append(f"the process ended with {then[0]} and ends with {ended.cause}")
        self.found = [self._secrets.hide(sentence) for sentence in self.found]

    # -- the record ------------------------------------------------------------------------------------------

    async def _play(self, recorded: Sequence[Recorded]) -> None:
        for line in recorded:
            if line.line is None or line.side == "event":
                continue
            if self._is_deaf:
                return  # what could not be had was said already
            if line.side == "host":
                await self._say(line.line)
            else:
                await self._await(line.line)

    async def _say(self, message: dict[str, Any]) -> None:
        """Say what the host said."""
        method, params = message.get("method"), message.get("params")
        if method == "$/credit":
            return
        if method == "$/cancel" and isinstance(params, dict):
            call = str(cast("dict[str, Any]", params).get("id"))
            if self._past_items.get(call):
                await self._until(lambda: bool(self._items.get(call)) or call in self._answers)
            self._cancelled.add(call)
        elif method is None:
            self._answer(message)
            return
        elif "id" in message:
            self._asked[str(message["id"])] = str(method)
        if method == "initialize" and isinstance(params, dict):
            message = message | {"params": cast("dict[str, Any]", params) | self._setting}
        self._send(message)

    async def _await(self, message: dict[str, Any]) -> None:
        """Wait for what the plugin said, and compare it."""
        params: Any = message.get("params")
        if message.get("method") == "$/data" and isinstance(params, dict):
            data = cast("dict[str, Any]", params)
            self._past_items.setdefault(str(data.get("id")), []).extend(data.get("items") or [])
        elif "method" in message and "id" in message:
            if message["method"] != "ping":
                await self._await_call(message)
        elif "method" not in message and str(message.get("id")) in self._asked:
            await self._await_answer(str(message["id"]), message)

    async def _await_call(self, then: dict[str, Any]) -> None:
        what = f"the call {then['method']}"
        if not await self._until(lambda: bool(self._calls)):
            self._miss(what)
            return
        now = self._calls.popleft()
        self._known_calls[str(then["id"])] = now
        self._compare(what, _of_call(then), self._secrets.hide_in(_of_call(now)))

    async def _await_answer(self, call: str, then: dict[str, Any]) -> None:
        what = f"the answer to {self._asked[call]} ({call})"
        while not await self._until(lambda: call in self._answers or bool(self._calls)) or self._calls:
            if not self._calls:
                self._miss(what)
                return
            self._refuse(self._calls.popleft())
        if call in self._cancelled:
            return
        past, present = self._past_items.get(call, []), self._items.get(call, [])
        if not self._exact:
            past, present = joined(past), joined(present)
        now = self._secrets.hide_in({"items": present, **_of_answer(self._answers[call])})
        if "result" in then and "error" in now:
            self.found.append(f"{what} was a result and is an error: {_message_of(now)}")
            return
        self._compare(what, {"items": past, **_of_answer(then)}, now)

    def _answer(self, then: dict[str, Any]) -> None:
        """Answer a call of the plugin as it was answered then; a key comes from its user."""
        call = self._known_calls.get(str(then.get("id")))
        if call is None:
            return  # a ping, which was answered at once
        answer = {name: value for name, value in then.items() if name in ("result", "error")}
        if call.get("method") == "keys/get" and "result" in answer:
            answer = self._key_answer(call)
        self._send({"jsonrpc": "2.0", "id": call["id"], **answer})

    def _key_answer(self, call: dict[str, Any]) -> dict[str, Any]:
        params: Any = call.get("params")
        alias = str(cast("dict[str, Any]", params).get("alias")) if isinstance(params, dict) else ""
        key = self._key(alias)
        if key is None:
            missing = ErrorInfo.of(
                Code.KEY_MISSING, f"the plugin was not granted a key '{alias}', or you have none."
            )
            return {"error": missing}
        self._secrets.add(key)
        return {"result": {"value": key}}

    def _refuse(self, call: dict[str, Any]) -> None:
        self.found.append(f"the call {call.get('method')} is new")
        refusal = ErrorInfo.of(Code.UNAVAILABLE, "this call is not in the record")
        self._send({"jsonrpc": "2.0", "id": call["id"], "error": refusal})

    def _compare(self, what: str, then: dict[str, Any], now: dict[str, Any]) -> None:
        self.found += [f"{what}: {each}" for each in differences(then, now, exact=self._exact)]

    def _miss(self, what: str) -> None:
        ended = "" if self._child.exit is None else f": the process ended with {self._child.exit.cause}"
        self.found.append(f"{what} {ABSENT}{ended}")
        self._is_deaf = True

    # -- the wire --------------------------------------------------------------------------------------------

    async def _until(self, happened: Callable[[], bool]) -> bool:
        """Wait for something that the plugin does; whether it did."""
        while not happened():
            if self._is_deaf:
                return False
            self._news = anyio.Event()
            with anyio.move_on_after(PATIENCE_S) as silence:
                await self._news.wait()
            if silence.cancelled_caught:
                return False
        return True

    async def _listen(self) -> None:
        lines = Lines(self._take, LONGEST_LINE_BYTES)
        await self._child.listen(lines.feed)
        lines.finish()
        self._is_deaf = True
        self._news.set()

    def _take(self, line: bytes, size: int) -> None:
        try:
            message: Any = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        if not isinstance(message, dict):
            return
        members = cast("dict[str, Any]", message)
        if members.get("method") == "$/data":
            self._take_data(members.get("params"), size)
        elif members.get("method") == "ping":
            self._send({"jsonrpc": "2.0", "id": members.get("id"), "result": {}})
        elif "method" in members and "id" in members:
            self._calls.append(members)
        elif "method" not in members:
            self._answers[str(members.get("id"))] = members
        self._news.set()

    def _take_data(self, params: Any, size: int) -> None:
        if not isinstance(params, dict):
            return
        data = cast("dict[str, Any]", params)
        call: Any = data.get("id")
        items: Any = data.get("items")
        if isinstance(items, list):
            self._items.setdefault(str(call), []).extend(cast("list[object]", items))
        self._send(
            {"jsonrpc": "2.0", "method": "$/credit", "params": {"id": call, "n": size}}, is_control=True
        )

    def _send(self, message: dict[str, Any], *, is_control: bool = False) -> None:
        self._outbox.put(msgspec.json.encode(message) + b"\n", is_control=is_control)


def _of_call(message: dict[str, Any]) -> dict[str, Any]:
    """Return of a call what is compared: its method and its parameters, without whose sake it is made for."""
    params: Any = message.get("params")
    if isinstance(params, dict):
        members = cast("dict[str, Any]", params)
        params = {name: value for name, value in members.items() if name != "meta"}
    return {"method": message.get("method"), "params": params}


def _message_of(answer: dict[str, Any]) -> str:
    error = answer["error"]
    return str(cast("dict[str, Any]", error).get("message")) if isinstance(error, dict) else str(error)


def _of_answer(message: dict[str, Any]) -> dict[str, Any]:
    return {name: message[name] for name in ("result", "error") if name in message}
