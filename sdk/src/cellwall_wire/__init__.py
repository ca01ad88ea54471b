"""The protocol between Cellwall's host and its plugins, without IO: `protocol.md` in code.

A map of the package:
    _codes       error codes and their meaning
    _errors      whose fault it is: LocalError, RemoteError
    _limits      sizes both sides agree on, and the protocol's version
    _content     messages of a conversation, parts, usage, stream items
    _params      what stands in params and result
    _methods     every method: parameters, result, caller
    _messages    the envelopes that stand in a line
    _states      connection and call, as tables
    _framing     bytes to lines
    _codec       lines to envelopes
    _ledger      a connection's state, open calls, ids
    _sending     messages to lines
    _receiving   lines to events
    _connection  Connection(role): send(), receive(), next_event()
    schema       JSON Schema and state tables, as text (`python -m cellwall_wire.schema`)
"""

from ._codes import Code
from ._connection import Connection
from ._content import (
    Args,
    AttachmentPart,
    Delta,
    Item,
    Message,
    Note,
    Part,
    PartEnd,
    PartStart,
    ReasoningPart,
    Speaker,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    UnknownItem,
    Usage,
    UsageItem,
)
from ._errors import LocalError, NoCredit, RemoteError, TooLarge, Unencodable, WireError
from ._limits import PROTOCOL, SUPPORTED, Limits
from ._messages import (
    CLOSED,
    NEED_DATA,
    Cancel,
    Credit,
    Data,
    ErrorData,
    ErrorInfo,
    ErrorResponse,
    Event,
    Ignored,
    Junk,
    Outgoing,
    Progress,
    Refused,
    Request,
    Response,
    Signal,
)
from ._methods import METHODS, Method, Role
from ._params import (
    AssetFile,
    DescribeParams,
    DescribeResult,
    Dirs,
    Empty,
    HookInfo,
    InitializeParams,
    InitializeResult,
    KeyNeed,
    KeysGetParams,
    KeysGetResult,
    LoadError,
    Meta,
    ModelInfo,
    ModelLimits,
    Params,
    Peer,
    PingParams,
    PluginIdentity,
    PluginLimits,
    PromptParams,
    PromptResult,
    ShutdownParams,
    Supports,
    ToolInfo,
    WireLimits,
)
from ._states import CALL, CONNECTION, CallState, Does, Party, State

__all__ = [
    "CALL",
    "CLOSED",
    "CONNECTION",
    "METHODS",
    "NEED_DATA",
    "PROTOCOL",
    "SUPPORTED",
    "Args",
    "AssetFile",
    "AttachmentPart",
    "CallState",
    "Cancel",
    "Code",
    "Connection",
    "Credit",
    "Data",
    "Delta",
    "DescribeParams",
    "DescribeResult",
    "Dirs",
    "Does",
    "Empty",
    "ErrorData",
    "ErrorInfo",
    "ErrorResponse",
    "Event",
    "HookInfo",
    "Ignored",
    "InitializeParams",
    "InitializeResult",
    "Item",
    "Junk",
    "KeyNeed",
    "KeysGetParams",
    "KeysGetResult",
    "Limits",
    "LoadError",
    "LocalError",
    "Message",
    "Meta",
    "Method",
    "ModelInfo",
    "ModelLimits",
    "NoCredit",
    "Note",
    "Outgoing",
    "Params",
    "Part",
    "PartEnd",
    "PartStart",
    "Party",
    "Peer",
    "PingParams",
    "PluginIdentity",
    "PluginLimits",
    "Progress",
    "PromptParams",
    "PromptResult",
    "ReasoningPart",
    "Refused",
    "RemoteError",
    "Request",
    "Response",
    "Role",
    "ShutdownParams",
    "Signal",
    "Speaker",
    "State",
    "Supports",
    "TextPart",
    "TooLarge",
    "ToolCallPart",
    "ToolInfo",
    "ToolResultPart",
    "Unencodable",
    "UnknownItem",
    "Usage",
    "UsageItem",
    "WireError",
    "WireLimits",
]
