"""`llm doctor`: what the sandbox of this machine holds, tried just now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import HELP_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwall_kernel.doctor import Finding, Report

__all__ = ["as_members", "doctor", "in_words"]

DEFAULT_MINIMUM = "PARTIAL"
TITLE_COLUMNS, VERDICT_COLUMNS = 32, 12


@click.command("doctor", context_settings=HELP_SETTINGS)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@pass_app
@click.pass_context
def doctor(context: click.Context, app: App, as_json: bool) -> None:
    """Try to get out of the sandbox, and say what it holds.

    Cells are started as plugins are, behind the same walls, and try what must be refused, on files, servers
    and a process that are made for it. What cannot be done without a wall either proves nothing and is "not
    tested". STRONG: all is refused. PARTIAL: files and network are, and what is missing is named. NONE: a
    plugin could do what you can.

    The exit code is 1 if that is less than the minimum in your settings ("sandbox": {"minimum": "STRONG"});
    without one, PARTIAL is enough.
    """
    from cellwall_kernel.config import load_config
    from cellwall_kernel.doctor import LEVELS

    minimum = load_config(app.paths).sandbox.get("minimum", DEFAULT_MINIMUM)
    report = examined(app)
    plugins = plugins_in_need(app)
    is_enough = LEVELS.index(report.level) >= [*LEVELS].index(minimum)  # type: ignore[arg-type]  # checked by `load_config`
    if as_json:
        members = as_members(report) | {"minimum": minimum, "is_enough": is_enough, "plugins": plugins}
        _output.print_json(members)
    else:
        for line in (*in_words(report), *plugins_in_words(plugins)):
            _output.line(line)
    if not is_enough:
        _output.note(f"The sandbox is {report.level}, and your settings want at least {minimum}.")
        context.exit(1)


def examined(app: App) -> Report:
    """Have the sandbox examined."""
    from cellwall_kernel.doctor import WINDOWS, Examination, has_examination

    if not has_examination():
        return WINDOWS
    from cellwall_kernel.cli._running import stoppable

    examination = Examination(app.paths)
    with stoppable() as stop:
        stop.kill = examination.kill_now
        return stop.run(examination.run)


def plugins_in_need(app: App) -> dict[str, list[dict[str, str]]]:
    """Return the plugins without a wall, and those that cannot start here, each with its cause."""
    from cellwall_kernel.catalogue import Catalogue
    from cellwall_kernel.confinement import confine
    from cellwall_kernel.errors import PluginError
    from cellwall_kernel.grants import Grants

    grants = Grants.load(app.paths)
    free: list[dict[str, str]] = []
    stuck: list[dict[str, str]] = []
    for entry in Catalogue.load(app.paths).entries.values():
        record = entry.record
        try:
            if record.problem is not None:
                stuck.append({"name": record.name, "cause": record.problem})
            elif grants.of(record).unsandboxed:
                free.append({"name": record.name, "cause": "you have granted it 'unsandboxed'"})
            else:
                confine(record, app.paths)
        except PluginError as error:
            stuck.append({"name": record.name, "cause": error.message})
    return {"unsandboxed": free, "cannot_start": stuck}


def as_members(report: Report) -> dict[str, Any]:
    """Return the members of a report in JSON; all of them are always there."""
    start = report.start
    return {
        "level": report.level,
        "missing": report.missing,
        "made_of": report.made_of,
        "mechanisms": report.mechanisms,
        "start_ms": None
        if start is None
        else {"bare": start.bare, "walled": start.walled, "wall": start.wall},
        "findings": [
            {
                "name": finding.name,
                "aspect": finding.aspect,
                "verdict": finding.verdict,
                "text": finding.text,
                "attempts": [
                    {"name": each.name, "verdict": each.verdict, "text": each.text} for each in finding.tried
                ],
            }
            for finding in report.findings
        ],
        "not_covered": list(report.not_covered),
        "advice": list(report.advice),
    }


def in_words(report: Report) -> Iterator[str]:
    """Give the lines of a report for people."""
    made_of = f" ({report.made_of})" if report.made_of else ""
    cost = f"   start +{max(0, report.start.wall):.0f} ms" if report.start is not None else ""
    yield f"sandbox: {report.level}{made_of}{cost}"
    for finding in report.findings:
        columns = (
            finding.title.ljust(TITLE_COLUMNS),
            word_for(finding).ljust(VERDICT_COLUMNS),
            remark(finding),
        )
        yield f"  {''.join(columns)}".rstrip()
    for aspect, cause in report.missing.items():
        yield f"  missing: {aspect}; {cause}"
    for sentence in report.not_covered:
        yield f"  not covered: {sentence}"
    for sentence in report.advice:
        yield f"  advice: {sentence}"


def word_for(finding: Finding) -> str:
    """Return the verdict of a line, for people."""
    return {"open": "NOT REFUSED", "untested": "not tested", "broken": "BROKEN"}.get(
        finding.verdict, finding.verdict
    )


def remark(finding: Finding) -> str:
    """Say what was tried, in one line."""
    kinds = {
        "open": "succeeded: ",
        "broken": "failed: ",
        "refused": "refused: ",
        "works": "works: ",
        "untested": "not tested: ",
    }
    parts: list[str] = []
    for verdict, beginning in kinds.items():
        words = [each.words for each in finding.tried if each.verdict == verdict]
        if words:
            is_said = verdict == finding.verdict and verdict != "open"
            parts.append(f"{'' if is_said else beginning}{', '.join(words)}")
    return "; ".join([*parts, *([finding.text] if finding.text else [])])


def plugins_in_words(plugins: dict[str, list[dict[str, str]]]) -> Iterator[str]:
    """Give the lines about plugins that the sandbox does not hold, or keeps from starting."""
    for plugin in plugins["unsandboxed"]:
        yield f"  without a wall: '{plugin['name']}', for {plugin['cause']}"
    for plugin in plugins["cannot_start"]:
        yield f"  cannot start: {plugin['cause']}"
