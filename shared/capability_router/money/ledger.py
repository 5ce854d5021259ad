"""The ledger: every launch booked exactly once, totals by who asked and who answered.

Amounts are integer picodollars; totals are exact sums. A call whose price is unknown counts its
tokens and is counted in `Total.unpriced`; its cost is not taken for zero.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, overload

from capability_router.errors import ConfigError
from capability_router.money.price import usd
from capability_router.postbox import Postbox
from capability_router.request import Usage
from capability_router.routing import Routing

CALLS_KEPT = 10_000


class Call(NamedTuple):
    """One launch, settled. `fault` is None for an answer, "cancelled" when its caller went away.

    `cost_pico` None = price unknown.
    """

    request_id: str
    attempt: int
    model: str
    provider: str
    tenant: str
    task: str
    tags: tuple[str, ...]
    chain: str
    framework: str
    fault: str | None
    usage: Usage
    cost_pico: int | None
    at: float

    @property
    def cost_usd(self) -> Decimal | None:
        """Exact USD; None = unknown."""
        return None if self.cost_pico is None else usd(self.cost_pico)

    @property
    def input_tokens(self) -> int:
        """Tokens in, cached ones included."""
        return self.usage.input_tokens

    @property
    def output_tokens(self) -> int:
        """Tokens out, reasoning included."""
        return self.usage.output_tokens

    @property
    def estimated(self) -> bool:
        """Whether the tokens were estimated because the provider sent no usage."""
        return self.usage.estimated


class Total(NamedTuple):
    """A sum. `estimated_usd` is the part of `cost_usd` whose tokens were estimated."""

    cost_usd: Decimal = Decimal(0)
    input_tokens: int = 0
    output_tokens: int = 0
    calls: int = 0
    estimated_usd: Decimal = Decimal(0)
    unpriced: int = 0


class Line(NamedTuple):
    """A launch that is under way."""

    request_id: str
    attempt: int


DIMENSIONS = ("tenant", "tag", "task", "chain", "framework", "model", "provider")
_Key = tuple[str, tuple[str, ...], str, str, str, str, str]


class Ledger:
    """Thread-safe; one per Router. Totals are exact for ever, single calls are kept for the newest 10,000."""

    def __init__(self, keep: int = CALLS_KEPT) -> None:
        self._open: set[Line] = set()
        self._sums: dict[_Key, list[int]] = {}
        self._calls: deque[Call] = deque(maxlen=keep)
        self._postbox: Postbox[Call] = Postbox(self._book)
        self.refused_settlements = 0

    def open(self, line: Line) -> None:
        """A launch begins."""
        with self._postbox:
            self._open.add(line)

    def settle(self, call: Call) -> None:
        """Book a launch's end, without waiting. A second settlement of the same launch is refused and counted."""
        self._postbox.post(call)

    def _book(self, call: Call) -> None:
        line = Line(call.request_id, call.attempt)
        if line not in self._open:
            self.refused_settlements += 1
            return
        self._open.remove(line)
        key: _Key = (call.tenant, call.tags, call.task, call.chain, call.framework, call.model, call.provider)
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = [0, 0, 0, 0, 0, 0]
        _add(sums, call)
        self._calls.append(call)

    @property
    def unsettled(self) -> int:
        """Launches under way."""
        with self._postbox:
            return len(self._open)

    def calls(self) -> list[Call]:
        """The newest settled launches, oldest first."""
        with self._postbox:
            return list(self._calls)

    @overload
    def total(self) -> Total: ...
    @overload
    def total(self, by: Sequence[str]) -> dict[tuple[str, ...], Total]: ...
    def total(self, by: Sequence[str] | None = None) -> Total | dict[tuple[str, ...], Total]:
        """The sum of everything, or one per combination of dimensions, e.g. `by=("tenant", "model")`.

        With "tag", a call counts once for each of its tags (untagged under "").
        """
        names = (by,) if isinstance(by, str) else tuple(by or ())
        for name in names:
            if name not in DIMENSIONS:
                raise ConfigError(f"ledger.total(by=...): unknown {name!r}; known: {', '.join(DIMENSIONS)}")
        with self._postbox:
            rows = [(key, tuple(sums)) for key, sums in self._sums.items()]
        if by is None:
            return _total(sums for _, sums in rows)
        groups: dict[tuple[str, ...], list[tuple[int, ...]]] = {}
        for key, sums in rows:
            for group in _groups(key, names):
                groups.setdefault(group, []).append(sums)
        return {group: _total(parts) for group, parts in sorted(groups.items())}

    def to_pandas(self) -> Any:
        """The kept calls as a DataFrame; needs pandas."""
        import pandas  # type: ignore[import-untyped, import-not-found, unused-ignore]  # optional, not a dependency

        rows = [{**call._asdict(), "cost_usd": call.cost_usd, "estimated": call.estimated} for call in self.calls()]
        return pandas.DataFrame(rows)

    def __repr__(self) -> str:
        total = self.total()
        return f"<Ledger {total.calls} calls, ${total.cost_usd:f}, {self.unsettled} under way>"


class Booked(NamedTuple):
    """Who pays: the terms of a request as the ledger keeps them."""

    tenant: str
    task: str
    tags: tuple[str, ...]
    chain: str
    framework: str

    @classmethod
    def of(cls, terms: Routing, task: str) -> Booked:
        """From a request's terms; `task` is the stated or the recognised one."""
        return cls(terms.tenant, task, terms.tags, terms.chain, terms.framework)


def _add(sums: list[int], call: Call) -> None:
    usage, cost = call.usage, call.cost_pico
    sums[0] += cost or 0
    sums[1] += usage.input_tokens
    sums[2] += usage.output_tokens
    sums[3] += 1
    sums[4] += (cost or 0) if usage.estimated else 0
    sums[5] += cost is None


def _groups(key: _Key, names: tuple[str, ...]) -> list[tuple[str, ...]]:
    tenant, tags, task, chain, framework, model, provider = key
    fixed = {
        "tenant": tenant,
        "task": task,
        "chain": chain,
        "framework": framework,
        "model": model,
        "provider": provider,
    }
    if "tag" not in names:
        return [tuple(fixed[name] for name in names)]
    return [tuple({**fixed, "tag": tag}[name] for name in names) for tag in dict.fromkeys(tags or ("",))]


def _total(parts: Iterable[tuple[int, ...]]) -> Total:
    cost, tokens_in, tokens_out, calls, estimated, unpriced = (sum(c) for c in zip((0,) * 6, *parts, strict=False))
    return Total(usd(cost), tokens_in, tokens_out, calls, usd(estimated), unpriced)
