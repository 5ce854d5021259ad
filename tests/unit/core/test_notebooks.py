"""What a notebook shows of plans and totals, and what pandas gets."""

from __future__ import annotations

import json
import sys
from html.parser import HTMLParser
from typing import Any

import pytest

from capability_router.plan import Plan
from capability_router.request import Request
from capability_router.table import Table
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


def test_without_pandas_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    router = scripted_router({"a": ["ok"]})
    ask(router)
    ledger = router.ledger
    for call in (plan().to_pandas, ledger.to_pandas, ledger.total(by=("model",)).to_pandas, ledger.series().to_pandas):
        with pytest.raises(ImportError, match="pip install pandas"):
            call()
