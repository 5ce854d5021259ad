"""What the demonstration prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import JustifyMethod
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from capability_router.amounts import count, money, seconds, share
from examples.demo.verdict import Score, Verdict


def table(title: str, *columns: str, figures: Iterable[str] = (), whole: Iterable[str] = (), note: str = "") -> Table:
    """An empty table; `figures` are the columns that stand to the right, `whole` those that are never broken."""
    right, fixed = set(figures), {*figures, *whole}
    made = Table(
        title=f"\n{title}", title_justify="left", title_style="bold", header_style="bold", box=box.SIMPLE_HEAD,
        pad_edge=False, caption=note or None, caption_justify="left",
    )  # fmt: skip
    for column in columns:
        side: JustifyMethod = "right" if column in right else "left"
        made.add_column(column, justify=side, overflow="fold", no_wrap=column in fixed)
    return made


def swap(rows: Iterable[tuple[str, str, str]]) -> Table:
    """The answers before and after."""
    made = table("The swap: nothing but the model's constructor changed", "application", "before", "after")
    for name, before, after in rows:
        made.add_row(name, escape(_short(before, 90)), escape(_short(after, 90)))
    return made


_LEAST_REASON = 12
_REQUEST_FIGURES = ("attempts", "tokens", "cost", "latency")


def requests(verdicts: Sequence[Verdict], width: int) -> Table:
    """One row per routed call; an agent's run has several. The reason gets the room that the others leave."""
    columns = ("request", "framework", "tenant", "model", "fallback", *_REQUEST_FIGURES, "right", "reason")
    made = table("Every request", *columns, figures=_REQUEST_FIGURES, whole=columns)
    made.padding = (0, 1, 0, 0)
    rows = [_request(verdict, decision) for verdict in verdicts for decision in verdict.decisions]
    shown = [tuple(map(len, map(_plain, row[:-1]))) for row in (columns, *rows)]
    room = max(width - sum(map(max, zip(*shown, strict=True))) - 2 * len(columns) - 2, _LEAST_REASON)
    for *cells, reason in rows:
        made.add_row(*cells, escape(_short(reason, room)))
    return made


def _plain(cell: str) -> str:
    return Text.from_markup(cell).plain


def _request(verdict: Verdict, decision: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        verdict.result.item.id, decision["framework"], decision["tenant"], decision["model"] or "[red]no answer[/]",
        "[yellow]yes[/]" if decision["fallback"] else "no", str(len(decision["attempts"])),
        f"{count(decision['input_tokens'])}+{count(decision['output_tokens'])}", money(decision["cost_pico"] or 0),
        seconds(decision["elapsed_s"]), "yes" if verdict.right else "[red]no[/]", decision["reason"],
    )  # fmt: skip


def telling_plan(decisions: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The decision whose plan shows most: the most different rules, and a model held back by its health."""

    def shows(decision: Mapping[str, Any]) -> tuple[int, int]:
        plan = decision["plan"]
        rules = {refusal["rule"] for refusal in plan["refusals"]}
        return len(rules) + any(c["held"] for c in plan["candidates"]), len(plan["candidates"])

    return max(decisions, key=shows)


def plan(decision: Mapping[str, Any]) -> Table:
    """One plan: the chosen model and, for each other one, why not."""
    told = decision["plan"]
    size = f"{count(told['input_tokens'])} tokens in, about {count(told['output_tokens'])} out"
    needs = f", needs {', '.join(told['needs'])}" if told["needs"] else ""
    title = f"The plan of {decision['session']} ({size}{needs}, task {told['task']}, tenant {decision['tenant']})"
    made = table(title, "model", "verdict", "why", whole=("model", "verdict"))
    best, *others = told["candidates"]
    made.add_row(best["id"], "[green]chosen[/]", escape(f"{_predicted(best)}; {told['reason']}"))
    for rank, other in enumerate(others, 2):
        verdict = "[yellow]held back[/]" if other["held"] else f"rank {rank}"
        made.add_row(other["id"], verdict, escape(_behind(best, other)))
    for refusal in told["refusals"]:
        made.add_row(refusal["model"], "[red]not eligible[/]", escape(f"{refusal['rule']}: {refusal['detail']}"))
    return made


def _predicted(candidate: Mapping[str, Any]) -> str:
    quality, cost, wait = candidate["quality"], candidate["cost_usd"], candidate["latency_s"]
    parts = [
        f"score {candidate['score']:.3f}", "" if quality is None else f"quality {quality:.2f}",
        "" if cost is None else f"${cost:.6f}", "" if wait is None else f"{wait:.1f} s",
    ]  # fmt: skip
    return ", ".join(part for part in parts if part)


def _behind(best: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    if other["held"]:
        return f"{other['held']} ({_predicted(other)})"
    terms = " ".join(f"{name} {value:+.3f}" for name, value in other["terms"].items())
    return f"{_predicted(other)}: {best['score'] - other['score']:.3f} behind ({terms})"


_TOTAL_FIGURES = ("calls", "tokens in", "tokens out", "cost")


def totals(ledger: Any, dimension: str) -> Table:
    """The ledger's totals along one dimension."""
    made = table(f"Totals by {dimension}", dimension, *_TOTAL_FIGURES, figures=_TOTAL_FIGURES, whole=(dimension,))
    for (name,), total in ledger.total(by=(dimension,)).items():
        cost = money(int(total.cost_usd.scaleb(12)))
        made.add_row(name or "(none)", count(total.calls), count(total.input_tokens), count(total.output_tokens), cost)
    return made


_SCORE_FIGURES = ("right", "answered", "cost", "per 1,000 tokens", "per request", "P50", "P95")


def comparison(scores: Sequence[Score]) -> Table:
    """The arms side by side; the last column is each arm's cost beside that of the first."""
    figures = (*_SCORE_FIGURES, f"cost / {scores[0].name}'s")
    made = table("The same requests, three ways", "policy", *figures, figures=figures, whole=("policy",))
    for score in scores:
        count_all = len(score.verdicts)
        made.add_row(
            score.name, share(score.right, count_all), share(score.answered, count_all), money(score.cost_pico),
            money(round(1_000 * score.cost_pico / max(score.tokens, 1))), money(score.cost_pico // max(count_all, 1)),
            seconds(score.p50_s), seconds(score.p95_s), f"{score.cost_pico / max(scores[0].cost_pico, 1):.2f} x",
        )  # fmt: skip
    return made


_CUT = "Cut off: billed by a provider that went down before it could send the answer and its usage."


def books(scores: Sequence[Score]) -> Table:
    """The router's ledger against the providers' bills, in whole picodollars."""
    columns = ("ledger", "bills", "difference", "cut off, billed without a word")
    title = "The books, in picodollars (1e-12 USD)"
    made = table(title, "policy", *columns, figures=columns, whole=("policy",), note=_CUT)
    for score in scores:
        gap = score.booked_pico - score.billed_pico
        verdict = "[green]0[/]" if gap == 0 else f"[red]{count(gap)}[/]"
        made.add_row(score.name, count(score.booked_pico), count(score.billed_pico), verdict, count(score.cut_pico))
    return made


def mistakes(score: Score) -> Table:
    """What went wrong, and why."""
    made = table(f"Not right ({score.name})", "request", "why")
    for verdict in score.verdicts:
        if not verdict.right:
            made.add_row(verdict.result.item.id, escape(_short(verdict.why, 110)))
    return made


def _short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
