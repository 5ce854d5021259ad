"""The sinks of decision records. A slow or failing sink is counted and logged, and does not affect calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from capability_router.clock import SystemClock
from capability_router.errors import ConfigError
from capability_router.telemetry.jsonl import JsonlSink
from capability_router.telemetry.log import LogSink
from capability_router.telemetry.sink_thread import Record, Sink, SinkThread

__all__ = ["JsonlSink", "LogSink", "Sink", "Sinks", "configured_sinks"]


class CallbackSink:
    """Calls a function with each record."""

    def __init__(self, called: Callable[[Record], object]) -> None:
        self._called = called

    def write(self, record: Record) -> None:
        """Call it."""
        self._called(record)

    def close(self) -> None:
        """Nothing to close."""

    def __repr__(self) -> str:
        return repr(self._called)


class Sinks:
    """All sinks of a router."""

    def __init__(self, sinks: Sequence[Sink] = ()) -> None:
        self._threads = [SinkThread(sink) for sink in sinks]
        self._beside: list[SinkThread] = []

    def __bool__(self) -> bool:
        return bool(self._threads)

    @property
    def dropped(self) -> int:
        """The number of records that a sink did not get, because it failed or was too far behind."""
        return sum(thread.losses.count for thread in self._all)

    def add(self, sink: Sink | Callable[[Record], object]) -> None:
        """Send further records to this sink or function too. Raises ConfigError for anything else."""
        self._threads = [*self._threads, SinkThread(_as_sink(sink))]

    def beside(self, thread: SinkThread) -> None:
        """Count, flush and close this thread too, which carries other data than decision records."""
        self._beside = [*self._beside, thread]

    @property
    def _all(self) -> list[SinkThread]:
        return [*self._threads, *self._beside]

    def write(self, record: Record) -> None:
        """Give the record to each sink; a copy to those that might change it."""
        for thread in self._threads:
            thread.write(record if isinstance(thread.sink, _READERS) else _copied(record))

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until each sink has all records so far; False = one had not within `timeout_s`."""
        now = SystemClock().now
        end = now() + timeout_s  # they write side by side
        return False not in [thread.flush(max(end - now(), 0.0)) for thread in self._all]  # a list: all are flushed

    def close(self) -> None:
        """Close every sink, when it has what was for it."""
        for thread in self._all:
            thread.close()


_READERS = (JsonlSink, LogSink)


def _copied(value: Any) -> Any:
    """Nothing that can be changed is shared: prices are, by all records, and each sink has a thread of its own."""
    if isinstance(value, dict):
        return {name: _copied(inner) for name, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, (list, tuple)) else value


class SinkSettings(Protocol):
    """The sinks that the `telemetry:` block asks for."""

    @property
    def jsonl(self) -> str | None: ...
    @property
    def rotate_mb(self) -> float | None: ...
    @property
    def keep(self) -> int: ...
    @property
    def log(self) -> bool: ...


def configured_sinks(told: SinkSettings) -> list[Sink]:
    """Made as they are wanted; no file is opened yet."""
    sinks: list[Sink] = [JsonlSink(told.jsonl, told.rotate_mb, told.keep)] if told.jsonl else []
    return [*sinks, LogSink()] if told.log else sinks


def _as_sink(sink: Sink | Callable[[Record], object]) -> Sink:
    if all(callable(getattr(sink, name, None)) for name in ("write", "close")):
        return cast(Sink, sink)
    if callable(sink):
        return CallbackSink(sink)
    raise ConfigError(f"a sink is a function of a record, or has write(record) and close(); got {sink!r}")
