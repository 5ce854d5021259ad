"""What the model of quality finds in scored requests whose structure is known."""

from __future__ import annotations

from random import Random

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")
import numpy as np
from unit.learning.quality.world import CHANCE, KINDS, MODELS, NOTHING_BELIEVED, TOKENS, World, predicted

from capability_router.learning.quality import model as model_module
from capability_router.learning.quality.fit import Fitted, TrainingTable, fitted
from capability_router.learning.quality.memory import ScoredResult
from capability_router.learning.quality.model import QualityModel, traits_of
from capability_router.learning.quality.state import dumped, loaded
from capability_router.learning.quality.traits import traits
from capability_router.request import Request


def taught(size: int, share: float = 1.0, seed: int = 1) -> QualityModel:
    quality = QualityModel()
    quality.learn_log(World(seed).log(size, share))
    return quality


@pytest.mark.parametrize("share", [1.0, 0.4])
def test_each_trade_goes_to_the_model_that_knows_it(share: float) -> None:
    quality, new = taught(900, share), World(2)
    law, bug, hard, easy = (predicted(quality, kind, new) for kind in ("contract", "bug", "integral", "poem"))
    assert law["lawyer"] > law["coder"] + 0.2
    assert bug["coder"] > bug["lawyer"] + 0.2
    assert max(hard.values()) < min(easy.values())


def test_predictions_come_true_on_average() -> None:
    quality, new = taught(1_200), World(3)
    for kind in KINDS:
        for model, value in predicted(quality, kind, new).items():
            assert value == pytest.approx(CHANCE[kind][model], abs=0.15), (kind, model)


def test_before_anything_was_scored_what_is_believed_stands() -> None:
    found = QualityModel().expect(traits(Request(("anything",))), [("a", 0.7), ("b", 0.4)])
    assert found.quality.tolist() == [0.7, 0.4]
    assert np.isnan(found.tokens).all()


def test_a_model_that_was_never_asked_is_believed_but_for_what_the_request_does_to_all() -> None:
    quality, new = taught(900), World(4)
    asked = [*NOTHING_BELIEVED, ("new", 0.6)]
    hard, easy = (
        float(quality.expect(traits(Request((new.prompt(kind),))), asked).quality[-1]) for kind in ("integral", "poem")
    )
    assert hard < 0.5 < 0.7 < easy


def test_the_card_counts_for_twenty_scores_and_fades() -> None:
    world, quality = World(), QualityModel()
    for _ in range(20):
        quality.learn(world.row("hello"), {"a": world.result("poem", "cheap")._replace(score=1.0)})
    found = quality.expect(traits(Request(("hello",))), [("a", 0.2)])
    assert float(found.quality[0]) == pytest.approx(0.6, abs=0.03)


def test_an_answer_that_is_scored_again_counts_once() -> None:
    world, quality = World(), QualityModel()
    row = world.row("hello")
    for score in (0.0, 1.0, 1.0):
        quality.learn(row, {"a": world.result("poem", "cheap")._replace(score=score)})
    assert quality.scored == 1
    assert quality.levels["a"].count == 1
    assert quality.memory.scores[0, 0] == 1.0


@pytest.mark.parametrize("size", [30, 200])
def test_corrected_scores_count_at_once_as_if_there_had_been_no_others(size: int) -> None:
    """Also of a model that gets no more requests, and before there is any fit."""
    quality, straight = QualityModel(), QualityModel()
    rows = [World(number).row(f"hello {number}")._replace(id=str(number)) for number in range(size)]
    for known, scores in ((quality, (0.0, 1.0)), (straight, (1.0,))):
        for score in scores:
            for row in rows:
                known.learn(row, {"a": ScoredResult(score)})
    found, wanted = (
        float(known.expect(traits(Request(("hello",))), [("a", 0.5)]).quality[0]) for known in (quality, straight)
    )
    assert found == pytest.approx(wanted, abs=0.02)
    assert quality.scored == size, "each counts once"


def test_corrected_scores_are_news_for_a_fit_and_the_same_scores_again_are_none() -> None:
    quality = QualityModel()
    rows = [World(number).row(f"hello {number}")._replace(id=str(number)) for number in range(60)]
    for score in (0.7, 0.2):
        for row in rows:
            quality.learn(row, {"a": ScoredResult(score)})
        assert quality.due
        quality.refit()
        for row in rows:
            quality.learn(row, {"a": ScoredResult(score)})
        assert quality.new == 0


def test_what_is_corrected_while_a_fit_runs_stays_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    quality = QualityModel()
    rows = [World(number).row(f"hello {number}")._replace(id=str(number)) for number in range(60)]
    rows = [row._replace(whose=("one", "other")[number % 2]) for number, row in enumerate(rows)]

    def meanwhile(table: TrainingTable) -> Fitted:
        found = fitted(table)
        for row in rows:
            quality.learn(row, {"a": ScoredResult(1.0)})
        return found

    for row in rows:
        quality.learn(row, {"a": ScoredResult(0.0)})
    monkeypatch.setattr(model_module, "fitted", meanwhile)
    quality.refit()
    assert quality.levels["a"].mean == pytest.approx(1.0, abs=0.02)
    assert quality.own.level("one", "a", 1.0) == pytest.approx(1.0, abs=0.02)


def test_no_corrections_take_a_level_beyond_all_scores() -> None:
    quality, row = QualityModel(), World().row("hello")._replace(whose="one")
    quality.learn(row, {"a": ScoredResult(0.0)})
    for _ in range(100):
        quality.levels["a"].corrected(1.0, 1.0, 1)
        quality.own.corrected("one", "a", 1.0, 1)
    loaded(dumped(quality))


def test_the_nearest_request_is_as_near_however_many_are_equal() -> None:
    quality, world = QualityModel(), World()
    near = set()
    for number in range(150):
        quality.learn(world.row("the same request"), {"a": ScoredResult(float(number % 4 > 0))})
        if number == 60:
            quality.refit()
        if number >= 60:
            near.add(round(quality.standing(traits(Request(("the same request",))))[1], 3))
    assert len(near) == 1


def test_answers_are_foreseen_in_their_length_by_model_and_request() -> None:
    quality, new = taught(600), World(5)
    tokens = {
        kind: quality.expect(traits(Request((new.prompt(kind),))), NOTHING_BELIEVED).tokens for kind in ("bug", "poem")
    }
    for at, model in enumerate(MODELS):
        assert tokens["bug"][at] == pytest.approx(TOKENS[model], rel=0.25)
        assert tokens["poem"][at] == pytest.approx(2 * TOKENS[model], rel=0.25)


def test_nonsense_teaches_nothing_about_words() -> None:
    world, quality = World(6), QualityModel()
    rows = [(world.row(world.prompt(world.kind())), {m: world.result("bug", m) for m in MODELS}) for _ in range(600)]
    quality.learn_log(rows)
    spread = [predicted(quality, kind, world) for kind in KINDS]
    for model in MODELS:
        values = [each[model] for each in spread]
        assert max(values) - min(values) < 0.15


def test_a_model_that_changes_is_noticed_and_followed() -> None:
    world, quality = World(7), QualityModel()
    changed: list[str] = []
    for number in range(700):
        kind = world.kind()
        result = world.result(kind, "coder" if number < 400 else "cheap")
        changed += quality.learn(world.row(world.prompt(kind)), {"coder": result})
        if quality.due:
            quality.refit()
    assert "coder" in changed
    assert predicted(quality, "bug", world)["coder"] < 0.7


def test_a_label_tells_what_the_words_do_not() -> None:
    from capability_router.learning.quality.memory import Remembered
    from capability_router.learning.quality.sketch import sketch
    from capability_router.routing import Routing

    def asked(tag: str) -> Request:
        return Request(("please go on with it",), routing=Routing(tags=(tag,)))

    quality = QualityModel()
    quality.learn_log(
        (Remembered(f"{tag} {n}", sketch(traits(asked(tag)))), {"a": ScoredResult(good), "b": ScoredResult(1.0 - good)})
        for n in range(100)
        for tag, good in (("easy", 1.0), ("hard", 0.0))
    )
    easy, hard = (quality.expect(traits(asked(tag)), [("a", 0.5), ("b", 0.5)]).quality for tag in ("easy", "hard"))
    assert easy[0] > 0.7 > 0.3 > easy[1]
    assert hard[1] > 0.7 > 0.3 > hard[0]


def test_the_form_of_requests_tells_what_their_words_do_not() -> None:
    """No number of the form tells by itself who is good, only two of them together, and all words are made up."""
    dice, world = Random(11), World(5)

    def prompt(shouted: bool, listed: bool) -> str:
        words = ["".join(dice.choices("abcdefghijklmnop", k=6)) for _ in range(24)]
        return ("\n" if listed else " ").join(word.upper() if shouted else word for word in words)

    rows = []
    for _ in range(600):
        shouted, listed = dice.random() < 0.5, dice.random() < 0.5
        good = {"a": ScoredResult(float(shouted == listed)), "b": ScoredResult(float(shouted != listed))}
        rows.append((world.row(prompt(shouted, listed)), good))
    quality = QualityModel()
    quality.learn_log(rows[:400])
    for row, good in rows[400:430]:
        found = quality.expect(traits_of(row.sketch), [("a", 0.5), ("b", 0.5)]).quality
        assert (found[0] - found[1]) * (good["a"].score - good["b"].score) > 0.3
    late = QualityModel()
    late.learn_log(rows[:60])
    for row, good in rows[60:400]:
        late.learn(row, good)
    assert late.view is not None
    assert late.view.forms[300] @ late.view.forms[300] == pytest.approx(1.0, abs=1e-4), "of a row since the fit too"


def test_no_more_is_remembered_than_there_is_room_for_and_the_newest_the_most() -> None:
    from capability_router.learning.quality.memory import RequestMemory

    world = World(8)
    memory = RequestMemory(most=100)
    rows = [(world.row("the same words"), {"a": world.result("poem", "cheap")}) for _ in range(1_000)]
    for row, results in rows:
        memory.add(row, results)
    kept = {row.id for row in memory.rows}
    assert len(memory) == len(kept) == 100
    newer = sum(row.id in kept for row, _ in rows[-200:])
    assert newer > 70
