"""What a notebook shows of plans and totals, and what pandas gets."""

from __future__ import annotations

import json
import sys
from html.parser import HTMLParser
from typing import Any

import pytest

from capability_router.drawing.table import Table
from capability_router.health.health_table import HEAD
from capability_router.plan import Plan
from capability_router.request import Request
from capability_router.testing import ask, scripted_router

EVIL = "<img src=x onerror=alert(1)>"


class Shown(HTMLParser):
    """The texts and tags of some HTML; every element is closed."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags, self.styles, self.texts, self._open = list[str](), "", list[str](), list[str]()
        self.feed(source)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._open.append(tag)
        self.styles += " ".join(value or "" for name, value in attrs if name == "style")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def plan(**settings: Any) -> Plan:
    router = scripted_router({"a": ["ok"], "b": ["ok"], EVIL: ["ok"]}, policy="cheapest", **settings)
    return router.explain(Request(("hello",)))


def test_a_plan_shows_who_why_and_why_not() -> None:
    made = plan(tenants={"acme": ["a"], "": ["a", "b"]}, cards={EVIL: {"tenants": ["globex"]}})
    shown = Shown(made._repr_html_())
    told = "".join(shown.texts)
    assert f"{made.chosen.id}  (cheapest:" in told
    assert "not eligible" in told
    assert [refusal.model for refusal in made.refusals] == [EVIL]
    assert EVIL in shown.texts
    assert set(shown.tags) <= {"div", "b", "table", "thead", "tbody", "tr", "th", "td"}


def test_colours_are_those_around_it_so_that_light_and_dark_are_readable() -> None:
    router = scripted_router({"a": ["ok"]})
    ask(router)
    for html in (plan()._repr_html_(), router.ledger.total()._repr_html_(), router.ledger._repr_html_()):
        styles = Shown(html).styles
        assert "color:inherit" in styles
        assert "#" not in styles


def test_a_plan_without_candidates_shows_its_refusals() -> None:
    made = plan(cards={name: {"tenants": ["globex"]} for name in ("a", "b", EVIL)})
    assert not made.candidates
    assert "".join(Shown(made._repr_html_()).texts).count("globex") + len(made.refusals) >= 3


def test_a_long_table_is_cut_for_a_notebook_and_says_so() -> None:
    table = Table("who", "n", rows=((f"tenant-{n}", str(n)) for n in range(5_000)), right=(1,))
    shown = Shown(table._repr_html_())
    assert shown.tags.count("tr") == 62
    assert shown.texts[-1] == "4,940 more"
    assert Shown(table.html()).tags.count("tr") == 5_001


def test_candidates_as_a_frame() -> None:
    pandas = pytest.importorskip("pandas")
    made = plan()
    found = made.to_pandas()
    assert isinstance(found, pandas.DataFrame)
    assert list(found["id"]) == [candidate.id for candidate in made.candidates]
    assert list(found["rank"]) == [1, 2, 3]
    terms = made.to_dict()["candidates"][0]["terms"]
    assert {name: found[f"term_{name}"][0] for name in terms} == terms
    assert set(found.columns) >= set(made.to_dict()["candidates"][0]) - {"terms"}
    json.dumps(found["cost_usd"].tolist())
    refused = plan(cards={name: {"tenants": ["globex"]} for name in ("a", "b", EVIL)}).to_pandas()
    assert list(refused.columns) == [name for name in found.columns if not name.startswith("term_")]
    assert refused["id"].tolist() == []


def test_health_is_a_list_a_table_and_a_frame() -> None:
    pandas = pytest.importorskip("pandas")
    budgets = [
        {"scope": "global", "limit_usd": 1, "window": "day"},
        {"scope": "model:a", "limit_usd": 0.5, "window": "day"},
        {"scope": "model:b", "limit_usd": 0.25, "window": "day", "on_exceed": "warn"},
        {"scope": "tenant:*", "limit_usd": 0.1, "window": "day"},
    ]
    names = ("a", "b", EVIL)
    cards = {name: {"max_output_tokens": 100} for name in names}
    router = scripted_router({name: ["ok"] for name in names}, policy="single", budgets=budgets, cards=cards)
    outcome = ask(router).outcome
    assert outcome is not None
    assert outcome.cost_pico
    found = router.health()
    assert json.loads(json.dumps(found)) == list(found)
    spent = outcome.cost_pico / 1e12
    assert [row["left_usd"] for row in found] == pytest.approx([0.5 - spent, 1 - spent, 1 - spent])
    shown = Shown(found._repr_html_())
    assert shown.texts[: len(HEAD)] == list(HEAD)
    assert EVIL in shown.texts
    assert "$0.50" in shown.texts
    assert found.render().splitlines()[1].split()[:3] == ["a", "closed", "0"]
    assert isinstance(found.to_pandas(), pandas.DataFrame)
    assert found.to_pandas()["answered"].tolist() == [1, 0, 0]


def test_without_caps_nothing_is_said_to_be_left() -> None:
    found = scripted_router({"a": ["ok"]}).health()
    assert found[0]["left_usd"] is None
    assert found.render().splitlines()[1].split()[-1] == "-"


def test_without_pandas_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    router = scripted_router({"a": ["ok"]})
    ask(router)
    ledger = router.ledger
    for call in (plan().to_pandas, ledger.to_pandas, ledger.total(by=("model",)).to_pandas, ledger.series().to_pandas):
        with pytest.raises(ImportError, match="pip install pandas"):
            call()
