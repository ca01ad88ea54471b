"""Rules of `protocol.md` that are not tried on a host, each with its reason."""

from __future__ import annotations

__all__ = ["EXCLUSIONS"]

EXCLUSIONS: dict[str, str] = {
    "P-2": "It binds the plugin, which owns both ends of the wire in its process.",
    "P-35": "The host offers no feature yet, so there is none that it could use wrongly; see unknown-things.",
    "P-45": "It binds who sends items; a prompt's come from the plugin.",
    "P-47": "What the host sends beside control is one request; there is nothing to overtake in a prompt.",
    "P-55": "A prompt has no input that streams; `tests/wire/test_input_streams.py` tries it.",
    "P-56": "As P-55: only a method with an input has an end of it.",
    "P-58": "It takes plugins that call each other, which one probe is not; the kernel's own tests try it.",
    "P-68": "Data files are fetched before a plugin starts, and the probe needs none.",
    "P-71": "It needs a grant that is asked for on a terminal; that it is refused without is checked.",
    "P-73": "It needs somebody who answers; that it is refused without a grant is checked.",
    "P-74": "A command line ends its plugins with the command, so that nothing is ever idle.",
    "P-75": "A prompt is what every host can be asked for; embedding is not tried.",
}
"""Rule -> why nothing is checked."""
