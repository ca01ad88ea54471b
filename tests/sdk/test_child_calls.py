"""A real child: calls, credit, cancelling, keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import cellwall_wire as wire
from cellwall_wire import ErrorResponse, Response
from tests.sdk.hosting import Child, text_of, write_plugin

if TYPE_CHECKING:
    from pathlib import Path

PLUGIN = '''
import asyncio, os, sys, threading, time
from cellwall_sdk import Cancelled, Model, Options, get_key, hookimpl

def log(text):
    print(text, file=sys.stderr, flush=True)

class Base(Model):
    class Options(Options):
        count: int = 1

class Counts(Base):
    model_id = "counts"
    def execute(self, prompt):
        try:
            for number in range(prompt.options.count):
                yield f"{number} "
        finally:
            log("cleaned up")

class AsyncCounts(Base):
    model_id = "async-counts"
    async def execute(self, prompt):
        try:
            for number in range(prompt.options.count):
                yield f"{number} "
        finally:
            log("cleaned up")

class Sleeps(Base):
    model_id = "sleeps"
    def execute(self, prompt):
        yield "about to sleep"
        try:
            time.sleep(3600)
        except Cancelled:
            log("woken")
            raise

class Stubborn(Base):
    """Swallows the first interruption."""
    model_id = "stubborn"
    def execute(self, prompt):
        yield "begun"
        try:
            time.sleep(3600)
        except BaseException:
            log("swallowed one")
        time.sleep(3600)

class AsyncSleeps(Base):
    model_id = "async-sleeps"
    async def execute(self, prompt):
        yield "about to sleep"
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            log("woken")
            raise

class AsyncBlocks(Base):
    model_id = "async-blocks"
    async def execute(self, prompt):
        yield "about to block"
        time.sleep(3600)

class Listens(Base):
    model_id = "listens"
    def execute(self, response):
        stop = threading.Event()
        response.on_cancel(stop.set)
        yield "listening"
        stop.wait()
        log(f"told {response.cancelled}")

class Keyed(Base):
    model_id = "keyed"
    needs_key = "provider"
    def execute(self, key):
        return key

class Exits(Base):
    model_id = "exits"
    def execute(self):
        yield "before "
        sys.exit(3)

class Dies(Base):
    model_id = "dies"
    def execute(self):
        yield "before "
        print("last words")
        os._exit(7)

class Segfaults(Base):
    model_id = "segfaults"
    def execute(self):
        import ctypes
        ctypes.string_at(0)

class Forks(Base):
    model_id = "forks"
    def execute(self):
        yield "before "
        pid = os.fork()
        if pid == 0:
            sys.exit(5)
        _, status = os.waitpid(pid, 0)
        yield f"the copy ended with {os.waitstatus_to_exitcode(status)}"

class Threads(Base):
    model_id = "threads"
    def execute(self, response):
        def work():
            print("from a thread")
            response.note("info", "noted by a thread")
        workers = [threading.Thread(target=work) for _ in range(8)]
        for worker in workers: worker.start()
        for number in range(200): yield "x"
        for worker in workers: worker.join()

class Progresses(Base):
    model_id = "progresses"
    def execute(self, response):
        for number in range(101):
            response.progress(number, 100, "working")
        return "done"

@hookimpl
def register_models(register):
    for cls in (Counts, AsyncCounts, Sleeps, Stubborn, AsyncSleeps, AsyncBlocks, Listens, Keyed, Exits, Dies,
                Threads, Progresses, Segfaults, Forks):
        register(cls())
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Hold the plugin's module."""
    write_plugin(tmp_path, PLUGIN)
    return tmp_path


@pytest.mark.parametrize("model", ["counts", "async-counts"])
def test_a_long_answer_arrives_whole_and_in_order(folder: Path, model: str) -> None:
    """[P-42] [P-43] Thousands of items through a window that is much smaller."""
    with Child(folder) as child:
        child.start()
        text, answer = child.prompt(model=model, options={"count": "20000"}, credit=20_000)

    assert isinstance(answer, Response)
    assert text == "".join(f"{number} " for number in range(20_000))


@pytest.mark.parametrize("model", ["counts", "async-counts"])
def test_a_plugin_without_credit_waits_and_still_answers_a_ping(folder: Path, model: str) -> None:
    """[P-23] [P-42] [P-48] The reader is free while the author's code is held up."""
    with Child(folder, auto_credit=False) as child:
        child.start()
        call = child.open(model=model, credit=1_000, options={"count": "100000"})
        child.wait_items(call, 5)
        for _ in range(20):
            assert isinstance(child.call("ping", wire.PingParams()), Response)
        used = child.unspent[call]
        child.give_credit(call, 1_000_000_000)
        answer = child.wait_answer(call)

    assert used <= 1_000
    assert isinstance(answer, Response)
    assert text_of(child.items[call]) == "".join(f"{number} " for number in range(100_000))


@pytest.mark.parametrize("model", ["counts", "async-counts"])
def test_a_cancel_reaches_a_plugin_that_waits_for_credit(folder: Path, model: str) -> None:
    """[P-46] [P-47] The answer is Cancelled, with the number of items, and clean-up has run."""
    with Child(folder, auto_credit=False) as child:
        child.start()
        call = child.open(model=model, credit=2_000, options={"count": "100000000"})
        child.wait_items(call, 5)
        child.cancel(call)
        answer = child.wait_answer(call)
        again, _ = child.prompt(model="counts")

    assert isinstance(answer, ErrorResponse)
    assert answer.error.kind == "Cancelled"
    assert answer.error.data is not None
    assert answer.error.data.items_sent == len(child.items[call])
    assert again == "0 "
    assert "cleaned up" in child.stderr


@pytest.mark.parametrize("model", ["sleeps", "async-sleeps", "async-blocks", "stubborn"])
def test_a_cancel_wakes_code_that_sleeps(folder: Path, model: str) -> None:
    """[P-46] By a signal where the code does not notice, again and again; what had arrived stays."""
    with Child(folder) as child:
        child.start()
        call = child.open(model=model)
        child.wait_items(call, 2)
        child.cancel(call)
        child.cancel(call)
        answer = child.wait_answer(call)
        alive, _ = child.prompt(model="counts")

    assert isinstance(answer, ErrorResponse)
    assert answer.error.kind == "Cancelled"
    assert text_of(child.items[call])
    assert alive == "0 "
    assert ("woken" in child.stderr) == (model in ("sleeps", "async-sleeps"))


def test_a_model_that_listens_for_a_cancel_may_end_in_its_own_way(folder: Path) -> None:
    """The callback runs on another thread, and a normal end says that it was cut short."""
    with Child(folder) as child:
        child.start()
        call = child.open(model="listens")
        child.wait_items(call, 2)
        child.cancel(call)
        answer = child.wait_answer(call)

    assert isinstance(answer, Response)
    assert answer.result.finish == "cancelled"
    assert "told True" in child.stderr


def test_a_call_that_is_cancelled_before_its_turn_is_answered_without_running(folder: Path) -> None:
    """[P-22] Exactly one answer to each."""
    with Child(folder) as child:
        child.start()
        first = child.open(model="sleeps")
        second = child.open(model="counts", options={"count": "5"})
        child.wait_items(first, 2)
        child.cancel(second)
        child.cancel(first)
        answers = [child.wait_answer(call) for call in (first, second)]

    assert [answer.error.kind for answer in answers if isinstance(answer, ErrorResponse)] == ["Cancelled"] * 2
    assert child.items[second] == []
    assert "cleaned up" not in child.stderr


def test_a_cancel_that_comes_too_late_changes_nothing(folder: Path) -> None:
    """The race is lost: the answer is on its way, the next call is unharmed."""
    with Child(folder) as child:
        child.start()
        for _ in range(20):
            call = child.open(model="counts")
            child.cancel(call)
            answer = child.wait_answer(call)
            assert isinstance(answer, Response) or answer.error.kind == "Cancelled"
        text, _ = child.prompt(model="counts")

    assert text == "0 "


def test_a_cancel_wakes_a_plugin_that_waits_for_a_key(folder: Path) -> None:
    """The question to the host ends with the call that asked it."""
    with Child(folder, keys={"provider": "secret"}) as child:
        child.start()
        child.hold_keys = True
        call = child.open(model="keyed")
        child.wait_until(lambda: bool(child.requests))
        child.cancel(call)
        answer = child.wait_answer(call)
        child.hold_keys = False
        text, _ = child.prompt(model="keyed")

    assert isinstance(answer, ErrorResponse)
    assert answer.error.kind == "Cancelled"
    assert child.given_up == [child.requests[0].id]
    assert text == "secret"


def test_a_key_is_asked_for_on_behalf_of_the_call(folder: Path) -> None:
    """[P-51] Every question to the host names its live parent."""
    with Child(folder, keys={"provider": "secret"}) as child:
        child.start()
        call = child.open(model="keyed")
        child.wait_answer(call)
        request = child.requests[0]

    assert (request.method, request.meta.parent) == ("keys/get", call)
    assert text_of(child.items[call]) == "secret"


def test_a_call_made_for_the_plugins_own_question_would_deadlock_and_says_so(folder: Path) -> None:
    """[P-23] The plugin runs one call at a time; it answers at once and does not hang."""
    with Child(folder, keys={"provider": "secret"}) as child:
        child.start()
        child.hold_keys = True
        call = child.open(model="keyed")
        child.wait_until(lambda: bool(child.requests))
        question = child.requests[0]
        params = wire.PromptParams(
            model="counts", messages=[], meta=wire.Meta(parent=question.id, credit=1_000)
        )
        answer = child.call("model/prompt", params)
        child.put(Response(question.id, wire.KeysGetResult(value="late")))
        child.wait_answer(call)

    assert isinstance(answer, ErrorResponse)
    assert answer.error.kind == "WouldDeadlock"
    assert text_of(child.items[call]) == "late"


def test_an_exit_in_a_model_does_not_end_the_plugin(folder: Path) -> None:
    """[P-53] sys.exit() is an error of the call, after what was yielded."""
    with Child(folder) as child:
        child.start()
        text, answer = child.prompt(model="exits")
        after, _ = child.prompt(model="counts")

    assert text == "before "
    assert isinstance(answer, ErrorResponse)
    assert answer.error.message.startswith(f"the plugin called sys.exit(3) ({folder / 'plugin.py'}, line ")
    assert after == "0 "


def test_a_death_in_a_model_leaves_what_had_been_yielded_and_printed(folder: Path) -> None:
    """os._exit() is a crash: the host reports it with the log's last lines."""
    with Child(folder) as child:
        child.start()
        call = child.open(model="dies")
        code = child.wait_exit()

    assert code == 7
    assert text_of(child.items[call]) == "before "
    assert "last words" in child.stderr


def test_a_crash_in_a_library_leaves_file_and_line_in_the_log(folder: Path) -> None:
    """Python's fault handler is on."""
    with Child(folder) as child:
        child.start()
        call = child.open(model="segfaults")
        code = child.wait_exit()

    assert code == -11
    assert call not in child.answers
    assert f'File "{folder / "plugin.py"}", line' in child.stderr


def test_a_copy_of_the_process_that_comes_back_does_not_speak(folder: Path) -> None:
    """os.fork() and sys.exit() in a model: one answer, of the original."""
    with Child(folder) as child:
        child.start()
        text, answer = child.prompt(model="forks")

    assert isinstance(answer, Response)
    assert text == "before the copy ended with 5"


def test_threads_of_the_author_may_print_and_add_notes(folder: Path) -> None:
    """Lines on the wire stay whole and in order."""
    with Child(folder) as child:
        child.start()
        call = child.open(model="threads")
        answer = child.wait_answer(call)

    assert isinstance(answer, Response)
    assert text_of(child.items[call]) == "x" * 200
    assert sum(isinstance(item, wire.Note) for item in child.items[call]) == 8
    assert child.stderr.count("from a thread") == 8


def test_progress_is_limited_and_its_end_is_told(folder: Path) -> None:
    """[P-49] At most ten a second; the last one is never left out."""
    with Child(folder) as child:
        child.start()
        text, _ = child.prompt(model="progresses")

    assert text == "done"
    assert len(child.progress) < 20
    assert (child.progress[-1].done, child.progress[-1].total) == (100.0, 100.0)


def test_a_ctrl_c_on_the_child_itself_ends_its_call_only(folder: Path) -> None:
    """An idle plugin takes no notice; a busy one answers with an error."""
    with Child(folder) as child:
        child.start()
        child.interrupt()
        assert isinstance(child.call("ping", wire.PingParams()), Response)
        call = child.open(model="sleeps")
        child.wait_items(call, 2)
        answer = child.interrupt_until_answered(call)
        after, _ = child.prompt(model="counts")

    assert isinstance(answer, ErrorResponse)
    assert "KeyboardInterrupt" in answer.error.message
    assert after == "0 "


def test_a_model_that_does_not_exist_and_an_option_that_is_wrong_are_told(folder: Path) -> None:
    """[P-64] [P-70] Distinct kinds, so that the host can act on them."""
    with Child(folder) as child:
        child.start()
        _, unknown = child.prompt(model="count")
        _, wrong = child.prompt(model="counts", options={"count": "many"})

    assert isinstance(unknown, ErrorResponse)
    assert isinstance(wrong, ErrorResponse)
    assert unknown.error.kind == "UnknownModel"
    assert "Did you mean 'counts'?" in unknown.error.message
    assert wrong.error.kind == "BadOptions"
    assert wrong.error.message == "count: Expected `int`, got `str`, got 'many', allowed is a whole number"
