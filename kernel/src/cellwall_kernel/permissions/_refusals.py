"""A refusal: what a plugin tried and was not allowed, and what would allow it, in words for its user."""

from __future__ import annotations

import msgspec

__all__ = ["Refusal"]


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a plugin tried in vain.

    Args:
        tried: ends the sentence "plugin 'x' tried to …", such as "reach evil.example:443".
        grant: what `llm plugins grant PLUGIN …` would have to be told, such as "network=evil.example"; None
            where nothing can allow it.
        reason: why nothing can, or why it was refused in spite of a grant; ends the sentence; may be empty.
    """

    tried: str
    grant: str | None = None
    reason: str = ""

    def sentence(self, plugin: str) -> str:
        """Say it in one line.

        Args:
            plugin: the plugin's name.
        """
        said = f"plugin '{plugin}' tried to {self.tried}"
        if self.grant is None:
            return f"{said}; {self.reason or 'nothing can allow that'}."
        because = f" ({self.reason})" if self.reason else ""
        # People copy this into a shell, and both words may be a stranger's.
        from shlex import quote

        command = f"llm plugins grant {quote(plugin)} {quote(self.grant)}"
        return f"{said}, which it was not granted{because}; '{command}' allows it."
