"""Turns outcomes into the table on the terminal, the JSON file, and the section of the README."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cellbench.rows import Budget, Outcome, Series, Unit

__all__ = ["HEADERS", "cells", "markdown", "terminal_table", "write_json", "write_readme"]

HEADERS = ("row", "what", "ours", "peer", "ratio or +", "CPU ratio", "budget", "met")
_ROOT = Path(__file__).resolve().parents[2]
_BEGIN, _END = "<!-- results: begin -->", "<!-- results: end -->"
_MET = {True: "yes", False: "NO", None: "–"}


def cells(outcome: Outcome) -> tuple[str, ...]:
    """The texts of an outcome's line, in the order of HEADERS."""
    row = outcome.row
    if outcome.ours is None:
        missing = f"not measured: {outcome.remark}"
        return (row.name, row.title, missing, row.peer, "", "", _budgets(outcome), "–")
    return (
        row.name,
        row.title,
        _series(outcome.ours, row.unit),
        f"{_series(outcome.peer, row.unit)} {row.peer}" if outcome.peer else "–",
        _comparison(outcome),
        _ratio(outcome.cpu_ratio) if outcome.cpu_ratio else "–",
        _budgets(outcome),
        _MET[outcome.is_met],
    )


def terminal_table(outcomes: Sequence[Outcome]) -> str:
    """The table for people: one block of aligned columns, remarks below it."""
    lines = [HEADERS, *map(cells, outcomes)]
    shown = [line if line[2][:3] != "not" else (*line[:2], "not measured", *line[3:]) for line in lines]
    widths = [max(len(line[column]) for line in shown) for column in range(len(HEADERS))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in shown
    ]
    text.insert(1, "  ".join("-" * width for width in widths))
    text += [f"{outcome.row.name}: {outcome.remark}" for outcome in outcomes if outcome.remark]
    return "\n".join(text)


def markdown(outcomes: Sequence[Outcome]) -> str:
    """The table for the README."""
    lines = [HEADERS, tuple("---" for _ in HEADERS), *map(cells, outcomes)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def write_json(file: Path, outcomes: Sequence[Outcome], about: dict[str, Any]) -> None:
    """Write every sample of every row."""
    rows = [_as_data(outcome) for outcome in outcomes]
    file.write_text(json.dumps({"about": {**about, **_about_platform()}, "rows": rows}, indent=1) + "\n")


def write_readme(file: Path, outcomes: Sequence[Outcome], about: dict[str, Any]) -> None:
    """Replace the results in the README by these.

    Raises:
        ValueError: the README has lost the marks between which the results stand.
    """
    text = file.read_text()
    head, begin, rest = text.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{file.name} has no {_BEGIN} ... {_END}")
    where = _about_platform()
    caption = (
        f"Cellwall {about['version']}, {where['python']}, {where['system']}, {where['cores']} cores; "
        f"median (lowest–highest) of {about['rounds']} rounds."
    )
    if about["is_busy"]:
        caption += (
            f" **The machine was busy with other work (load {about['load_before']:.1f} at the start): do not "
            "believe times and differences of milliseconds; CPU times say more.**"
        )
    remarks = "\n".join(f"- `{o.row.name}`: {o.remark}" for o in outcomes if o.remark and o.ours)
    results = f"{caption}\n\n{markdown(outcomes)}\n\n{remarks}\n".replace(f"{_ROOT}/", "")  # of this machine
    file.write_text(f"{head}{begin}\n{results}{end}{tail}")


def _about_platform() -> dict[str, Any]:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return {"python": python, "system": platform.system(), "cores": os.cpu_count()}


def _as_data(outcome: Outcome) -> dict[str, Any]:
    row = outcome.row
    return {
        "name": row.name,
        "title": row.title,
        "unit": row.unit,
        "peer_name": row.peer,
        "budgets": _budgets(outcome),
        "met": outcome.is_met,
        "ratio": median(outcome.ratios) if outcome.ratios else None,
        "cpu_ratio": outcome.cpu_ratio,
        "remark": outcome.remark,
        "ours": _samples(outcome.ours),
        "peer": _samples(outcome.peer),
    }


def _samples(series: Series | None) -> list[dict[str, Any]]:
    if series is None:
        return []
    return [
        {"value": s.value, "cpu_s": s.cpu_s, **({"facts": dict(s.facts)} if s.facts else {})}
        for s in series.samples
    ]


def _budgets(outcome: Outcome) -> str:
    return "; ".join(_budget(outcome, budget) for budget in outcome.row.budgets) or "–"


def _budget(outcome: Outcome, budget: Budget) -> str:
    sign = "≥" if budget.at_least else "≤"
    if budget.subject == "ratio":
        return f"{sign} {_ratio(budget.limit)}"
    plus = "+" if budget.subject == "difference" else ""
    return f"{sign} {plus}{_FORMATS[outcome.row.unit](budget.limit)}"


def _comparison(outcome: Outcome) -> str:
    if outcome.row.shows == "difference":
        form = _FORMATS[outcome.row.unit]
        return _spread(outcome.differences, lambda value: f"{'+' if value >= 0 else ''}{form(value)}")
    return _spread(outcome.ratios, _ratio) if outcome.ratios else "–"


def _series(series: Series, unit: Unit) -> str:
    return _spread(series.values, _FORMATS[unit])


def _spread(values: Sequence[float], form: Callable[[float], str]) -> str:
    return f"{form(median(values))} ({form(min(values))}–{form(max(values))})"


def _ratio(ratio: float) -> str:
    return f"1/{1 / ratio:.3g}" if 0 < ratio <= _AS_A_FRACTION else f"{ratio:.2f}"


def _seconds(value: float) -> str:
    unit, per_s = next((unit, per_s) for least, unit, per_s in _TIME_UNITS if abs(value) >= least)
    number = abs(value) * per_s
    return f"{'-' if value < 0 else ''}{number:.{0 if number >= _NO_DECIMALS else 2}f} {unit}"


def _mebibytes(value: float) -> str:
    return f"{value / (1 << 20):.1f} MiB"


def _rate(value: float) -> str:
    return f"{value:,.0f}/s"


def _megabytes_per_second(value: float) -> str:
    return f"{value / 1e6:,.0f} MB/s"


_AS_A_FRACTION = 0.5
"""Ratios up to this read better as 1/n."""

_TIME_UNITS = ((1.0, "s", 1.0), (1e-3, "ms", 1e3), (1e-6, "µs", 1e6), (0.0, "ns", 1e9))
_NO_DECIMALS = 10
_FORMATS: dict[Unit, Callable[[float], str]] = {
    "s": _seconds,
    "bytes": _mebibytes,
    "per second": _rate,
    "bytes per second": _megabytes_per_second,
}
