"""Not-before times from 429s."""

from capability_router.health.gates import Gate


def test_the_providers_hint_is_obeyed_and_never_shortened():
    gate = Gate()
    gate.refused(100.0, 99.0, 30.0)
    assert gate.until == 130.0
    gate.refused(101.0, 99.0, 2.0)
    assert gate.until == 130.0


def test_without_a_hint_the_guess_doubles_to_a_minute():
    gate, now, waits = Gate(), 100.0, []
    for _ in range(20):
        gate.refused(now, now, None)
        waits.append(gate.until - now)
        now = gate.until
    assert waits[:7] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0]
    assert waits[-1] == 60.0


def test_a_burst_in_flight_counts_once():
    gate = Gate()
    for n in range(50):
        gate.refused(100.0 + n * 0.001, 99.0, None)
    assert gate.until == 101.0


def test_senseless_hints_are_none():
    for hint in (0.0, -5.0, float("nan")):
        gate = Gate()
        gate.refused(100.0, 99.0, hint)
        assert gate.until == 101.0


def test_a_hint_beyond_an_hour_is_looked_at_after_an_hour():
    gate = Gate()
    gate.refused(100.0, 99.0, 4_294_967.0)
    assert gate.until == 3700.0


def test_an_answer_to_a_later_call_opens_and_to_an_earlier_one_does_not():
    gate = Gate()
    gate.refused(100.0, 99.0, 30.0)
    gate.passed(99.5)
    assert gate.until == 130.0
    gate.passed(100.5)
    assert gate.until == 0.0
    gate.refused(200.0, 199.0, None)
    assert gate.until == 201.0
