"""Several sources' statements of one model, settled into what is taken as known, with its origins and doubts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from capability_router.catalog.aliases import spellings
from capability_router.money.price import AMOUNTS

TOGETHER = "+"  # between the sources that say the same
RESOLD = "resold:"  # before the sources of a field that is said of the model as a reseller serves it
WINDOW = "window"  # a source that doesn't say whether it means the whole window or its input part
_WINDOWS = ("context_window", "max_input_tokens")
_SAME = 0.98  # numbers of tokens nearer than this differ only in how they were rounded
_CENT = 0.005  # prices nearer than this are the same
_VAGUE = ("litellm", "langchain-", "genai-prices")


class Statement(NamedTuple):
    """What one source says of one field."""

    source: str
    value: Any


Statements = Mapping[str, Sequence[Statement]]
"""Field -> its statements, the most trusted source first. `window` stands beside the fields of the card."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model: card fields (a price as a mapping), and where each is from.

    `origins`: field -> the sources that say so, joined by '+'. `doubts`: field -> source -> what it says
    otherwise; a field with doubts alone is unknown, because its sources disagree. `retires`: the day on
    which it is switched off, or ''.
    """

    fields: Mapping[str, Any]
    origins: Mapping[str, str] = field(default_factory=dict)
    doubts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    retires: str = ""

    def sources(self, name: str) -> tuple[str, ...]:
        """The sources of a field, the leading one first; () when none states it."""
        return tuple(filter(None, self.origins.get(name, "").removeprefix(RESOLD).split(TOGETHER)))

    def confidence(self, name: str) -> str:
        """How far sources agree.

        'conflict' (they disagree), 'resold' (said of the model as resellers serve it), 'confirmed' (two or more say
        so), 'single' or 'unknown'.
        """
        if name in self.doubts:
            return "conflict"
        if is_resold(self.origins, name):
            return "resold"
        count = len(self.sources(name))
        return "confirmed" if count > 1 else "single" if count else "unknown"


def is_resold(origins: Mapping[str, str], name: str) -> bool:
    """Whether a field is said of the model as resellers serve it, not by its maker or of its maker's service."""
    return origins.get(name, "").startswith(RESOLD)


class _SettledField(NamedTuple):
    value: Any
    agreed: tuple[str, ...]
    dissent: Mapping[str, Any]


def settle(statements: Statements) -> ModelFacts:
    """What these statements come to.

    A flag goes by the majority; where there is none it is unknown (but a disputed choice of tools counts as
    no: unknown would follow from tool calling). Of numbers, levels and prices the most trusted is taken;
    a price is completed by those who agree with it.
    """
    verdicts = dict(_windows(statements))
    for name, told in statements.items():
        if name not in (WINDOW, "retires", *_WINDOWS) and told:
            verdicts[name] = _judge(name, told)
    retires = next((str(told.value) for told in statements.get("retires", ())), "")
    found = {name: v for name, v in sorted(verdicts.items()) if v.value is not None}
    return ModelFacts(
        {name: v.value for name, v in found.items()},
        {name: TOGETHER.join(v.agreed) for name, v in found.items()},
        {name: dict(v.dissent) for name, v in sorted(verdicts.items()) if v.dissent},
        retires,
    )


def is_copy(models: Mapping[str, Statements], model: str) -> bool:
    """Whether just what is said of this dated or regional name is said of the plain one; `retires` aside."""
    plain = (name for name in spellings(model) if name != model and not name.endswith("-latest"))
    return any(_lasting(models[name]) == _lasting(models[model]) for name in plain if name in models)


def _lasting(said: Statements) -> Statements:
    return {name: told for name, told in said.items() if name != "retires"}


def unsettled(known: ModelFacts) -> dict[str, list[Statement]]:
    """The statements that are kept in what was settled, so that a further source can be heard.

    Those of resellers are not: any statement about the maker's own model comes before them.
    """
    told: dict[str, list[Statement]] = {}
    own = {name: value for name, value in known.fields.items() if not is_resold(known.origins, name)}
    for name, value in own.items():
        for source in known.sources(name):
            told.setdefault(_as_told(name, source), []).append(Statement(source, value))
    for name, dissent in known.doubts.items():
        for source, value in dissent.items() if name in own or name not in known.fields else ():
            told.setdefault(name, []).append(Statement(source, _whole(known, name, value)))
    if known.retires:
        told["retires"] = [Statement("", known.retires)]
    return told


def _as_told(name: str, source: str) -> str:
    return WINDOW if name in _WINDOWS and source.startswith(_VAGUE) else name


def _whole(known: ModelFacts, name: str, value: Any) -> Any:
    """Of a price that is told otherwise only the rates that differ are kept."""
    return {**known.fields.get(name, {}), **value} if name == "price" else value


def _judge(name: str, told: Sequence[Statement]) -> _SettledField:
    first = told[0].value
    if isinstance(first, bool):
        return _majority(name, told)
    differs = _price_differs if name == "price" else _differs
    odd = {s.source: diff for s in told[1:] if (diff := differs(first, s.value)) is not None}
    agreed = [s for s in told if s.source not in odd]
    value = _completed(first, agreed[1:]) if name == "price" else first
    return _SettledField(value, tuple(s.source for s in agreed), odd)


def _completed(price: Mapping[str, Any], others: Sequence[Statement]) -> dict[str, Any]:
    """The price with what it leaves out (a cached token, tiers, service tiers) as those say who agree with it."""
    whole = dict(price)
    for statement in others:
        whole = {**statement.value, **whole}
    return whole


def _majority(name: str, told: Sequence[Statement]) -> _SettledField:
    yes = [s.source for s in told if s.value is True]
    no = [s.source for s in told if s.value is False]
    undecided = False if name == "tool_choice" else None
    value = undecided if len(yes) == len(no) else len(yes) > len(no)
    agreed = yes if value else no if value is False else []
    return _SettledField(value, tuple(agreed), {s.source: s.value for s in told if s.source not in agreed})


def _differs(ours: Any, theirs: Any) -> Any:
    """What they say, if it is something else."""
    if isinstance(ours, list):
        return None if sorted(ours) == sorted(theirs) else theirs
    near = isinstance(ours, int) and isinstance(theirs, int) and _near(ours, theirs)
    return None if near or ours == theirs else theirs


def _near(one: int, other: int) -> bool:
    return min(one, other) >= _SAME * max(one, other)


def _price_differs(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Their amounts, tiers and services, as far as both state them and they differ."""
    odd: dict[str, Any] = {
        name: theirs[name]
        for name in AMOUNTS
        if name in ours and name in theirs and abs(ours[name] - theirs[name]) > _CENT * max(ours[name], theirs[name])
    }
    if ours.get("tiers") and theirs.get("tiers") and _tiers_differ(ours["tiers"], theirs["tiers"]):
        odd["tiers"] = theirs["tiers"]
    own, others = ours.get("services", {}), theirs.get("services", {})
    if any(_price_differs(own[name], others[name]) for name in own.keys() & others.keys()):
        odd["services"] = others
    return odd or None


def _tiers_differ(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether they begin elsewhere, or cost something else."""
    steps = zip(*(sorted(tiers, key=lambda tier: tier["above"]) for tiers in (ours, theirs)), strict=False)
    return len(ours) != len(theirs) or any(
        not _near(one["above"], other["above"]) or _price_differs(one["price"], other["price"]) for one, other in steps
    )


def _windows(statements: Statements) -> Iterator[tuple[str, _SettledField]]:
    """One source states the whole window, another what it takes as input: the largest and the smallest."""
    vague, whole, part = (list(statements.get(name, ())) for name in (WINDOW, *_WINDOWS))
    if not vague and not whole and not part:
        return
    largest = whole[0].value if whole else max((s.value for s in vague), default=None)
    smallest = part[0].value if part else min((s.value for s in vague), default=None)
    if largest is not None and smallest is not None and smallest >= _SAME * largest:
        largest, smallest = min(largest, smallest), None
    for name, value, own in (("context_window", largest, whole), ("max_input_tokens", smallest, part)):
        if value is not None:
            agreed = [s.source for s in (*own, *vague) if _near(s.value, value)]
            odd = {s.source: s.value for s in own if not _near(s.value, value)}
            yield name, _SettledField(value, tuple(dict.fromkeys(agreed)), odd)
