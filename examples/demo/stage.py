"""The run of all arms at once, with its progress and the routers' own words shown."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from examples.demo.arm import Arm
from examples.demo.arms import incidents
from examples.demo.workload import Item

_TICK_S = 0.1


class _Told(logging.Handler):
    """Prints what the routers say of their models' health; the thread's name tells which router."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console, self._began = console, time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        who = (record.threadName or "").rpartition("_")[0] or "router"
        when = time.monotonic() - self._began
        self._console.print(f"[dim]{when:5.1f} s  {who}:[/] {escape(record.getMessage())}", highlight=False)


def run(console: Console, arms: Sequence[Arm], items: Sequence[Item], duration_s: float) -> None:
    """Every arm serves every request at the same time on its own fleet, and meets the same incidents."""
    log = logging.getLogger("capability_router")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        told = _Told(progress.console)
        log.addHandler(told)
        log.propagate = False
        try:
            _join([_thread(arm, items, duration_s, progress) for arm in arms])
        finally:
            log.removeHandler(told)
            log.propagate = True


def _thread(arm: Arm, items: Sequence[Item], duration_s: float, progress: Progress) -> threading.Thread:
    bar: Any = progress.add_task(arm.name, total=len(items))
    told = (items, duration_s, incidents(duration_s), lambda: progress.advance(bar))
    work = threading.Thread(target=arm.run, args=told, daemon=True)
    work.start()
    return work


def _join(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        while thread.is_alive():  # short waits, so that Ctrl-C is heard
            thread.join(_TICK_S)
