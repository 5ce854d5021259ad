"""Writes decisions to the log."""

from __future__ import annotations

import logging

from capability_router.telemetry.sink_thread import Record

log = logging.getLogger("capability_router")


class LogSink:
    """One INFO line per decision in the logger `capability_router`."""

    def write(self, record: Record) -> None:
        """Log one line of a decision; other kinds of record are skipped."""
        if record.get("kind") != "decision":
            return
        log.info(
            "%s -> %s (%s) attempts=%d cost_usd=%s elapsed_s=%.3f",
            record["request_id"], record["model"], _why(record), len(record["attempts"]), record["cost_usd"],
            record["elapsed_s"],
        )  # fmt: skip

    def close(self) -> None:
        """Nothing to close."""


def _why(record: Record) -> str:
    """Why this model answered, or what went wrong if none did."""
    if record["model"] is not None or not record["attempts"]:
        return str(record["reason"])
    return "no answer: " + ", ".join(f"{each['model']} {each['fault']}" for each in record["attempts"])
