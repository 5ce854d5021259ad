"""The learned state as JSON: what is written is read again, what is damaged is refused, what is merged counts once."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.learning.quality.world import KINDS, MODELS, NOTHING_BELIEVED, World, predicted

from capability_router.learning.quality.arrays import UnreadableState, array, packed
from capability_router.learning.quality.levels import Level
from capability_router.learning.quality.memory import Remembered
from capability_router.learning.quality.model import QualityModel
from capability_router.learning.quality.state import dumped, loaded, merged
from capability_router.learning.quality.surface import SIZE
from capability_router.learning.quality.traits import traits
from capability_router.learning.quality.trees import LEAVES
from capability_router.request import Request


def taught(size: int, seed: int = 1) -> QualityModel:
    quality = QualityModel()
    quality.learn_log(World(seed).log(size, 0.6))
    return quality


STATE = dumped(taught(120))


def test_what_is_written_is_read_again() -> None:
    quality = taught(300)
    again = loaded(dumped(quality))
    for kind in KINDS:
        before, after = (predicted(q, kind, World(9)) for q in (quality, again))
        assert after == pytest.approx(before, abs=1e-5)
    assert dumped(again) == dumped(quality)
    assert again.scored == 300


def test_a_state_goes_on_learning() -> None:
    again, world = loaded(STATE), World(3)
    again.learn(world.row("and now"), {"new model": world.result("poem", "cheap")})
    again.refit()
    assert "new model" in loaded(dumped(again)).levels


def test_no_text_is_in_it() -> None:
    words = {word for text in KINDS.values() for word in text.split() if len(word) > 4}
    assert not [word for word in words if word in STATE]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_state_is_refused(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(STATE) - 1))
    other = data.draw(st.sampled_from('0aZ"}{, '))
    damaged = STATE[:at] + other + STATE[at + 1 :]
    if json_of(damaged) == json.loads(STATE):
        return
    with pytest.raises(UnreadableState):
        loaded(damaged)


def json_of(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


NEWER = STATE.replace('"schema": 4', '"schema": 5')


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", STATE[: len(STATE) // 2], NEWER])
def test_what_is_no_such_state_is_refused(text: str) -> None:
    with pytest.raises(UnreadableState):
        loaded(text)


def sealed(told: dict[str, Any]) -> str:
    """With the checksum of its body."""
    body = json.dumps(told["body"], sort_keys=True, separators=(",", ":"))
    return json.dumps({**told, "checksum": blake2b(body.encode(), digest_size=16).hexdigest()})


def with_sources(number: int) -> dict[str, Any]:
    """A state whose fit has weights for so many sources of predictions."""
    told = json.loads(STATE)
    fit = told["body"]["fit"]
    shared, own = array(fit["blend"][0], None), array(fit["blend"][1], None, None, None)
    more = max(number - len(shared), 0)
    shared, own = np.pad(shared, (0, more))[:number], np.pad(own, ((0, more), (0, 0), (0, 0)))[:number]
    fit["blend"] = [packed(shared, "f4"), packed(own, "f4")]
    return told


def test_a_state_of_before_neighbours_by_form_is_read_and_goes_without_them() -> None:
    quality, old = loaded(STATE), loaded(sealed({**with_sources(2), "schema": 2}))
    assert old.fit is not None
    assert quality.fit is not None
    assert old.fit.blend.shared.tolist() == [*quality.fit.blend.shared[:2].tolist(), 0.0, 0.0]
    assert not old.fit.blend.own[2:].any()
    seen = traits(Request(("the clause of the contract",)))
    assert np.isfinite(old.expect(seen, NOTHING_BELIEVED).quality).all()
    assert loaded(dumped(old)).expect(seen, NOTHING_BELIEVED).quality.tolist() == pytest.approx(
        old.expect(seen, NOTHING_BELIEVED).quality.tolist(), abs=1e-5
    )


def test_a_state_of_before_trees_is_read_and_goes_without_them() -> None:
    told = with_sources(3)
    del told["body"]["fit"]["trees"]
    old = loaded(sealed({**told, "schema": 3}))
    assert old.fit is not None
    assert not len(old.fit.trees.asks)
    assert not old.fit.blend.trusts(3)
    assert np.isfinite(old.expect(traits(Request(("the clause",))), NOTHING_BELIEVED).quality).all()


def with_trees(asks: int) -> dict[str, Any]:
    """A state with one tree, of which each node looks at this number of a request."""
    told = json.loads(STATE)
    shape = (1, LEAVES)
    grown = packed(np.full(shape, asks), "u2"), packed(np.zeros(shape), "f4"), packed(np.ones((*shape, 4)), "f4")
    told["body"]["fit"]["trees"] = grown
    return told


def test_trees_are_read_as_they_were_written_unless_they_look_at_what_there_is_not() -> None:
    found = loaded(sealed(with_trees(SIZE + 11)))
    assert found.fit is not None
    assert found.fit.trees.asks.tolist() == [[SIZE + 11] * LEAVES]
    assert loaded(dumped(found)).fit.trees.leaves.tolist() == found.fit.trees.leaves.tolist()  # type: ignore[union-attr]
    with pytest.raises(UnreadableState, match="numbers which there are not"):
        loaded(sealed(with_trees(SIZE + 12)))


@pytest.mark.parametrize("number", [1, 5])
def test_sources_that_nobody_knows_are_refused(number: int) -> None:
    with pytest.raises(UnreadableState, match="sources that nobody knows"):
        loaded(sealed(with_sources(number)))


def test_a_request_that_two_processes_remember_counts_once() -> None:
    world = World(4)
    shared, first, second = world.log(80), world.log(60), world.log(70)
    one, two = QualityModel(), QualityModel()
    one.learn_log([*shared, *first])
    two.learn_log([*shared, *second])
    merged(one, two)
    assert len(one.memory) == 210
    asked = sum(len(results) for _, results in [*shared, *first, *second])
    assert sum(level.count for level in one.levels.values()) == asked
    again = sorted(row.id for row in one.memory.rows)
    merged(one, two)
    assert sorted(row.id for row in one.memory.rows) == again
    assert set(one.levels) == set(MODELS)


@pytest.mark.parametrize("wrong", [
    {"total": 1e300}, {"count": -5.0}, {"count": 1e300}, {"variance": -5.0}, {"variance": 0.0}, {"total": 99.0},
])  # fmt: skip
def test_a_level_that_no_scores_come_to_is_refused(wrong: dict[str, float]) -> None:
    """A checksum tells what was damaged, not what was made up; a NaN would go through all plans."""
    quality = loaded(STATE)
    model = MODELS[0]
    quality.levels[model] = replace(quality.levels[model], **{"total": 1.0, "count": 10.0, **wrong})
    with pytest.raises(UnreadableState, match="a level that no scores come to"):
        loaded(dumped(quality))


@pytest.mark.parametrize("wrong", [
    {"scored": float("inf")}, {"scored": -200}, {"new": -1}, {"levels": {"m": {**Level().to_dict(), "total": 10**400}}},
    {"askers": [["a", -1.0, {}]]}, {"askers": [["a", 1.0, {"m": [1e308, -20.0]}]]},
    {"askers": [["a", 1.0, {"m": [2, 1]}]]},
], ids=str)  # fmt: skip
def test_numbers_that_can_not_be_are_refused(wrong: dict[str, Any]) -> None:
    body = {**json.loads(STATE)["body"], **wrong}
    seal = blake2b(json.dumps(body, sort_keys=True, separators=(",", ":")).encode(), digest_size=16).hexdigest()
    with pytest.raises(UnreadableState):
        loaded(json.dumps({**json.loads(STATE), "body": body, "checksum": seal}))


def test_an_id_that_is_no_unicode_is_an_id() -> None:
    quality, half = QualityModel(), "half a letter: \ud800"
    quality.learn_log(
        [(Remembered(f"{half} {n}", row.sketch), found) for n, (row, found) in enumerate(World(1).log(60))]
    )
    assert quality.memory.has(f"{half} 7", MODELS[0])
    assert loaded(dumped(quality)).memory.rows[7].id == f"{half} 7"
