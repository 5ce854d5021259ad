"""Implicit signs of bad answers: refusals, answers that do not parse, broken tool calls, requests asked again.

They are not scores. A model's signs per answer are compared with those of all models, so a model that is used more does
not look worse. They move what is believed of it before any score: by at most `OWN` for the tenant that saw them, and by
at most `ALL` for all tenants, however many saw them. Scores outweigh them as they outweigh a card. They are kept only
in memory; those of logs come with the state that was trained on them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

from capability_router.concurrency.deferring_lock import DeferringLock

WEIGHTS = {"refusal": 0.5, "unparsable": 0.5, "malformed_tool_call": 0.5, "retried": 0.25, "accepted": -0.25}
"""A sign's share of a lost answer. "accepted": another model's answer was asked for again, and this one's was not."""
OWN, ALL = 0.1, 0.05  # quality points
FADE = 0.995  # per answer of the model to the tenant
LEAST = 20.0  # answers of a model that are needed before its signs count
_EVEN = 50.0  # each model is credited with this many answers with the common share of signs
_LOOK, _FEW = 16, 500  # answers: after 500 in all, shifts are renewed by each sign and every 16 answers, before by each
KEPT, REMEMBERED = 1_000, 2_000  # tenants; requests whose signs a score takes back


class ImplicitSign(NamedTuple):
    """`kind` is a key of WEIGHTS; `weight` its share of a lost answer, negative if it speaks for the model."""

    request_id: str
    model: str
    kind: str
    weight: float


class SignCounts(NamedTuple):
    """One model's answers, and how many lost ones its signs count as."""

    answers: float
    lost: float


class _Tally:
    """One model's answers and their signs, faded, and the number of answers ever."""

    __slots__ = ("answers", "bad", "ever")

    def __init__(self) -> None:
        self.answers, self.bad, self.ever = 0.0, 0.0, 0

    def begin(self, known: SignCounts) -> None:
        """Start with this many, as if they had faded."""
        part = min(1.0, 1.0 / (1.0 - FADE) / known.answers) if known.answers else 0.0
        self.answers, self.bad, self.ever = part * known.answers, part * known.lost, round(known.answers)

    def answered(self, weight: float) -> None:
        self.answers, self.bad, self.ever = FADE * self.answers + 1.0, FADE * self.bad + weight, self.ever + 1


class _Given(NamedTuple):
    """A sign that may be withdrawn: its tally, its weight, and the number of answers by then."""

    tally: _Tally
    weight: float
    ever: int

    def take_back(self) -> None:
        self.tally.bad -= self.weight * FADE ** (self.tally.ever - self.ever)


_Tallies = dict[str, _Tally]


class ImplicitSigns:
    """For the 1,000 tenants that asked last; thread-safe. `known`: all tenants' counts by model, from logs."""

    def __init__(self, known: Mapping[str, SignCounts] | None = None) -> None:
        self._all: _Tallies = {model: _Tally() for model in known or {}}
        for model, counted in (known or {}).items():
            self._all[model].begin(counted)
        self._tenants: OrderedDict[str, _Tallies] = OrderedDict()
        self._given: OrderedDict[tuple[str, str], list[_Given]] = OrderedDict()
        self._shifts: dict[str, tuple[int, Mapping[str, float]]] = {}
        self._version = self._answers = 0
        self._any = bool(known)
        self._lock: DeferringLock[tuple[str, str, str, str, bool]] = DeferringLock(self._take)

    def answered(self, tenant: str, request_id: str, model: str, kind: str = "") -> ImplicitSign | None:
        """This model answered a tenant's request, with a sign or without ("")."""
        self._lock.post((tenant, request_id, model, kind, False))
        return ImplicitSign(request_id, model, kind, WEIGHTS[kind]) if kind else None

    def late(self, tenant: str, request_id: str, model: str, kind: str) -> ImplicitSign:
        """A sign came after its answer was recorded."""
        self._lock.post((tenant, request_id, model, kind, True))
        return ImplicitSign(request_id, model, kind, WEIGHTS[kind])

    def _take(self, seen: tuple[str, str, str, str, bool]) -> None:
        """Needs the lock. Record an answer, with a sign or without, or ("late") the sign of an answer recorded
        before.
        """
        tenant, request_id, model, kind, late = seen
        weight, tallies = WEIGHTS[kind] if kind else 0.0, self._of(tenant, model)
        for tally in tallies:
            if late:
                tally.bad += weight
            else:
                tally.answered(weight)
        if not late:
            self._answers += 1
            self._version += self._answers < _FEW or not self._answers % _LOOK
        if kind:
            self._note(tallies, request_id, model, weight)

    def retract_signs(self, request_id: str, model: str) -> None:
        """A score came for this answer: it replaces the answer's signs."""
        with self._lock:
            for given in self._given.pop((request_id, model), ()):
                given.take_back()
                self._version += 1

    def shifts(self, tenant: str) -> Mapping[str, float]:
        """By how many quality points the signs move what is believed of each model; empty if there are no signs."""
        if not self._any:
            return _NONE
        version, known = self._shifts.get(tenant, (-1, _NONE))
        return known if version == self._version else self._look(tenant)

    def _look(self, tenant: str) -> Mapping[str, float]:
        with self._lock:
            own, everybody = _moved(self._tenants.get(tenant, {}), OWN), _moved(self._all, ALL)
            found = {m: own.get(m, 0.0) + everybody.get(m, 0.0) for m in (*everybody, *own)}
            if len(self._shifts) >= KEPT:
                self._shifts.clear()
            self._shifts[tenant] = self._version, found
        return found

    def _note(self, tallies: tuple[_Tally, ...], request_id: str, model: str, weight: float) -> None:
        given = self._given.setdefault((request_id, model), [])
        given += [_Given(tally, weight, tally.ever) for tally in tallies]
        if len(self._given) > REMEMBERED:
            self._given.popitem(last=False)
        self._any, self._version = True, self._version + 1

    def _of(self, tenant: str, model: str) -> tuple[_Tally, _Tally]:
        own = self._tenants.get(tenant)
        if own is None:
            own = self._tenants[tenant] = {}
            if len(self._tenants) > KEPT:
                self._tenants.popitem(last=False)
        self._tenants.move_to_end(tenant)
        mine, everybodys = own.get(model), self._all.get(model)
        if mine is None:
            mine = own[model] = _Tally()
        if everybodys is None:
            everybodys = self._all[model] = _Tally()
        return mine, everybodys


_NONE: Mapping[str, float] = {}


def _moved(tallies: _Tallies, most: float) -> dict[str, float]:
    """Per model, how far its share of lost answers is below that of all models together (negative: above)."""
    answers = sum(tally.answers for tally in tallies.values())
    common = sum(tally.bad for tally in tallies.values()) / answers if answers else 0.0
    return {
        model: min(max(common - (tally.bad + _EVEN * common) / (tally.answers + _EVEN), -most), most)
        for model, tally in tallies.items()
        if tally.answers >= LEAST
    }
