"""No call without a deadline, no wait without a bound: looked up in the syntax, exceptions written down.

A lint of ours, because no linter knows which of our functions put a request on the wire. Exceptions are
closed both ways: one that is no longer needed fails as well.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from cellwall_kernel.cli.plugins.timeouts import shown_time
from cellwall_kernel.timeouts import DEADLINES
from cellwall_wire import METHODS
from tests.house.checkout import ROOT, read, sources

if TYPE_CHECKING:
    from collections.abc import Iterator

KERNEL = "kernel/src/cellwall_kernel/"
SDK = "sdk/src/cellwall_sdk/"

ELSEWHERE = {
    KERNEL + "cell/": "runs in the cell, which the host ends",
    KERNEL + "doctor/probe/": "likewise",
    KERNEL + "conformance/host/probe/": "a plugin, written to misbehave towards a host",
    SDK + "testing": "plays the host in an author's own tests, which have a bound of their own",
}
"""Folders that are not looked at, and why."""

PRODUCT = {
    path: text
    for file in sources("sdk", "kernel", "plugins")
    if not (path := str(file.relative_to(ROOT))).startswith(tuple(ELSEWHERE))
    for text in [file.read_text("utf-8")]
}

BOUNDS = {"deadline", "timeout_s"}
"""What a parameter is called that says how long a call may take."""

ISSUERS = {
    SDK + "_asking.py:Asking._begin.make": "`stream` waits to its `end`, the caller's or its call's",
    KERNEL + "conformance/_lines.py:refuse_other_ids": "`until` of the peer, which has `patience_s`",
    KERNEL + "conformance/_peer.py:Peer.prepare": "`answer` of the same peer, which has `patience_s`",
    KERNEL + "process/_greeting.py:compose": "`timeout_s`, and `Session.initialize` keeps it",
    KERNEL + "session/_calls.py:Calls.open": "`deadline`, which `Call` keeps",
    "sdk/src/cellwall_wire/_receiving.py:Receiver._request": "one that was received",
}
"""Who puts a request on the wire, and what bounds the wait for its answer."""

DEMANDING = {
    KERNEL + "session/_session.py:Session.open": "deadline",
    KERNEL + "session/_session.py:Session.request": "timeout_s",
    KERNEL + "session/_calls.py:Calls.open": "deadline",
    KERNEL + "supervisor/_supervisor.py:Supervisor.call": "deadline",
    KERNEL + "conformance/_peer.py:Peer.__init__": "patience_s",
}
"""Functions that cannot be called without saying how long: the parameter has no default."""

SENDING = {"call", "open", "request"}
"""What those of them are called that take the name of a wire method."""

WAITS = {
    "accept", "acquire", "communicate", "get", "join", "poll", "recv", "sleep_forever", "sock_accept",
    "sock_connect", "sock_recv", "sock_sendall", "wait", "wait_readable", "wait_writable",
}  # fmt: skip
"""Methods that wait for somebody else."""

TAKE_NO_BOUND = {
    "recv", "sleep_forever", "sock_accept", "sock_connect", "sock_recv", "sock_sendall", "wait_readable",
    "wait_writable",
}  # fmt: skip
"""Those whose arguments never are a limit."""

SCOPES = {"fail_after", "move_on_after", "timeout", "timeout_at"}
"""Blocks that bound what is in them."""

LOOKED_AT_FOR_WAITS = KERNEL
"""The host's own code: a plugin that waits is ended by the host, a command of the host by nobody."""

UNTIL_THE_CHILD = "serves until its child has ended, and each child has a ladder that ends it"

UNBOUNDED = {
    KERNEL + "conformance/_peer.py:Peer.write": "as long as its child lives; `running` cancels it",
    KERNEL + "cli/_reading.py:read_when_ready": "waits for who writes into the pipe; a signal ends it",
    KERNEL + "cli/_talking.py:typed_lines": "waits for a person; a signal ends it",
    KERNEL + "doctor/_cell.py:_say": "in a task that is cancelled when the probe's time is over",
    KERNEL + "doctor/_scene.py:Scene.effects": "the socket does not block",
    KERNEL + "doctor/_victim.py:Victim.close": "it was just killed, and runs no code of others",
    KERNEL + "network/_attending.py:attend": UNTIL_THE_CHILD,
    KERNEL + "network/_dial.py:resolve_by_system": "`resolve`, its only caller, gives it RESOLVE_S",
    KERNEL + "network/_proxy.py:Proxy.serve": UNTIL_THE_CHILD,
    KERNEL + "network/_proxy.py:Proxy._accept": UNTIL_THE_CHILD,
    KERNEL
    + "network/_stream.py:Stream.receive": "a transfer is as long as the plugin's call: both ends go with it",
    KERNEL + "network/_stream.py:Stream.send": "likewise",
    KERNEL
    + "process/attached.py:AttachedChild.attend": "an author's plugin under a debugger has no deadlines",
    KERNEL + "process/child.py:Child.wait_writable": "for `Outbox.run` and `Peer.write`, which see there",
    KERNEL + "process/child.py:Child._wait_for_end": UNTIL_THE_CHILD,
    KERNEL + "process/child.py:_listen": UNTIL_THE_CHILD,
    KERNEL + "process/guards.py:Guard.watch_folders": "a watch with nothing to watch; the session cancels it",
    KERNEL + "session/_alarm.py:Alarm.wait": "the alarm itself: its timer sets the future",
    KERNEL
    + "session/_call.py:Call._be_patient": "its clock is stopped while the user is asked; else the alarm",
    KERNEL + "session/_outbox.py:Outbox.run": UNTIL_THE_CHILD,
    KERNEL + "session/_session.py:Session.close": "after the ladder, which is bounded and ends `run`",
    KERNEL + "session/_warden.py:Warden._next_message": UNTIL_THE_CHILD,
    KERNEL + "session/_warden.py:Warden._serve_handed": UNTIL_THE_CHILD,
    KERNEL + "session/_warden.py:_give_sockets": UNTIL_THE_CHILD,
    KERNEL + "timeouts.py:Timeouts.patience": "a context variable, which does not wait",
}
"""Function -> why it may wait without a bound of its own."""


class Found(NamedTuple):
    """Something in a function of a file: `path:Class.function`, the line, and the words."""

    place: str
    line: int
    words: str


class Walker(ast.NodeVisitor):
    """Walks a file, knowing in which function it is and whether a block bounds the time.

    Attributes:
        requests: where requests are made.
        bare_calls: calls of a wire method by its name without a deadline.
        waits: waits without a bound.
    """

    def __init__(self, path: str) -> None:
        self.requests: list[Found] = []
        self.bare_calls: list[Found] = []
        self.waits: list[Found] = []
        self._path = path
        self._names: list[str] = []
        self._bounded = 0

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._inside(node, node.name)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._inside(node, node.name)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._inside(node, node.name)

    def _inside(self, node: ast.AST, name: str) -> None:
        self._names.append(name)
        bounded, self._bounded = self._bounded, 0  # what is defined in a block need not run in it
        self.generic_visit(node)
        self._bounded = bounded
        self._names.pop()

    def visit_With(self, node: ast.With) -> None:
        self._with(node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> None:
        self._with(node)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        bounds = any(
            isinstance(item.context_expr, ast.Call) and called(item.context_expr) in SCOPES
            for item in node.items
        )
        self._bounded += bounds
        self.generic_visit(node)
        self._bounded -= bounds

    def visit_Await(self, node: ast.Await) -> None:
        if not self._bounded and isinstance(node.value, (ast.Name, ast.Attribute)):
            self._note(self.waits, node)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = called(node)
        if name == "Request" and node.args:
            self._note(self.requests, node)
        if name in SENDING and sends_by_name(node) and not says_how_long(node):
            self._note(self.bare_calls, node)
        if is_wait(node) and not self._bounded:
            self._note(self.waits, node)
        self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
        if {"jsonrpc", "id", "method"} <= keys:
            self._note(self.requests, node)
        self.generic_visit(node)

    def _note(self, found: list[Found], node: ast.Call | ast.Await | ast.Dict) -> None:
        found.append(Found(f"{self._path}:{'.'.join(self._names)}", node.lineno, ast.unparse(node)))


def called(node: ast.Call) -> str:
    """The last part of what is called: `open` in `self.session.open(…)`."""
    match node.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


def sends_by_name(node: ast.Call) -> bool:
    """Whether an argument is the name of a method of the protocol."""
    return any(isinstance(value, ast.Constant) and value.value in METHODS for value in node.args)


def says_how_long(node: ast.Call) -> bool:
    """Whether a call passes a deadline, and not None."""
    return any(
        keyword.arg in BOUNDS
        and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is None)
        for keyword in node.keywords
    )


def is_wait(node: ast.Call) -> bool:
    """Whether a call waits for somebody else, and no argument of its own says how long."""
    name = called(node)
    words = {keyword.arg for keyword in node.keywords}
    if ast.unparse(node.func) in {"subprocess.run", "subprocess.check_output", "subprocess.check_call"}:
        return "timeout" not in words
    if name not in WAITS or isinstance(node.func, ast.Name):
        return False
    receiver = ast.unparse(node.func).rpartition(".")[0]
    if name == "communicate":
        return "timeout" not in words
    if name == "poll" and not receiver.endswith("poll"):  # select.poll() makes one, Popen.poll() only looks
        return False
    return name in TAKE_NO_BOUND or not (node.args or words & {"timeout", "blocking", "block"})


def walked(path: str, text: str) -> Walker:
    """Look at one file."""
    walker = Walker(path)
    walker.visit(ast.parse(text))
    return walker


def everything() -> Iterator[Walker]:
    """Look at all files of the product."""
    for path, text in PRODUCT.items():
        yield walked(path, text)


def parameters(text: str) -> Iterator[tuple[str, ast.arguments]]:
    """Walk the functions of a file, with the names of the classes around them."""

    def inside(body: list[ast.stmt], names: list[str]) -> Iterator[tuple[str, ast.arguments]]:
        for node in body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                here = [*names, node.name]
                if not isinstance(node, ast.ClassDef):
                    yield ".".join(here), node.args
                yield from inside(node.body, here)

    return inside(ast.parse(text).body, [])


def required(arguments: ast.arguments) -> set[str]:
    """Name the parameters without a default."""
    listed = [*arguments.posonlyargs, *arguments.args]
    free = listed[: len(listed) - len(arguments.defaults)]
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {each.arg for each in free} | {each.arg for each, default in keywords if default is None}


def test_every_request_on_the_wire_is_made_where_its_answer_is_waited_for_with_a_bound() -> None:
    """Issue 3, item 3, [P-50]: the list is closed; whoever joins it needs a bound beside the name."""
    makers = {found.place for walker in everything() for found in walker.requests}
    others = {place for place in makers if place.startswith(KERNEL + "assets/")}  # requests to web servers

    assert set(ISSUERS) == makers - others


@pytest.mark.parametrize("place", DEMANDING)
def test_nobody_can_call_without_saying_how_long(place: str) -> None:
    """Issue 3, item 3: the parameter has no default, so that the type checkers hold every caller to it."""
    path, _, function = place.partition(":")
    known = dict(parameters(PRODUCT[path]))

    assert DEMANDING[place] in required(known[function])


def test_no_call_is_made_without_a_deadline() -> None:
    """Issue 3, item 3: wherever a method of the protocol is called by its name, a limit stands beside it."""
    assert [] == [found for walker in everything() for found in walker.bare_calls]


def test_nothing_is_waited_for_without_a_bound() -> None:
    """Issue 3, item 3, CONTRIBUTING.md: "every wait has a bound", its own or a block's, or a reason."""
    found = {
        wait.place: f"line {wait.line}: {wait.words}"
        for walker in everything()
        for wait in walker.waits
        if wait.place.startswith(LOOKED_AT_FOR_WAITS) or "subprocess" in wait.words
    }

    assert {} == {place: words for place, words in found.items() if place not in UNBOUNDED}
    assert set() == set(UNBOUNDED) - set(found), "exceptions that are no longer needed"


def test_the_guide_lists_every_deadline_with_its_usual_time() -> None:
    """House rule: one table, and the document says the same."""
    guide, command = read("docs/guide.md"), PRODUCT[KERNEL + "cli/plugins/timeouts.py"]

    for name, named in DEADLINES.items():
        assert f"| `{name}` | {shown_time(named.usual_s)} |" in guide
        assert re.search(rf"^ +{name} .*\({shown_time(named.usual_s)}\)$", command, re.MULTILINE)


SEEDED = {
    "session.open('model/prompt', params)": "bare_calls",
    "await session.request('plugin/describe', params, timeout_s=None)": "bare_calls",
    "supervisor.call(record, 'host/prompt', params, origin=origin)": "bare_calls",
    "Request(call_id, method, params)": "requests",
    "{'jsonrpc': '2.0', 'id': 'h1', 'method': 'ping', 'params': {}}": "requests",
    "await event.wait()": "waits",
    "await answer": "waits",
    "await self._answer": "waits",
    "process.wait()": "waits",
    "process.communicate(b'')": "waits",
    "thread.join()": "waits",
    "queue.get()": "waits",
    "lock.acquire()": "waits",
    "poll.poll()": "waits",
    "sock.recv(4096)": "waits",
    "await anyio.wait_readable(fd)": "waits",
    "subprocess.run(['true'], check=True)": "waits",
    "with open(path) as file: event.wait()": "waits",
}
"""Statements that must be found, and as what."""

HARMLESS = [
    "session.open('model/prompt', params, deadline=Deadline())",
    "await session.request('plugin/describe', params, timeout_s=3)",
    "os.open('model/other', os.O_RDONLY)",
    "event.wait(3)",
    "process.wait(timeout=3)",
    "process.communicate(timeout=3)",
    "table.get('key')",
    "', '.join(words)",
    "lock.acquire(blocking=False)",
    "poll.poll(0)",
    "process.poll()",
    "poll = select.poll()",
    "subprocess.run(['true'], timeout=3, check=True)",
    "with anyio.move_on_after(3): await event.wait()",
    "with anyio.CancelScope(shield=True), anyio.fail_after(3): await event.wait()",
]
"""Statements that must not be found."""


def lint(statement: str) -> dict[str, list[str]]:
    """Look at one statement in a function, and give what was found by its kind."""
    walker = walked("seeded.py", f"async def scene():\n    {statement}\n")
    kinds = {"requests": walker.requests, "bare_calls": walker.bare_calls, "waits": walker.waits}
    return {kind: [each.place for each in found] for kind, found in kinds.items() if found}


@pytest.mark.parametrize("statement", SEEDED)
def test_the_lint_sees_a_seeded_violation(statement: str) -> None:
    """House rule: a check that cannot fail is none."""
    assert {SEEDED[statement]: ["seeded.py:scene"]} == lint(statement)


@pytest.mark.parametrize("statement", HARMLESS)
def test_the_lint_leaves_alone_what_is_bounded(statement: str) -> None:
    """House rule: a lint that cries wolf is switched off."""
    assert {} == lint(statement)


def test_a_bound_does_not_reach_into_a_function_that_is_only_defined_there() -> None:
    """What is defined in a bounded block may run after it."""
    block = "    with anyio.fail_after(3):\n        async def later():\n            await answer\n"
    text = "async def scene():\n" + block

    assert ["seeded.py:scene.later"] == [found.place for found in walked("seeded.py", text).waits]


def test_a_default_would_be_seen() -> None:
    """A parameter that may be left out is none that must be given."""
    (function,) = parameters("def call(method, *, deadline=None, origin): ...")

    assert {"method", "origin"} == required(function[1])
