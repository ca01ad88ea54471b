"""A transcript that plays the plugin's side: what the test asks must be what was asked then.

A call is looked for among those that have not been played, in the order of the file; so one file may hold
the processes of several commands. What was recorded goes through a real connection: ids, credit and the cut
of texts are of today.
"""

from __future__ import annotations

import difflib
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

import cellwall_wire as wire
from cellwall_wire import METHODS, Connection, ErrorInfo, ErrorResponse, Request, Response, Role

from ._recording import MARK, BadTranscript

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._recording import RecordedCall

__all__ = ["Player"]

LEAST_PIECE = 16
"""A text of so few characters is not cut further."""

WINDOW_BYTES = wire.Limits().window
"""The credit that the plugin grants for what it asked for."""

NO_META = wire.Meta()


class Player:
    """Plays the plugin's side of a transcript.

    Args:
        calls: the transcript; what has been played is noted there.
    """

    name = "recorded"

    def __init__(self, calls: list[RecordedCall]) -> None:
        self._calls = calls
        self._connection = Connection(Role.PLUGIN)
        self._take: Callable[[bytes], None] = lambda _chunk: None
        self._requests: deque[Request] = deque()
        self._call: RecordedCall | None = None
        self._request: Request | None = None
        self._todo: deque[tuple[str, Any]] = deque()
        self._ids: dict[str, tuple[str, str]] = {}
        self._answers: dict[str, Response | ErrorResponse] = {}

    def begin(self, take: Callable[[bytes], None]) -> None:
        """Nothing is started."""
        self._take = take

    def write(self, data: bytes) -> None:
        """Take what the host says."""
        if not data:
            return
        self._connection.receive(data)
        while (event := self._connection.next_event()) is not wire.NEED_DATA:
            if isinstance(event, Request):
                self._requests.append(event)
            elif isinstance(event, Response | ErrorResponse):
                self._answers[event.id or ""] = event
            elif isinstance(event, wire.Data):
                if event.id in self._connection.open_calls():
                    self._send(wire.Credit(event.id, event.cost))
            elif isinstance(event, wire.Refused):
                self._send(event.answer)

    def pump(self, until: float | None) -> None:
        """Play on.

        Raises:
            BadTranscript: what is asked was not recorded.
        """
        del until
        if self._call is None:
            if not self._requests:
                raise BadTranscript("the transcript says nothing more.")
            self._open(self._requests.popleft())
        while self._todo:
            side, message = self._todo.popleft()
            if side == "host":
                self._compare(message)
            elif not self._play(message):
                return
        if self._call is not None:
            place, method = self._call.place, self._call.method
            raise BadTranscript(f"the recorded {method} at {place} has no answer: it ended early there.")

    def printed(self) -> str:
        """Nothing is run, so nothing is printed."""
        return ""

    def ending(self) -> str:
        """Say why there is no answer."""
        return "is a transcript that has ended"

    def end(self) -> None:
        """Nothing is left."""

    # -- finding ---------------------------------------------------------------------------------------------

    def _open(self, request: Request) -> None:
        call = self._found(request)
        call.is_played = True
        self._call, self._request = call, request
        self._todo = deque(call.said)
        if METHODS[request.method].input is not None:
            self._send(wire.Credit(request.id, WINDOW_BYTES))

    def _found(self, request: Request) -> RecordedCall:
        method = request.method
        same = [call for call in self._calls if call.method == method]
        asked = _comparable(method, request.params)
        fitting = [call for call in same if method == "initialize" or _recorded(call) == asked]
        fresh = [call for call in fitting if not call.is_played]
        if fresh:
            return fresh[0]
        if fitting and (METHODS[method].repeatable or method == "initialize"):
            return fitting[-1]
        if fitting:
            raise BadTranscript(
                f"the test asks {method} at {fitting[-1].place} more often than it was recorded."
            )
        others = [call for call in same if not call.is_played] or same
        if not others:
            raise BadTranscript(f"the transcript holds no {method}: record it anew.")
        raise BadTranscript(
            f"the test asks something else than was recorded at {others[0].place}:\n"
            + _difference(_recorded(others[0]), asked)
        )

    # -- playing ---------------------------------------------------------------------------------------------

    def _play(self, message: dict[str, Any]) -> bool:
        """Send what the plugin said; gives whether to go on at once."""
        assert self._request is not None  # noqa: S101 - for the type checker
        method = message.get("method")
        params: dict[str, Any] = message.get("params") or {}
        if method == "$/data":
            return self._play_items(list(params.get("items") or ()))
        if method in METHODS:
            self._ask(str(method), str(message.get("id")), params)
        elif method == "$/progress":
            progress = {name: params.get(name) for name in ("done", "total", "message")}
            self._send(wire.Progress(self._request.id, **progress))
        elif method is None and message.get("id") is not None:
            self._answer(message)
            return False
        return True

    def _play_items(self, items: list[Any]) -> bool:
        assert self._request is not None  # noqa: S101 - for the type checker
        items = [each for each in map(self._item, items) if each is not None]
        waiting = deque([items]) if items else deque[list[Any]]()
        while waiting:
            piece = waiting.popleft()
            try:
                self._send(wire.Data(self._request.id, piece))
            except (wire.NoCredit, wire.TooLarge) as error:
                halves = _halves(piece)
                if halves is None:
                    text = f"{error}; the test must grant more credit"
                    raise BadTranscript(f"the recorded answer cannot be played: {text}.") from error
                waiting.extendleft(reversed(halves))
        return True

    def _item(self, item: Any) -> Any:
        assert self._request is not None  # noqa: S101 - for the type checker
        if isinstance(item, msgspec.Struct):
            return item
        try:
            return msgspec.convert(item, METHODS[self._request.method].item)
        except msgspec.ValidationError:
            return None  # of a later version: it counts and is otherwise skipped

    def _ask(self, method: str, recorded_id: str, params: dict[str, Any]) -> None:
        """Repeat a call of the plugin's."""
        assert self._request is not None  # noqa: S101 - for the type checker
        spec = METHODS[method]
        typed = msgspec.convert({name: each for name, each in params.items() if name != "meta"}, spec.params)
        credit = WINDOW_BYTES if spec.item is not None else None
        meta = wire.Meta(parent=self._request.id, credit=credit)
        request = Request(self._connection.next_id(), method, msgspec.structs.replace(typed, meta=meta))
        self._ids[recorded_id] = (request.id, method)
        self._send(request)

    def _compare(self, message: dict[str, Any]) -> None:
        """Hold what the test answers a call of the plugin's against what was answered then."""
        if "method" in message:
            return
        call_id, method = self._ids.get(str(message.get("id")), ("", ""))
        answer = self._answers.pop(call_id, None)
        if answer is None or method == "keys/get":
            return
        if isinstance(answer, ErrorResponse):
            now: Any = answer.error.kind
            error = message.get("error")
            then: Any = None if error is None else msgspec.convert(error, ErrorInfo).kind
        else:
            now = msgspec.to_builtins(answer.result)
            then = message.get("result")
            if then is not None and then != MARK:
                then = msgspec.to_builtins(msgspec.convert(then, METHODS[method].result))
        if MARK not in str(then) and now != then:
            assert self._call is not None  # noqa: S101 - for the type checker
            raise BadTranscript(
                f"the test answers {method} otherwise than was recorded for the call at {self._call.place}:\n"
                + _difference(then, now)
            )

    def _answer(self, message: dict[str, Any]) -> None:
        request = self._request
        assert request is not None  # noqa: S101 - for the type checker
        self._call = self._request = None
        self._todo.clear()
        if message.get("error") is not None:
            self._send(ErrorResponse(request.id, msgspec.convert(message["error"], ErrorInfo)))
            return
        self._send(
            Response(request.id, msgspec.convert(message.get("result"), METHODS[request.method].result))
        )

    def _send(self, message: wire.Outgoing) -> None:
        self._take(self._connection.send(message))


def _comparable(method: str, params: Any) -> Any:
    """What of a request's parameters must be the same."""
    plain: Any = msgspec.to_builtins(msgspec.structs.replace(params, meta=NO_META))
    if method == "model/prompt":
        plain.pop("conversation_id", None)
    return plain


def _recorded(call: RecordedCall) -> Any:
    try:
        return _comparable(call.method, msgspec.convert(call.params, METHODS[call.method].params))
    except msgspec.ValidationError:
        return call.params


def _halves(items: list[Any]) -> list[list[Any]] | None:
    """Cut items in two; None if they cannot be."""
    if len(items) > 1:
        return [items[: len(items) // 2], items[len(items) // 2 :]]
    [item] = items
    field = "text" if isinstance(item, wire.Delta) else "json" if isinstance(item, wire.Args) else ""
    text = getattr(item, field, "") if field else ""
    if len(text) <= LEAST_PIECE:
        return None
    middle = len(text) // 2
    return [[msgspec.structs.replace(item, **{field: part})] for part in (text[:middle], text[middle:])]


def _difference(then: Any, now: Any) -> str:
    """Show how two JSON values differ, as lines."""
    before, after = (
        msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2).decode().splitlines()
        for value in (then, now)
    )
    return "\n".join(difflib.unified_diff(before, after, "recorded", "asked now", lineterm="", n=2))
