"""How a replay's findings look at a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from capability_router.amounts import count, counted, money, seconds, share, stamp
from capability_router.cli import terminal
from capability_router.drawing.table import Table
from capability_router.replay.estimate import Estimate, Estimates
from capability_router.replay.findings import Findings, ModelSwitch, PairedSums, too_few_answers
from capability_router.replay.log.latencies import FEW

_MOVES = 12
_MANY = 10.0
_NAMES = {
    "logged": "as logged", "IPS": "replayed: weighted (IPS)", "self-normalised": "replayed: self-normalised",
    "doubly robust": "replayed: doubly robust", "difference": "difference (doubly robust)",
}  # fmt: skip


def tell(found: Findings, examples: int) -> None:
    """All of it, as wide as the terminal."""
    terminal.tell(
        f"{counted(found.requests, 'request')} from {stamp(found.since)} to {stamp(found.until)}, decided again by "
        f"{found.policy}"
    )
    _part("", _summary(found), _covered(found))
    _moves(found, examples)
    _part("Models", _models(found), _evidence(found))
    if found.refused:
        _part("Requests that no model could take, by rule", _refused(found), [])
    _scores(found.scores)
    _rest(found)


def _part(head: str, table: Table, told: Iterable[str]) -> None:
    terminal.tell("")
    if head:
        terminal.tell(head)
    if table.rows:
        terminal.show(table)
    for line in told:
        terminal.tell(line)


# -- sums -------------------------------------------------------------------------------------------


def _summary(found: Findings) -> Table:
    table = Table("", "logged", "replayed", "change", right=(1, 2, 3), fold=(0,))
    table.add("requests that change", "", count(found.changed), share(found.changed, found.requests))
    if found.cost is not None:
        _sum(table, "cost", found.cost, lambda pico: money(round(pico)), relative=True)
        each = PairedSums(found.cost.logged / found.cost.requests, found.cost.replayed / found.cost.requests, 1)
        _sum(table, "cost per request", each, lambda pico: money(round(pico)), relative=True)
    old, new = found.latency
    for name, before, after in (("mean", old.mean, new.mean), ("P50", old.p50, new.p50), ("P95", old.p95, new.p95)):
        if before is not None and after is not None:
            _sum(table, f"latency, {name}", PairedSums(before, after, found.timed), seconds, relative=True)
    if found.quality is not None:
        _sum(table, "predicted quality, mean", found.quality, lambda q: f"{q:.3f}", relative=False)
    table.add(
        "nobody eligible", count(found.nobody[0]), count(found.nobody[1]), f"{found.nobody[1] - found.nobody[0]:+,}"
    )
    return table


def _sum(table: Table, name: str, sums: PairedSums, spelt: Callable[[float], str], *, relative: bool) -> None:
    apart = sums.replayed - sums.logged
    change = _relative(sums) if relative else f"{apart:+.3f}"
    table.add(name, spelt(sums.logged), spelt(sums.replayed), change)


def _relative(sums: PairedSums) -> str:
    if not sums.logged:
        return "–"
    times = sums.replayed / sums.logged
    return f"{100 * (times - 1):+.1f} %" if times < _MANY else f"{times:,.0f} times"


def _covered(found: Findings) -> list[str]:
    """Of how many requests a figure is, where that is not all of them."""
    told = []
    if found.trials:
        told.append(
            f"{counted(found.trials, 'of the changes is', 'of the changes are')} requests for which the log tried a "
            "model out, by lot; the replay shows picks."
        )
    costed = 0 if found.cost is None else found.cost.requests
    if costed < found.requests:
        told.append(f"Cost is of {counted(costed, 'request')}: of the others one side is unknown, or nobody was asked.")
    if found.timed < found.requests:
        told.append(
            f"Latency is of {counted(found.timed, 'request')}: of the others nobody answered, or nothing is known of "
            "the new model's."
        )
    if found.guessed:
        told.append(
            f"Of {counted(found.guessed, 'request')} it is as predicted: the log has no answer of the new model."
        )
    if found.unanswered:
        told.append(
            f"{counted(found.unanswered, 'request')} failed at every model in the log; a replay can't tell of that."
        )
    cards = found.sources.get("card", 0)
    if cards:
        told.append(f"Of {counted(cards, 'new choice')} the quality is by the model's card alone.")
    return told


# -- who goes where ---------------------------------------------------------------------------------


def _moves(found: Findings, examples: int) -> None:
    if not found.moves:
        _part("", Table("from"), ["No request changes its model."])
        return
    table = Table("from", "to", "requests", "cost", "change", "quality", right=(2, 3, 4, 5), cut=(0, 1), spare=(5,))
    for move in found.moves[:_MOVES]:
        table.add(move.old, move.new, count(move.requests), *_of_move(move))
    rest = found.moves[_MOVES:]
    left = f"and {counted(sum(m.requests for m in rest), 'request')} in {count(len(rest))} more moves (--json has all)"
    _part("From which model to which", table, [left] if rest else [])
    shown = [line for move in found.moves[:_MOVES] for line in _examples(move, examples)]
    _part("", Table(""), shown) if shown else None


def _examples(move: ModelSwitch, examples: int) -> list[str]:
    if not examples:
        return []
    ids = ", ".join(move.examples[:examples])
    return [f"{move.old} -> {move.new}, such as {ids}: {move.reason}"]


def _of_move(move: ModelSwitch) -> tuple[str, str, str]:
    """What its requests cost in the log, and how that and their predicted quality change."""
    cost, quality = move.cost, move.quality
    paid = ("?", "?") if cost is None else (money(round(cost.logged)), _relative(cost))
    return *paid, "?" if quality is None else f"{quality.replayed - quality.logged:+.3f}"


def _models(found: Findings) -> Table:
    head = ("model", "first in log", "now", "answers", "failed", "median", "")
    table = Table(*head, right=(1, 2, 3, 4, 5), cut=(0,), fold=(6,), spare=(4,))
    for model, (before, after) in found.chosen.items():
        evidence = found.evidence[model]
        thin = after > before and too_few_answers(evidence)
        remark = "" if not thin else "not in the log" if not evidence.attempts else "few answers"
        table.add(
            model, count(before), count(after), count(evidence.answers), count(evidence.failed),
            seconds(evidence.median_s), remark,
        )  # fmt: skip
    return table


def _evidence(found: Findings) -> list[str]:
    thin = [model for model, (a, b) in found.chosen.items() if b > a and too_few_answers(found.evidence[model])]
    told = []
    if thin:
        told.append(f"Of {', '.join(thin)} the log has fewer than {FEW} answers: latency and tokens are a guess.")
    if found.lacks:
        names = ", ".join(f"{model} ({count(number)} requests had it first)" for model, number in found.lacks.items())
        told.append(f"The log's models that this configuration lacks: {names}.")
    return told


def _refused(found: Findings) -> Table:
    table = Table("rule", "logged", "replayed", right=(1, 2))
    for rule, (before, after) in found.refused.items():
        table.add(rule, count(before), count(after))
    return table


# -- scores -----------------------------------------------------------------------------------------


def _scores(found: Estimates) -> None:
    told = []
    if found.why:
        told.append(f"The log does not support an estimate of the replay's score: {found.why}.")
    if found.bounded:
        told.append(
            f"Too few of the changed choices were made by lot and scored (worth {found.effective_met:.1f}): what "
            "changes may be worth anything from 0 to 1, and the intervals allow for that."
        )
    if found.lines and found.supported < found.scored:
        told.append(
            f"It is of {count(found.supported)} of {counted(found.scored, 'scored request')}: the log gave the others' "
            "new choice no chance, so it says nothing of them."
        )
    if found.lines:
        told.append(
            f"{counted(found.moved, 'scored request changes', 'scored requests change')}, {count(found.met)} of them "
            f"to what the log chose by lot; effective sample size {found.effective:.0f}, weights up to "
            f"{found.most_weight:.1f}."
        )
    table = Table("score, 0 to 1", "value", "95 % interval", "", right=(1, 2), fold=(0, 3))
    for line in found.lines if found.moved else ():
        span = "–" if line.low is None or line.high is None else f"{line.low:.3f} to {line.high:.3f}"
        table.add(
            _NAMES[line.name],
            f"{line.value:+.3f}" if line.name == "difference" else f"{line.value:.3f}",
            span,
            _reads(line),
        )
    _part("Scores of answers", table, told)


def _reads(line: Estimate) -> str:
    if line.low is None or line.high is None:
        return "too few"
    if line.name != "difference":
        return ""
    return "no difference shown" if line.low <= 0.0 <= line.high else "better" if line.value > 0 else "worse"


# -- what is left -----------------------------------------------------------------------------------


def _rest(found: Findings) -> None:
    told = [f"Left out: {count(number)} × {reason}." for reason, number in found.omissions]
    if told or found.told:
        _part("", Table(""), [*found.told, *told])
