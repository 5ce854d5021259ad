"""A page whose parts commands write, each between `<!-- bench NAME -->` and `<!-- /bench -->`."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter


def part(page: str, name: str) -> str:
    """What stands between a part's marks; raises LookupError where the page has no such part."""
    return _found(page, name)[2]


def spliced(page: str, name: str, text: str) -> str:
    """The page with this text in the part's place; raises LookupError where the page has no such part."""
    found = _found(page, name)
    return f"{page[: found.start(2)]}{text}\n{page[found.end(2) :]}"


def _found(page: str, name: str) -> re.Match[str]:
    found = re.search(rf"(<!-- bench {re.escape(name)} -->\n)(.*?)<!-- /bench -->", page, re.DOTALL)
    if found is None:
        raise LookupError(f"the page has no part for {name}")
    return found


def written(path: Path, text: str) -> None:
    """In one step: who ends the program meanwhile leaves the old page, or the new one."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def machine() -> str:
    """What figures are measured on from now on, as it is told above them."""
    told = next((line for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "").partition(":")[2]
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    cores = f"{os.cpu_count()} cores of {told.strip() or platform.machine()}"
    python = f"Python {platform.python_version()}"
    return f"{when}, {cores}, {python}, a million turns of a loop in {_pace() * 1e3:.0f} ms, load average {load} before"


def _pace() -> float:
    """Seconds for a million turns of a plain loop, the median of five: a machine is slower on some days."""
    return median(_turned(1_000_000) for _ in range(5))


def _turned(turns: int) -> float:
    began, found = perf_counter(), 0
    for number in range(turns):
        found += number * number
    return perf_counter() - began


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:  # not on Linux
        return []
