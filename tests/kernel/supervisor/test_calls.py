"""Calls to one session: shared, in turn, nested, and refused where they would wait for themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from cellwall_kernel.errors import DeadlineExceeded, PluginCrashed
from tests.kernel.supervisor.stage import PATIENCE_S, scripted, staged

if TYPE_CHECKING:
    from pathlib import Path

    from cellwall_kernel.paths import Paths

pytestmark = pytest.mark.anyio

ME = ["say", "ME"]


def chain(names: str) -> list[object]:
    """Return steps in which each plugin asks the next one; the last says "end"."""
    steps: list[object] = [["say", "end"]]
    for name in reversed(names):
        steps = [["ask", name, steps]]
    return steps


async def test_one_process_answers_all_calls_that_follow(paths: Paths, site: Path) -> None:
    """Issue 3, item 3: a session is reused by later calls of the same command."""
    async with staged(paths, scripted(site, "a")) as stage:
        first, second = await stage.text("a", [ME]), await stage.text("a", [ME])

    assert first == second
    assert first


async def test_the_rest_waits_in_order_while_a_plugin_has_its_hands_full(paths: Paths, site: Path) -> None:
    """[P-57] At most `limits.concurrency` calls are sent; the others wait in the host, in order."""
    async with staged(paths, scripted(site, "a", 2)) as stage:
        ended: list[int] = []
        begun = [anyio.Event() for _ in range(5)]
        may_end = [anyio.Event() for _ in range(5)]

        async def ask(number: int) -> None:
            async with stage.call("a", [["say", "x"], ["wait"]]) as call:
                await anext(call)
                begun[number].set()
                await may_end[number].wait()
                ended.append(number)

        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(ask, number)
                if number < 2:
                    await begun[number].wait()
            for number in range(5):
                await begun[number].wait()
                later = [event.is_set() for event in begun[number + 2 :]]
                assert not any(later)
                may_end[number].set()

        assert [0, 1, 2, 3, 4] == ended


async def test_a_call_waits_for_its_turn_only_as_long_as_it_may_take(paths: Paths, site: Path) -> None:
    """[P-57] Others wait within their deadline."""
    async with staged(paths, scripted(site, "a")) as stage, stage.call("a", [["say", "x"], ["wait"]]) as call:
        await anext(call)
        with pytest.raises(DeadlineExceeded, match=r"^plugin 'a' was busy with other calls for 0\.2 s\.$"):
            await stage.text("a", [ME], total_s=0.2)


async def test_a_plugin_that_asks_itself_is_told_so_at_once(paths: Paths, site: Path) -> None:
    """Anchor 21: a circle of one."""
    async with staged(paths, scripted(site, "a")) as stage:
        assert await stage.text("a", chain("a")) == "[!WouldDeadlock]"


async def test_a_circle_through_another_plugin_is_refused_where_it_closes(paths: Paths, site: Path) -> None:
    """[P-57] It could only be answered after a call that waits for it; the plugin between them goes on."""
    async with staged(paths, scripted(site, "a"), scripted(site, "b")) as stage:
        assert await stage.text("a", chain("ba")) == "[[!WouldDeadlock]]"


async def test_the_refusal_names_the_way_around(paths: Paths, site: Path) -> None:
    """[P-70] One sentence that says what is the matter."""
    async with staged(paths, scripted(site, "a"), scripted(site, "b")) as stage:
        answer = await stage.text("a", [["ask", "b", [["ask", "a", []], ["why"]]]])

    assert (
        "[[!WouldDeadlock]plugin 'a' cannot be asked now, because that would wait for itself: "
        "plugin a -> plugin b -> plugin a.]" == answer
    )


async def test_two_chains_that_want_each_others_place_do_not_hang(paths: Paths, site: Path) -> None:
    """Anchor 21: A waits for B and B for A, begun by two calls of the user's that know nothing of it."""
    async with staged(paths, scripted(site, "a"), scripted(site, "b")) as stage:
        answers: list[str] = []

        async def ask(name: str, other: str) -> None:
            answers.append(await stage.text(name, [["say", ""], *chain(other)]))

        for _ in range(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask, "a", "b")
                tasks.start_soon(ask, "b", "a")

        assert {"[end]", "[!WouldDeadlock]"} >= set(answers)
        assert 20 == len(answers)


async def test_a_reentrant_plugin_takes_a_call_of_its_own_chain(paths: Paths, site: Path) -> None:
    """[P-57] `limits.reentrant`: it is called while it waits for the host, directly and through others."""
    async with staged(paths, scripted(site, "a", reentrant=True), scripted(site, "b")) as stage:
        assert await stage.text("a", chain("a")) == "[end]"
        assert await stage.text("a", chain("ba")) == "[[end]]"


async def test_calls_may_be_nested_eight_deep_and_no_deeper(paths: Paths, site: Path) -> None:
    """[P-58] Anchor 23: the user's own call is the first."""
    async with staged(paths, scripted(site, "a", reentrant=True)) as stage:
        assert await stage.text("a", chain("a" * 7)) == "[" * 7 + "end" + "]" * 7
        assert await stage.text("a", chain("a" * 8)) == "[" * 7 + "[!TooDeep]" + "]" * 7


async def test_the_end_of_the_users_call_ends_the_nested_ones(paths: Paths, site: Path) -> None:
    """[P-51] Inner and outer plugin are free again, in the same processes."""
    async with staged(paths, scripted(site, "a"), scripted(site, "b")) as stage:
        pids = [await stage.text(name, [ME]) for name in "ab"]
        async with stage.call("a", [["say", "x"], ["ask", "b", [["say", "y"], ["wait"]]]]) as call:
            await anext(call)
            await stage.busy("b")

        assert pids == [await stage.text(name, [ME]) for name in "ab"]


async def test_the_crash_of_an_inner_plugin_fails_one_call_and_the_next_starts_it_anew(
    paths: Paths, site: Path
) -> None:
    """Issue 3, item 3: a session that crashed is replaced; the outer plugin is told, and goes on."""
    async with staged(paths, scripted(site, "a"), scripted(site, "b")) as stage:
        before = await stage.text("b", [ME])

        assert await stage.text("a", [["ask", "b", [["crash"]]]]) in {"[!Unavailable]", "[!ProviderError]"}
        assert before != await stage.text("b", [ME])


async def test_a_crash_is_counted_once_however_many_calls_it_costs(paths: Paths, site: Path) -> None:
    """Anchor 29: three crashes open the breaker, and one that three calls see is one."""
    async with staged(paths, scripted(site, "a", 4)) as stage:
        problems: list[BaseException] = []

        async def ask(deed: str) -> None:
            try:
                await stage.text("a", [[deed]])
            except PluginCrashed as problem:
                problems.append(problem)

        async with anyio.create_task_group() as tasks:
            for deed in ("wait", "wait", "wait", "crash"):
                tasks.start_soon(ask, deed)
        answer = await stage.text("a", [["say", "well"]])

        assert 4 == len(problems)
        assert "well" == answer


async def test_a_slow_inner_plugin_gets_what_is_left_of_the_outer_ones_time(paths: Paths, site: Path) -> None:
    """[P-58] Anchor 20: the remainder, not the 40 s that the inner call would have by itself."""
    async with staged(paths, scripted(site, "a"), scripted(site, "b")) as stage:
        await stage.text("b", [ME])
        with pytest.raises(DeadlineExceeded):
            await stage.text("a", [["ask", "b", [["wait"]]]], total_s=1.0)

        assert await stage.text("b", [["say", "free"]], total_s=PATIENCE_S / 2) == "free"


async def test_a_thousand_callbacks_end_or_are_refused(paths: Paths, site: Path) -> None:
    """Anchor 21: plugins with one place each; as many callbacks at once as a plugin may have open."""
    waves: list[object] = [["ask", "b", [["say", "."]], 60], ["ask", "a", [], 60]] * 9
    async with staged(paths, scripted(site, "a"), scripted(site, "b")) as stage:
        assert await stage.text("a", waves) == ("[.]" * 60 + "[!WouldDeadlock]" * 60) * 9


async def test_a_thousand_callbacks_at_once_are_all_answered(paths: Paths, site: Path) -> None:
    """Anchor 21: more than may be open are refused; none is left without an answer."""
    async with staged(paths, scripted(site, "a"), scripted(site, "b")) as stage:
        text = await stage.text("a", [["ask", "b", [["say", "."]], 500], ["ask", "a", [], 500]])

    answers = text.removeprefix("[").removesuffix("]").split("][")
    assert 1000 == len(answers)
    assert {".", "!WouldDeadlock", "!Unavailable"} == set(answers)
    assert 64 <= answers.count(".")  # as many as may be open at once
