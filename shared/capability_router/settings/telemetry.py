"""What is told of each decision: `telemetry:` and its `otel:`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import PlainValidator, field_validator

from capability_router.settings.block import Block, FileName, Flag
from capability_router.settings.units import choice, number, whole


class Otel(Block):
    """OpenTelemetry's spans and metrics. `attempts`: who makes the spans of attempts, see docs/tracing.md.

    A block that is written is on, unless it says `on: false`.
    """

    on: Flag = True
    attempts: Annotated[Literal["auto", "always", "never"], PlainValidator(choice("auto", "always", "never"))] = "auto"


class Telemetry(Block):
    """Where decision records go, and what is in them.

    `jsonl`: a file, which makes room for a new one at `rotate_mb` million bytes; `keep` older ones stay.
    `capture_content`: they have the messages' and the answer's text, else none. `hashed_words`: they have the request's
    words as hashes, for `capability-router train`.
    """

    jsonl: FileName | None = None
    rotate_mb: Annotated[float, PlainValidator(number(0, above=True))] | None = None
    keep: Annotated[int, PlainValidator(whole(0, 10_000))] = 5
    log: Flag = False
    capture_content: Flag = False
    hashed_words: Flag = False
    otel: Otel = Otel(on=False)

    @field_validator("otel", mode="before")
    @classmethod
    def _switched(cls, value: Any) -> Any:
        return {"on": value} if isinstance(value, bool) else value
