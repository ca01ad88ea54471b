"""The worked conversation of `protocol.md`, played by two real Connections."""

from __future__ import annotations

from cellwall_wire import (
    NEED_DATA,
    Args,
    Cancel,
    Code,
    Connection,
    Credit,
    Data,
    Delta,
    DescribeParams,
    DescribeResult,
    Dirs,
    Empty,
    ErrorInfo,
    ErrorResponse,
    InitializeParams,
    InitializeResult,
    KeyNeed,
    KeysGetParams,
    KeysGetResult,
    Message,
    Meta,
    ModelInfo,
    Outgoing,
    PartEnd,
    PartStart,
    Peer,
    PluginIdentity,
    PromptParams,
    PromptResult,
    Request,
    Response,
    Role,
    ShutdownParams,
    Supports,
    TextPart,
    ToolInfo,
    Usage,
    UsageItem,
    WireLimits,
)

WINDOW = 262_144
USER_FOLDER = "/home/ada/.config/cellwall/plugins/weather"


class Conversation:
    """Two connections and the lines that went between them."""

    def __init__(self) -> None:
        self.host = Connection(Role.HOST)
        self.plugin = Connection(Role.PLUGIN)
        self.lines: list[str] = []

    def says(self, who: Role, message: Outgoing) -> None:
        """Send a message, hand it to the other side, and keep the line."""
        sender, receiver = (self.host, self.plugin) if who is Role.HOST else (self.plugin, self.host)
        line = sender.send(message)
        receiver.receive(line)
        while receiver.next_event() is not NEED_DATA:
            pass
        arrow = "→" if who is Role.HOST else "←"
        self.lines.append(f"{arrow} {line.decode().rstrip()}")

    def asks(self, method: str, params: object) -> str:
        """Send a request of the host and give its id."""
        call_id = self.host.next_id()
        self.says(Role.HOST, Request(call_id, method, params))  # type: ignore[arg-type]
        return call_id


def transcript() -> str:
    """Play the conversation.

    Returns:
        its lines, each with an arrow for its direction.
    """
    talk = Conversation()
    _begin(talk)
    _prompt(talk)
    _cancelled_prompt(talk)
    goodbye = talk.asks("shutdown", ShutdownParams(reason="done"))
    talk.says(Role.PLUGIN, Response(goodbye, Empty()))
    return "\n".join(talk.lines)


def _begin(talk: Conversation) -> None:
    hello = InitializeParams(
        protocols=[1],
        host=Peer(name="cellwall", version="0.1.0"),
        plugin=PluginIdentity(name="weather", dist="llm-weather", version="2.0"),
        limits=WireLimits(line=8_388_608, data_line=65_536),
        dirs=Dirs(data=f"{USER_FOLDER}/data", scratch=f"{USER_FOLDER}/tmp"),
    )
    first = talk.asks("initialize", hello)
    talk.says(
        Role.PLUGIN, Response(first, InitializeResult(protocol=1, plugin=Peer(name="weather", version="2.0")))
    )
    describe = talk.asks("plugin/describe", DescribeParams())
    model = ModelInfo(
        id="weatherman",
        title="A model that knows the weather",
        supports=Supports(stream=True, tools=True, system=True),
        options_schema={"type": "object", "properties": {"units": {"enum": ["C", "F"]}}},
        key=KeyNeed(alias="weather", env="WEATHER_API_KEY"),
    )
    talk.says(Role.PLUGIN, Response(describe, DescribeResult(digest="9f2c", models=[model])))


def _question(text: str, *, tools: list[ToolInfo] | None = None) -> PromptParams:
    return PromptParams(
        model="weatherman",
        messages=[
            Message(role="system", parts=[TextPart("Be brief.")]),
            Message(role="user", parts=[TextPart(text)]),
        ],
        options={"units": "C"},
        tools=tools or [],
        meta=Meta(timeout_ms=600_000, credit=WINDOW),
    )


def _prompt(talk: Conversation) -> None:
    tool = ToolInfo(
        name="look_outside",
        description="Say what the sky looks like.",
        input_schema={"type": "object", "properties": {"city": {"type": "string"}}},
    )
    call = talk.asks("model/prompt", _question("Do I need an umbrella in Paris?", tools=[tool]))
    key = talk.plugin.next_id()
    talk.says(Role.PLUGIN, Request(key, "keys/get", KeysGetParams(alias="weather", meta=Meta(parent=call))))
    talk.says(Role.HOST, Response(key, KeysGetResult(value="(the key)")))
    talk.says(Role.PLUGIN, Data(call, [PartStart(0, "text"), Delta(0, "Let me ")]))
    talk.says(Role.PLUGIN, Data(call, [Delta(0, "look."), PartEnd(0)]))
    talk.says(Role.HOST, Credit(call, 210))
    items = [
        PartStart(1, "tool_call", call_id="c1", name="look_outside"),
        Args(1, '{"city":"Paris"}'),
        PartEnd(1),
    ]
    talk.says(Role.PLUGIN, Data(call, items))
    talk.says(Role.PLUGIN, Data(call, [UsageItem(Usage(input=41, output=17))]))
    talk.says(Role.PLUGIN, Response(call, PromptResult(finish="tool_calls", model_resolved="weatherman-2")))


def _cancelled_prompt(talk: Conversation) -> None:
    call = talk.asks("model/prompt", _question("Write a long poem about rain."))
    talk.says(Role.PLUGIN, Data(call, [PartStart(0, "text"), Delta(0, "It ")]))
    talk.says(Role.HOST, Cancel(call, "the user pressed Ctrl-C"))
    error = ErrorInfo.of(Code.CANCELLED, "cancelled", items_sent=2)
    talk.says(Role.PLUGIN, ErrorResponse(call, error))
