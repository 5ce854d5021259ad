"""Requests that are asked again: what they teach of others, and what their own scores say of them."""

from __future__ import annotations

from random import Random

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

import numpy as np
from unit.learning.quality.world import CHANCE, KINDS, MODELS, NOTHING_BELIEVED, World

from capability_router.learning.quality.memory import Remembered, RequestMemory, ScoredResult
from capability_router.learning.quality.model import QualityModel
from capability_router.learning.quality.repeats import grouped, grouped_if_many, leaders, request_key, text_key
from capability_router.learning.quality.sketch import Sketch, sketch
from capability_router.learning.quality.state import dumped, loaded
from capability_router.learning.quality.traits import traits
from capability_router.request import Request
from capability_router.routing import Routing

LETTERS = "bcdfghklmnprstvz"
ALMOST_NOTHING = 1e-6  # scores that a belief is worth


def request(text: str, tenant: str = "", media: int = 0) -> Request:
    return Request((text,), media=("image",) * media, routing=Routing(tenant))


def seen(text: str, tenant: str = "", media: int = 0) -> Sketch:
    return sketch(traits(request(text, tenant, media)))


def nonsense(dice: Random) -> str:
    """A text that has no word in common with another one."""
    return " ".join("".join(dice.choices(LETTERS, k=8)) for _ in range(8))


def expected(quality: QualityModel, text: str, models: tuple[str, ...] = MODELS) -> np.ndarray:
    return quality.expect(traits(request(text)), [(model, 0.6) for model in models], ALMOST_NOTHING).quality


def test_a_log_with_each_request_four_times_teaches_what_it_teaches_once() -> None:
    log, new = World().log(250), World(7)
    again = [(row._replace(id=f"{row.id} run {run}"), told) for run in range(3) for row, told in log]
    once, often = QualityModel(), QualityModel()
    once.learn_log(log)
    often.learn_log([*log, *again])
    for kind in KINDS:
        prompt = new.prompt(kind)
        assert expected(often, prompt) == pytest.approx(expected(once, prompt), abs=1e-4)


def test_repetitions_prove_nothing_of_other_requests() -> None:
    """Scores that no word tells of: for a new request there is nothing but the models' means."""
    dice, quality = Random(3), QualityModel()
    log = [(seen(nonsense(dice)), {m: ScoredResult(float(dice.random() < 0.5)) for m in MODELS}) for _ in range(220)]
    quality.learn_log((Remembered(f"{at}-{run}", of), told) for run in range(4) for at, (of, told) in enumerate(log))
    means = [quality.levels[model].mean for model in MODELS]
    beyond = [np.abs(expected(quality, nonsense(dice)) - means).mean() for _ in range(20)]
    assert np.mean(beyond) < 0.04


def test_a_request_that_is_asked_again_goes_by_its_own_scores() -> None:
    """Each text has its own best model, and each request was put to one model."""
    dice, quality = Random(5), QualityModel()
    best = {nonsense(dice): dice.choice(MODELS) for _ in range(20)}
    for at in range(600):
        text, model = dice.choice(list(best)), dice.choice(MODELS)
        score = float(dice.random() < (0.9 if best[text] == model else 0.2))
        quality.learn(Remembered(str(at), seen(text)), {model: ScoredResult(score)})
        if quality.due:
            quality.refit()
    assert all(MODELS[int(expected(quality, text).argmax())] == model for text, model in best.items())


def test_its_own_scores_count_before_the_first_fit_and_after_a_restart() -> None:
    quality = QualityModel()
    for at in range(10):
        quality.learn(
            Remembered(f"a{at}", seen("where is my parcel")), {"a": ScoredResult(0.0), "b": ScoredResult(1.0)}
        )
        quality.learn(Remembered(f"b{at}", seen("cancel this order")), {"a": ScoredResult(1.0), "b": ScoredResult(0.0)})
    for each in (quality, loaded(dumped(quality))):
        for text, first in (("where is my parcel", 1), ("cancel this order", 0)):
            assert expected(each, text, ("a", "b")).argmax() == first
        assert np.ptp(expected(each, "please send an invoice", ("a", "b"))) < 0.1


def test_a_question_that_one_model_always_fails_is_no_sign_that_it_has_changed() -> None:
    dice, quality = Random(2), QualityModel()
    for at in range(400):
        bad = at % 8 == 0 or at > 320
        text = "the one that it can not do" if bad else nonsense(dice)
        quality.learn(Remembered(str(at), seen(text)), {"a": ScoredResult(0.0 if bad else float(dice.random() < 0.8))})
    assert quality.levels["a"].alarms == 0


def test_what_was_fitted_on_repetitions_is_read_again() -> None:
    log, quality = World().log(120), QualityModel()
    quality.learn_log((row._replace(id=f"{row.id} {run}"), told) for row, told in log for run in range(2))
    again = loaded(dumped(quality))
    assert dumped(again) == dumped(quality)
    prompt = World(9).prompt("bug")
    assert expected(again, prompt) == pytest.approx(expected(quality, prompt), abs=1e-6)


def test_a_request_that_is_no_longer_remembered_says_nothing() -> None:
    memory, texts = RequestMemory(3), [f"question {word}" for word in ("one", "two", "three", "four", "five", "six")]
    for at, text in enumerate(texts):
        memory.add(Remembered(str(at), seen(text)), {"a": ScoredResult(0.5)})
        memory.add(Remembered(f"again {at}", seen(text)), {"a": ScoredResult(1.0), "b": ScoredResult(0.0)})
    kept = [row.sketch.places.tobytes() for row in memory.rows]
    told = {text: memory.earlier(seen(text), ["a", "b", "c"]) for text in texts}
    for text, earlier in told.items():
        assert earlier.counts[0] == kept.count(seen(text).places.tobytes())
        assert earlier.sums[1] == earlier.counts[2] == 0.0
    assert sum(earlier.counts[0] for earlier in told.values()) == 3


def test_only_what_a_sketch_shows_whole_can_be_the_same_request() -> None:
    text = "what is in this picture"
    assert request_key(seen(text)) == request_key(seen(text)) != b""
    assert text_key(seen(text)) == text_key(seen(text, "acme")) != b""
    assert request_key(seen(text)) != request_key(seen(text, "acme"))
    assert request_key(seen(text)) != request_key(seen("what is in that picture"))
    for unseen in (seen(text, media=1), seen(""), seen("", "acme"), seen("is 17077 a prime number")):
        assert text_key(unseen) == request_key(unseen) == b""


def test_texts_that_differ_in_a_number_alone_are_other_requests() -> None:
    """Their hashed words are the same, so that only a digest of the text tells them apart."""
    one, other = seen("is 17077 a prime number"), seen("is 17079 a prime number")
    assert one.places.tobytes() == other.places.tobytes()
    assert request_key(one, b"digest of one") != request_key(other, b"digest of another")
    assert request_key(one, b"digest of one") == request_key(one, b"digest of one")


def test_groups_are_numbered_as_they_come_and_led_by_the_smallest_id() -> None:
    groups = grouped([b"x", b"", b"y", b"x", b"", b"y"])
    assert groups.tolist() == [0, 1, 2, 0, 3, 2]
    assert leaders(["f", "e", "d", "c", "b", "a"], groups) == ["c", "e", "a", "c", "b", "a"]


def test_few_repetitions_count_by_themselves() -> None:
    keys = [str(at).encode() for at in range(200)]
    assert grouped_if_many([*keys, b"0", b"1"]).tolist() == list(range(202))
    assert grouped_if_many([*keys, b"0", b"1", b"2"]).tolist() == [*range(200), 0, 1, 2]


def test_the_world_of_these_tests_has_no_repetitions() -> None:
    rows = [row.text for row, _ in World().log(250)]
    assert len(set(rows)) > 240
    assert set(CHANCE) == set(KINDS)
    assert len(NOTHING_BELIEVED) == len(MODELS)
