"""The conformance run: what `protocol.md` asks of a plugin, tried on a real process behind its real wall.

    _checks     the table of checks          _exclusions  rules without one, each with its reason
    _beginning  versions, the first line     _lines       framing and messages
    _calls      prompts, credit, cancelling  _ending      the end of the input, `shutdown`
    _run        all of them in turn          _report      what came of it, as data and in words
    _scene      what a check works with      _peer        one process of the plugin
    _witness    looks at every line          _stream      the items of one answer
    _types, _words

It speaks the protocol by itself, because it must be able to break it. No key is ever given to the plugin.
"""

from __future__ import annotations

from cellwall_kernel.conformance._checks import CHECKS
from cellwall_kernel.conformance._exclusions import EXCLUSIONS
from cellwall_kernel.conformance._report import Report
from cellwall_kernel.conformance._run import DEFAULT_PATIENCE_S, DEFAULT_TEXT, Conformance
from cellwall_kernel.conformance._types import Broken, Check, Evidence, Outcome, Skipped

__all__ = [
    "CHECKS",
    "DEFAULT_PATIENCE_S",
    "DEFAULT_TEXT",
    "EXCLUSIONS",
    "Broken",
    "Check",
    "Conformance",
    "Evidence",
    "Outcome",
    "Report",
    "Skipped",
]
