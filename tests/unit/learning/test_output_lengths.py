import pytest

from capability_router.learning.output_lengths import LengthFactors, OutputLengths


def test_nothing_seen_changes_nothing() -> None:
    assert OutputLengths().on("chat") == LengthFactors({}, 1.0)


def test_the_factor_nears_what_is_seen_and_stays_by_model_and_task() -> None:
    lengths = OutputLengths()
    for _ in range(80):
        lengths.learn("thinker", "chat", 100, 800)
        lengths.learn("terse", "chat", 100, 25)
    own = lengths.on("chat").by_model
    assert own["thinker"] == pytest.approx(8.0, rel=0.15)
    assert own["terse"] == pytest.approx(0.25, rel=0.15)
    assert lengths.on("code").common == 1.0


def test_a_model_not_seen_is_thought_to_be_like_the_others() -> None:
    lengths = OutputLengths()
    for _ in range(40):
        lengths.learn("seen", "chat", 200, 20)
    assert lengths.on("chat").common == pytest.approx(0.1, rel=0.3)
    assert "other" not in lengths.on("chat").by_model


def test_one_odd_answer_moves_it_little_and_nonsense_not_at_all() -> None:
    lengths = OutputLengths()
    lengths.learn("a", "chat", 1, 10**9)
    assert lengths.on("chat").by_model["a"] < 6
    lengths.learn("b", "chat", 0, 5)
    lengths.learn("b", "chat", 5, 0)
    assert "b" not in lengths.on("chat").by_model
