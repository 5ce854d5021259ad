"""Second policies: a shadow that decides alongside, a canary that decides a share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from capability_router import ConfigError, Request, routing
from capability_router.policies.cheapest import Cheapest
from capability_router.router import Router
from capability_router.testing import ask, assert_books_balanced, scripted_router

DEAR, CHEAP = {"input_mtok": 10, "output_mtok": 10}, {"input_mtok": 1, "output_mtok": 1}
CARDS = {"strong": {"price": DEAR}, "small": {"price": CHEAP}}


class Kept:
    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def write(self, record: dict[str, Any]) -> None:
        self.records.append(json.loads(json.dumps(record)))

    def close(self) -> None:
        pass


def made(**settings: Any) -> tuple[Router, list[dict[str, Any]]]:
    router = scripted_router({"strong": ["ok"], "small": ["ok"]}, cards=CARDS, **settings)
    kept = Kept()
    router.add_sink(kept)
    return router, kept.records


def calls(router: Router) -> dict[str, int]:
    return {name: model.calls for name, model in router.scripted.items()}  # type: ignore[attr-defined]  # the script


@pytest.mark.parametrize("place", ["shadow", "canary"])
def test_a_learned_state_that_is_not_there_is_told(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is only read: a wrong name would compare a policy that has learned nothing, and nobody would know."""
    pytest.importorskip("numpy", reason="a learned state needs numpy (the extra `learn`)")
    monkeypatch.chdir(tmp_path)
    share = {"share": 0.5} if place == "canary" else {}
    second = {"name": "adaptive", "state": "lerned.json", **share}
    made(**{place: second}, policy={"name": "adaptive", "state": "lerned.json"})
    assert "there is no file" not in caplog.text, "the router's own is made with the first score"
    made(**{place: second})
    assert f"{place}.state: there is no file 'lerned.json'" in caplog.text
    with pytest.raises(ConfigError, match="cannot read 'lll"):  # a longer name than any file has
        made(**{place: {**second, "state": 300 * "l"}})


# -- shadow ---------------------------------------------------------------------------------------


def test_a_shadow_is_written_down_and_not_called() -> None:
    router, records = made(shadow="cheapest")
    run = ask(router)
    assert (run.outcome.model, calls(router)) == ("strong", {"strong": 1, "small": 0})  # type: ignore[union-attr]  # it is over
    shadow = records[0]["shadow"]
    assert (shadow["policy"], shadow["chosen"], shadow["differs"], shadow["sampled"]) == (
        "cheapest",
        "small",
        True,
        False,
    )
    first = next(c for c in records[0]["plan"]["candidates"] if c["id"] == "small")
    assert {name: shadow[name] for name in ("cost_usd", "quality")} == {n: first[n] for n in ("cost_usd", "quality")}
    assert_books_balanced(router)


def test_a_shadow_that_agrees_says_so() -> None:
    router, records = made(policy="cheapest", shadow={"name": "single"})
    with routing(deny=["strong"]):
        ask(router)
    assert records[0]["shadow"]["differs"] is False


def test_with_a_shadow_the_call_is_as_without() -> None:
    with_shadow, without = made(shadow="cheapest")[0], made()[0]
    request = Request(("hello",))
    assert ask(with_shadow, request).plan == ask(without, request).plan


@pytest.mark.parametrize("where", ["judge", "observe", "reason"])
def test_whatever_a_shadow_raises_the_call_goes_on(
    where: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("a secret of the prompt")

    router, records = made(shadow="cheapest")
    monkeypatch.setattr(Cheapest, where, broken)
    assert ask(router).outcome.model == "strong"  # type: ignore[union-attr]  # it is over
    assert records[0]["shadow"] == {"policy": "cheapest", "chosen": None, "error": "ZeroDivisionError"}
    assert "ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text
    assert_books_balanced(router)


def test_a_dry_run_has_no_shadow(monkeypatch: pytest.MonkeyPatch) -> None:
    router, records = made(shadow="cheapest")
    seen: list[object] = []
    monkeypatch.setattr(Cheapest, "judge", lambda *_: seen.append(1))
    assert router.explain("hello").chosen.id == "strong"
    assert (seen, records) == ([], [])


def test_the_features_are_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from capability_router.policies import planner

    counted, real = [], planner.features
    monkeypatch.setattr(planner, "features", lambda *given: counted.append(1) or real(*given))
    ask(made(shadow="cheapest")[0])
    assert len(counted) == 1


def test_a_pinned_request_tells_of_no_policy() -> None:
    router, records = made(shadow="cheapest", canary={"name": "cheapest", "share": 1.0})
    with routing(pin="strong"):
        ask(router)
    assert "shadow" not in records[0]
    assert "canary" not in records[0]


# -- canary ---------------------------------------------------------------------------------------


def taken(router: Router, sessions: range) -> set[int]:
    return {n for n in sessions if choice(router, str(n)) == "small"}


def choice(router: Router, session: str) -> str:
    with routing(session=session):
        return router.explain("hello").chosen.id


def canary(share: float, **more: Any) -> Router:
    return made(canary={"name": "cheapest", "share": share, **more})[0]


def test_a_session_is_the_canarys_always_or_never() -> None:
    router, records = made(canary={"name": "cheapest", "share": 0.5})
    for session in [str(n) for n in range(20)] * 3:
        with routing(session=session):
            ask(router)
    by_session: dict[str, set[tuple[str, bool]]] = {}
    for record in records:
        by_session.setdefault(record["session"], set()).add((record["model"], record["canary"]))
    assert all(len(seen) == 1 for seen in by_session.values())
    assert set.union(*by_session.values()) == {("small", True), ("strong", False)}


def test_the_share_is_met_and_grows_without_changing_sides() -> None:
    some, more = taken(canary(0.1), range(2_000)), taken(canary(0.3), range(2_000))
    assert 150 < len(some) < 250
    assert 530 < len(more) < 670
    assert some < more
    assert taken(canary(0.1, seed=1), range(2_000)) != some
    assert taken(canary(0.1), range(2_000)) == some


@pytest.mark.parametrize(("share", "number"), [(0.0, 0), (1.0, 50)])
def test_none_and_all(share: float, number: int) -> None:
    assert len(taken(canary(share), range(50))) == number


def test_without_a_session_the_request_decides() -> None:
    router = canary(0.5)
    chosen = [router.explain(Request(("hi",), id=str(n))).chosen.id for n in range(50)]
    assert set(chosen) == {"small", "strong"}
    assert chosen == [router.explain(Request(("hi",), id=str(n))).chosen.id for n in range(50)]


def test_the_canary_is_marked_in_plan_reply_and_record() -> None:
    router, records = made(canary={"name": "cheapest", "share": 1.0}, shadow="cheapest")
    run = ask(router)
    told = run.outcome.annotation()  # type: ignore[union-attr]  # it is over
    assert (told["canary"], told["policy"]) == (True, "cheapest")
    assert told["reason"].startswith("canary: cheapest at $")
    assert run.plan.to_dict()["canary"] is True
    assert records[0]["canary"] is True
    assert "shadow" not in records[0]  # it is beside the router's own policy alone


def test_the_others_are_marked_too_and_a_router_without_one_marks_nothing() -> None:
    router, records = made(canary={"name": "cheapest", "share": 0.0})
    assert ask(router).outcome.annotation()["canary"] is False  # type: ignore[union-attr]  # it is over
    assert records[0]["canary"] is False
    plain, kept = made()
    assert "canary" not in ask(plain).outcome.annotation()  # type: ignore[union-attr]  # it is over
    assert not {"canary", "shadow"} & {*kept[0], *kept[0]["plan"]}


def test_each_policy_learns_from_the_traffic_that_it_decides() -> None:
    router = made(policy="adaptive", canary={"name": "adaptive", "share": 0.5})[0]
    for n in range(40):
        with routing(session=str(n)):
            ask(router)
    seen = [router.planner.policy._all.seen, router._trials._canary.second.policy._all.seen]  # type: ignore[attr-defined, union-attr]  # both adaptive
    assert sum(seen) == 40
    assert min(seen) > 5


# -- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"shadow": "cheepest"}, "shadow.name must be one of .*did you mean 'cheapest'"),
        ({"shadow": {"name": "cheapest", "exekute": 0.1}}, "shadow.exekute: unknown key.*'execute'"),
        ({"shadow": {"execute": 0.1}}, "shadow needs the name"),
        ({"shadow": {"name": "cheapest", "execute": 0.1}}, "shadow needs budget_usd"),
        ({"shadow": {"name": "cheapest", "budget_usd": 1, "window": "dya"}}, "window"),
        ({"canary": "cheapest"}, "canary must be a mapping"),
        ({"canary": {"name": "cheapest"}}, "canary.share is missing"),
        ({"canary": {"share": 0.1}}, "canary needs the name"),
        ({"canary": {"name": "cheapest", "share": 1.5}}, "canary.share must be"),
        ({"canary": {"name": "cheapest", "shair": 0.5, "share": 0.1}}, "canary.shair: unknown key.*'share'"),
        ({"canari": {"name": "cheapest"}}, "canari: unknown key.*'canary'"),
        ({"canary": {"name": "rules", "share": 0.1}}, "canary needs rules"),
    ],
)
def test_what_is_wrong_is_told(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){told}"):
        made(**settings)


def test_warnings_name_the_block() -> None:
    with pytest.raises(ConfigError, match=r"shadow\.rules: no model 'smal'"):
        made(shadow={"name": "rules", "rules": [{"then": ["smal"]}]})
    router = made(canary={"name": "cheapest", "share": 0.1, "min_quality": 0.5})[0]
    assert "canary.min_quality has no effect with policy 'cheapest'" in router.settings.warnings
