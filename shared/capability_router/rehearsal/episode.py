"""One fault and one affected model: when the router stopped using the model, and when it used it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from capability_router.rehearsal.result import AttemptResult, RunRecord
from capability_router.rehearsal.script.fault_schedule import ScheduledFault

_HELD, _AWAY = frozenset({"open", "off", "limited", "doubted"}), frozenset({"open", "off"})
_LEFT = {"breaker_opened": "breaker", "credential_disabled": "key off", "model_disabled": "model off",
         "rate_limited": "rate gate"}  # fmt: skip


_HOW = {"open": "breaker", "off": "key or model off", "limited": "rate gate", "doubted": "others first"}


class Episode(NamedTuple):
    """`fault` is the spell's number, `text` its line. `failed` of the model's `calls` failed while it held.

    Seconds; None = it did not happen. `left_s`: from the fault's start until the router stopped using the model; `how`:
    why it did. `back_s`: from the fault's end (`over`) until the model's first answer; None = it was not called, or,
    with `away`, is still held at the end.
    """

    fault: int
    text: str
    model: str
    calls: int
    failed: int
    left_s: float | None
    how: str
    back_s: float | None
    away: bool
    over: bool

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe."""
        times = {name: None if t is None else round(t, 3) for name, t in
                 (("left_after_s", self.left_s), ("back_after_s", self.back_s))}  # fmt: skip
        return {
            "fault": self.text, "model": self.model, "calls": self.calls, "failed": self.failed, **times,
            "left_by": self.how, "still_away": self.away, "fault_over": self.over,
        }  # fmt: skip


def episodes(run: RunRecord, spells: Sequence[ScheduledFault]) -> list[Episode]:
    """Each fault's models, in order."""
    tries = run.tries()
    return [_episode(run, tries, spell, model) for spell in spells for model in spell.models]


def _episode(run: RunRecord, tries: Sequence[AttemptResult], spell: ScheduledFault, model: str) -> Episode:
    own = [t for t in tries if t.model == model]
    within = [t for t in own if spell.from_s <= t.start_s < spell.until_s or spell.from_s <= t.end_s < spell.until_s]
    left, how = _left(run, spell, model)
    back = next(
        (t.end_s for t in sorted(own, key=lambda t: t.end_s) if not t.fault and t.start_s >= spell.until_s), None
    )
    over = spell.until_s < run.seconds
    looks = [look.state for look in run.looks if look.model == model]
    failed = sum(bool(t.fault) and t.fault != "cancelled" for t in within)
    return Episode(
        spell.number, spell.line.text, model, len(within), failed, None if left is None else left - spell.from_s, how,
        back - spell.until_s if back is not None and over else None, bool(looks) and looks[-1] in _AWAY, over,
    )  # fmt: skip


def _left(run: RunRecord, spell: ScheduledFault, model: str) -> tuple[float | None, str]:
    """When the router first stopped using the model, and why.

    By a change of its own health, else of a model that shares its key or breaker, else because others were preferred.
    """
    own = [(c.at, _LEFT[c.kind]) for c in run.changes if c.model == model and c.kind in _LEFT]
    looks = [look for look in run.looks if look.model == model]
    before = next((look.state for look in reversed(looks) if look.at < spell.from_s), "")
    if before in _AWAY:
        return spell.from_s, "already"
    looked = [(look.at, _HOW[look.state]) for look in looks if look.state in _HELD]
    for seen in (own, looked):
        if found := next(((at, how) for at, how in sorted(seen) if spell.from_s <= at < spell.until_s), None):
            return found
    return None, ""
