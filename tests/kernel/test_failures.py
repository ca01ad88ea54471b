"""What goes wrong on the wire, in sentences for people, and what of the host's troubles a plugin is told."""

from __future__ import annotations

import pytest

from cellwall_kernel.errors import CallFailed, KeyProblem, NotFound, StoreProblem, UsageProblem
from cellwall_kernel.process import Exit
from cellwall_kernel.session import Deadline
from cellwall_kernel.session._failures import (
    answer_for,
    broken_import,
    call_failed,
    crashed,
    refused_start,
)
from cellwall_kernel.timeouts import Timeouts
from cellwall_wire import Code, ErrorInfo, LoadError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (LoadError("KeyError", "'x'", "/a/b.py", 3), "KeyError: 'x' (/a/b.py, line 3)."),
        (
            LoadError("KeyError", "KeyError: 'x' (/a/b.py, line 3)", "/a/b.py", 3),
            "KeyError: 'x' (/a/b.py, line 3).",
        ),
        (LoadError("KeyError", "", None, None), "KeyError."),
        (LoadError("Foreign", "it has\n  another form.", None, None), "it has another form."),
    ],
)
def test_a_failed_import_is_one_sentence_with_its_place(error: LoadError, text: str) -> None:
    """An SDK may say much or little; people read type, cause and place once."""
    assert broken_import("zoo", error).message == f"plugin 'zoo' cannot be loaded: {text}"


@pytest.mark.parametrize(("versions", "advice"), [([2, 3], "upgrade Cellwall"), ([0], "upgrade the plugin")])
def test_a_plugin_of_another_version_says_which_side_is_behind(versions: list[int], advice: str) -> None:
    """Anchor 1: the text says whom to upgrade."""
    error = ErrorInfo.of(Code.UNSUPPORTED_VERSION, "no", supported=versions, requested=[1])

    assert refused_start("zoo", error).message.endswith(f"this Cellwall speaks version 1; {advice}.")


def test_a_plugin_that_refuses_to_start_is_quoted() -> None:
    """It may have a reason of its own."""
    error = refused_start("zoo", ErrorInfo.of(Code.INTERNAL_ERROR, "not today."))

    assert error.message == "plugin 'zoo' refused to start: not today."


def test_a_failed_call_keeps_kind_hint_and_traceback() -> None:
    """The kind decides the exit code, the hint says what to do, the traceback is for `--debug`."""
    info = ErrorInfo.of(Code.KEY_MISSING, "No key.", hint="Set one.", detail={"traceback": "Traceback…"})

    error = call_failed("zoo", info)

    assert (error.message, error.kind, error.detail, error.exit_code) == (
        "No key. Set one.",
        "KeyMissing",
        "Traceback…",
        KeyProblem.exit_code,
    )


def test_an_end_while_loading_is_told_otherwise_than_one_while_answering() -> None:
    """Nothing of an answer can have been lost in the first case."""
    assert "while it was being loaded" in str(crashed("zoo", Exit(7), "", was_ready=False))
    assert "its answer ends here" in str(crashed("zoo", Exit(-11), "", was_ready=True))


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (KeyProblem("no key"), "KeyMissing"),
        (NotFound("nothing"), "NotFound"),
        (CallFailed("zoo", "no", kind="NotGranted"), "NotGranted"),
        (StoreProblem("/home/user/keys.json is broken"), "Unavailable"),
        (UsageProblem("config.json is broken"), "UsageError"),
        (ZeroDivisionError("in /usr/lib/host.py"), "InternalError"),
    ],
)
def test_a_plugin_is_told_the_kind_of_the_hosts_trouble(problem: Exception, kind: str) -> None:
    """Anchor 37: stable kinds, and nothing of the host's inside for an error that nobody foresaw."""
    answer = answer_for(problem)

    assert answer.kind == kind
    assert "host.py" not in answer.message


def test_limits_come_from_the_settings_and_the_command_line() -> None:
    """The command line wins."""
    timeouts = Timeouts.parse({"idle_s": 5, "total_s": 50})
    deadline = Deadline.from_settings(timeouts, plugin="p", total_s=7)

    assert (deadline.total_s, deadline.first_s, deadline.idle_s) == (7, None, 5)
