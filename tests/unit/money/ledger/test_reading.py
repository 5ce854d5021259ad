"""What is asked of the ledger: the same answers from memory and from a file."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from unit.money.ledger.calls import CLOCK, T0, book, call, in_file, some

from capability_router import ConfigError
from capability_router.money.ledger.dimension import DIMENSIONS
from capability_router.money.ledger.ledger import Ledger

CALLS = some(1, 400)


@pytest.fixture(params=["memory", "sqlite"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    made = Ledger(unix=CLOCK.unix) if request.param == "memory" else in_file(tmp_path / "l.db")
    return book(made, CALLS)


def by_hand(name: str, c: Any) -> list[str]:
    """The groups of a call, in other words than the ledger's."""
    at = datetime.fromtimestamp(c.at, UTC)
    known = {
        "tag": list(c.tags) or [""], "fault": [c.fault or "answered"], "day": [at.strftime("%Y-%m-%d")],
        "outcome": [{None: "answered", "cancelled": "cancelled"}.get(c.fault, "failed")],
        "hour": [at.strftime("%Y-%m-%dT%H:00Z")], "month": ["2026-11"], "week": ["2026-W48"],
    }  # fmt: skip
    return known[name] if name in known else [getattr(c, name)]


@pytest.mark.parametrize("by", [*((n,) for n in (*DIMENSIONS, "hour", "day", "week", "month")),
                                *combinations(("tenant", "tag", "outcome", "day"), 3)])  # fmt: skip
def test_totals_are_what_the_calls_add_up_to(ledger: Ledger, by: tuple[str, ...]) -> None:
    cost, count, unpriced, estimated = Counter[Any](), Counter[Any](), Counter[Any](), Counter[Any]()
    for c in CALLS:
        groups = [()]
        for name in by:
            groups = [(*g, v) for g in groups for v in by_hand(name, c)]
        for group in groups:
            cost[group] += c.cost_pico or 0
            count[group] += 1
            unpriced[group] += c.cost_pico is None
            estimated[group] += (c.cost_pico or 0) if c.estimated else 0
    found = ledger.total(by=by)
    assert list(found) == sorted(count)
    assert {g: (t.cost_usd, t.calls, t.unpriced, t.estimated_usd) for g, t in found.items()} == {
        g: (Decimal(cost[g]).scaleb(-12), count[g], unpriced[g], Decimal(estimated[g]).scaleb(-12)) for g in count
    }


def test_cached_and_reasoning_tokens_are_added_up(ledger: Ledger) -> None:
    total = ledger.total()
    assert (total.cache_read_tokens, total.reasoning_tokens) == (3 * len(CALLS), 2 * len(CALLS))
    assert total.input_tokens == sum(c.input_tokens for c in CALLS)


def test_where_narrows_by_several_dimensions_and_values(ledger: Ledger) -> None:
    where = {"tenant": ["acme", ""], "outcome": "failed", "tag": "x"}
    wanted = [c for c in CALLS if c.tenant in ("acme", "") and c.fault == "timeout" and "x" in c.tags]
    assert ledger.total(where=where).calls == len(wanted) > 0
    assert list(ledger.total(by=("tag",), where=where)) == [("x",)]
    assert ledger.calls(where=where) == wanted
    assert ledger.total(where={"tenant": []}).calls == 0


def test_since_and_until_count_whole_hours_of_totals_and_exact_times_of_calls(ledger: Ledger) -> None:
    since, until = T0 + 5_000, T0 + 40_000
    hours = [c for c in CALLS if T0 + 3_600 <= c.at < T0 + 43_200]
    assert ledger.total(since=since, until=until).calls == len(hours)
    assert ledger.calls(since=since, until=until) == [c for c in CALLS if since <= c.at < until]
    assert sum(p.total.calls for p in ledger.series(since=since, until=until)) == len(hours)


@pytest.mark.parametrize(("since", "begin"), [
    (datetime(2026, 11, 25, 12, tzinfo=UTC), 7_200), (datetime(2026, 11, 25, 12), 7_200), ("2026-11-25T12:00", 7_200),
    ("2026-11-25T13:00+01:00", 7_200), (date(2026, 11, 26), 50_400), ("2026-11-26", 50_400), (T0 + 7_200, 7_200),
])  # fmt: skip
def test_times_as_people_write_them(ledger: Ledger, since: Any, begin: int) -> None:
    assert ledger.total(since=since).calls == sum(c.at >= T0 + begin for c in CALLS)


def test_an_age_is_counted_from_now() -> None:
    ledger = book(Ledger(unix=lambda: T0 + 86_400), CALLS)
    assert ledger.calls(since=timedelta(hours=12)) == ledger.calls(since="12h")
    assert ledger.calls(since="12h") == [c for c in CALLS if c.at >= T0 + 43_200]
    assert ledger.total(since="1d").calls == len(CALLS)


def test_a_series_has_a_point_for_each_step_and_group(ledger: Ledger) -> None:
    series = ledger.series(by=("tenant",), step="hour")
    counted = Counter((datetime.fromtimestamp(c.at // 3_600 * 3_600, UTC), (c.tenant,)) for c in CALLS)
    assert {(p.at, p.group): p.total.calls for p in series} == counted
    assert [(p.at, p.group) for p in series] == sorted(counted)
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    assert [(p.at, p.total.calls) for p in ledger.series(step="week")] == [(monday, len(CALLS))]
    assert [p.at for p in ledger.series(step="month")] == [datetime(2026, 11, 1, tzinfo=UTC)]


def test_single_calls_come_back_as_they_were(ledger: Ledger) -> None:
    assert ledger.calls() == CALLS
    assert list(ledger.each_call()) == CALLS
    assert ledger.calls(3) == CALLS[-3:]
    assert ledger.calls(where={"session": "s2", "request_id": "1-2"}) == [CALLS[2]]


def test_a_tenant_sees_its_own_and_nothing_else(ledger: Ledger) -> None:
    own = ledger.of(tenant="acme")
    assert own.total() == ledger.total(by=("tenant",))[("acme",)]
    assert list(own.total(by=("tenant",))) == [("acme",)]
    assert {c.tenant for c in own.calls()} == {"acme"}
    for other in (own.of(tenant="globex"), own.of(tenant=["globex", ""])):
        assert (other.total().calls, other.calls(), list(other.series())) == (0, [], [])
    assert own.total(where={"tenant": "globex"}).calls == 0
    assert own.of(tenant=["acme", "globex"]).total() == own.total()
    assert "globex" not in repr(own) + own._repr_html_()


@pytest.mark.parametrize("asked", [
    {"where": {"tenant": "acme"}}, {"since": T0 + 5_000}, {"until": T0 + 5_000}, {"where": {"fault": "timeout"}},
])  # fmt: skip
def test_each_way_to_single_calls_gives_those_that_are_asked_for(ledger: Ledger, asked: dict[str, Any]) -> None:
    calls, target = ledger.calls(**asked), StringIO()
    assert 0 < len(calls) < len(CALLS)
    assert list(ledger.each_call(**asked)) == calls
    assert ledger.export(target, "jsonl", **asked) == len(calls)
    assert [json.loads(line)["request_id"] for line in target.getvalue().splitlines()] == [c.request_id for c in calls]


@pytest.mark.parametrize(("ask", "told"), [
    (lambda r: r.total(by=("tennant",)), "did you mean 'tenant'"),
    (lambda r: r.total(by=("session",)), "not kept by session, but by tenant, tag, .*, month; calls"),
    (lambda r: r.total(by=("tennant",)), "there are tenant, tag, task, .*, month$"),
    (lambda r: r.total(where={"x": "a"}), "there are tenant, tag, .*, session, request_id$"),
    (lambda r: r.total(where={"tennant": "a"}), "did you mean 'tenant'"),
    (lambda r: r.total(where={"session": "a"}), "not kept by session"),
    (lambda r: r.total(where={"tenant": 3}), "give a text"),
    (lambda r: r.total(where={"outcome": "broken"}), "answered, failed, cancelled"),
    (lambda r: r.series(step="minute"), "is no step"),
    (lambda r: r.series(by=("day",)), "is no dimension of the ledger; there are tenant, tag, task, .*, fault$"),
    (lambda r: r.total(since="yesterdy"), "is no point in time"),
    (lambda r: r.total(since=float("nan")), "is no point in time"),
    (lambda r: r.total(since=True), "is no point in time"), (lambda r: r.total(since=[7]), "is no point in time"),
    (lambda r: r.total(by=5), "by=5 must be the names of dimensions"),
    (lambda r: r.total(since="2026-11-25", until="2026-11-24"), "lies before"),
    (lambda r: r.of(tennant="a"), "did you mean 'tenant'"),
    (lambda r: r.export("x.xls"), "names no format"),
    (lambda r: r.export("x.csv", "cvs"), "did you mean 'csv'"),
])  # fmt: skip
def test_what_is_not_understood_is_told(ask: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        ask(Ledger())


def test_memory_forgets_hours_and_days_but_no_money() -> None:
    calls = [call(str(n), at=T0 + n * 3_600, cost=n) for n in range(24 * 100)]
    ledger = book(Ledger(unix=CLOCK.unix), calls)
    assert ledger.total().calls == len(calls)
    assert ledger.total(by=("model",))[("a",)].cost_usd == Decimal(sum(range(2_400))).scaleb(-12)
    days = ledger.series(step="day")
    assert 89 <= len(days) <= 92
    assert {p.total.calls for p in days[:-1]} == {24}
    last = calls[-1].at
    hours = ledger.series(step="hour", since=last - 40 * 3_600)
    assert (len(hours), {p.total.calls for p in hours}) == (41, {1})


def test_a_clock_that_goes_back_loses_nothing() -> None:
    calls = [call(str(n), at=T0 + at) for n, at in enumerate((0, 3_600, 3_599, 3_601, -7_200, 3_602, 86_400))]
    ledger = book(Ledger(), calls)
    assert ledger.total().calls == sum(p.total.calls for p in ledger.series(step="hour")) == 7
    assert ledger.total(by=("model",))[("a",)].calls == 7


def test_tables_fit_and_hold_no_markup() -> None:
    ledger = book(Ledger(), [call("1", model="openai/" + "m" * 60, tenant="<b>\n\x1b[2J", chain="größe" * 20)])
    totals = ledger.total(by=("tenant", "model", "chain", "day"))
    text = totals.table().text(80)
    assert max(map(len, text.splitlines())) <= 80
    assert [line[:9] for line in text.splitlines()[2:]] == ["<b>??[2J ", "(no room "]
    assert "2026-11-25" in text
    assert "\x1b" not in text
    assert "<b>" not in totals._repr_html_()
    assert "&lt;b&gt;" in totals._repr_html_()
    assert "0.001000" in ledger.series().table().text(80)
    assert "0.001000" in ledger.total()._repr_html_()
    assert "openai/mmm" in ledger._repr_html_(), "a ledger shows what each model has cost"


def test_rows_have_exact_amounts() -> None:
    (row,) = book(Ledger(), [call("1", cost=10**15 + 1)]).total(by=("model",)).rows()
    assert (row["model"], row["cost_usd"], row["cost_pico"]) == ("a", "1000.000000000001", 10**15 + 1)


def test_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    ledger = book(Ledger(), CALLS[:10])
    frame = ledger.total(by=("tenant", "day")).to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["cost_usd"].dtype == float, "pandas plots no Decimal"
    assert sum(frame["cost_usd"]) == pytest.approx(float(ledger.total().cost_usd))
    assert ledger.total().to_pandas()["calls"].tolist() == [10]
    frame = ledger.to_pandas()
    assert list(frame["estimated"]) == [c.estimated for c in CALLS[:10]]
    assert list(frame["cost_usd"]) == [float(c.cost_usd) for c in CALLS[:10]]
    assert list(frame["cost_pico"]) == [c.cost_pico for c in CALLS[:10]]
    assert list(frame["input_tokens"]) == [c.usage.input_tokens for c in CALLS[:10]]
    assert len(frame) == sum(ledger.series(step="hour").to_pandas()["calls"]) == 10
    for empty in (Ledger().to_pandas(), Ledger().total(by=("tenant",)).to_pandas(), Ledger().series().to_pandas()):
        assert empty["cost_usd"].sum() == len(empty) == 0
