"""The breaker: what opens it, for how long, what closes it, and what becomes of its file."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_kernel.breaker import (
    COOL_DOWN_S,
    CRASHES,
    LONGEST_PAUSE_S,
    LONGEST_S,
    PAUSE_S,
    TRIAL_S,
    WINDOW_S,
    Breaker,
    pause_s,
)
from cellwall_kernel.discovery import PluginRecord
from cellwall_kernel.errors import (
    CallFailed,
    CellwallError,
    CrashedAtStart,
    DeadlineExceeded,
    KeyProblem,
    LimitExceeded,
    PluginBroken,
    PluginChanged,
    PluginCrashed,
    PluginMisbehaved,
    Quarantined,
)
from cellwall_kernel.paths import Paths
from cellwall_wire import METHODS, Code

NOON = 1_800_000_000.0
PATIENCE_S = 30
AT_ONCE = 8


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def record(name: str = "foo", key: str = "1") -> PluginRecord:
    """A plugin as discovery finds it."""
    return PluginRecord(
        name=name, dist=f"llm-{name}", version="1.0", target=name, location="", python="", key=key
    )


def crash(cause: str = "exit code 7") -> PluginCrashed:
    """What a plugin whose process has ended leaves."""
    return PluginCrashed("foo", cause)


@pytest.fixture
def clock() -> Clock:
    """A clock that a test sets."""
    return Clock()


@pytest.fixture
def breaker(paths: Paths, clock: Clock) -> Breaker:
    """A breaker with a clock that a test sets."""
    return Breaker(paths, clock=clock)


def crash_often(breaker: Breaker, times: int = CRASHES) -> None:
    """Note as many crashes as open a closed breaker."""
    for _ in range(times):
        breaker.note(record(), crash())


def is_open(breaker: Breaker, plugin: PluginRecord | None = None) -> bool:
    """Whether the plugin is kept from starting."""
    return breaker.quarantine(plugin or record()) is not None


def test_three_crashes_in_a_short_time_keep_a_plugin_from_starting(breaker: Breaker) -> None:
    """Statement 29: the sentence says what, until when, and which command lets it start at once."""
    crash_often(breaker, CRASHES - 1)
    breaker.admit(record())
    breaker.note(record(), crash("signal SIGSEGV"))

    with pytest.raises(Quarantined) as caught:
        breaker.admit(record())

    assert (5, "Quarantined") == (caught.value.exit_code, caught.value.kind)
    assert caught.value.message.startswith(
        "plugin 'foo' crashed 3 times within 5 minutes and is quarantined until "
    )
    assert caught.value.message.endswith("; 'llm plugins enable foo' lets it start at once.")
    assert "signal SIGSEGV" in caught.value.detail
    assert NOON + COOL_DOWN_S == caught.value.until
    assert caught.value.kind == Code.QUARANTINED.kind


def test_crashes_far_apart_are_no_loop(breaker: Breaker, clock: Clock) -> None:
    """Statement 29: what happens once in a while is not held against a plugin."""
    for _ in range(20):
        breaker.note(record(), crash())
        clock.now += WINDOW_S / (CRASHES - 1)

        assert not is_open(breaker)


@pytest.mark.parametrize(
    "problem",
    [
        PluginCrashed("foo", "exit code 7"),
        CrashedAtStart("foo", "it ended while it was being loaded."),
        PluginMisbehaved("foo", "it broke the protocol."),
        LimitExceeded("foo", "it used too much memory."),
    ],
)
def test_an_end_that_the_plugin_is_to_blame_for_counts(breaker: Breaker, problem: CellwallError) -> None:
    """Kernel policy: its process ended by itself while it was needed, or had to be stopped."""
    for _ in range(CRASHES):
        breaker.note(record(), problem)

    assert is_open(breaker)


@pytest.mark.parametrize(
    "problem",
    [
        None,
        KeyboardInterrupt(),
        DeadlineExceeded("it took too long."),
        CallFailed("foo", "no such option.", kind="BadOptions"),
        CallFailed("foo", "the provider failed.", kind="ProviderError"),
        KeyProblem("there is no key."),
        PluginBroken("foo", "it cannot be loaded: ImportError."),
        PluginChanged("foo", "its files are others"),
        Quarantined("foo", "is quarantined", until=NOON),
    ],
)
def test_any_other_end_does_not_count_and_leaves_no_file(
    breaker: Breaker, paths: Paths, problem: BaseException | None
) -> None:
    """Kernel policy: what the user ended, what the plugin answered, what would be the same each time."""
    for _ in range(2 * CRASHES):
        breaker.admit(record())
        breaker.note(record(), problem)

    assert not is_open(breaker)
    assert not paths.root.exists()


def test_after_the_cool_down_one_start_is_let_through(breaker: Breaker, clock: Clock) -> None:
    """Half open: the others wait for its end, and longer than TRIAL_S only if that never comes."""
    crash_often(breaker)
    clock.now += COOL_DOWN_S
    breaker.admit(record())

    with pytest.raises(Quarantined, match="while another command tries whether it still crashes"):
        breaker.admit(record())
    clock.now += TRIAL_S
    breaker.admit(record())


def test_a_trial_that_goes_well_closes_the_breaker(breaker: Breaker, clock: Clock) -> None:
    """Half open: any end but a crash, and it takes as many crashes as ever to open it again."""
    crash_often(breaker)
    clock.now += COOL_DOWN_S
    breaker.admit(record())
    breaker.note(record(), None)

    breaker.admit(record())
    crash_often(breaker, CRASHES - 1)

    assert not is_open(breaker)


def test_a_trial_of_another_process_is_not_ended_by_us(breaker: Breaker, clock: Clock, paths: Paths) -> None:
    """Half open: a command that has run since before the crashes says nothing about the trial."""
    crash_often(breaker)
    clock.now += COOL_DOWN_S
    breaker.admit(record())
    content = paths.crashes.read_bytes()
    paths.crashes.write_bytes(content.replace(str(os.getpid()).encode(), b"1"))
    breaker.note(record(), None)

    assert is_open(breaker)


def test_a_crash_from_before_does_not_lengthen_the_cool_down(breaker: Breaker, clock: Clock) -> None:
    """Commands that had started the plugin before the breaker opened all see it crash."""
    crash_often(breaker)
    clock.now += COOL_DOWN_S / 2
    crash_often(breaker, 10)
    clock.now += COOL_DOWN_S / 2

    assert not is_open(breaker)


@given(st.integers(min_value=1, max_value=40))
def test_the_cool_down_doubles_with_every_failed_trial_up_to_an_hour(trials: int) -> None:
    """Statement 29; kernel policy for the numbers: 5 minutes, 10, 20, 40, and then an hour each time."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        breaker = Breaker(Paths(Path(folder)), clock=clock)
        crash_often(breaker)
        for trial in range(trials):
            refusal = breaker.quarantine(record())
            assert refusal is not None
            assert min(COOL_DOWN_S * 2**trial, LONGEST_S) == refusal.until - clock.now
            clock.now = refusal.until
            breaker.admit(record())
            breaker.note(record(), crash())


EVENTS = st.lists(
    st.tuples(
        st.floats(min_value=-7200, max_value=7200),
        st.sampled_from(["crash", "well", "start", "forget", "new version"]),
    ),
    max_size=60,
)


@given(EVENTS)
def test_no_history_keeps_a_plugin_out_for_longer_than_an_hour(
    events: list[tuple[float, str]],
) -> None:
    """Whatever happens in whatever order, clocks put back included, a plugin comes back by itself."""
    clock, version = Clock(), 1
    with tempfile.TemporaryDirectory() as folder:
        breaker = Breaker(Paths(Path(folder)), clock=clock)
        for passed_s, event in events:
            clock.now += passed_s
            plugin = record(key=str(version))
            refusal = breaker.quarantine(plugin)
            assert refusal is None or clock.now < refusal.until <= clock.now + LONGEST_S
            match event:
                case "crash":
                    breaker.note(plugin, crash())
                case "well":
                    breaker.note(plugin, None)
                case "start" if refusal is None:
                    breaker.admit(plugin)
                case "forget":
                    breaker.forget(plugin)
                    assert not is_open(breaker, plugin)
                case _:
                    version += 1
                    assert not is_open(breaker, record(key=str(version)))
        clock.now += LONGEST_S

        assert not is_open(breaker, record(key=str(version)))


@given(st.lists(st.floats(min_value=0, max_value=2 * WINDOW_S), max_size=30))
def test_it_opens_exactly_when_the_window_holds_enough_crashes(pauses: list[float]) -> None:
    """Statement 29 as arithmetic: the first moment at which three crashes lie within five minutes."""
    clock = Clock()
    at: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        breaker = Breaker(Paths(Path(folder)), clock=clock)
        for pause in pauses:
            clock.now += pause
            at.append(clock.now)
            breaker.note(record(), crash())
            is_loop = len(at) >= CRASHES and at[-1] - at[-CRASHES] < WINDOW_S

            assert is_loop == is_open(breaker)
            if is_loop:
                break


def test_a_new_version_starts_at_once(breaker: Breaker) -> None:
    """Statement 29: it may be the cure; going back to the old one is going back to its crashes."""
    crash_often(breaker)

    assert not is_open(breaker, record(key="2"))
    assert is_open(breaker, record(key="1"))


def test_a_new_grant_starts_at_once(breaker: Breaker, paths: Paths) -> None:
    """A plugin that ended for want of memory says so, and its user has given it more."""
    crash_often(breaker)
    grant = {"permissions": {"limits": {"memory_bytes": 2**32}}, "granted_at": "2027-01-31T12:00:00Z"}
    paths.grants.write_bytes(msgspec.json.encode({"format": 1, "plugins": {"llm-foo/foo": grant}}))

    assert not is_open(breaker)


def test_one_plugin_pays_for_nobody_else(breaker: Breaker) -> None:
    """State is kept by `grant_key`: another plugin, or another distribution of that name, is untouched."""
    crash_often(breaker)

    assert not is_open(breaker, record("bar"))
    assert not is_open(breaker, msgspec.structs.replace(record(), dist="another"))


def test_the_user_lets_it_start_at_once(breaker: Breaker) -> None:
    """`llm plugins enable NAME` forgets all, the length of the next cool-down included."""
    crash_often(breaker)

    assert breaker.forget(record())
    assert not breaker.forget(record())
    crash_often(breaker, CRASHES - 1)
    assert not is_open(breaker)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        b'{"plugins": []}',
        b'{"plugins": {"llm-foo/foo": {"about": "1", "until": "tomorrow"}}}',
        b'{"plugins": {"llm-foo/foo": {"about": "1", "until": 1e400}}}',
        b'{"plugins": {"llm-foo/foo": {"about": "1", "until": 9e15, "last": 9e15, "openings": 3}}}',
        b'{"plugins": {"llm-foo/foo": {"about": "1", "until": 9e15, "last": 1799999999, "openings": -3}}}',
    ],
)
def test_a_damaged_file_counts_as_empty_and_is_replaced(
    breaker: Breaker, paths: Paths, content: bytes
) -> None:
    """It protects comfort and not security: no plugin is lost to a file that nobody can read."""
    paths.folder()
    paths.crashes.write_bytes(content)

    breaker.admit(record())
    crash_often(breaker)
    assert is_open(breaker)


def test_the_file_is_its_owners_alone_and_forgets_what_is_long_ago(
    breaker: Breaker, paths: Paths, clock: Clock
) -> None:
    """House rule for private files; a plugin that is gone leaves no line for ever."""
    breaker.note(record("gone"), crash())
    clock.now += LONGEST_S + 1
    breaker.note(record(), crash())

    assert 0o600 == stat.S_IMODE(paths.crashes.stat().st_mode)
    assert ["llm-foo/foo"] == list(msgspec.json.decode(paths.crashes.read_bytes())["plugins"])


def test_a_folder_that_cannot_be_used_is_no_error(tmp_path: Path, clock: Clock) -> None:
    """Whoever needs the folder for more says so; a crash is told as a crash."""
    (tmp_path / "home").write_bytes(b"a file has its name")
    breaker = Breaker(Paths(tmp_path / "home"), clock=clock)

    breaker.admit(record())
    crash_often(breaker)
    assert not is_open(breaker)


NOTES_A_CRASH = """
import sys
from pathlib import Path
from cellwall_kernel.breaker import Breaker
from cellwall_kernel.discovery import PluginRecord
from cellwall_kernel.errors import PluginCrashed
from cellwall_kernel.paths import Paths

name = sys.argv[2]
record = PluginRecord(name=name, dist="d", version="", target="", location="", python="", key="1")
sys.stdin.read()  # until all are ready
for _ in range(2):
    Breaker(Paths(Path(sys.argv[1]))).note(record, PluginCrashed(name, "exit code 7"))
"""


def test_commands_that_note_crashes_at_once_lose_none(paths: Paths) -> None:
    """Kernel policy: a change is made under a lock, and the file is whole at every moment."""
    commands = [
        subprocess.Popen(
            [sys.executable, "-c", NOTES_A_CRASH, str(paths.root), f"p{number}"], stdin=subprocess.PIPE
        )
        for number in range(AT_ONCE)
    ]
    for command in commands:
        assert command.stdin is not None
        command.stdin.close()
    assert [0] * AT_ONCE == [command.wait(timeout=PATIENCE_S) for command in commands]

    known = msgspec.json.decode(paths.crashes.read_bytes())["plugins"]
    assert {f"d/p{number}": 2 for number in range(AT_ONCE)} == {
        key: len(trouble["crashes"]) for key, trouble in known.items()
    }


@given(st.integers(min_value=1, max_value=10_000), st.floats(min_value=0, max_value=1))
def test_the_pause_before_a_restart_doubles_and_is_never_the_same_for_all(
    crashes: int, chance: float
) -> None:
    """Statement 29: 0.1 s doubling to 5 s, with jitter of at most half of it."""
    longest = min(PAUSE_S * 2 ** min(crashes - 1, 20), LONGEST_PAUSE_S)

    assert longest / 2 <= pause_s(crashes, chance) <= longest
    assert (longest / 2, longest) == (pause_s(crashes, 0), pause_s(crashes, 1))


def test_only_what_the_protocol_calls_repeatable_may_be_repeated() -> None:
    """Statement 28: describing does no harm twice; a prompt may have been paid for."""
    assert METHODS["plugin/describe"].repeatable
    assert not METHODS["model/prompt"].repeatable
