from capability_router import AllCandidatesFailed, NoEligibleModel, Refusal, StreamInterrupted, Usage
from capability_router.request import AttemptRecord


def failed(model: str, fault: str, detail: str) -> AttemptRecord:
    return AttemptRecord(1, model, "p", fault, detail, 0.0, 1.0, None, Usage(), 0)


def test_no_eligible_model_lists_every_reason() -> None:
    text = str(NoEligibleModel([Refusal("a", "context_window", "too small"), Refusal("b", "pin", "pinned to 'c'")]))
    assert "a: context_window: too small" in text
    assert "b: pin: pinned to 'c'" in text
    assert "nothing was sent" in text


def test_all_failed_tells_whose_what_and_what_to_change() -> None:
    error = AllCandidatesFailed(
        [failed("x", "overloaded", "overloaded (529)"), failed("y", "timeout", "timed out")],
        tenant="acme", elapsed_s=4.2, advice="Raise deadline_s.",
    )  # fmt: skip
    assert (
        str(error) == 'no answer for tenant "acme" after 2 attempts in 4.2 s: x overloaded (529) (after 1.0 s); '
        "y timed out (after 1.0 s). Raise deadline_s."
    )


def test_an_interrupted_stream_names_the_model() -> None:
    assert "the stream of x broke off" in str(StreamInterrupted([failed("x", "connection", "could not be reached")]))
