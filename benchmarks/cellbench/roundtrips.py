"""Rows about one question and one answer between processes that are running already."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cellbench.probes.trips import ONE_CORE
from cellbench.processes import Command, run_probe
from cellbench.rows import Budget, Experiment, Outcome, Row, Sample, interleave

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cellbench.bench import Bench

__all__ = ["EXPERIMENTS"]

_TWICE = Budget("ratio", 2.0)
_TENTH = Budget("ratio", 1 / 10)
_PING_PIPE = Row("trip-ping", "`ping` to a warm plugin", budgets=(_TWICE,), peer="bare pipe, same bytes")
_PING_MCP = Row("trip-ping-mcp", "the same", budgets=(_TENTH,), peer="MCP SDK `ping`")
_PING_CODE = Row("trip-ping-one-core", "the same, all on one core", peer="bare pipe, one core")
_PROMPT_PIPE = Row("trip-prompt", "an empty prompt to a warm plugin", peer="bare pipe, same bytes")
_PROMPT_MCP = Row("trip-prompt-mcp", "the same", budgets=(_TENTH,), peer="MCP SDK tool call")
_PROMPT_CODE = Row("trip-prompt-one-core", "the same, all on one core", peer="bare pipe, one core")

_PLUGIN = "bench-trivial-00"
_TRIPS = 5_000
_MCP_TRIPS = 1_000


def _per_unit(figures: Mapping[str, float]) -> Sample:
    return Sample(figures["unit_s"], figures["unit_cpu_s"], figures)


def _measure(kind: str, mcp_kind: str, rows: tuple[Row, Row, Row], bench: Bench) -> list[Outcome]:
    trips, mcp_trips = bench.times(_TRIPS, least=200), bench.times(_MCP_TRIPS, least=100)
    ours = bench.our_probe("kernel_trip", kind, _PLUGIN, str(trips), env="ours-fifty")
    sizes = run_probe(ours, _per_unit).facts
    request, response = str(int(sizes["request_bytes"])), str(int(sizes["response_bytes"]))
    commands: dict[str, Command] = {
        "ours": ours,
        "pipe": bench.our_probe("pipe_trip", request, response, str(4 * trips)),
        "mcp": bench.peer_probe("mcp_trip", mcp_kind, str(mcp_trips), env="mcp"),
    }
    for name in ("ours", "pipe"):
        commands[f"{name} one core"] = commands[name].with_env(**{ONE_CORE: "1"})
    contenders: dict[str, Callable[[], Sample]] = {
        name: partial(run_probe, command, _per_unit) for name, command in commands.items()
    }
    series = interleave(contenders, rounds=max(3, bench.rounds // 3))
    remark = f"{request} bytes there, {response} back"
    return [
        Outcome(rows[0], series["ours"], series["pipe"], remark),
        Outcome(rows[1], series["ours"], series["mcp"]),
        Outcome(rows[2], series["ours one core"], series["pipe one core"]),
    ]


_PING_ROWS = (_PING_PIPE, _PING_MCP, _PING_CODE)
_PROMPT_ROWS = (_PROMPT_PIPE, _PROMPT_MCP, _PROMPT_CODE)

EXPERIMENTS = [
    Experiment(_PING_ROWS, partial(_measure, "ping", "ping", _PING_ROWS)),
    Experiment(_PROMPT_ROWS, partial(_measure, "prompt", "tool", _PROMPT_ROWS)),
]
