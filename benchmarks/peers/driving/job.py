"""One row of the table, as a driver is asked for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

QUESTION = "What is a capability?"


@dataclass(frozen=True)
class Model:
    """Where a simulated model listens. `window`: tokens, None = not stated."""

    name: str
    port: int
    window: int | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


@dataclass(frozen=True)
class Job:
    """`requests` calls of `models`, of which the first is preferred, `at_once` at a time.

    `timeout_s` bounds one attempt, by whatever a peer has for it. No wave begins after `seconds`; `pause_s`
    is the time from the start of a wave to the next. `tool` offers the one tool. `options` are the variant's.
    """

    models: tuple[Model, ...]
    run: int
    desk: int
    requests: int
    at_once: int
    seconds: float
    timeout_s: float = 1.0
    pause_s: float = 0.0
    streamed: bool = False
    tool: bool = False
    words: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, told: dict[str, Any]) -> Job:
        """From its JSON."""
        return cls(**{**told, "models": tuple(Model(**model) for model in told["models"])})

    @property
    def prompt(self) -> str:
        """The question, behind as much text as the row wants."""
        return " ".join(["word"] * self.words + [QUESTION])
