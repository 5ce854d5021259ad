"""The error of a request that got no answer, and the `reason` of one that did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from capability_router.errors import AllCandidatesFailed, BudgetExceeded, RouterBusy, RouterError, StreamInterrupted
from capability_router.execution.execution_limits import ExecutionLimits
from capability_router.execution.target_selector import TargetSelector
from capability_router.faults.kinds import Fault
from capability_router.money.budget.denial import Denial, denials_text, moment
from capability_router.money.price import usd
from capability_router.request import AttemptRecord, Usage


def failure(
    records: Sequence[AttemptRecord],
    faults: Sequence[Fault],
    targets: TargetSelector,
    limits: ExecutionLimits,
    tenant: str,
    at: float,
    elapsed_s: float,
    asking: bool = False,
) -> Exception:
    """The exception for a request whose attempts all failed, or that could make none.

    `asking`: the budgets' store has not answered yet.
    """
    late = limits.deadline_s is not None and elapsed_s >= limits.deadline_s
    if not records:
        return _nothing_sent(targets, limits, late, at, elapsed_s, asking)
    own = rejected(faults[-1]) if limits.keeps(faults[-1]) else next(filter(None, map(_left, faults)), None)
    own = own or _unpaid(faults)
    if own is not None:
        return own
    why = "in that time" if late else f"within {limits.attempts} attempts"
    advice = targets.left(why) or _otherwise(faults, limits, elapsed_s - sum(record.elapsed_s for record in records))
    if faults[-1].row.other == "no":
        advice = "No other model was tried: the request itself was rejected, so every model would. Fix the request."
        advice += _said(faults)
    elif limits.keeps(faults[-1]):
        advice = 'No other model was tried: on_content_filter is "return"; with "fallback" the next one is.'
    else:
        advice = f"{_lengthen(faults[-1], limits, elapsed_s)} {advice}".strip()
    if any(fault.own and fault.kind != "rate_limited" for fault in faults):
        advice = "Check what the call brings along: its keyword `model`, a key in its `extra_headers` or `api_key`."
    else:
        advice = " ".join([*_mends(records, targets.keys), advice])
    error = AllCandidatesFailed(records, tenant=tenant, elapsed_s=elapsed_s, advice=advice, held_by=targets.held_by)
    error.retry_after_s = targets.seconds_until_free(at)
    error.__cause__ = next((f.error for f in faults if f.error is not None), None)
    return error


_CLOCKS = {
    "connection": "connect", "first token": "first_token", "next token": "between_tokens", "whole answer": "total",
}  # fmt: skip
"""From a fault's clock to its setting under `timeouts`."""


def _lengthen(fault: Fault, limits: ExecutionLimits, elapsed_s: float) -> str:
    """The setting to raise after a timeout, with its value; "" = no setting of the router ended the attempt."""
    if limits.deadline_s is not None and elapsed_s >= limits.deadline_s:
        return f"The deadline of {limits.deadline_s:g} s is over; raise deadline_s."
    setting = _CLOCKS.get(fault.clock, "")
    limit = getattr(limits.timeouts, setting) if setting else None
    return "" if limit is None else f"timeouts.{setting} is {limit:g} s; raise it if its answers take longer."


_WAITED_S = 0.05  # less than this between attempts is no wait
_DETAILS = " The details are in this error's `__cause__`."


def _said(faults: Sequence[Fault]) -> str:
    """Where the last fault's own text is: the provider's may quote the prompt, so no text of the router's has it."""
    cause = next((fault.error for fault in faults if fault.error is not None), None)
    return _DETAILS if cause is not None and faults[-1].error is cause else ""


def _otherwise(faults: Sequence[Fault], limits: ExecutionLimits, waited_s: float) -> str:
    """What to change when no model is left to try. `waited_s`: the time between attempts, 0 or less = unknown."""
    if all(fault.kind == "unsupported" for fault in faults):
        return f"Leave that part out, or add a model that takes it.{_DETAILS if faults[0].error else ''}"
    last = faults[-1]
    if last.kind == "context_overflow":
        size = f"above {last.window:,} tokens" if last.window else "larger than theirs"
        return f"Add a model with a window {size}."
    if last.too_large:
        return "Shorten the request or lower max_tokens, or add a model with a higher rate limit."
    wait = last.retry_after_s
    if wait is not None and wait > limits.max_wait_s - max(waited_s, 0.0):
        before = f", {waited_s:.1f} s of which were waited before" if waited_s >= _WAITED_S else ""
        told = f"It asks to wait {wait:g} s, retry.max_wait_s is {limits.max_wait_s:g} s{before}."
        return f"{told} Raise that, or add another model."
    return "Add another model, or see router.health() for the state of these."


_MENDS = {
    "quota_exhausted": "Check the plan and balance of the account whose API key {} has.",
    "not_found": "Check the model name and base_url of {}.",
}


def _mends(records: Sequence[AttemptRecord], keys: Mapping[str, str]) -> list[str]:
    """What to check when a model's credential or name is wrong."""
    told = _keys([record.model for record in records if record.fault == "auth"], keys)
    for kind, advice in _MENDS.items():
        models = dict.fromkeys(record.model for record in records if record.fault == kind)
        told += [advice.format(", ".join(models))] if models else []
    return told


def _keys(models: Sequence[str], keys: Mapping[str, str]) -> list[str]:
    """Which API keys to check, and where each comes from, as far as that is known."""
    told = []
    for variable in dict.fromkeys(keys.get(model, "") for model in models):
        names = ", ".join(dict.fromkeys(model for model in models if keys.get(model, "") == variable))
        where = f"in the environment variable {variable}" if variable else _SOMEWHERE
        told.append(f"Check the API key of {names}, {where}.")
    return told


_SOMEWHERE = "as given to it or in the environment variable that its client reads"


def rejected(fault: Fault) -> Exception | None:
    """The SDK's own exception for an answer that was filtered, refused or cut at its length limit.

    Some SDKs raise where others return such an answer; the caller gets what it would get without a router.
    """
    return None if fault.kind == "unparsable" else _raised(fault)


def _raised(fault: Fault) -> Exception | None:
    return fault.error if fault.answered and isinstance(fault.error, Exception) else None


def _unpaid(faults: Sequence[Fault]) -> Exception | None:
    """The first error, if every attempt was made by a nested router that had no budget left for the request."""
    errors = [fault.error for fault in faults if isinstance(fault.error, BudgetExceeded)]
    return errors[0] if len(errors) == len(faults) else None


def _left(fault: Fault) -> Exception | None:
    """The SDK's exception for an answer that is cut or can't be parsed, raised if no attempt gives a better one."""
    return _raised(fault) if fault.kind in ("length", "unparsable") else None


def _nothing_sent(
    targets: TargetSelector, limits: ExecutionLimits, late: bool, at: float, elapsed_s: float, asking: bool
) -> RouterError:  # fmt: skip
    denials = targets.denials
    if denials:
        return _over_budget(denials)
    if late and asking:
        return RouterBusy(
            f"the deadline of {limits.deadline_s:g} s was over before the store of the budgets had answered. Nothing "
            "was sent. See what holds the store (another program may hold its file), or raise deadline_s."
        )
    why = f"the deadline of {limits.deadline_s:g} s is over" if late else "no model is free"
    soon = limits.deadline_s is not None and limits.deadline_s < limits.max_wait_s
    hold_fixes = ["raise deadline_s"] if late else targets.hold_fixes("deadline_s" if soon else "retry.max_wait_s")
    mend = ", or ".join([*hold_fixes, "add a model"])
    busy = RouterBusy(
        f"{why} ({targets.holds_text()}). Waited {elapsed_s:.1f} s; nothing was sent. {mend[0].upper()}{mend[1:]}.",
        targets.held_by,
    )
    busy.retry_after_s = targets.seconds_until_free(at)
    return busy


def _over_budget(denials: Mapping[str, Denial]) -> BudgetExceeded:
    """The error with the numbers of the budget that leaves most; without amounts if it is not this tenant's alone."""
    most = max(denials.values(), key=lambda denial: denial.left)
    told = denials_text(denials)
    store = any(denial.store for denial in denials.values())
    what = "the budgets can't be read" if store else "the budget leaves no room for this request"
    fits = next((denial.fits for denial in denials.values() if denial.fits), ())
    hint = f". What is left is enough for {', '.join(fits)}" if fits else ""
    return BudgetExceeded(
        f"{what}; nothing was sent. {told}{hint}",
        scope=most.scope, window=most.window, resets_at=moment(most.resets_at), fits=fits,
        passing=any(denial.passing for denial in denials.values()),
        **{f"{name}_usd": _amount(most, name) for name in ("limit", "spent", "reserved", "left")},
    )  # fmt: skip


def _amount(denial: Denial, name: str) -> Decimal | None:
    value: int | None = None if denial.private else getattr(denial, name)
    return None if value is None else usd(max(value, 0))


class InterruptedAnswer(NamedTuple):
    """An answer that broke off: the fault of its last part, the text so far, the attempts that gave a part of it."""

    fault: Fault
    text: str
    parts: frozenset[int]


def interrupted(
    records: Sequence[AttemptRecord], cut: InterruptedAnswer, limits: ExecutionLimits, elapsed_s: float, advice: str
) -> StreamInterrupted:
    """The exception for an answer that broke off after its caller had seen `cut.text`. `records`: all its attempts."""
    if cut.fault.kind == "timeout":
        advice = f"{_lengthen(cut.fault, limits, elapsed_s)} {advice}".strip()
    gave = [record for record in records if record.index in cut.parts]
    error = StreamInterrupted(records, parts=gave, text=bool(cut.text), advice=advice)
    error.partial = cut.text
    error.__cause__ = cut.fault.error
    return error


def summed(parts: Sequence[AttemptRecord]) -> int | None:
    """Their cost in picodollars; None if the cost of any is unknown, because unknown is not zero."""
    total = 0
    for part in parts:
        if part.cost_pico is None:
            return None
        total += part.cost_pico
    return total


def together(parts: Sequence[AttemptRecord]) -> Usage:
    """The tokens of an answer that several attempts gave one after the other."""
    return Usage.together(part.usage for part in parts)


def skipped_reason(first: str, answered: str, held_by: Mapping[str, str]) -> str:
    """The `reason` of an answer by another model than the plan's first, which was not asked; "" = by that one."""
    if first == answered:
        return ""
    return f"instead of {first}" + (f", which was held ({held_by[first]})" if first in held_by else "")


def why(
    planned: str, records: Sequence[AttemptRecord], answer: AttemptRecord, hedged_after: float | None,
    cut: AttemptRecord | None,
) -> str:  # fmt: skip
    """The `reason`: the plan's, unless the answer is a hedge's, a fallback's, a retry's or a resumed one's.

    `cut`: the interrupted attempt that the answer continues.
    """
    first = records[0]
    if cut is not None:
        return f"resumed on {answer.model}: {cut.model} {cut.detail}"
    if answer.fault:
        return f"nothing better was found: {answer.model} {answer.detail}"
    if hedged_after is not None:
        return f"hedge: {first.model} was silent for {hedged_after:.2f} s"
    if answer.index == 1:
        return planned
    again = first.model == answer.model
    return f"again after: {first.detail}" if again else f"fallback: {first.model} {first.detail}"
