"""Every error that the kernel shows to a person, and the exit code that goes with it.

    CellwallError                 1
    ├── UsageProblem              2   the command line or a setting is wrong
    ├── NotFound                  3   a model, plugin, key, conversation or file that does not exist
    ├── KeyProblem                4   an API key is missing or was rejected
    │   └── NotGranted                it is there, and the plugin was not granted it
    ├── PluginError               5   a plugin failed
    │   ├── PluginBroken              it cannot be loaded or described
    │   │   └── CrashedAtStart            its process ended before it could be asked anything
    │   ├── PluginChanged             its files are not those that were granted something
    │   ├── PluginCrashed             its process ended while it was needed
    │   ├── PluginHungUp              it was attached to, and closed the connection
    │   ├── PluginMisbehaved          it broke the protocol
    │   ├── LimitExceeded             it used more of the machine than it may
    │   ├── Quarantined               it crashed too often and is not started for now
    │   └── CallFailed                it answered a call with an error; EXIT_CODES has kinds with codes of
    │                                 their own: 2, 3, 4, and 10 try later, 11 too long, 12 filtered
    ├── DeadlineExceeded          6   a plugin took longer than it was given
    ├── AssetProblem              7   a data file cannot be fetched or is not what it should be
    ├── StoreProblem              8   the log database or the user folder cannot be read or written
    ├── InstallProblem            9   a plugin cannot be installed, upgraded or removed
    └── Interrupted             130   Ctrl-C (143 for SIGTERM, 129 for SIGHUP)

The message of an error is one sentence (or two) that names the thing, the cause and what to do about it.
`kind` is stable and machine-readable: it is what `--json` and the log database hold.
"""

from __future__ import annotations

__all__ = [
    "AssetProblem",
    "CallFailed",
    "CellwallError",
    "CrashedAtStart",
    "DeadlineExceeded",
    "InstallProblem",
    "Interrupted",
    "KeyProblem",
    "LimitExceeded",
    "NotFound",
    "NotGranted",
    "PluginBroken",
    "PluginChanged",
    "PluginCrashed",
    "PluginError",
    "PluginHungUp",
    "PluginMisbehaved",
    "Quarantined",
    "StoreProblem",
    "UsageProblem",
]


class CellwallError(Exception):
    """Raised when a command cannot do what it was asked; the base of all errors shown to a person.

    Args:
        message: what happened and what to do, one or two sentences.
        detail: more lines for `--debug`, such as a plugin's traceback.
    """

    exit_code = 1
    kind = "Error"

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class UsageProblem(CellwallError):
    """Raised when the command line or a setting is wrong."""

    exit_code = 2
    kind = "UsageError"


class NotFound(CellwallError):
    """Raised when a model, plugin, key, conversation or file does not exist."""

    exit_code = 3
    kind = "NotFound"


class KeyProblem(CellwallError):
    """Raised when an API key is missing or was rejected by the provider."""

    exit_code = 4
    kind = "KeyMissing"


class NotGranted(KeyProblem):
    """Raised when a plugin needs an API key that its user has not granted it."""

    kind = "NotGranted"


class PluginError(CellwallError):
    """Raised when a plugin fails; `plugin` is its name."""

    exit_code = 5
    kind = "PluginError"

    def __init__(self, plugin: str, message: str, *, detail: str = "") -> None:
        super().__init__(message, detail=detail)
        self.plugin = plugin


EXIT_CODES = {
    "BadOptions": UsageProblem.exit_code,
    "UnknownModel": NotFound.exit_code,
    "KeyMissing": KeyProblem.exit_code,
    "KeyRejected": KeyProblem.exit_code,
    "RateLimited": 10,
    "Overloaded": 10,
    "ContextTooLong": 11,
    "Filtered": 12,
}
"""What a command ends with when a plugin answers with an error of this kind; with any other it is 5.

A script can tell by it what to do: mend the line, see to the key, wait, shorten the prompt, or word it anew.
"""


class PluginBroken(PluginError):
    """Raised when a plugin cannot be started, loaded or described."""

    kind = "PluginBroken"


class CrashedAtStart(PluginBroken):
    """Raised when a plugin's process ends before it could be asked anything, and does not say why."""


class PluginChanged(PluginError):
    """Raised when a plugin's files are not those to which the user has granted something; it does not start.

    Args:
        plugin: the plugin's name.
        cause: what is different; ends the sentence "plugin 'x' has changed since …: ".
    """

    kind = "Changed"

    def __init__(self, plugin: str, cause: str) -> None:
        super().__init__(
            plugin,
            f"plugin '{plugin}' has changed since it was granted what it may do: {cause}; 'llm plugins "
            f"verify {plugin}' shows more, 'llm plugins grant {plugin} --accept-change' accepts it.",
        )
        self.cause = cause


class PluginCrashed(PluginError):
    """Raised when a plugin's process ends while a call to it is open.

    Args:
        plugin: the plugin's name.
        cause: "exit code 7" or "signal SIGSEGV".
        stderr_tail: the last lines that it wrote to stderr, newest last.
    """

    kind = "Crashed"

    def __init__(self, plugin: str, cause: str, stderr_tail: str = "") -> None:
        message = f"plugin '{plugin}' crashed ({cause}) and its answer ends here."
        super().__init__(plugin, message, detail=stderr_tail)
        self.cause = cause
        self.stderr_tail = stderr_tail


class PluginHungUp(PluginError):
    """Raised when a plugin that was attached to closes the connection while a call to it is open."""

    kind = "HungUp"


class PluginMisbehaved(PluginError):
    """Raised when a plugin breaks the protocol, for instance by an endless line; its process is stopped."""

    kind = "BadOutput"


class LimitExceeded(PluginError):
    """Raised when a plugin uses more memory, time, files or processes than it may; its process is stopped."""

    kind = "LimitExceeded"


class Quarantined(PluginError):
    """Raised when a plugin is not started because it crashed too often in a short time.

    Args:
        plugin: the plugin's name.
        cause: what is the matter; ends the sentence "plugin 'x' ...", such as "is not started until 12:30".
        until: when it may be started again, in seconds since the epoch.
        last: what the last crash was, a sentence.
    """

    kind = "Quarantined"

    def __init__(self, plugin: str, cause: str, *, until: float, last: str = "") -> None:
        message = f"plugin '{plugin}' {cause}; 'llm plugins enable {plugin}' lets it start at once."
        super().__init__(plugin, message, detail=last)
        self.until = until

    @property
    def until_utc(self) -> str:
        """When it may be started again, in UTC, such as "2027-01-31T12:00:00Z"."""
        import time

        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.until))


class CallFailed(PluginError):
    """Raised when a plugin answers a call with an error.

    Args:
        plugin: the plugin's name.
        message: the plugin's own sentence.
        kind: the error's kind on the wire, such as "RateLimited"; see EXIT_CODES.
        retryable: whether the same call may succeed later.
        retry_after_ms: after what time, in milliseconds; None if nobody knows.
    """

    def __init__(
        self,
        plugin: str,
        message: str,
        *,
        kind: str = "PluginError",
        detail: str = "",
        retryable: bool = False,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(plugin, message, detail=detail)
        self.kind = kind
        self.retryable = retryable
        self.retry_after_ms = retry_after_ms
        self.exit_code = EXIT_CODES.get(kind, PluginError.exit_code)


class DeadlineExceeded(CellwallError):
    """Raised when a plugin took longer than it was given."""

    exit_code = 6
    kind = "DeadlineExceeded"


class AssetProblem(CellwallError):
    """Raised when a data file cannot be fetched, or is not what its plugin's manifest says it is."""

    exit_code = 7
    kind = "AssetProblem"


class StoreProblem(CellwallError):
    """Raised when the log database or the user folder cannot be read or written."""

    exit_code = 8
    kind = "StoreProblem"


class InstallProblem(CellwallError):
    """Raised when a plugin cannot be installed, upgraded or removed; what was there before still is."""

    exit_code = 9
    kind = "InstallProblem"


class Interrupted(CellwallError):
    """Raised when a signal ended the command; 130 for Ctrl-C, else 128 + the signal's number."""

    exit_code = 130
    kind = "Interrupted"

    def __init__(self, message: str = "interrupted", *, exit_code: int = 130) -> None:
        super().__init__(message)
        self.exit_code = exit_code
