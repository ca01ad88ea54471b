"""Plugins that ask other plugins' models: what the user grants, sees, logs and can stop."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.paths import Paths
from cellwall_kernel.supervisor.holds import Hold
from tests.cli.conftest import HOLDS_LOCK, TIMEOUT_S, until

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

BUTLER = """
    from cellwall_sdk import Model, hookimpl, host
    from cellwall_sdk.errors import ServiceError

    class Butler(Model):
        model_id = "butler"

        def execute(self, prompt, stream, response, conversation):
            model, _, text = prompt.prompt.partition(":")
            count, text = text.split("*", 1) if "*" in text else ("1", text)
            for _ in range(int(count)):
                try:
                    for piece in host.prompt(text, model=model or None):
                        yield f"<{piece}>"
                except ServiceError as problem:
                    yield f"{problem.reason}: {problem}"

    @hookimpl
    def register_models(register):
        register(Butler())
"""
"""A model that passes its prompt on: `MODEL:TEXT`, or `MODEL:COUNT*TEXT`."""

SLEEPER = (
    HOLDS_LOCK
    + """
    import time
    from cellwall_sdk import Model, hookimpl

    class Sleeper(Model):
        model_id = "sleeper"

        def execute(self, prompt, stream, response, conversation):
            yield "zzz"
            time.sleep(600)

    class Bomb(Model):
        model_id = "bomb"

        def execute(self, prompt, stream, response, conversation):
            import os
            yield "tick"
            os._exit(7)

    @hookimpl
    def register_models(register):
        register(Sleeper())
        register(Bomb())
"""
)
"""A model that begins and then sleeps, and one that begins and crashes."""


@pytest.fixture
def butler(parrot: CommandLine) -> CommandLine:
    """A command line with the parrot and the butler, which may prompt."""
    parrot.plugin("butler", BUTLER)
    parrot.grant("butler", "host=prompt")
    return parrot


def logged(llm: CommandLine, *arguments: str) -> list[dict[str, object]]:
    """Return the log."""
    found: list[dict[str, object]] = json.loads(llm("logs", "list", "-n", "0", "--json", *arguments).out)
    return found


def test_a_plugin_without_the_grant_prompts_nobody(parrot: CommandLine) -> None:
    """[P-69] It is refused with the command that would allow it."""
    parrot.plugin("butler", BUTLER)
    ended = parrot("-m", "butler", "parrot:hi")

    assert ended.out.startswith("NotGranted: plugin 'butler' tried to run a prompt on another model")
    assert "'llm plugins grant butler host=prompt' allows it." in ended.out
    assert "'llm plugins grant butler host=prompt' allows it." in ended.err


def test_the_answer_streams_through_and_both_prompts_are_logged(butler: CommandLine) -> None:
    """[P-71] The host logs it as a prompt of its own, and says who asked."""
    ended = butler("-m", "butler", "polly:hi")
    by_user, by_butler = logged(butler)

    assert (0, "<hi>\n") == (ended.code, ended.out)
    assert ("butler", None, "<hi>") == tuple(by_user[name] for name in ("model", "asked_by", "response"))
    assert ("parrot", "butler", "hi") == tuple(by_butler[name] for name in ("model", "asked_by", "response"))
    assert {"input": 3, "output": 4}.items() <= dict(by_butler["usage"]).items()  # type: ignore[call-overload]
    assert by_user["conversation_id"] != by_butler["conversation_id"]
    assert "Asked by plugin **butler**" in butler("logs").out
    assert butler("logs", "-r").out == "<hi>\n"


def test_the_users_conversation_goes_on_and_not_the_plugins(butler: CommandLine) -> None:
    """Kernel policy: --continue means what the user asked last."""
    butler("-m", "butler", "polly:hi")
    butler("-c", "parrot:there")

    assert [None, "butler", None, "butler"] == [entry["asked_by"] for entry in logged(butler)]
    assert len(logged(butler, "--current")) == 2


def test_nothing_is_logged_where_the_user_wants_no_log(butler: CommandLine) -> None:
    """Kernel policy: -n is about all that happens for the prompt."""
    assert butler("-m", "butler", "-n", "polly:hi").out == "<hi>\n"
    assert [] == logged(butler)


def test_without_a_model_the_users_default_answers(butler: CommandLine) -> None:
    """[P-71] Or else it is said that there is none."""
    butler("models", "default", "parrot")
    assert butler("-m", "butler", ":hi").out == "<hi>\n"
    assert "UnknownModel: " in butler("-m", "butler", "nobody:hi").out


def test_the_inner_plugin_has_its_own_keys_and_not_the_prompts(butler: CommandLine) -> None:
    """[P-71] --key is for the model that the user asks; what is missing is told with its kind."""
    refused = butler("-m", "butler", "miser:hi").out
    butler("keys", "set", "miser-key", "--value", "mine")
    not_granted = butler("-m", "butler", "miser:hi").out
    butler.grant("parrot", "key=miser-key")

    assert refused.startswith(("KeyMissing: ", "NotGranted: "))
    assert not_granted.startswith("NotGranted: ")
    assert butler("-m", "butler", "miser:hi").out == "<key mine>\n"


def test_a_hundred_prompts_are_enough(butler: CommandLine) -> None:
    """[P-71] More within one call of the user's are refused."""
    ended = butler("-m", "butler", "parrot:101*x")

    assert ended.out.startswith("<x>" * 100 + "BudgetExceeded: ")


def test_a_circle_of_prompts_is_an_answer_and_no_hang(butler: CommandLine) -> None:
    """[P-57] Issue 3, anchor 21."""
    ended = butler("-m", "butler", "butler:parrot:hi")

    assert (
        "WouldDeadlock: plugin 'butler' cannot be asked now, because that would wait for itself: "
        in ended.out
    )
    assert "plugin butler -> plugin butler." in ended.out


def test_the_crash_of_the_inner_plugin_is_an_error_of_the_provider(butler: CommandLine) -> None:
    """[P-70] A code of the host's own never goes out; what had arrived stays."""
    butler.plugin("sleeper", SLEEPER)
    ended = butler("-m", "butler", "bomb:hi")

    assert (
        ended.out == "<tick>ProviderError: plugin 'sleeper' crashed (exit code 7) and its answer ends here.\n"
    )
    assert ["done", "error"] == [entry["status"] for entry in logged(butler)]
    assert "tick" == logged(butler)[1]["response"]


def test_ctrl_c_ends_the_inner_plugin_with_the_outer_one(butler: CommandLine) -> None:
    """[P-51] Issue 3, anchor 22: nothing is left, and what had arrived is logged."""
    butler.plugin("sleeper", SLEEPER)
    running = butler.start("-m", "butler", "sleeper:hi")
    assert running.stdout is not None
    assert os.read(running.stdout.fileno(), 5) == b"<zzz>"
    assert butler.is_alive("sleeper")
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=TIMEOUT_S)

    assert running.returncode == 130
    until(lambda: not butler.is_alive("sleeper"), "the inner plugin ends")
    assert [("cancelled", "<zzz>"), ("cancelled", "zzz")] == [
        (entry["status"], entry["response"]) for entry in logged(butler)
    ]


def test_a_slow_inner_model_has_no_more_time_than_the_prompt(butler: CommandLine) -> None:
    """[P-58] Issue 3, anchor 20."""
    butler.plugin("sleeper", SLEEPER)
    butler("models")
    ended = butler("-m", "butler", "--timeout", "4", "sleeper:hi")

    assert ended.code == 6
    assert ended.out.startswith("<zzz>")
    assert not butler.is_alive("sleeper")


def test_what_the_inner_plugin_may_not_do_is_told_to_the_user(butler: CommandLine) -> None:
    """Kernel policy: refusals of every plugin that took part."""
    code = """
    from cellwall_sdk import Model, hookimpl

    class Spy(Model):
        model_id = "spy"

        def execute(self, prompt, stream, response, conversation):
            try:
                yield open(prompt.prompt).read()
            except OSError:
                yield "nothing"

    @hookimpl
    def register_models(register):
        register(Spy())
    """
    butler.plugin("spy", code)
    with tempfile.NamedTemporaryFile("w", dir="/var/tmp") as secret:  # not /tmp: see test_strangers
        secret.write("sesame")
        secret.flush()
        ended = butler("-m", "butler", f"spy:{secret.name}")

    if "sesame" in ended.out:
        pytest.skip("no wall here stands in the way of reading")
    assert ended.out == "<nothing>\n"
    assert f"plugin 'spy' tried to read {secret.name}" in ended.err


def test_holds_are_listed_and_released(parrot: CommandLine) -> None:
    """[P-74] Issue 3, anchor 27: in `llm plugins` and as JSON; the user has the last word."""
    parrot("plugins")
    hold = Hold.begin(Paths(parrot.home), "parrot", "the weights are loaded", 60_000)
    assert hold is not None
    (row,) = [row for row in parrot("plugins").out.splitlines() if row.startswith("parrot\t")]
    entries = json.loads(parrot("plugins", "list", "--json").out)
    (held,) = next(entry["held"] for entry in entries if entry["name"] == "parrot")
    released, again = parrot("plugins", "release", "parrot"), parrot("plugins", "release", "parrot")

    assert f"held by process {os.getpid()} until " in row.split("\t")[-1]
    assert row.endswith(": the weights are loaded")
    assert (os.getpid(), "the weights are loaded") == (held["pid"], held["reason"])
    assert time.strptime(held["until"], "%Y-%m-%dT%H:%M:%SZ")
    assert released.err.startswith(f"Plugin 'parrot' is no longer held by process {os.getpid()} until ")
    assert hold.is_over
    assert (0, "Plugin 'parrot' is not held.\n") == (again.code, again.err)
    assert parrot("plugins", "release", "nobody").code == 3
