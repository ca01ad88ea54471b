"""Questions of plugins on the terminal: the plugin's name in front, one line as the answer [P-73].

What is typed ahead answers nothing. Ctrl-D answers `cancel`. Ctrl-C stops the prompt, as at any other time:
the question goes with it. A terminal that shows nothing while a secret is typed shows again what is typed
afterwards, however the question ends.
"""

from __future__ import annotations

import os
import sys
import termios
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from cellwall_kernel.cli._answer_output import AnswerOutput
    from cellwall_kernel.prompting.asking import Question
    from cellwall_wire import AskResult

__all__ = ["TerminalAsker"]

STDIN = 0
READ_BYTES = 4096
"""A terminal gives a line at a time, and none is longer."""

MOST_MESSAGE = 1000
"""How many characters of a question are shown."""

LOCAL_FLAGS = 3
"""Where the settings of a terminal say whether it shows what is typed."""

YES, NO = frozenset({"y", "yes"}), frozenset({"n", "no"})


class TerminalAsker:
    """Asks the user who sits at the terminal; the streamed answer waits meanwhile.

    Args:
        output: what prints the answer.
    """

    def __init__(self, output: AnswerOutput) -> None:
        self._output = output

    @property
    def is_possible(self) -> bool:
        """Whether stdin and stderr are a terminal, and it is ours to read."""
        try:
            return os.isatty(STDIN) and sys.stderr.isatty() and os.tcgetpgrp(STDIN) == os.getpgrp()
        except OSError:
            return False

    async def ask(self, question: Question) -> AskResult:
        """Show the question and read answers until one fits."""
        from cellwall_wire import AskResult

        is_secret = question.kind == "secret"
        async with self._output.interrupted():
            await self._say(_heading(question))
            with _listening(shows=not is_secret):
                while True:
                    await self._say(_invitation(question))
                    typed = await _line()
                    if typed is None or is_secret:
                        await self._say("\n")
                    if typed is None:
                        return AskResult(action="cancel")
                    result = _result(question, typed if is_secret else typed.strip())
                    if result is not None:
                        return result
                    await self._say("That is none of the possible answers.\n")

    async def _say(self, text: str) -> None:
        await self._output.show_question(text)


def _heading(question: Question) -> str:
    from cellwall_kernel.permissions import plain_words

    words = plain_words(question.message, most=MOST_MESSAGE)
    lines = [f"Plugin '{plain_words(question.plugin)}' asks: {words}"]
    if question.kind == "select":
        lines += [f"  {number}) {plain_words(choice)}" for number, choice in enumerate(question.choices, 1)]
    return "\n".join(lines) + "\n"


def _invitation(question: Question) -> str:
    from cellwall_kernel.permissions import plain_words

    default = question.default
    match question.kind:
        case "confirm":
            return "[y/n] " if not isinstance(default, bool) else "[Y/n] " if default else "[y/N] "
        case "secret":
            return "(what you type is not shown) "
        case _:
            shown = f" [{plain_words(default)}]" if isinstance(default, str) and default else ""
            return f"{'Number or text' if question.kind == 'select' else 'Answer'}{shown}: "


def _result(question: Question, typed: str) -> AskResult | None:
    """Return what an answer means; None if it is none."""
    from cellwall_wire import AskResult

    default = question.default
    if question.kind == "confirm":
        word = typed.lower()
        said = True if word in YES else False if word in NO else None
        if not word and isinstance(default, bool):
            said = default
        if said is None:
            return None
        return AskResult(action="accept", value=True) if said else AskResult(action="decline")
    if not typed and isinstance(default, str):
        typed = default
    if question.kind != "select":
        return AskResult(action="accept", value=typed)
    if typed in question.choices:
        return AskResult(action="accept", value=typed)
    if typed.isascii() and typed.isdigit() and 0 < int(typed[:9]) <= len(question.choices):
        return AskResult(action="accept", value=question.choices[int(typed[:9]) - 1])
    return None


async def _line() -> str | None:
    """Return a line that was typed, without its end; None at the end of the input."""
    from anyio import wait_readable

    line = b""
    while not line.endswith(b"\n"):
        await wait_readable(STDIN)
        chunk = os.read(STDIN, READ_BYTES)
        if not chunk:
            return None
        line += chunk
    return line.decode(sys.stdin.encoding or "utf-8", "replace").removesuffix("\n")


@contextmanager
def _listening(*, shows: bool) -> Generator[None]:
    """Forget what was typed ahead, and have the terminal show what is typed, or not."""
    before = termios.tcgetattr(STDIN)
    during = list(before)
    if not shows:
        during[LOCAL_FLAGS] &= ~termios.ECHO
    termios.tcsetattr(STDIN, termios.TCSAFLUSH, during)
    try:
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(STDIN, termios.TCSADRAIN, before)
