"""What a model is asked: prompt, conversation and attachments from one chain of messages."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

import cellwall_wire as wire
from cellwall_sdk import Attachment, Conversation, Model, Options, Prompt, ToolCall, ToolResult
from cellwall_sdk._prompt import read_messages

if TYPE_CHECKING:
    from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n rest"


def _said(role: wire.Speaker, *parts: Any) -> wire.Message:
    made = [wire.TextPart(text=part) if isinstance(part, str) else part for part in parts]
    return wire.Message(role=role, parts=made)


def _prompt(*messages: wire.Message, scratch: str | None = None, **params: Any) -> Prompt:
    given = wire.PromptParams(model="m", messages=list(messages), **params)
    return Prompt(read_messages(given.messages, scratch), Model("m"), Options(), given)


CHAIN = (
    _said("system", "Be brief."),
    _said("user", "What is 1+1?"),
    _said("assistant", wire.ReasoningPart(text="easy"), "2"),
    _said("user", "Look it up."),
    _said("assistant", wire.ToolCallPart(call_id="c1", name="search", arguments={"q": "1+1"})),
    _said("tool", wire.ToolResultPart(call_id="c1", name="search", content=[wire.TextPart(text="2!")])),
)


def test_the_prompt_is_the_last_thing_the_user_said() -> None:
    """[P-61] System prompt, history and prompt come from one chain."""
    prompt = _prompt(*CHAIN[:3], _said("user", "And 2+2?"))

    assert (prompt.prompt, prompt.system) == ("And 2+2?", "Be brief.")
    assert [message.role for message in prompt.messages] == ["system", "user", "assistant", "user"]
    assert (prompt.fragments, prompt.system_fragments, prompt.attachments) == ([], [], [])


def test_tool_results_are_what_is_new_after_a_tool_call() -> None:
    """The prompt's own text is empty then."""
    prompt = _prompt(*CHAIN)

    assert prompt.prompt == ""
    assert prompt.tool_results == [ToolResult("search", "2!", [], "c1")]


def test_a_failed_tool_is_told_apart() -> None:
    """Its text is the exception's."""
    failed = wire.ToolResultPart(
        call_id="c1", name="search", content=[wire.TextPart(text="offline")], is_error=True
    )
    prompt = _prompt(*CHAIN[:5], _said("tool", failed))

    assert prompt.tool_results[0].exception == "offline"


def test_the_conversation_is_rebuilt_as_responses() -> None:
    """Plugins that read conversation.responses find what they know."""
    prompt = _prompt(*CHAIN, _said("user", "Thanks."))
    conversation = Conversation(prompt, "c-1")

    assert conversation.id == "c-1"
    asked = [response.prompt.prompt for response in conversation.responses]
    assert asked == ["What is 1+1?", "Look it up."]
    assert [response.text() for response in conversation.responses] == ["2", ""]
    assert conversation.responses[0].text_or_raise() == "2"
    assert conversation.responses[1].tool_calls() == [ToolCall("search", {"q": "1+1"}, "c1")]
    assert conversation.responses[1].tool_calls_or_raise() == conversation.responses[1].tool_calls()
    assert conversation.responses[0].prompt.system == "Be brief."
    assert "system" not in [message.role for message in conversation.messages]


def test_a_first_prompt_has_an_empty_conversation() -> None:
    """Nothing to test for None."""
    conversation = Conversation(_prompt(_said("user", "hi")), None)

    assert (conversation.id, conversation.messages, conversation.responses) == (None, [], [])


def test_attachments_come_as_bytes_blobs_and_addresses(tmp_path: Path) -> None:
    """[P-62] Bytes are read when asked for; a blob is a name in the scratch folder and nothing else."""
    (tmp_path / "blob-1").write_bytes(PNG)
    prompt = _prompt(
        _said(
            "user",
            "Look:",
            wire.AttachmentPart(media_type="image/png", data="iVBORw0KGgo=", name="a.png"),
            wire.AttachmentPart(blob="../../blob-1"),
            wire.AttachmentPart(url="https://example.org/x.pdf"),
        ),
        scratch=str(tmp_path),
    )
    data, blob, address = prompt.attachments

    assert (data.content_bytes(), data.base64_content()) == (PNG[:8], "iVBORw0KGgo=")
    assert (blob.content_bytes(), blob.resolve_type()) == (PNG, "image/png")
    assert blob.id() == hashlib.sha256(PNG).hexdigest()
    assert blob.base64_content().startswith("iVBOR")
    assert (address.content, address.resolve_type()) == (None, "application/pdf")
    with pytest.raises(ValueError, match="is a web address"):
        address.content_bytes()
    assert address.id() == hashlib.sha256(b'{"url": "https://example.org/x.pdf"}').hexdigest()


def test_attachments_of_earlier_turns_stay_with_their_turn() -> None:
    """The current prompt has only its own."""
    prompt = _prompt(
        _said("user", "one", wire.AttachmentPart(data="AA==")), _said("assistant", "ok"), _said("user", "two")
    )
    conversation = Conversation(prompt, None)

    assert prompt.attachments == []
    assert conversation.responses[0].attachments == [Attachment(content=b"\0")]


def test_an_attachment_without_a_type_is_recognised_by_its_bytes_or_its_name() -> None:
    """None when nothing tells."""
    assert Attachment(content=b"%PDF-1.7").resolve_type() == "application/pdf"
    assert Attachment(content=b"RIFF....WEBP").resolve_type() == "image/webp"
    assert Attachment(content=b"x", name="x.txt").resolve_type() == "text/plain"
    assert Attachment(content=b"x").resolve_type() is None


def test_schema_tools_and_settings_are_visible_as_data() -> None:
    """The model decides what to do with them."""
    prompt = _prompt(
        _said("user", "hi"),
        schema={"type": "object"},
        tools=[wire.ToolInfo(name="add", description="adds", input_schema={"type": "object"})],
        tool_choice="add",
        hide_reasoning=True,
    )

    assert prompt.schema == {"type": "object"}
    assert [(tool.name, tool.description) for tool in prompt.tools] == [("add", "adds")]
    assert (prompt.tool_choice, prompt.hide_reasoning) == ("add", True)


def test_opaque_data_of_a_provider_comes_back_with_its_part() -> None:
    """[P-60] What PartEnd carried out is here again."""
    signed = wire.ReasoningPart(text="hm", provider={"signature": "s"})
    prompt = _prompt(_said("user", "a"), _said("assistant", signed, "b"), _said("user", "c"))

    part = prompt.messages[1].parts[0]
    assert part.provider_metadata == {"signature": "s"}
