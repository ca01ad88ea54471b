"""Scripted plugins under a real supervisor, whose `host/prompt` asks them by name."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from cellwall_kernel.discovery import PluginRecord, discover
from cellwall_kernel.session import Call, Deadline, ServiceCall
from cellwall_kernel.supervisor import Supervisor
from cellwall_wire import Delta, Message, PromptParams, PromptResult, TextPart
from tests.children.kit import environment_of, install

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cellwall_kernel.paths import Paths

PATIENCE_S = 40.0
"""How long a test waits for anything (seconds); long, because machines are busy."""

SOURCE = Path(__file__).with_name("scripted.py").read_text("utf-8")

Steps = list[Any]


def scripted(site: Path, name: str, concurrency: int = 1, *, reentrant: bool = False) -> PluginRecord:
    """Install a scripted plugin, as one in another language is."""
    words = ["python3", "./scripted.py", str(concurrency), *(["reentrant"] if reentrant else [])]
    files = {
        f"{name}/__init__.py": "",
        f"{name}/plugin.toml": f"command = {json.dumps(words)}\n",
        f"{name}/scripted.py": SOURCE,
    }
    install(site, f"zoo-{name}", files, points={name: name})
    return next(record for record in discover(environment_of(site)) if record.name == name)


def asking(name: str, steps: Steps) -> PromptParams:
    """Return a prompt for a scripted plugin."""
    text = json.dumps(steps)
    return PromptParams(model=name, messages=[Message(role="user", parts=[TextPart(text=text)])])


class Stage:
    """Plugins by name, and a supervisor that calls them.

    Args:
        supervisor: calls them.
        records: the plugins.
    """

    def __init__(self, supervisor: Supervisor, records: dict[str, PluginRecord]) -> None:
        self.supervisor = supervisor
        self._records = records

    def call(
        self, name: str, steps: Steps, *, total_s: float = PATIENCE_S, origin: ServiceCall | None = None
    ) -> Any:
        """Begin a call, as an async context manager."""
        return self.supervisor.call(
            self._records[name],
            "model/prompt",
            asking(name, steps),
            deadline=Deadline(total_s=total_s),
            origin=origin,
        )

    async def text(self, name: str, steps: Steps, *, total_s: float = PATIENCE_S) -> str:
        """Prompt a plugin and return what it said."""
        async with self.call(name, steps, total_s=total_s) as call:
            return await text_of(call)

    async def busy(self, name: str) -> None:
        """Wait until a plugin has a call."""
        pool = self.supervisor._pool
        assert pool is not None
        while not any(berth.record.name == name and berth.lane.taken for berth in pool._all()):
            await anyio.lowlevel.checkpoint()

    async def nested(self, call: ServiceCall) -> PromptResult:
        """Answer `host/prompt`."""
        steps = json.loads(call.params.messages[-1].parts[0].text)
        async with self.call(call.params.model, steps, origin=call) as inner:
            async for items in inner:
                await call.send(items)
        result: PromptResult = inner.result
        return result


async def text_of(call: Call) -> str:
    """Return the text of an answer."""
    found = ""
    async for items in call:
        found += "".join(item.text for item in items if isinstance(item, Delta))
    return found


@asynccontextmanager
async def staged(
    paths: Paths, *records: PluginRecord, idle_stop_s: float | None = None
) -> AsyncGenerator[Stage]:
    """Put plugins on a stage; nothing of it may take forever."""
    stages: list[Stage] = []

    async def nested(call: ServiceCall) -> PromptResult:
        return await stages[0].nested(call)

    with anyio.fail_after(PATIENCE_S):
        async with Supervisor(paths, services={"host/prompt": nested}, idle_stop_s=idle_stop_s) as supervisor:
            stages.append(Stage(supervisor, {record.name: record for record in records}))
            yield stages[0]
