"""The probe: a plugin that speaks the protocol well, badly or cunningly, and notes what the host does.

    start.py     what a host starts: `python3 start.py SCENARIO`
    _main        the beginning and the end, which all scenarios share
    _talk        one conversation, and the report file
    _watch       what is looked at in every line
    _calm        scenarios that the protocol allows: the prompt must succeed
    _asking      scenarios about what a plugin asks the host
    _given       scenarios about what a prompt holds
    _broken      scenarios that break the protocol: the host must end it
    _stubborn    scenarios in which it does not leave, or not answer

Standard library only, and no line in common with the host. It is copied beside a `plugin.toml`, under another
name, so its modules know each other by relative names alone.
"""

from __future__ import annotations

__all__: list[str] = []
