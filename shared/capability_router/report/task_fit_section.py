"""The part of the page on which model suits which task."""

from __future__ import annotations

from collections.abc import Mapping

from capability_router.amounts import count, money, share
from capability_router.drawing.markup import Markup
from capability_router.report.request_row import SOLVES
from capability_router.report.tables import grid, said, section
from capability_router.report.task_fit import GOOD, LEAST, Cell, TaskFit, whole

_COLUMNS = (
    "task", "model", "requests", "success", "cost", "per request", "cheaper predicted", "cheaper seen", "failures",
    "stronger predicted", "stronger seen",
)  # fmt: skip
_NOTE = (
    "Success: the mean score of those answers that were scored, else (in brackets) the share of requests that were "
    "answered. Cheaper predicted: the share of spend on requests that a cheaper model, eligible, not held back and not "
    "tried, was predicted to solve: its predicted quality reaches that of the model used, or the quality target. "
    f"Cheaper seen: on this task such a model was scored as well in at least {LEAST} answers, or a shadow's call of it "
    f"at this very request was scored {GOOD:g} or more. Failures: requests without an answer, and answers scored below "
    f"{GOOD:g}; stronger: those of them that a stronger eligible model, not tried, was predicted to solve (quality at "
    f"the target, else {SOLVES:g}), or was seen to. A prediction for a request that others failed at is too bright, so "
    "read these as upper bounds."
)


def fit_section(found: Mapping[Cell, TaskFit]) -> Markup:
    """A row per task and model."""
    title = "Which model suits which task"
    if not found:
        return section(title, "", said("Nothing was sent to any model, so there is nothing to fit."))
    summed = whole(found.values())
    rows = [(task or "(none)", model, *_figures(each)) for (task, model), each in found.items()]
    table = grid(_COLUMNS, [("all", "", *_figures(summed)), *rows], texts=("model",))
    return section(title, _NOTE, *map(said, _sentences(summed)), table)


def _sentences(fit: TaskFit) -> list[str]:
    sentences = []
    if fit.predicted_pico:
        sentences.append(
            f"{_part(fit, fit.cheaper_pico)} went to requests that a cheaper eligible model was predicted to solve."
        )
    else:
        sentences.append("The log holds no predicted quality of a request that was answered.")
    if fit.seen_pico:
        sentences.append(f"{_part(fit, fit.cheaper_seen_pico)} went to requests that one was seen to solve, by scores.")
    elif not fit.predicted_pico:
        sentences[-1] = f"{sentences[-1][:-1]}: nothing can be said of cheaper models."
    if not fit.scored:
        sentences.append(
            "No answer was scored (router.feedback, or an evaluator): what was seen to solve is not known."
        )
    if fit.failures:
        sentences.append(
            f"Of {count(fit.failures)} failures, {count(fit.stronger)} had a stronger eligible model that was "
            f"predicted to solve the request, {count(fit.stronger_seen)} one that was seen to."
        )
    return sentences


def _part(fit: TaskFit, pico: int) -> str:
    return f"{money(pico)} of {money(fit.cost_pico)} ({share(pico, fit.cost_pico)})"


def _figures(fit: TaskFit) -> tuple[str, ...]:
    score, answered = fit.mean_score, share(fit.answered, fit.requests)
    success = f"({answered})" if score is None else f"{score:.3f} of {count(fit.scored)}"
    predicted = share(fit.cheaper_pico, fit.cost_pico) if fit.predicted_pico else "–"
    seen = share(fit.cheaper_seen_pico, fit.cost_pico) if fit.seen_pico else "–"
    failures = (count(fit.stronger), count(fit.stronger_seen)) if fit.failures else ("–", "–")
    return (
        count(fit.requests), success, money(fit.cost_pico), money(round(fit.cost_pico / max(fit.requests, 1))),
        predicted, seen, count(fit.failures), *failures,
    )  # fmt: skip
