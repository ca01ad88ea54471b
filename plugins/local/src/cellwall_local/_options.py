"""The options of a local model: `llm -o temperature 0.7 …`."""

from __future__ import annotations

from cellwall_sdk import Field, Options

__all__ = ["LocalOptions"]


class LocalOptions(Options):
    """What the user may choose for one prompt; an option that is None is left to llama.cpp."""

    temperature: float = Field(
        default=0.0,
        ge=0,
        le=2,
        description="How adventurous the answer is; 0 always takes the likeliest word.",
    )
    max_tokens: int = Field(
        default=256, ge=1, le=131072, description="The most tokens that the answer may have."
    )
    top_p: float | None = Field(
        default=None, gt=0, le=1, description="Choose among the likeliest words that make up this share."
    )
    top_k: int | None = Field(
        default=None, ge=0, le=1000, description="Choose among this many likeliest words."
    )
    min_p: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Leave out words less likely than this share of the likeliest one.",
    )
    seed: int | None = Field(
        default=None,
        ge=0,
        le=4294967294,
        description="Makes answers repeatable when the temperature is above 0.",
    )
    stop: str | None = Field(
        default=None, min_length=1, description="End the answer before this text; a JSON list names several."
    )
    dry_multiplier: float = Field(
        default=0.8, ge=0, le=10, description="How strongly repeated passages are avoided; 0 allows them."
    )
    repeat_penalty: float | None = Field(
        default=None, ge=0.5, le=2, description="How strongly repeated words are avoided; 1 allows them."
    )
    context: int = Field(
        default=4096,
        ge=256,
        le=1048576,
        description="How many tokens prompt and answer may have together; more needs more memory.",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="Threads of the processor to use; by default few, which is fast beside others.",
    )
