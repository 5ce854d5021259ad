"""What one tenant's scores may do to another's."""

from __future__ import annotations

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from unit.learning.quality.world import CHANCE, KINDS, MODELS, World

from capability_router import Price
from capability_router.learning.learner import Learner
from capability_router.learning.quality import model as model_module
from capability_router.learning.quality.memory import FORMER, RequestMemory
from capability_router.learning.quality.model import MOVED, QualityModel
from capability_router.learning.quality.state import dumped, loaded, merged
from capability_router.learning.shared_learner import SharedLearner
from capability_router.learning.tenants import BOUND, TenantBounds, hashed
from capability_router.plan import Plan
from capability_router.request import Request
from capability_router.routing import Routing
from capability_router.stores.memory import MemoryLessons
from capability_router.testing import ask, scripted_router

BELIEVED = [(model, 0.6) for model in MODELS]
WORTH = [20.0] * len(MODELS)


def asked(world: World, kind: str, tenant: str) -> Request:
    return Request((world.prompt(kind),), routing=Routing(tenant=tenant))


def seen(learner: Learner, world: World, tenant: str) -> list[float]:
    return [j.quality for j in learner.judge(asked(world, "bug", tenant), BELIEVED, WORTH)]


def poison(learner: Learner, world: World, tenant: str, count: int) -> None:
    """The good model is said to be bad, the bad one good, in the words that the others use."""
    for number in range(count):
        request = asked(world, "bug", tenant)
        model = ("coder", "cheap")[number % 2]
        learner.scored(request.id, learner.sketch(request), model, float(model == "cheap"), None, tenant)


def honest(learner: Learner, world: World, tenant: str, count: int) -> None:
    for number in range(count):
        kind = world.kind()
        request, model = asked(world, kind, tenant), MODELS[number % len(MODELS)]
        score, tokens = world.result(kind, model)
        learner.scored(request.id, learner.sketch(request), model, score, tokens, tenant)


def test_a_tenant_that_corrects_its_scores_is_told_by_the_corrected_ones(tmp_path: Path) -> None:
    told = []
    for name, scores in (("corrected", (0.0, 1.0)), ("straight", (1.0,))):
        learner, world = Learner(tmp_path / name, QualityModel()), World(7)
        honest(learner, world, "other", 20)
        requests = [asked(world, "bug", "acme") for _ in range(20)]
        for score in scores:
            for request in requests:
                learner.scored(request.id, learner.sketch(request), "cheap", score, None, "acme")
        told.append((*seen(learner, World(8), "acme"), *learner.quality.tenants.known[hashed("acme")].levels["cheap"]))
    assert told[0] == pytest.approx(told[1], abs=0.02)


@pytest.mark.parametrize("own", [0, 30])
@pytest.mark.parametrize("flood", [50, 600])
def test_a_flood_of_one_tenants_scores_moves_anothers_quality_by_the_bound_at_most(
    tmp_path: Path, own: int, flood: int
) -> None:
    world, learner = World(4), Learner.open(tmp_path / "state.json")
    honest(learner, world, "victim", own)
    poison(learner, world, "poisoner", flood)
    with learner._busy:
        learner.quality.refit()
    levels = learner.quality.tenants.known.get(hashed("victim"))
    for model, found in zip(MODELS, seen(learner, world, "victim"), strict=True):
        total, count = levels.levels.get(model, (0.0, 0.0)) if levels else (0.0, 0.0)
        alone = (20.0 * 0.6 + total) / (20.0 + count)
        assert abs(found - alone) <= BOUND + 1e-9
    good = dict(zip(MODELS, seen(learner, world, "poisoner"), strict=True))
    assert good["cheap"] > good["coder"], "its own scores are its own affair"


def others(learners: Sequence[Learner], count: int) -> None:
    """Two tenants' scores of all models, the same to all learners."""
    world = World(4)
    for number in range(count):
        kind, tenant = world.kind(), ("one", "two")[number % 2]
        request = asked(world, kind, tenant)
        for model in MODELS:
            score, tokens = world.result(kind, model)
            for learner in learners:
                learner.scored(request.id, learner.sketch(request), model, score, tokens, tenant)


def flood(learner: Learner, world: World, kind: str, count: int) -> None:
    """In the others' words: "bug" turns round who is good at these, "lies" who is at anything; "zero": all are bad."""
    for number in range(count):
        words, about = ("bug" if kind == "bug" else world.kind()), MODELS[number % len(MODELS)]
        score = {"bug": about == "cheap", "lies": CHANCE[words][about] < 0.6, "zero": False}[kind]
        request = asked(world, words, "loud")
        learner.scored(request.id, learner.sketch(request), about, float(score), None, "loud")


def fitted(folder: Path) -> Learner:
    """It is fitted when the test says so."""
    learner = Learner.open(folder / "state.json")
    learner._work_out = lambda: None  # type: ignore[method-assign]  # see above
    return learner


@pytest.mark.parametrize(("kind", "count", "times"), [
    ("bug", 60, 20), ("zero", 60, 20), ("lies", 12, 100),
])  # fmt: skip
def test_who_scores_a_hundred_times_as_much_as_all_others_moves_them_a_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, count: int, times: int
) -> None:
    monkeypatch.setattr(model_module, "LEAST", 10)
    alone, flooded = fitted(tmp_path), fitted(tmp_path)
    others((alone, flooded), count)
    flood(flooded, World(9), kind, count * times)
    for learner in (alone, flooded):
        learner.quality.refit()
    again = fitted(tmp_path)
    again.quality = loaded(dumped(flooded.quality))
    for number, kind_asked in enumerate(list(KINDS) * 10):
        for tenant in ("one", "new"):
            request = asked(World(number), kind_asked, tenant)
            before, after, kept = (
                [j.quality for j in learner.judge(request, BELIEVED, WORTH)] for learner in (alone, flooded, again)
            )
            assert kept == pytest.approx(after, abs=1e-4)
            assert max(abs(x - y) for x, y in zip(before, after, strict=True)) <= MOVED + 0.005
            assert max(before) - before[after.index(max(after))] <= 2 * MOVED + 0.01, "so much worse a pick at most"
    own = [j.quality for j in flooded.judge(asked(World(1), "bug", "loud"), BELIEVED, WORTH)]
    assert own[1] < 0.4, "its own scores are its own affair"


def test_beside_a_log_one_tenant_alone_is_fitted_once(tmp_path: Path) -> None:
    learner = fitted(tmp_path)
    learner.quality.learn_log(World(3).log(60))
    honest(learner, World(4), "only", 70)
    learner.quality.refit()
    assert learner.quality.apart is None
    honest(learner, World(5), "another", 1)
    learner.quality.refit()
    assert learner.quality.apart is not None
    assert learner.quality.apart.whose == hashed("only")


def test_a_loud_tenant_retires_no_model_for_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of bad scores says that a model has changed: to whom it says so depends on who saw it."""
    monkeypatch.setattr(TenantBounds, "leads", lambda tenants, name: True)  # else it would show nothing in its first 60
    learner = fitted(tmp_path)
    others((learner,), 60)
    for _ in range(3):
        flood(learner, World(9), "zero", 100)
        flood(learner, World(10), "lies", 100)
    assert any(model.endswith(FORMER) for model in learner.quality.memory.models)
    learner.quality.refit()
    assert learner.quality.apart is not None
    known = learner.quality.apart.quality
    assert set(known.memory.models) == set(MODELS)
    assert [round(known.levels[model].count) for model in MODELS] == [60, 60, 60]


def planned_beside(flood: int, state: Path, asks: int, **policy: object) -> Plan:
    """The plan of the calm tenant, whose scores say that the large model is worth it, after a flood of another's."""
    cards = {name: {"price": Price(usd, usd), "max_output_tokens": 200} for name, usd in (("mini", 1), ("large", 10))}
    settings = {"name": "adaptive", "state": str(state), **policy}
    router = scripted_router({"mini": ["x"], "large": ["x"]}, cards=cards, policy=settings)
    scores = (("calm", asks, {"large": 0.95, "mini": 0.2}), ("loud", flood, {"large": 0, "mini": 1}))
    for tenant, count, score in scores:
        for number in range(count):
            request = Request((f"contract clause for {number}",), routing=Routing(tenant=tenant))
            router.feedback(request.id, score[str(ask(router, request).outcome.model)])
    plan = router.explain(Request(("contract clause for 9",), routing=Routing(tenant="calm")))
    router.close()
    return plan


@pytest.mark.parametrize("policy", [{}, {"quality_target": 0.85}, {"quality_share": 0.95}])
def test_a_flood_moves_neither_the_picks_nor_the_price_of_quality_of_who_has_scored(
    tmp_path: Path, policy: dict[str, float]
) -> None:
    """To the loud tenant the cheap model is the strongest: had it a say in the price, a dollar would count for more.

    Nor does the guard put that model first for all, though the last 200 scores all say so.
    """
    quiet, loud = (planned_beside(flood, tmp_path / f"{flood}.json", 60, **policy) for flood in (0, 300))
    quality = {row.id: dict(row.terms)["quality"] for row in loud.candidates}
    assert quality["large"] - quality["mini"] > 0.2, loud.reason
    assert policy or (quiet.chosen.id, loud.chosen.id) == ("large", "large"), loud.reason
    price = [dict(plan.settings)["price_of_quality"] for plan in (quiet, loud)]
    assert price[1] == pytest.approx(price[0], rel=0.03), "fits in the background come sooner or later"


@pytest.mark.parametrize("asks", [5, 20])
def test_a_flood_moves_no_price_for_who_begins_either(tmp_path: Path, asks: int) -> None:
    """Nor for who asks again after a restart, when nothing is known of earlier requests."""
    quiet, loud = (planned_beside(flood, tmp_path / f"{flood}.json", asks) for flood in (1, 300))
    price = [dict(plan.settings)["price_of_quality"] for plan in (quiet, loud)]
    assert price[1] == pytest.approx(price[0], rel=0.35), "fifty times as much with the others' price"


def test_a_state_with_levels_far_from_any_score_is_read_again(tmp_path: Path) -> None:
    learner = fitted(tmp_path)
    honest(learner, World(4), "one", 60)
    honest(learner, World(5), "two", 3)
    for score in (-9.0, 9.0):
        learner.quality.own.learn(hashed("two"), "coder", score)
    assert loaded(dumped(learner.quality)).own.known == learner.quality.own.known


def test_trained_rows_are_nobodys_when_it_is_asked_who_has_scored_most(tmp_path: Path) -> None:
    learner = fitted(tmp_path)
    learner.quality.learn_log(World(3).log(120))
    honest(learner, World(4), "victim", 20)
    poison(learner, World(9), "poisoner", 60)
    learner.quality.refit()
    assert learner.quality.apart is not None
    assert learner.quality.apart.whose == hashed("poisoner")


def test_after_hostile_scores_a_tenants_levels_are_still_its_own(tmp_path: Path) -> None:
    """Forty that say the opposite beside two hundred honest ones, before and after the next fit."""
    learner = fitted(tmp_path)
    honest(learner, World(4), "victim", 200)
    before = seen(learner, World(5), "victim")
    poison(learner, World(9), "poisoner", 40)
    new = seen(learner, World(5), "nobody yet")
    after = seen(learner, World(5), "victim")
    assert max(abs(x - y) for x, y in zip(before, after, strict=True)) < 0.06
    learner.quality.refit()
    lawyer, coder, cheap = seen(learner, World(5), "victim")
    assert coder - cheap > 0.15, "the fit has the poison in it, but its levels are the tenant's own"
    assert coder > lawyer
    assert max(abs(x - y) for x, y in zip(before, new, strict=True)) > 0.1, "who has not scored believes the others"
    again = Learner(tmp_path / "state.json", loaded(dumped(learner.quality)))
    assert seen(again, World(5), "victim") == pytest.approx(seen(learner, World(5), "victim"), abs=1e-4)


def test_one_tenant_alone_is_not_bounded() -> None:
    tenants = TenantBounds()
    assert tenants.bounded("a", "m", 0.95, 0.2, 20.0) == 0.95
    assert tenants.note("a", "m", 1.0) == 1.0
    assert [tenants.note("a", "m", 1.0) for _ in range(500)] == [1.0] * 500
    assert tenants.bounded("a", "m", 0.95, 0.2, 1e9) == 0.95
    assert tenants.bounded("b", "m", 0.95, 0.2, 20.0) == pytest.approx(0.2 + BOUND)


def test_who_scores_more_than_all_others_counts_as_much_as_they_do() -> None:
    tenants = TenantBounds()
    for _ in range(100):
        tenants.note("quiet", "m", 1.0)
    flood = [tenants.note("loud", "m", 0.0) for _ in range(2_000)]
    assert flood[:100] == [1.0] * 100
    assert flood[-1] < 0.05
    assert flood == sorted(flood, reverse=True)
    assert tenants.note("quiet", "m", 1.0) == 1.0


def test_tenants_are_kept_with_the_state_by_hash_and_merged(tmp_path: Path) -> None:
    world, learner = World(5), Learner(tmp_path / "state.json", loaded(dumped(Learner.open(Path("none")).quality)))
    poison(learner, world, "Acme Corporation", 10)
    poison(learner, world, "other", 4)
    text = dumped(learner.quality)
    assert "Acme" not in text
    again = loaded(text)
    assert again.tenants.kept() == learner.quality.tenants.kept()
    fresh = loaded(dumped(Learner.open(Path("none")).quality))
    merged(fresh, again)
    assert list(fresh.tenants.known) == [hashed("Acme Corporation"), hashed("other")]


def opened(path: Path, room: MemoryLessons) -> SharedLearner:
    """One process of several."""
    learner = SharedLearner.over(path, room, "router")
    learner.scribe.start = lambda: None  # type: ignore[method-assign]  # rounds are the test's to make
    learner.load()
    return learner


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state in which the coder mends bugs, by far: cards say 0.6 of everybody."""
    path = tmp_path_factory.mktemp("trained") / "state.json"
    quality = QualityModel()
    quality.learn_log(World(6).log(150))
    path.write_text(dumped(quality), encoding="utf-8")
    return path


@settings(
    deadline=None, max_examples=4, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(1, 25)), min_size=1, max_size=4),
    st.integers(0, 10),
    st.booleans(),
)
def test_merged_scores_of_others_move_what_was_trained_by_the_bound_at_most(
    trained: Path, floods: list[tuple[int, int, int]], own: int, refits: bool
) -> None:
    room, world = MemoryLessons(), World(8)
    processes = [opened(trained, room) for _ in range(3)]
    request = asked(world, "bug", "victim")
    before = [judged.quality for judged in processes[0].judge(request, BELIEVED, WORTH)]
    assert max(before) > 0.75, "the file is believed as it is while nobody else has scored"
    honest(processes[0], world, "victim", own)
    for process, tenant, count in floods:
        poison(processes[process], world, f"poisoner {tenant}", count)
    for learner in processes * 2:
        learner.scribe.round()
    if refits:
        processes[1].quality.refit()
    levels = processes[1].quality.tenants.known.get(hashed("victim"))
    for learner in processes:
        for model, found, alone in zip(MODELS, learner.judge(request, BELIEVED, WORTH), before, strict=True):
            total, count = levels.levels.get(model, (0.0, 0.0)) if levels else (0.0, 0.0)
            believed = (20.0 * alone + total) / (20.0 + count)
            assert abs(found.quality - believed) <= BOUND + 1e-9


def test_a_trained_file_stays_what_others_scores_are_measured_by(trained: Path, tmp_path: Path) -> None:
    path, world = tmp_path / "state.json", World(8)
    path.write_bytes(trained.read_bytes())
    learner = Learner.open(path)
    request = asked(world, "bug", "victim")
    before = [judged.quality for judged in learner.judge(request, BELIEVED, WORTH)]
    for _ in range(2):
        poison(learner, world, "poisoner", 60)
        with learner._busy:
            learner.quality.refit()
        learner.save()
        learner = Learner.open(path)
        found = [judged.quality for judged in learner.judge(request, BELIEVED, WORTH)]
        assert max(abs(after - alone) for after, alone in zip(found, before, strict=True)) <= BOUND + 1e-9
        assert found != before


def test_a_flood_does_not_drive_out_what_others_taught(tmp_path: Path) -> None:
    """Of the remembered requests a tenant may have as many as it likes, but not another one's, once it has half."""
    world, learner = World(7), Learner(tmp_path / "state.json", QualityModel(RequestMemory(most=200)))
    learner.quality.learn_log(World(3).log(50))
    honest(learner, world, "victim", 80)
    poison(learner, world, "poisoner", 1_500)
    left = Counter(row.whose for row in learner.quality.memory.rows)
    assert left[hashed("victim")] >= 40, "before the poisoner had half, chance took some"
    assert left[hashed("poisoner")] + left[hashed("victim")] >= 196, "rows of logs grow old as ever"
    again = loaded(dumped(learner.quality))
    assert Counter(row.whose for row in again.memory.rows) == left
    honest(learner, world, "victim", 400)
    left = Counter(row.whose for row in learner.quality.memory.rows)
    assert left[hashed("victim")] > left[hashed("poisoner")], "who asks now finds room"


def test_one_tenant_alone_forgets_what_is_old_as_ever(tmp_path: Path) -> None:
    world, learner = World(7), Learner(tmp_path / "state.json", QualityModel(RequestMemory(most=100)))
    honest(learner, world, "", 100)
    first = {row.id for row in learner.quality.memory.rows}
    honest(learner, world, "", 600)
    assert len(first & {row.id for row in learner.quality.memory.rows}) < 5
