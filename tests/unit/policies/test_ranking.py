"""A plan's candidates are made when somebody looks at them, and are then as a tuple of them would be."""

from __future__ import annotations

import pickle
from copy import deepcopy

import pytest

from capability_router import ModelCard, Price, Request
from capability_router.plan import Candidate
from capability_router.policies.base import EligibleModel, PolicyScores, Terms
from capability_router.policies.ranking import Ranking
from capability_router.testing import ask, scripted_router

ROWS = [EligibleModel(ModelCard(name, context_window=100), 0.5, 7, 1.0, 0.0, 0, "") for name in "abcd"]


class Looked:
    """Which scores somebody has read the summands of."""

    def __init__(self) -> None:
        self.places: list[int] = []

    def terms(self, at: int) -> Terms:
        self.places.append(at)
        return (("quality", float(at)),)


@pytest.fixture
def looked() -> Looked:
    return Looked()


@pytest.fixture
def ranking(looked: Looked) -> Ranking:
    return Ranking([2, 0, 3, 1], ROWS, PolicyScores([1.0, -1.0, 2.0, 0.0], terms=looked.terms), 10)


def test_only_those_that_are_looked_at_are_made_and_each_once(ranking: Ranking) -> None:
    assert (len(ranking), bool(ranking)) == (4, True)
    assert not ranking._made
    assert (ranking[0].id, ranking[0].score) == ("c", 2.0)
    assert ranking[0] is next(iter(ranking))
    assert list(ranking._made) == [2]
    assert [each.id for each in ranking] == ["c", "a", "d", "b"]
    assert list(ranking._made) == [2, 0, 3, 1]


def test_the_summands_of_a_score_are_found_when_they_are_read_and_once(ranking: Ranking, looked: Looked) -> None:
    first, second = ranking[0], ranking[1]
    assert not looked.places
    assert (first.terms, dict(first.terms)) == ((("quality", 2.0),), {"quality": 2.0})
    assert looked.places == [2]
    assert second.to_dict()["terms"] == {"quality": 0.0}
    assert looked.places == [2, 0]


def test_it_reads_as_a_tuple(ranking: Ranking) -> None:
    whole = tuple(ranking)
    assert (ranking[-1], ranking[1:3], ranking[::-1]) == (whole[-1], whole[1:3], whole[::-1])
    assert ranking == whole
    assert whole == ranking
    assert ranking != whole[1:]
    assert ranking != list(whole)
    assert (hash(ranking), repr(ranking)) == (hash(whole), repr(whole))
    assert (*ranking,) == whole
    with pytest.raises(IndexError):
        ranking[4]


def test_a_copy_is_the_candidates_alone(ranking: Ranking) -> None:
    for copy in (deepcopy(ranking), pickle.loads(pickle.dumps(ranking))):  # noqa: S301 - just pickled
        assert type(copy) is tuple
        assert copy == ranking
        assert all(isinstance(each, Candidate) for each in copy)


def test_a_request_that_the_first_answers_makes_one_however_many_there_are() -> None:
    names = [f"m{n}" for n in range(40)]
    made = scripted_router(
        {name: ["ok"] for name in names}, cards={names[7]: {"price": Price(0.5, 1)}}, policy="cheapest"
    )
    run = ask(made, Request(("hello",)))
    assert run.outcome is not None
    assert run.outcome.model == "m7"
    assert isinstance(run.plan.candidates, Ranking)
    assert len(run.plan.candidates._made) == 1, "the one that was asked; that there is another is told without it"


@pytest.mark.parametrize(("held", "usable"), [("", "TTTF"), ("m1", "TTTF"), ("m2", "TTFF"), ("m0 m1 m2", "FFFF")])
def test_whether_a_later_one_may_be_used_is_told_without_making_it(held: str, usable: str) -> None:
    rows = [
        EligibleModel(ModelCard(id=f"m{n}"), 0.5, 1, 1.0, 0.0, 0, "full" if f"m{n}" in held else "") for n in range(3)
    ]  # fmt: skip
    ranking = Ranking([0, 1, 2], rows, PolicyScores([0.0] * 3), 10)
    assert [ranking.usable_from(rank) for rank in range(4)] == [letter == "T" for letter in usable]
    assert not ranking._made
