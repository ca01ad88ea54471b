"""Runs plugins for a long time and keeps killing them: `python benchmarks/soak.py [--minutes 10] [--seed N]`.

Many calls run at once on several plugins (real processes behind their walls); at random times plugins are
killed, calls are cancelled, run out of time, or make plugins crash, and plugins call the host back, also for
prompts to each other. What must hold, and makes the exit code 1 where it does not:

- every call ends exactly once: with its whole answer, or with an error of a documented kind;
- an answer is what was asked for, character by character, and one that broke off is the beginning of it;
- nothing hangs, no task, process or descriptor is left, and the host's memory is flat.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from cellbench.procfs import children, descendants

from cellwall_kernel.breaker import Breaker
from cellwall_kernel.discovery import Environment, PluginRecord
from cellwall_kernel.errors import CellwallError
from cellwall_kernel.paths import Paths
from cellwall_kernel.prompting.stored import StoreService
from cellwall_kernel.session import Deadline, ServiceCall
from cellwall_kernel.supervisor import Supervisor
from cellwall_wire import Delta, Message, PromptParams, PromptResult, TextPart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwall_wire import Params

__all__ = ["main"]

PLUGINS = 6
AT_ONCE = 24
"""How many calls are open at a time: four for each plugin, which takes one after the other."""

KILL_EVERY_S = (0.2, 1.5)
"""Between which bounds the next plugin is killed (seconds)."""

DEADLINE_S = 8.0
"""How long one call may take (seconds); some are given far less on purpose."""

LATE_S = 30.0
"""How much longer than its deadline a call may take to end: the ladder, and a busy machine (seconds)."""

SHARE_OF_CANCELS, SHARE_OF_CRASHES, SHARE_OF_STORED, SHARE_OF_NESTED = 0.2, 0.02, 0.2, 0.15
SHARE_OF_SLOW_READS = 0.02

GROWTH_BYTES = 10 * 1024 * 1024
"""How much the host may grow after its first third; the budget of DESIGN.md, section 9."""

EXPECTED = {
    "Crashed", "DeadlineExceeded", "PluginBroken", "Quarantined", "ProviderError", "WouldDeadlock", "TooDeep",
    "BadOutput", "PluginError",
}  # fmt: skip
"""The documented kinds of error that calls end with here: all but those that would be a mistake of ours."""

PLUGIN = """
import json, os, time
from cellwall_sdk import Model, host, hookimpl

class Soaked(Model):
    model_id = "soaked"
    def execute(self, prompt):
        task = json.loads(prompt.prompt)
        for number in range(task["pieces"]):
            if task["pause_s"]:
                time.sleep(task["pause_s"])
            if number == task["crash_at"]:
                os._exit(7)
            yield f"{task['name']}:{number};"
        if task["key"]:
            host.store.set(task["key"], task["name"])
            yield f"stored {host.store.get(task['key'])};"
        if task["nested"]:
            yield host.prompt(json.dumps(task["nested"]), model=task["ask"]).text()

@hookimpl
def register_models(register):
    register(Soaked())
"""


@dataclass
class Count:
    """What came of all calls.

    Attributes:
        asked: how many were made.
        ended: how they ended -> how often.
        wrong: what must not be, in sentences.
        kills: how many plugins were killed.
        memory: seconds since the start and the host's resident bytes.
    """

    asked: int = 0
    ended: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])
    kills: int = 0
    memory: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])


class Soak:
    """One run.

    Args:
        folder: where the plugin and the user folder are made.
        seconds: how long it takes.
        chance: decides everything that is left to chance.
    """

    def __init__(self, folder: Path, seconds: float, chance: random.Random) -> None:
        self.count = Count()
        self._chance = chance
        self._seconds = seconds
        self._paths = Paths(folder / "user")
        code = folder / "code"
        code.mkdir()
        (code / "soaked.py").write_text(PLUGIN)
        self._records = [_record(f"soaked{number}", code) for number in range(PLUGINS)]
        self._store = StoreService(self._paths)
        self._end = 0.0
        self._supervisor: Supervisor | None = None

    async def run(self) -> None:
        """Call, kill and cancel until the time is over, then see what is left."""
        began = time.monotonic()
        self._end = began + self._seconds
        services = {**self._store.handlers, "host/prompt": self._nested}
        try:
            started = Supervisor(self._paths, services=services, idle_stop_s=1.0)
            async with started as self._supervisor, anyio.create_task_group() as tasks:
                tasks.start_soon(self._kill_plugins)
                tasks.start_soon(self._weigh, began)
                async with anyio.create_task_group() as callers:
                    for number in range(AT_ONCE):
                        callers.start_soon(self._call_on, number)
                tasks.cancel_scope.cancel()
        finally:
            self._store.close()
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if left:
            self.count.wrong.append(f"{len(left)} tasks are left: {left[:3]}")

    # -- calls -----------------------------------------------------------------------------------------------

    async def _call_on(self, caller: int) -> None:
        number = 0
        while time.monotonic() < self._end:
            number += 1
            await self._call(f"{caller}-{number}")

    async def _call(self, name: str) -> None:
        """Make one call, and judge how it ended."""
        chance, count = self._chance, self.count
        task = self._task(name)
        record = chance.choice(self._records)
        deadline = Deadline(total_s=chance.choice([0.05, DEADLINE_S, DEADLINE_S, DEADLINE_S]))
        stop_at = chance.randrange(8) if chance.random() < SHARE_OF_CANCELS else None
        text, kind = "", "lost"
        count.asked += 1
        with anyio.move_on_after(DEADLINE_S + LATE_S) as patience:
            text, kind = await self._ask(record, task, deadline, stop_at)
        if patience.cancelled_caught:
            count.wrong.append(f"{name}: has not ended after {DEADLINE_S + LATE_S:g} s")
        count.ended[kind] += 1
        wanted = _expected(task)
        if kind == "done" and text != wanted:
            count.wrong.append(f"{name}: {text[-80:]!r} instead of {wanted[-80:]!r}")
        elif not wanted.startswith(text):
            count.wrong.append(f"{name}, {kind}: {text[-80:]!r} is no beginning of {wanted[:80]!r}")
        if kind not in EXPECTED | {"done", "cancelled"}:
            count.wrong.append(f"{name}: ended with {kind}")
        if kind == "Quarantined":
            Breaker(self._paths).forget(record)  # as `llm plugins enable` does; the kills are ours

    async def _ask(
        self, record: PluginRecord, task: dict[str, Any], deadline: Deadline, stop_at: int | None
    ) -> tuple[str, str]:
        """Ask a plugin; gives the text that came, and how it ended."""
        assert self._supervisor is not None
        text, batches = "", 0
        try:
            async with self._supervisor.call(
                record, "model/prompt", _prompt(task), deadline=deadline
            ) as call:
                async for items in call:
                    text += "".join(item.text for item in items if isinstance(item, Delta))
                    batches += 1
                    if stop_at is not None and batches > stop_at:
                        call.cancel("enough")
                    if self._chance.random() < SHARE_OF_SLOW_READS:
                        await anyio.sleep(0.05)  # a consumer that is slow
                result: PromptResult | None = call.result
        except CellwallError as error:
            return text, error.kind
        return text, "cancelled" if result is None else "done"

    def _task(self, name: str) -> dict[str, Any]:
        chance = self._chance
        pieces = chance.choice([1, 5, 40, 400])
        nested = chance.random() < SHARE_OF_NESTED
        return {
            "name": name,
            "pieces": pieces,
            "pause_s": chance.choice([0, 0, 0.001]),
            "crash_at": chance.randrange(pieces) if chance.random() < SHARE_OF_CRASHES else -1,
            "key": f"key-{name}" if chance.random() < SHARE_OF_STORED else "",
            "ask": chance.choice(self._records).name,
            "nested": self._task(f"{name}n") if nested else None,
        }

    async def _nested(self, call: ServiceCall) -> PromptResult:
        """Answer `host/prompt` by another plugin; grants and models are not what is tried here."""
        assert self._supervisor is not None
        record = next(record for record in self._records if record.name == call.params.model)
        params: Params = PromptParams(model="soaked", messages=call.params.messages)
        deadline = Deadline().nested(call.remaining_s())
        opened = self._supervisor.call(record, "model/prompt", params, deadline=deadline, origin=call)
        async with opened as inner:
            async for items in inner:
                await call.send(items)
        return inner.result or PromptResult(finish="cancelled")

    # -- trouble ---------------------------------------------------------------------------------------------

    async def _kill_plugins(self) -> None:
        """Kill a process of a plugin now and then: the plugin, its keeper, or what stands around them."""
        while True:
            await anyio.sleep(self._chance.uniform(*KILL_EVERY_S))
            found = descendants(os.getpid())
            if found:
                try:
                    os.kill(self._chance.choice(found), signal.SIGKILL)
                except ProcessLookupError:
                    continue
                self.count.kills += 1

    async def _weigh(self, began: float) -> None:
        while True:
            gc.collect()
            self.count.memory.append((time.monotonic() - began, _resident_bytes()))
            await anyio.sleep(max(0.25, self._seconds / 60))


def _record(name: str, folder: Path) -> PluginRecord:
    here = Environment.current()
    return PluginRecord(
        name=name,
        dist=name,
        version="1.0",
        target="soaked",
        location=str(folder),
        python=here.python,
        folders=(*here.folders, ("path", str(folder))),
        code=here.code,
        key=name,
    )


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _held() -> tuple[int, int]:
    """How many child processes and descriptors this process has."""
    return len(children(os.getpid())), len(list(Path("/proc/self/fd").iterdir()))


def _prompt(task: dict[str, Any]) -> PromptParams:
    message = Message(role="user", parts=[TextPart(text=json.dumps(task))])
    return PromptParams(model="soaked", messages=[message])


def _expected(task: dict[str, Any]) -> str:
    """Give the whole answer that a task asks for."""
    pieces = "".join(f"{task['name']}:{number};" for number in range(task["pieces"]))
    stored = f"stored {task['name']};" if task["key"] else ""
    return pieces + stored + (_expected(task["nested"]) if task["nested"] else "")


def growth(memory: Sequence[tuple[float, int]]) -> int:
    """Give how much the highest weight of the last third is above that of the first (bytes)."""
    third = max(1, len(memory) // 3)
    return max(weight for _, weight in memory[-third:]) - max(weight for _, weight in memory[:third])


def judged(count: Count, before: tuple[int, int]) -> list[str]:
    """List all that is wrong, given how many processes and descriptors there were before."""
    wrong = list(count.wrong)
    if count.asked != sum(count.ended.values()):
        wrong.append(f"{count.asked} calls have {sum(count.ended.values())} ends")
    left = _held()
    if left != before:
        wrong.append(f"processes and descriptors: {before} before, {left} after")
    if growth(count.memory) > GROWTH_BYTES:
        wrong.append(f"the host has grown by {growth(count.memory):,} bytes")
    if not count.ended["done"] or not count.kills:
        wrong.append("nothing was tried: no call was answered, or nothing was killed")
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print what came of it, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}, {options.minutes:g} minutes", flush=True)
    before = _held()
    with tempfile.TemporaryDirectory(prefix="cellwall-soak-", ignore_cleanup_errors=True) as folder:
        soak = Soak(Path(folder), options.minutes * 60, random.Random(options.seed))
        anyio.run(soak.run)
        count = soak.count
        wrong = judged(count, before)
    print(f"{count.asked:,} calls, {count.kills:,} kills")
    for kind, number in count.ended.most_common():
        print(f"  {kind:20} {number:,}")
    weights = [weight for _, weight in count.memory]
    print(f"memory of the host: {min(weights):,} to {max(weights):,} bytes, growth {growth(count.memory):,}")
    for sentence in wrong[:20]:
        print(f"WRONG: {sentence}")
    print("nothing was lost or doubled" if not wrong else f"{len(wrong)} things are wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
