import threading

from capability_router.learning.prior import Belief, Prior, StatedQuality


def test_stated_quality_is_believed_by_task_and_by_default() -> None:
    on = Prior([StatedQuality("a", {"default": 0.7, "code": 0.9}, 1), StatedQuality("b", {"default": 0.8}, 2)])
    assert on.on("code")["a"].level == 0.9
    assert on.on("chat")["a"].level == 0.7
    assert on.on("code")["b"].level == 0.8


def test_without_a_statement_a_dearer_model_is_thought_stronger() -> None:
    on = Prior([StatedQuality("cheap", {}, 1), StatedQuality("dear", {}, 100), StatedQuality("middle", {}, 50)]).on(
        "chat"
    )
    assert on["cheap"].level < on["middle"].level < on["dear"].level
    assert (on["cheap"].slope_hard, on["middle"].slope_hard, on["dear"].slope_hard) == (-2.0, -1.0, 0.0)


def test_an_easy_request_narrows_the_gap_and_never_turns_it_round() -> None:
    models = [
        StatedQuality("a", {"default": 0.85}, 1),
        StatedQuality("b", {"default": 0.9}, 9),
        StatedQuality("c", {"default": 0.97}, 99),
    ]
    easy = {m: b.level - 0.15 * b.slope_easy for m, b in Prior(models).on("chat").items()}
    hard = {m: b.level + 0.15 * b.slope_hard for m, b in Prior(models).on("chat").items()}
    assert easy["a"] < easy["b"] < easy["c"] == 0.97
    assert hard["a"] < hard["b"] < hard["c"] == 0.97
    assert easy["c"] - easy["a"] < 0.12 < hard["c"] - hard["a"]


def test_no_hardness_moves_a_level_beyond_a_hundredth_and_a_level_beyond_it_stays() -> None:
    on = Prior([StatedQuality(str(q), {"default": q}, 1) for q in (0.001, 0.05, 0.98, 0.992, 0.999)]).on("chat")
    for hardness in (-0.15, 0.0, 0.15, 0.6):
        told = {name: belief.of(hardness) for name, belief in on.items()}
        assert told["0.05"] >= 0.01
        assert told["0.98"] <= 0.99
        assert told["0.001"] >= 0.001
        assert told["0.992"] <= 0.992 < told["0.999"] == 0.999
    assert on["0.001"].of(0.0) == 0.001


def test_a_level_that_signs_move_beyond_all_scores_stays_within_them() -> None:
    assert Belief(1.02, 0.0, 0.0).of(0.1) == 1.0
    assert Belief(-0.02, 0.0, 0.0).of(0.1) == 0.0


def test_equal_statements_are_equal_whatever_the_price() -> None:
    on = Prior([StatedQuality("cheap", {"default": 0.9}, 1), StatedQuality("dear", {"default": 0.9}, 100)]).on("chat")
    assert on["cheap"] == on["dear"]


def test_equals_are_equal_whatever_their_order() -> None:
    on = Prior([StatedQuality("a", {}, None), StatedQuality("b", {}, None)]).on("chat")
    assert on["a"] == on["b"]


def test_feedback_moves_the_level_as_if_the_card_were_worth_twenty_answers() -> None:
    prior = Prior([StatedQuality("a", {"default": 0.8}, 1), StatedQuality("b", {"default": 0.8}, 1)])
    for _ in range(20):
        prior.learn("a", "chat", 0.0)
    assert 0.38 < prior.on("chat")["a"].level < 0.45
    assert prior.on("code")["a"].level == 0.8
    assert prior.on("chat")["b"].level == 0.8


def test_scores_from_many_threads_all_count() -> None:
    one, many = (Prior([StatedQuality("a", {"default": 0.5}, 1)]) for _ in range(2))

    def work() -> None:
        for _ in range(500):
            many.learn("a", "chat", 1.0)
            many.on("chat")

    threads = [threading.Thread(target=work) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    for _ in range(4_000):
        one.learn("a", "chat", 1.0)
    assert many.on("chat") == one.on("chat")


def test_names_of_tasks_without_end_are_forgotten() -> None:
    prior = Prior([StatedQuality("a", {"default": 0.5}, 1)])
    for i in range(1_500):
        prior.learn("a", f"task {i}", 1.0)
        prior.on(f"task {i}")
    assert prior.on("task 0")["a"].level == 0.5 < prior.on("task 1499")["a"].level
    assert max(len(prior._scored), len(prior._on)) <= 1_000


def test_a_second_score_of_an_answer_takes_the_first_one_s_place() -> None:
    once, twice = (Prior([StatedQuality("a", {"default": 0.8}, 1)]) for _ in range(2))
    once.learn("a", "chat", 0.25)
    twice.learn("a", "chat", 1.0)
    for before in (1.0, 0.25, 0.25):
        twice.learn("a", "chat", 0.25, before)
    assert twice.on("chat") == once.on("chat")
    for _ in range(50):
        twice.learn("a", "chat", 0.0, 1.0)
    assert 0.7 < twice.on("chat")["a"].level <= 0.8, "whatever is claimed of former scores, one answer is one answer"
