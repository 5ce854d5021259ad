"""What is recorded of each decision: `telemetry:` and its `otel:`."""

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

    `jsonl`: a file, rotated at `rotate_mb` million bytes; `keep` older ones stay. `capture_content`: records hold the
    text of messages and answers. `hashed_words`: they hold hashes of the request's words, for `train`.
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
