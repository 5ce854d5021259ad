"""The table at the top of docs/performance.md: each figure is read from a table below it, and so is of the same run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from benchmarks.page import part

Table = Mapping[str, Sequence[str]]
"""The cells of a row by the row's name, the name left out."""
_CORE = re.compile(r"^ +(\d+) (.+?) {2,}([\d./ ]+)", re.MULTILINE)
_DECIDE = ("single", "cheapest", "fastest", "rules", "weighted", "adaptive", "+ quality_target")
_TARGETS = ("+ cost_target_usd", "+ latency_target_s")


class Figure(NamedTuple):
    """`told`: the measured value as it is shown. `missed`: it is beyond its target."""

    what: str
    told: str
    target: str
    missed: bool

    def line(self) -> str:
        return f"| {self.what} | {self.told}{': missed' if self.missed else ''} | {self.target} |"


def summed_up(page: str) -> str:
    """As Markdown; raises LookupError where the page lacks a part, a row or a column."""
    figures = [*_over_http(page), *_in_process(page), _turns(page), *_beside_litellm(page), *_decisions(page)]
    return "\n".join(["| | measured | target |", "|---|---|---|", *(figure.line() for figure in figures)])


def tables(text: str) -> list[Table]:
    """The Markdown tables of a part, in their order."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    rows = [[[cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines()[2:]] for block in blocks]
    return [{cells[0]: cells[1:] for cells in block} for block in rows]


def number(page: str, name: str, table: int, row: str, column: int) -> float:
    """The first number in a cell."""
    try:
        cell = tables(part(page, name))[table][row][column]
        return float(re.findall(r"[\d.,]+", cell)[0].replace(",", ""))
    except (IndexError, KeyError) as error:
        raise LookupError(f"the part {name} has no number in column {column} of {row!r}, table {table}") from error


def _ratio(what: str, value: float, most: float, sign: str = "") -> Figure:
    return Figure(what, f"{value:.2f} x", f"{sign}{most:g} x", value > most)


def _over_http(page: str) -> Iterator[Figure]:
    for what, row, most, sign in (
        ("over HTTP on the built-in endpoint / `ChatOpenAI`: time of a call", "time of a call", 1.0, "< "),
        ("the same: time to the first text", "time to the first text", 1.0, "< "),
        ("the same: processor time of a call, 50 at once", "processor time of a call, 50 at once", 0.3, ""),
    ):
        yield _ratio(what, number(page, "loopback", 0, row, 0), most, sign)
    over = number(page, "loopback", 1, "ChatRouter, ChatOpenAI", 0)
    yield Figure("over a `ChatOpenAI` / that `ChatOpenAI` alone: time of a call", f"{over:.2f} x", "", missed=False)


def _in_process(page: str) -> Iterator[Figure]:
    def beside(row: str) -> float:
        return number(page, "overhead", 0, row, 4)

    bare = number(page, "peers", 0, "ChatRouter", 0)
    yield _ratio("`invoke` of ChatRouter / of the fake model alone, without handlers", beside("invoke"), 2.5)
    yield _ratio("the same over a model that can't stream", bare, 2.5)
    larger = [number(page, "growth", 0, f"1 model, {kb} kB", 2) for kb in (1, 10, 100)]
    told = " / ".join(f"{each:.2f}" for each in larger)
    yield Figure("the same with a prompt of 1 / 10 / 100 kB, new each time", f"{told} x", "2.5 x", max(larger) > 2.5)
    firsts = [number(page, "overhead", 0, f"{way}, until the first chunk", 4) for way in ("stream", "astream")]
    told = " / ".join(f"{each:.2f}" for each in firsts)
    yield Figure("time to a stream's first chunk / the bare model's: sync / async", f"{told} x", "", missed=False)
    fallbacks = number(page, "overhead", 0, "invoke", 2)
    yield Figure("`invoke` of `with_fallbacks` / the bare model", f"{fallbacks:.2f} x", "", missed=False)
    yield _ratio(
        "`invoke` of ChatRouter with a handler that hears of all runs", beside("invoke, a handler hears of it"), 2.5
    )
    yield _ratio("`ainvoke` / the bare model, 50 at once", beside("ainvoke, 50 at once"), 2.5)
    chunks = [number(page, "overhead", 0, f"{way}, 100 chunks", 5) for way in ("stream", "astream")]
    told = " / ".join(f"{us:.1f}" for us in chunks)
    yield Figure("added to each chunk of a stream: sync / async", f"{told} us", "20 us", max(chunks) > 20.0)


def _turns(page: str) -> Figure:
    """Of the first table: calls that succeed."""
    text = part(page, "turns").partition("it fails over")[0]
    found = dict(re.findall(r"^ +(\w+) +([\d.]+) ", text, re.MULTILINE))
    names = ("ChatRouter", "bare", "with_fallbacks")
    if missing := [name for name in names if name not in found]:
        raise LookupError(f"the part turns has no row for {missing[0]}")
    ours, bare, fallbacks = (float(found[name]) for name in names)
    what = "turns of the event loop, an awaited call: ChatRouter / bare / `with_fallbacks`"
    return Figure(what, f"{ours:g} / {bare:g} / {fallbacks:g}", "as the bare model", ours > bare)


def _beside_litellm(page: str) -> Iterator[Figure]:
    def share(row: str, column: int) -> float:
        return number(page, "peers", 0, row, column) / number(page, "peers", 0, "litellm.Router", column)

    for what, columns in (("time added / that of `litellm.Router`, p50", (1, 5)), ("the same, p95", (2, 6))):
        added = [share("ChatRouter", column) for column in columns]
        told = ", ".join(f"{each:.2f}" for each in added)
        yield Figure(f"{what}: `invoke`, awaited", told, "0.5", max(added) > 0.5)
    ours, fallbacks = share("ChatRouter", 10), share("with_fallbacks", 10)
    told = f"{ours:.2f} (`with_fallbacks` alone: {fallbacks:.2f})"
    yield Figure("memory after 1,000 calls / `litellm.Router`'s", told, "a third", ours > 1 / 3)
    if "Router, endpoint" in tables(part(page, "peers"))[0]:  # a table of an earlier day may be without it
        alone = share("Router, endpoint", 10)
        what = "the same of the core's `Router` on its built-in endpoint, without LangChain"
        yield Figure(what, f"{alone:.2f}", "a third", alone > 1 / 3)
    core = number(page, "imports", 0, "`from capability_router import Router`", 4)
    least = core / number(page, "peers", 0, "litellm.Router", 9)
    what = "memory of the core's `Router`, without LangChain, after import / `litellm.Router`'s"
    yield Figure(what, f"{least:.2f}: {core:.0f} MiB", "a third", least > 1 / 3)


def _decisions(page: str) -> Iterator[Figure]:
    rows = {(int(count), name): _timings(rest) for count, name, rest in _CORE.findall(part(page, "core"))}
    if missing := [name for name in (*_DECIDE, *_TARGETS) if (10, name) not in rows]:
        raise LookupError(f"the part core has no row for {missing[0]!r} with 10 models")

    def p50(names: Sequence[str], column: int) -> tuple[str, bool]:
        us = [rows[10, name][column] for name in names]
        return f"{' / '.join(f'{each:.0f}' for each in us)} us", max(us) > 50.0

    for what, names, column in (
        ("decide among 10 models, p50: single / cheapest / fastest / rules", _DECIDE[:4], 2),
        ("the same: weighted / adaptive / with a quality target", _DECIDE[4:], 2),
        ("the same: with a cost target / with a latency target too", _TARGETS, 2),
        ("the same in a router's first 32 requests: quality / cost / latency target too", (_DECIDE[-1], *_TARGETS), 0),
    ):
        told, missed = p50(names, column)
        yield Figure(what, told, "50 us", missed)
    late, first = (max(rows[10, name][column] for name in (*_DECIDE, *_TARGETS)) for column in (3, 1))
    told = f"<= {late:.0f} us, first requests {first:.0f} us"
    yield Figure("decide among 10 models, p99, each policy", told, "150 us", max(late, first) > 150.0)
    slope = (rows[200, "adaptive"][2] - rows[2, "adaptive"][2]) / 198
    fewest, most = (number(page, "growth", 0, f"{count} models, 84 characters", 3) for count in (2, 200))
    whole = (most - fewest) / 198
    what = "each further model, 2 to 200: of a decision / of a whole call of ChatRouter"
    yield Figure(what, f"{slope:.1f} / {whole:.1f} us", "2 us", max(slope, whole) > 2.0)


def _timings(rest: str) -> list[float]:
    """p50 and p99 of the first decision, of later ones, of the start, and of the whole."""
    return [float(each) for each in re.findall(r"[\d.]+", rest)][:8]
