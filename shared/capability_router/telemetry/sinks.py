"""Where decision records go. A broken sink is counted and named once; it never breaks a call."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from capability_router.postbox import Postbox

log = logging.getLogger("capability_router")


class Sink(Protocol):
    """Takes one record, quickly."""

    def write(self, record: dict[str, Any]) -> None: ...
    def close(self) -> None: ...


class JsonlSink:
    """One line per decision, appended and flushed; the file is opened at the first record."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._file: Any = None
        self._postbox: Postbox[str] = Postbox(self._append)

    def write(self, record: dict[str, Any]) -> None:
        """Append the record."""
        self._postbox.post(json.dumps(record, separators=(",", ":"), ensure_ascii=False))

    def _append(self, line: str) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self._path, "a", encoding="utf-8", opener=_for_the_owner)  # noqa: SIM115 - held open
        self._file.write(line + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file; a later record opens it again."""
        with self._postbox:
            if self._file is not None:
                self._file.close()
                self._file = None

    def __repr__(self) -> str:
        return f"JsonlSink({str(self._path)!r})"


def _for_the_owner(path: str, flags: int) -> int:
    """A new file is for its owner alone: with `hashed_words` it tells something of the prompts."""
    return os.open(path, flags, 0o600)


class LogSink:
    """One INFO line per decision in the logger `capability_router`."""

    def write(self, record: dict[str, Any]) -> None:
        """Log a decision's headline; feedback and shadows' calls have none."""
        if record.get("kind") != "decision":
            return
        log.info(
            "%s -> %s (%s) attempts=%d cost_usd=%s elapsed_s=%.3f",
            record["request_id"], record["model"], record["reason"], len(record["attempts"]),
            record["cost_usd"], record["elapsed_s"],
        )  # fmt: skip

    def close(self) -> None:
        """Nothing to close."""


class Sinks:
    """All sinks of a router."""

    def __init__(self, sinks: Sequence[Sink] = ()) -> None:
        self._sinks = list(sinks)
        self.dropped = 0

    def __bool__(self) -> bool:
        return bool(self._sinks)

    def add(self, sink: Sink) -> None:
        """Send further records there too."""
        self._sinks.append(sink)

    def write(self, record: dict[str, Any]) -> None:
        """Give the record to each sink; one that fails is counted and warned of once."""
        for sink in self._sinks:
            try:
                sink.write(record)
            except Exception as error:  # noqa: BLE001 - telemetry must never break a call, whatever a sink raises
                self.dropped += 1
                if self.dropped == 1:
                    log.warning("decision record dropped: %r failed with %s", sink, type(error).__name__)

    def close(self) -> None:
        """Close every sink."""
        for sink in self._sinks:
            sink.close()


def configured_sinks(jsonl: str | None, log_lines: bool) -> list[Sink]:
    """The sinks that the `telemetry:` block asks for."""
    sinks: list[Sink] = [JsonlSink(jsonl)] if jsonl else []
    return [*sinks, LogSink()] if log_lines else sinks
