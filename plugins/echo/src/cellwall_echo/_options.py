"""What the echo models can be told: how to answer, and how to behave badly."""

from __future__ import annotations

from typing import Literal

from cellwall_sdk import Field, Options

__all__ = ["EchoOptions"]


class EchoOptions(Options):
    """The options; all but `temperature` change the answer and are not shown in it."""

    temperature: float | None = Field(
        default=None, ge=0, le=2, description="Changes nothing and is shown in the answer, as an example"
    )

    repeat: int = Field(default=1, ge=0, description="How many times to answer, in a piece each")
    delay: float = Field(default=0, ge=0, description="Seconds to wait before each piece")
    reasoning: str | None = Field(default=None, description="Text to think before the answer")
    tool_call: str | None = Field(
        default=None,
        description='A tool to ask for, as its name or as JSON: {"name": "add", "arguments": {"a": 1}}',
    )
    usage: bool = Field(default=False, description="Report the number of words as tokens")
    note: str | None = Field(default=None, description="A remark for the user, beside the answer")
    finish: Literal["stop", "length", "tool_calls", "refusal", "filtered"] | None = Field(
        default=None, description="Why the answer ends"
    )
    ask_key: str | None = Field(
        default=None, description="An API key to ask the host for, by alias; shown in the answer"
    )

    error: (
        Literal[
            "ContextTooLong",
            "Filtered",
            "KeyMissing",
            "KeyRejected",
            "Overloaded",
            "ProviderError",
            "RateLimited",
        ]
        | None
    ) = Field(default=None, description="For tests: an error to end with, after the answer")
    crash: Literal["raise", "sys.exit", "exit", "segfault"] | None = Field(
        default=None,
        description="For tests: a way to crash, after the answer; exit ends the process with code 7",
    )
    hang: Literal["sleep", "busy", "deaf"] | None = Field(
        default=None,
        description="For tests: a way to hang, after the answer; deaf does not listen to signals",
    )
    flood: bool = Field(default=False, description="For tests: answer without end")
    print_stdout: str | None = Field(default=None, description="For tests: text to print on standard output")
    bad_output: bool = Field(default=False, description="For tests: yield a number instead of text")
