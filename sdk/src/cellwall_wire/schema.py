"""What the documents take from the code: the JSON Schema of every message, and the tables of `protocol.md`.

`python -m cellwall_wire.schema` prints the schema. Not imported by the package itself, so that it costs
nothing.
"""

from __future__ import annotations

import inspect
import json
from typing import Any

import msgspec

from ._codes import Code
from ._limits import PROTOCOL
from ._messages import ErrorInfo
from ._methods import METHODS
from ._params import CancelParams, CreditParams, ProgressParams
from ._states import CALL, CONNECTION, CallState, State

__all__ = ["errors_table", "json_schema", "method_table", "state_table"]

_NOTIFICATIONS: dict[str, type[msgspec.Struct]] = {
    "$/cancel": CancelParams,
    "$/credit": CreditParams,
    "$/progress": ProgressParams,
}


def json_schema() -> dict[str, Any]:
    """Give one JSON Schema (2020-12) document.

    Returns:
        `$defs` holds every type; `methods` maps each method to its params, result, items and input items;
        `notifications` the rest.
    """
    rows = list(METHODS.values())
    types: list[Any] = [t for row in rows for t in (row.params, row.result)]
    streams = [kind for row in rows for kind in (row.item, row.input) if kind is not None]
    types += [*streams, ErrorInfo, *_NOTIFICATIONS.values()]
    schemas, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    for definition in definitions.values():
        if "description" in definition:  # only Python 3.13 has taken its indentation out
            definition["description"] = inspect.cleandoc(definition["description"])
    found = iter(schemas)
    table: dict[str, Any] = {}
    for row in rows:
        table[row.name] = {"params": next(found), "result": next(found)}
    for row in rows:
        if row.item is not None:
            table[row.name]["item"] = next(found)
        if row.input is not None:
            table[row.name]["input"] = next(found)
    error = next(found)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"The Cellwall plugin protocol, version {PROTOCOL}",
        "methods": table,
        "notifications": {name: next(found) for name in _NOTIFICATIONS},
        "error": error,
        "$defs": dict(sorted(definitions.items())),
    }
    ordered: dict[str, Any] = _ordered(document)
    return ordered


def _ordered(value: Any) -> Any:
    """Copy JSON with alternatives in an order of their own: msgspec's has changed from version to version."""

    def sort(members: dict[str, Any]) -> dict[str, Any]:
        if "anyOf" in members:
            members["anyOf"] = sorted(members["anyOf"], key=json.dumps)
        return members

    return json.loads(json.dumps(value), object_hook=sort)


def errors_table() -> str:
    """Give the table of error codes in Markdown."""
    lines = ["| code | kind | sent by | retryable | meaning |", "| --- | --- | --- | --- | --- |"]
    for code in Code:
        retry = "yes" if code.retryable else "no"
        lines.append(f"| {int(code)} | `{code.kind}` | {code.sender} | {retry} | {code.meaning} |")
    return "\n".join(lines)


def method_table() -> str:
    """Give the table of methods in Markdown."""
    lines = [
        "| method | caller | streams | repeatable | errors of its own | what |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in METHODS.values():
        caller = row.caller.value if row.caller else "either"
        errors = ", ".join(row.errors) or "–"
        streams = "both ways" if row.input else "yes" if row.item else "no"
        repeatable = "yes" if row.repeatable else "no"
        lines.append(f"| `{row.name}` | {caller} | {streams} | {repeatable} | {errors} | {row.summary} |")
    return "\n".join(lines)


def state_table(of: type[State | CallState]) -> str:
    """Give the table of one state machine in Markdown: `State` for the connection, `CallState` for a call."""
    table: dict[Any, dict[Any, Any]] = dict(CONNECTION) if of is State else dict(CALL)
    lines = ["| in state | who | does | next state |", "| --- | --- | --- | --- |"]
    for state, row in table.items():
        lines += [
            f"| {state.value} | {who.value} | {does.value} | {then.value} |"
            for (who, does), then in row.items()
        ]
        if not row:
            lines.append(f"| {state.value} | – | nothing more | – |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(  # noqa: T201 - this is what it is run for
        json.dumps(json_schema(), indent=2, ensure_ascii=False)
    )
