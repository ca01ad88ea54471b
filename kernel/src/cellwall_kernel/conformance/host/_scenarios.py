"""The scenarios: how the host is run for each, how that must end, and which checks it shows.

The probe has a function for each of them, of the same name.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["ATTACHED", "FOLDER", "GREETING", "KEY", "SCENARIOS", "Scenario", "Step"]

FOLDER = "outside-the-cell"
"""Where the attached files are; the probe looks for the name."""

ATTACHED = {"small.txt": b"a small attachment", "large.bin": b"0123456789abcdef" * 131_072}

GREETING = "the probe was here"
"""What the probe answers."""

KEY = "sk-probe-7c1d5e2f9a"
"""The key that it is granted."""

Ends = Literal["answer", "error", "any"]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One command.

    Args:
        arguments: of the command line.
        ends: with exit code 0 and the probe's answer, with another exit code and a sentence, or either way.
        says: what must stand in its output, wherever.
        never: what may not.
        mode: "plain"; on a "terminal"; "interrupt": Ctrl-C when the probe says "slow"; "stalled": its
            output is read when the probe says that it has stopped.
    """

    arguments: tuple[str, ...] = ("-m", "probe", "hello")
    ends: Ends = "answer"
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    mode: Literal["plain", "terminal", "interrupt", "stalled"] = "plain"


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One behaviour of the probe.

    Args:
        name: what the probe is started with.
        shows: the checks about which it must find something; how the steps end counts for all of them.
        steps: commands, in their order.
        before: commands that prepare the user folder.
    """

    name: str
    shows: tuple[str, ...]
    steps: tuple[Step, ...] = (Step(),)
    before: tuple[tuple[str, ...], ...] = ()


def _scenario(name: str, *shows: str, ends: Ends = "answer", says: tuple[str, ...] = ()) -> Scenario:
    return Scenario(name=name, shows=shows, steps=(Step(ends=ends, says=says),))


PROMPT = ("-m", "probe")

CALM = (
    _scenario("plain", "plain"),
    _scenario("hello", "hello-strange", "not-initialized", "shutdown", "shutdown-refuses", "shutdown-closes"),
    _scenario("unknown-things", "unknown-things", "unknown-method"),
    _scenario("framing", "framing", "carriage-return"),
    _scenario("longest-line", "longest-line"),
    _scenario("surrogates", "lone-surrogate", "surrogate-replaced"),
    _scenario("junk", "junk-tolerated"),
    _scenario("stray-ids", "stray-ids"),
    _scenario("credit", "credit-by-half", "credit-flows"),
    Scenario(name="stalled", shows=("credit-stalls", "reads-on"), steps=(Step(mode="stalled"),)),
    _scenario("busy", "ping"),
    _scenario("batch", "batches"),
    _scenario("odd-ids", "odd-ids"),
    Scenario(name="stderr", shows=("stderr-drained",), steps=(Step(never=("from the log",)),)),
    _scenario("unopened-part", "unopened-part"),
    _scenario("parents", "no-parent", "bad-params", "ping-plain"),
    _scenario("services", "services-refused"),
    _scenario("store", "store", "store-limits"),
    Scenario(
        name="keys",
        shows=("keys-given", "keys-refused", "keys-elsewhere", "keys-not-written"),
        before=(("keys", "set", "probe-key", "--value", KEY), ("plugins", "grant", "probe", "key=probe-key")),
        steps=(Step(arguments=("--trace-plugins", "{folder}/trace.jsonl", *PROMPT, "hello"), never=(KEY,)),),
    ),
    Scenario(
        name="chain",
        shows=("chain", "chain-whole", "chain-system", "provider-data", "describe-rarely"),
        steps=(
            Step(arguments=(*PROMPT, "-s", "Be brief.", "one")),
            Step(arguments=("-c", "-s", "Be brief.", "two")),
        ),
    ),
    Scenario(
        name="attachments",
        shows=("attachments", "attachments-no-path"),
        steps=(
            Step(
                arguments=(
                    *PROMPT,
                    *("--at", f"{{folder}}/{FOLDER}/small.txt", "text/plain"),
                    *("--at", f"{{folder}}/{FOLDER}/large.bin", "application/octet-stream"),
                    "hello",
                )
            ),
        ),
    ),
    Scenario(name="terminal", shows=("terminal",), steps=(Step(mode="terminal", never=("\x1b]0;", "\x07")),)),
)

FAILING = (
    _scenario("error-after-items", "partial-answer", ends="error", says=(GREETING, "model has failed")),
    _scenario("unknown-error", "unknown-error", ends="error", says=("failed in a new way",)),
    Scenario(
        name="options",
        shows=("options", "option-refusal"),
        steps=(
            Step(
                arguments=(
                    *PROMPT,
                    *("-o", "probe_number", "0x10", "-o", "probe_flag", "true", "-o", "probe_text", ""),
                    "hello",
                ),
                ends="error",
                says=("no number that the probe likes",),
            ),
        ),
    ),
    Scenario(
        name="poor",
        shows=("capabilities",),
        steps=(
            Step(),
            Step(arguments=(*PROMPT, "-s", "Be brief.", "hello"), ends="error"),
            Step(arguments=(*PROMPT, "--schema", '{"type":"object"}', "hello"), ends="error"),
            Step(
                arguments=(*PROMPT, "--at", f"{{folder}}/{FOLDER}/small.txt", "text/plain", "x"), ends="error"
            ),
            Step(arguments=("-c", *PROMPT, "again"), ends="error"),
        ),
    ),
    Scenario(
        name="progress",
        shows=("deadline",),
        steps=(Step(arguments=(*PROMPT, "--timeout", "2", "hello"), ends="error"),),
    ),
    Scenario(
        name="cancel",
        shows=("cancel", "cancelled-parent", "own-session"),
        steps=(Step(mode="interrupt", ends="error"),),
    ),
    Scenario(name="overrun", shows=("credit-overrun",), steps=(Step(mode="stalled", ends="error"),)),
    _scenario("wrong-seq", "data-gap", ends="error"),
    _scenario("repeated-seq", "data-again", ends="error"),
    _scenario("late-data", "data-late", ends="any"),
    _scenario("wrong-count", "items-count", ends="error"),
    _scenario("twice", "second-answer", ends="any"),
    _scenario("reused-id", "reused-id", ends="error"),
    _scenario("junk-lines", "junk-lines", ends="error"),
    _scenario("junk-bytes", "junk-bytes", ends="error"),
    _scenario("long-line", "line-cap", ends="error"),
    _scenario("host-code", "host-code", ends="error"),
    _scenario("crash", "crash-told", "asked-once", ends="error", says=(GREETING, "43")),
    _scenario("other-version", "version-other", ends="error"),
    _scenario("refusal", "version-refused", ends="error", says=("upgrade", "99")),
    _scenario("long-hello", "hello-cap", ends="error"),
    _scenario("unloadable", "load-error", ends="error", says=("lost its needle",)),
    _scenario("closes-output", "output-closed", ends="error", says=(GREETING,)),
)

SLOW = (
    _scenario("silent", "hello-deadline", ends="error"),
    Scenario(
        name="deaf", shows=("cancel-ladder", "ladder-kill"), steps=(Step(mode="interrupt", ends="error"),)
    ),
    _scenario("lingers", "ladder-term", "ladder-kill", ends="any"),
)

SCENARIOS: tuple[Scenario, ...] = (*SLOW, *CALM, *FAILING)
"""The slow ones first, so that the others run beside them."""
