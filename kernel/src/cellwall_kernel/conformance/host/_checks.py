"""The table of checks: one for each thing that `protocol.md` asks of a host and that a plugin can see.

An id never gets another meaning. Which scenario shows it stands in `_scenarios`; what is watched in every
line of every scenario comes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwall_kernel.conformance._types import Check

if TYPE_CHECKING:
    from cellwall_kernel.conformance._types import Level

__all__ = ["CHECKS", "WATCHED"]


def _check(name: str, rules: str, what: str, advice: str, level: Level = "MUST") -> Check:
    return Check(id=name, rules=tuple(rules.split()), what=what, advice=advice, level=level)


WATCHED = (
    _check(
        "first-line",
        "P-30 P-31 P-80",
        "The first line is `initialize` with a list of whole numbers and the host's name and version.",
        "Send nothing before it, and put 1 into `protocols`.",
    ),
    _check(
        "limits-told",
        "P-11 P-44",
        "`initialize` tells `limits.line` and `limits.data_line`.",
        "Tell the sizes that you keep.",
    ),
    _check(
        "frames",
        "P-10 P-14 P-20",
        "Each line is one JSON object in UTF-8, within the limit, with `jsonrpc` and what its kind needs.",
        "Write each message with one call of a JSON encoder that refuses NaN and lone surrogates.",
    ),
    _check("ids", "P-21", "Ids are h1, h2, …, never reused.", "Count."),
    _check(
        "waits-for-hello",
        "P-33",
        "Before `initialize` is answered the host asks nothing else.",
        "Wait for the answer; it makes the connection ready.",
    ),
    _check(
        "shutdown-last", "P-36", "After `shutdown` the host sends no request.", "Keep a state and refuse it."
    ),
    _check(
        "one-at-a-time",
        "P-57",
        "A plugin that says nothing else has one prompt at a time.",
        "Let other calls wait in the host.",
    ),
    _check(
        "credit-first",
        "P-42 P-43",
        "A prompt comes with credit for two of the longest data lines.",
        "Put it into `meta.credit`.",
    ),
    _check(
        "credit-consumed",
        "P-43",
        "The credit that is out is never more than the first one: more is granted for what was consumed.",
        "Grant what the consumed items have cost, to the byte.",
    ),
    _check("deadline-told", "P-24 P-50", "A prompt tells its deadline.", "Put it into `meta.timeout_ms`."),
    _check(
        "one-answer", "P-22", "Each request of the plugin gets exactly one answer.", "Answer in one place."
    ),
    _check(
        "errors",
        "P-70",
        "An error has a code that is valid on the wire and a sentence.",
        "Keep the codes from 5000 to 5999 to yourself.",
    ),
    _check(
        "environment",
        "P-3 P-67",
        "A variable that was not granted is not visible, a key's variable neither.",
        "Build the plugin's environment from nothing.",
    ),
    _check(
        "lets-go",
        "P-4 P-6",
        "When the answer has come, the plugin's input ends; a signal is only for one that stays.",
        "Close its input first, and wait.",
    ),
)

READING = (
    _check("plain", "P-40 P-41", "A prompt is answered.", "Begin here: nothing else can be right."),
    _check(
        "hello-strange",
        "P-13 P-12 P-34",
        "A strange but legal answer to `initialize` is taken.",
        "Take the members that you know, and skip blank lines.",
    ),
    _check(
        "not-initialized",
        "P-33",
        "A request before `initialize` is answered is refused with 1001.",
        "Keep a state.",
    ),
    _check(
        "unknown-things",
        "P-13",
        "Unknown members, notifications, items and words are ignored.",
        "Look only at what you know.",
    ),
    _check("unknown-method", "P-13", "An unknown method is answered with -32601.", "Answer it."),
    _check(
        "unknown-error",
        "P-13 P-70",
        "An error with an unknown code and kind is told to the user in its own words.",
        "Show its sentence.",
    ),
    _check(
        "framing",
        "P-10 P-12",
        "Bytes in pieces, carriage returns and blank lines are read.",
        "Collect bytes until the newline, and decode whole lines.",
    ),
    _check(
        "carriage-return",
        "P-10",
        "A request that ends in a carriage return is answered.",
        "Let the JSON parser skip it.",
    ),
    _check("longest-line", "P-11", "A line of `limits.line` bytes is read.", "Count without the newline."),
    _check(
        "line-cap",
        "P-11",
        "A longer line stops the plugin, and is not collected to its end.",
        "Look at the size of what has no newline yet.",
    ),
    _check(
        "hello-cap",
        "P-11",
        "An answer to `initialize` of more than 65,536 bytes is not taken.",
        "Begin with the small limit.",
    ),
    _check(
        "lone-surrogate",
        "P-14",
        "A lone surrogate is survived.",
        "Have a second way for lines that a strict decoder refuses.",
    ),
    _check(
        "surrogate-replaced",
        "P-14",
        "A lone surrogate becomes U+FFFD.",
        "Replace it when you decode.",
        "SHOULD",
    ),
    _check("junk-tolerated", "P-15", "100 lines of junk are logged and skipped.", "Log them and go on."),
    _check("junk-lines", "P-15", "More than 100 lines of junk stop the plugin.", "Count."),
    _check("junk-bytes", "P-15", "More than 65,536 bytes of junk stop the plugin.", "Add up."),
    _check(
        "batches",
        "P-16",
        "An array is refused with -32600 and an `id` of null.",
        "Answer it once, whatever it holds.",
    ),
    _check(
        "odd-ids",
        "P-21",
        "A request with another kind of id is refused with -32600.",
        "Look at the id first.",
    ),
    _check("reused-id", "P-21", "A reused id ends the connection.", "Remember the highest."),
    _check(
        "stray-ids",
        "P-22 P-52",
        "What is about an id that was never used is ignored.",
        "Look it up, and drop it.",
    ),
    _check(
        "reads-on",
        "P-23 P-48",
        "The host reads and answers while nobody reads its output.",
        "Never wait in the reader.",
    ),
    _check("ping", "P-48", "`ping` is answered at once, also during an answer.", "Answer it in the reader."),
    _check("ping-plain", "P-48 P-51", "`ping` needs no parent.", "Answer it before you look at `meta`."),
    _check(
        "stderr-drained",
        "P-1",
        "Standard error is drained, and never read as protocol.",
        "Read it at all times.",
    ),
)

STREAMS = (
    _check(
        "credit-by-half", "P-43", "More credit comes at the latest when half is consumed.", "Grant it then."
    ),
    _check(
        "credit-flows",
        "P-42 P-43",
        "An answer of three times the credit gets through.",
        "Grant what is consumed.",
    ),
    _check(
        "credit-stalls",
        "P-43",
        "When nobody reads the output, no more credit comes.",
        "Grant for what was consumed, not for what was read.",
    ),
    _check(
        "credit-overrun", "P-42", "Data beyond the credit ends the connection.", "Count what each line costs."
    ),
    _check(
        "data-gap",
        "P-40",
        "Data with a number left out ends the connection.",
        "Compare `seq` with the one that must come.",
    ),
    _check(
        "data-again",
        "P-40",
        "Data with a number used twice ends the connection.",
        "Compare `seq` with the one that must come.",
    ),
    _check(
        "data-late", "P-40", "Data after the response ends the connection.", "Remember which calls are done."
    ),
    _check(
        "items-count",
        "P-41",
        "A wrong number of items ends the connection.",
        "Compare `items` with what arrived.",
    ),
    _check(
        "second-answer", "P-22", "A second response ends the connection.", "Remember which calls are done."
    ),
    _check("unopened-part", "P-63", "A delta for a part that was not opened is text.", "Open it."),
    _check(
        "partial-answer",
        "P-53",
        "What arrived before an error is shown.",
        "Show what arrives when it arrives.",
    ),
    _check(
        "cancel",
        "P-46",
        "When the user stops the answer, the call is cancelled.",
        "Send `$/cancel` and wait.",
    ),
    _check(
        "cancelled-parent",
        "P-51",
        "A call for a cancelled call is refused with 1007.",
        "Look at the parent's state.",
    ),
    _check(
        "cancel-ladder",
        "P-46 P-6",
        "A plugin that does not answer `$/cancel` is told to end after 2 s.",
        "Wait for the answer as long as the ladder says.",
    ),
    _check(
        "deadline",
        "P-50 P-49",
        "At the deadline the call is cancelled; progress moves nothing.",
        "Keep one clock for each call.",
    ),
)

ENDS = (
    _check(
        "own-session",
        "P-3",
        "Ctrl-C at the host's terminal does not reach the plugin.",
        "Start it in a session of its own.",
    ),
    _check(
        "shutdown",
        "P-36",
        "A plugin that says `needs_shutdown` is sent `shutdown`.",
        "Ask before you close its input.",
    ),
    _check(
        "shutdown-refuses", "P-36", "A request that crosses `shutdown` is refused with 1009.", "Keep a state."
    ),
    _check(
        "shutdown-closes", "P-36 P-4", "When `shutdown` is answered the plugin's input ends.", "Close it."
    ),
    _check(
        "ladder-term",
        "P-6",
        "A plugin that stays after the end of its input gets SIGTERM after 2 s.",
        "Climb the ladder.",
    ),
    _check("ladder-kill", "P-6", "A plugin that ignores SIGTERM is killed after 2 s.", "Climb the ladder."),
    _check("output-closed", "P-6", "A plugin that closes its output is ended.", "Watch for the end of it."),
    _check(
        "hello-deadline",
        "P-34",
        "A plugin that does not answer `initialize` is given up after 10 s.",
        "Keep a clock.",
    ),
    _check(
        "version-other",
        "P-30 P-32",
        "An answer with a version that was not offered is refused.",
        "Look at `protocol`.",
    ),
    _check(
        "version-refused",
        "P-32",
        "Error 1002 is told to the user, with which side is too old.",
        "Compare `supported` with yours.",
    ),
    _check(
        "load-error", "P-34", "`load_error` is told to the user, and nothing is asked.", "Show its message."
    ),
    _check(
        "crash-told",
        "P-5",
        "A crash is told by exit code, and what arrived is shown.",
        "Collect the exit code.",
    ),
    _check(
        "asked-once",
        "P-54",
        "A prompt that a plugin has read is not asked again.",
        "Repeat only what is repeatable.",
    ),
    _check(
        "host-code",
        "P-70",
        "An error with a code of the host's own is not taken for one.",
        "Take it as a broken answer.",
    ),
)

SERVICES = (
    _check("no-parent", "P-51", "A call that names no open call is refused with 1007.", "Look it up."),
    _check("bad-params", "P-20 P-70", "Parameters of the wrong kind are refused with -32602.", "Check them."),
    _check("keys-given", "P-67", "A key that is declared and granted is given.", "Look at the grant."),
    _check(
        "keys-refused",
        "P-67",
        "Any other key is refused with 4001, whether it is there or not.",
        "Look at the grant first.",
    ),
    _check("keys-elsewhere", "P-67", "A key stands in no other line.", "Give it only when it is asked for."),
    _check(
        "keys-not-written",
        "P-67 P-90",
        "A key stands in no file but the one that keeps it.",
        "Take it out of logs and traces.",
    ),
    _check(
        "services-refused",
        "P-69",
        "`host/prompt` and `user/ask` need a grant; else 4001.",
        "Look at the grant first.",
    ),
    _check("store", "P-72", "A value is kept, given back and forgotten.", "Keep it by plugin and key."),
    _check(
        "store-limits", "P-72", "Too long a key or value is refused with 1008.", "Measure before you keep."
    ),
)

CONTENTS = (
    _check(
        "chain",
        "P-61",
        "The system prompt is the first message, and the last is the user's.",
        "Build it anew for each prompt.",
    ),
    _check(
        "chain-whole",
        "P-61",
        "A prompt carries the whole conversation, oldest first.",
        "Read it from your log.",
    ),
    _check("chain-system", "P-61", "The system prompt is there in later prompts, too.", "Put it first."),
    _check("provider-data", "P-60", "`provider` comes back unchanged.", "Keep it as it came."),
    _check(
        "attachments",
        "P-62",
        "An attachment's bytes come in `data`, or in a file of `dirs.scratch`.",
        "Copy large ones there.",
    ),
    _check(
        "attachments-no-path", "P-62", "No path outside the plugin's folders is sent.", "Send a name at most."
    ),
    _check("options", "P-64", "Options come as the user wrote them, as strings.", "Do not convert them."),
    _check(
        "option-refusal",
        "P-64",
        "What the plugin says of an option is told to the user.",
        "Show its sentence.",
    ),
    _check(
        "capabilities",
        "P-65",
        "A model is not sent what it does not support; the user is told before.",
        "Look at `supports` and `input`.",
    ),
    _check(
        "describe-rarely",
        "P-66",
        "A plugin is not asked to describe itself for each prompt.",
        "Keep the answer.",
    ),
    _check("terminal", "P-91", "Control characters of a plugin do not reach the terminal.", "Replace them."),
)

CHECKS: tuple[Check, ...] = (*WATCHED, *READING, *STREAMS, *ENDS, *SERVICES, *CONTENTS)
