"""Rules of `protocol.md` for which a run has no check, each with its reason."""

from __future__ import annotations

__all__ = ["EXCLUSIONS"]

EXCLUSIONS: dict[str, str] = {
    "P-3": "It binds the host: it chooses the session, the folder and the variables.",
    "P-6": "It binds the host: the ladder is what it does to a process that does not leave.",
    "P-43": "It binds the caller; a run is a host that keeps it.",
    "P-45": "Joining is allowed, not asked for, and a model need not say the same twice.",
    "P-50": "It binds the caller, who keeps the deadline; a callee may fail early but need not.",
    "P-54": "It binds the host, which decides what is asked again.",
    "P-57": "It binds the host, which counts the calls; that the SDK notices a deadlock has its own test.",
    "P-58": "It binds the host, which counts the depth and keeps the time.",
    "P-62": "What a model does with a file is its own; that bytes arrive shows only in its answer.",
    "P-65": "It binds the host, which refuses before it asks.",
    "P-68": "Having data files is the host's part; a plugin may leave them unread.",
    "P-69": "It binds the host, which asks the user for grants.",
    "P-71": "It binds the host; a plugin that prompts is free to do so or not.",
    "P-72": "It binds the host, which keeps the values.",
    "P-73": "It binds the host, which has the terminal.",
    "P-74": "It binds the host, which decides what stays.",
    "P-90": "A run gives no keys, so that none can be lost; a key in a log is found by reading the code.",
    "P-91": "It binds the host, which shows texts on a terminal.",
}
"""Rule -> why nothing is checked."""
