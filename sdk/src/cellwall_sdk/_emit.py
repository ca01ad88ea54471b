"""The stream of one answer: items go out at once while there is credit; without, they wait and merge.

Order is kept by a simple rule: while anything waits, everything waits. Who sends what waits? The thread that
emits, and the reader when credit arrives, so that text does not sit here while a model thinks about its next
word. Neighbouring pieces of text of one part that wait are joined [P-45]; as soon as a line's worth waits,
the author's code is held up.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from cellwall_wire import Args, Data, Delta, LocalError, NoCredit, TooLarge, Unencodable

from .errors import BadOutput

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwall_wire import PartStart

    from ._call import Call
    from ._link import Link

__all__ = ["PIECE_CHARS", "Emitter"]

PIECE_CHARS = 8192
"""The most characters in one item: 48 KiB at worst in JSON, so that a line stays below the protocol's 64
KiB."""

WAITING_ITEMS = 64
"""How many items other than text may wait before the author's code is held up."""

CUT_OVERHEAD_BYTES = 160
"""What a line with one piece of text costs beside the text, rounded up."""

CUT_CHAR_BYTES = 6
"""What a character costs at worst in JSON: \\u0000."""


class Emitter:
    """Streams the items of one answer.

    Args:
        link: where they go.
        call: the call they answer.
        window: the credit that came with the call, in bytes.

    Attributes:
        sent: how many items have been sent.
        full: so much waits for credit that the author's code should be held up.
        may_wait: nothing minds if the thread that emits is held up here; an event loop does.
    """

    def __init__(self, link: Link, call: Call, window: int) -> None:
        self.sent = 0
        self.full = False
        self.may_wait = True
        self._link = link
        self._call = call
        self._window = window
        self._waiting: list[Any] = []
        self._failure: Exception | None = None
        self._lock = Lock()
        self._again = False

    def text(self, part: int, text: str, start: PartStart | None = None) -> None:
        """Send a piece of a part's text; `full` says whether to wait for room before the next.

        Args:
            part: the part's number.
            text: the piece.
            start: the beginning of the part, to travel in the same line.

        Raises:
            Cancelled: the host no longer wants the answer.
            BadOutput: the text cannot be sent.
        """
        call = self._call
        if call.cancelled:
            call.check()
        if not self._waiting and len(text) <= PIECE_CHARS:  # the hot path: as few calls as possible
            delta = Delta(part, text)
            if self._refusal([delta] if start is None else [start, delta]) is None:
                return
        if start is not None:
            self._wait_in_line(start)
        for offset in range(0, len(text), PIECE_CHARS):
            self._wait_in_line(Delta(part, text[offset : offset + PIECE_CHARS]))
            if self.full and self.may_wait:
                self.wait_for_room()

    def arguments(self, part: int, json: str) -> None:
        """Send a piece of the JSON text of a tool call's arguments; else as text()."""
        for offset in range(0, len(json), PIECE_CHARS):
            self.item(Args(part, json[offset : offset + PIECE_CHARS]))
            if self.full and self.may_wait:
                self.wait_for_room()

    def item(self, item: Any, *, last: bool = False) -> None:
        """Send any other item; else as text().

        Args:
            item: the item.
            last: it ends the answer, so that it can travel with the call's response.
        """
        if not last:  # what ends an answer may follow even a cancel that its author took note of
            self._call.check()
        if self._waiting or self._refusal([item], self._link.send_later if last else None) is not None:
            self._wait_in_line(item)

    def wait_for_room(self) -> None:
        """Wait until less than a line's worth waits for credit; raises as text()."""
        while not self.has_room():
            self._call.wait()

    def flush(self) -> None:
        """Wait until nothing waits for credit any more; raises as text()."""
        while not self.is_empty():
            self._call.wait()

    def has_room(self) -> bool:
        """Send what can be sent, and say whether the author's code may go on; raises as text()."""
        self._call.doze()
        self._pump()
        if self.full:
            self._call.check()
        return not self.full

    def is_empty(self) -> bool:
        """Send what can be sent, and say whether nothing is left; raises as text()."""
        self._call.doze()
        self._pump()
        if self._waiting:
            self._call.check()
        return not self._waiting

    def credit_came(self) -> None:
        """Send what waits, without ever waiting oneself; for the reader."""
        self._send_waiting(post=True)

    # -- what waits ------------------------------------------------------------------------------------------

    def _wait_in_line(self, item: Any) -> None:
        with self._lock:
            joined = _join(self._waiting[-1], item) if self._waiting else None
            if joined is None:
                self._waiting.append(item)
            else:
                self._waiting[-1] = joined
            self.full = self._is_full()
        self._pump()

    def _is_full(self) -> bool:
        return sum(map(_size, self._waiting)) >= PIECE_CHARS or len(self._waiting) >= WAITING_ITEMS

    def _pump(self) -> None:
        """Send what waits; raises what went wrong, here or on the reader."""
        self._send_waiting(post=False)
        if self._failure is not None:
            raise self._failure

    def _send_waiting(self, *, post: bool) -> None:
        # As in Link.flush: a thread that finds the lock taken may leave, for the holder looks again after
        # letting go.
        self._again = True
        while self._again and self._lock.acquire(blocking=False):
            try:
                self._again = False
                while self._waiting and self._send_line(post=post):
                    pass
                self.full = self._is_full()
            except BadOutput as error:  # kept for the thread that emits, which may not be this one
                self._failure = error
                self._waiting.clear()
            finally:
                self._lock.release()

    def _send_line(self, *, post: bool) -> bool:
        """Send one line of what waits; the caller holds the lock.

        Returns:
            whether there is any use in going on.
        """
        items = self._line()
        send = self._link.post if post else None
        refusal = self._refusal(items, send)
        if refusal is not None and len(items) > 1:
            items = items[:1]
            refusal = self._refusal(items, send)
        if refusal is not None:
            return self._cut(refusal)
        del self._waiting[: len(items)]
        return True

    def _line(self) -> list[Any]:
        """As many of the items that wait as make up one line."""
        size = 0
        for count, item in enumerate(self._waiting):
            size += _size(item)
            if size > PIECE_CHARS and count:
                return self._waiting[:count]
        return self._waiting[:]

    def _cut(self, refusal: NoCredit | TooLarge) -> bool:
        """Cut the text that waits first, so that its beginning fits.

        Returns:
            False when it is better to wait for more credit.

        Raises:
            BadOutput: it can never be sent.
        """
        first = self._waiting[0]
        hopeless = isinstance(refusal, TooLarge)
        room = refusal.limit if isinstance(refusal, TooLarge) else refusal.left
        fits = min((room - CUT_OVERHEAD_BYTES) // CUT_CHAR_BYTES, _size(first) - 1)
        # The consumer grants more at the latest when half of the window is consumed: with less than that
        # left, more will come, and a longer line is cheaper for both. With more left than that, nothing else
        # may ever come.
        if fits < 1 or (not hopeless and room < self._window // 2):
            if hopeless:
                raise BadOutput(f"The model's answer holds an item that cannot be sent: {refusal}.")
            return False
        if isinstance(first, Delta):
            self._waiting[:1] = [Delta(first.part, first.text[:fits]), Delta(first.part, first.text[fits:])]
        else:
            self._waiting[:1] = [Args(first.part, first.json[:fits]), Args(first.part, first.json[fits:])]
        return True

    def _refusal(
        self, items: list[Any], send: Callable[[Data], None] | None = None
    ) -> NoCredit | TooLarge | None:
        """Send items in one line.

        Args:
            items: the items.
            send: how, if not by the link's send().

        Returns:
            None when they were sent; else why they have to wait, or to be cut.
        """
        try:
            (send or self._link.send)(Data(self._call.id, items))
        except (NoCredit, TooLarge) as refusal:
            return refusal
        except Unencodable as error:
            raise BadOutput(f"The model's answer cannot be sent: {error}.") from error
        except LocalError as error:
            raise BadOutput(f"The answer is over, and nothing can be added to it: {error}.") from error
        self.sent += len(items)
        return None


def _size(item: Any) -> int:
    """How many characters of text an item holds."""
    if isinstance(item, Delta):
        return len(item.text)
    return len(item.json) if isinstance(item, Args) else 0


def _join(last: Any, item: Any) -> Any:
    """Make one item of two neighbours of one part, or None when they do not belong together."""
    if type(last) is not type(item) or _size(last) + _size(item) > PIECE_CHARS:
        return None
    if isinstance(item, Delta) and last.part == item.part:
        return Delta(item.part, last.text + item.text)
    if isinstance(item, Args) and last.part == item.part:
        return Args(item.part, last.json + item.json)
    return None
