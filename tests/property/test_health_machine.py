"""Any order of calls, endings, times and operators: the board's books balance and nothing is stuck."""

import json
import math

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from capability_router.address import Address
from capability_router.faults.rate_limit_headers import RateLimits
from capability_router.health.board import BreakerConfig, HealthBoard, HealthEvent, Permit, Verdict
from capability_router.health.breaker import HALF_OPEN, ISOLATED, OPEN
from capability_router.health.permit import RequestsAhead

ADDRESSES = {
    "a": Address("u", "m", "1"), "b": Address("u", "m", "2"), "c": Address("u", "n", "1"), "d": Address("v", "m", "1"),
}  # fmt: skip
LIMITS = {"a": {"concurrency": 3}, "c": {"rpm": 30, "tpm": 2000}, "d": {"concurrency": 1, "rpm": 600}}
ids = st.sampled_from("aaabcd")
hints = st.none() | st.sampled_from([-1.0, 0.0, 0.5, 7.0, 90.0])
counts = st.none() | st.integers(0, 3000)
seconds = st.none() | st.floats(0, 20)
verdicts = st.one_of(
    st.just(Verdict(False, blame="breaker")),
    st.builds(
        Verdict, st.booleans(), st.booleans(),
        st.sampled_from(["none", "quality", "breaker", "breaker", "breaker", "gate", "credential", "model"]),
        hints, seconds, seconds, st.integers(0, 300), st.integers(0, 900), st.just("why"), st.booleans(),
        sent=st.booleans(),
    ),
)  # fmt: skip


class HealthMachine(RuleBasedStateMachine):
    @initialize(slow_after=st.none() | st.just(5.0), permits=st.integers(1, 3), seed=st.integers(0, 99))
    def begin(self, slow_after: float | None, permits: int, seed: int) -> None:
        self.now = 1000.0
        self.told: list[HealthEvent] = []
        config = BreakerConfig(consecutive=3, min_calls=6, slow_after_s=slow_after, half_open_permits=permits)
        self.board = HealthBoard(config, seed=seed, on_event=self.told.append)
        for id, address in ADDRESSES.items():
            self.board.register(id, address, limits=LIMITS.get(id, {}), latency={"ttft_s": 0.3})
        self.out: list[Permit] = []
        self.spent: list[Permit] = []
        self.calls = self.again = 0
        self.epochs = dict.fromkeys(ADDRESSES, 0)

    def lane(self, id: str):
        return self.board._lanes[id]

    @rule(gap=st.floats(0, 4) | st.sampled_from([5.0, 31.0, 301.0]))
    def wait(self, gap: float) -> None:
        self.now += gap

    @rule(id=ids, tokens=st.integers(0, 3000))
    def admit(self, id: str, tokens: int) -> None:
        lane = self.lane(id)
        expected = lane.check.hold(self.now, tokens)
        was_open = lane.breaker.state == OPEN and self.now < lane.breaker.until
        found = self.board.admit(id, self.now, tokens)
        assert isinstance(found, Permit) == (expected is None)
        if isinstance(found, Permit):
            assert not was_open
            assert lane.breaker.state != ISOLATED
            assert lane.gate.until <= self.now
            assert id not in self.board.barred(self.now)
            assert found.half_open == (lane.breaker.state == HALF_OPEN)
            self.take(found)
        else:
            assert found == expected
            assert found.reason
            assert found.until is None or found.until > self.now

    @rule(id=ids, tokens=st.integers(0, 3000), calls=st.integers(1, 4), more=st.integers(0, 3000))
    def admit_behind(self, id: str, tokens: int, calls: int, more: int) -> None:
        """Whoever is let in behind others would have been let in alone, and leaves them a place."""
        lane = self.lane(id)
        alone, most = lane.check.hold(self.now, tokens), lane.limiter.most
        found = self.board.admit(id, self.now, tokens, ahead=RequestsAhead(calls, more))
        if isinstance(found, Permit):
            assert alone is None
            assert lane.limiter.in_flight + calls <= most
            assert lane.limiter.requests is None or lane.limiter.requests.level >= calls - 1e-6
            bucket = lane.limiter.tokens  # a call of more than it holds is let in where it is full
            assert bucket is None or bucket.level >= more - max(tokens - bucket.capacity, 0.0) - 1e-6
            self.take(found)
        else:
            assert found.until is None or found.until >= max(self.now, (alone and alone.until) or 0.0)

    @rule(id=ids, tokens=st.integers(0, 3000))
    def force(self, id: str, tokens: int) -> None:
        lane = self.lane(id)
        barred = id in self.board.barred(self.now)
        tried = lane.bans.on_trial(lane.address, self.now) is not None
        full = (
            lane.limiter.full_behind(0)
            or lane.check.no_budget(self.now, tokens)
            or lane.check.used_up(self.now, tokens)
        )
        found = self.board.force(id, self.now, tokens)
        stopped = barred or tried or lane.breaker.state == ISOLATED or full
        assert isinstance(found, Permit) is not bool(stopped)
        if isinstance(found, Permit):
            assert not barred
            assert not tried
            self.take(found)

    @rule(id=ids, verdict=verdicts, probes=st.integers(0, 3))
    def trip_and_probe(self, id: str, verdict: Verdict, probes: int) -> None:
        """Straight to where it is interesting: half-open, with probes out and one of them back."""
        lane = self.lane(id)
        for _ in range(3):
            permit = self.board.force(id, self.now)
            if isinstance(permit, Permit):
                self.take(permit)
                self.out.remove(permit)
                self.board.settle(permit, Verdict(False, blame="breaker"), self.now)
        self.now = max(self.now, lane.breaker.until if lane.breaker.state == OPEN else 0.0)
        for _ in range(probes):
            self.admit(id, 10)
        if probes and self.out and self.out[-1].id == id:
            self.board.settle(self.out.pop(), verdict, self.now)

    @rule(id=ids, requests=counts, tokens=counts, wait=st.floats(0, 9), ago=st.floats(0, 9))
    def note_limits(self, id: str, requests: int | None, tokens: int | None, wait: float, ago: float) -> None:
        with self.board._lock:
            said = RateLimits(requests, tokens, None, None, wait, wait)
            self.lane(id).left(said, wait, self.now, self.now - ago)

    def take(self, permit: Permit) -> None:
        assert permit.epoch == self.lane(permit.id).breaker.epoch
        self.calls += 1
        self.out.append(permit)

    @precondition(lambda self: self.out)
    @rule(data=st.data(), verdict=verdicts, took=st.floats(0, 3))
    def settle(self, data: st.DataObject, verdict: Verdict, took: float) -> None:
        permit = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        self.now += took
        breaker = permit.lane.breaker
        stale = permit.epoch != breaker.epoch
        before = self.facts(breaker)
        self.board.settle(permit, verdict, self.now)
        if stale or (verdict.neutral and not permit.half_open):
            assert self.facts(breaker) == before
        self.spent.append(permit)

    @precondition(lambda self: self.out)
    @rule(data=st.data(), verdict=verdicts)
    def settle_while_locked(self, data: st.DataObject, verdict: Verdict) -> None:
        permit = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        with self.board._lock:
            self.board.settle(permit, verdict, self.now)
        self.board.snapshot(self.now)
        self.spent.append(permit)

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def hear(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.out)).heard()

    @rule(id=ids, ago=st.floats(0, 9))
    def know_what_is_usual(self, id: str, ago: float) -> None:
        """And leave two calls under way since then."""
        for _ in range(20):
            self.lane(id).latency.answered(0.5, 1.0, 50, 10)
        self.now += ago
        for _ in range(2):
            self.admit(id, 10)

    @precondition(lambda self: self.spent)
    @rule(data=st.data(), verdict=verdicts)
    def settle_again(self, data: st.DataObject, verdict: Verdict) -> None:
        permit = data.draw(st.sampled_from(self.spent))
        before = self.board.snapshot(self.now)
        self.board.settle(permit, verdict, self.now)
        self.again += 1
        assert self.board.snapshot(self.now) == before

    @rule(id=ids)
    def reset(self, id: str) -> None:
        self.board.reset(id)
        assert id not in self.board.barred(self.now)
        assert self.lane(id).check.hold(self.now, 0) is None or self.board.admit(id, self.now).kind == "full"

    @precondition(lambda self: len(self.spent) % 5 == 4)
    @rule(id=ids)
    def isolate(self, id: str) -> None:
        self.board.isolate(id)
        assert self.board.condition(id, self.now).until == math.inf

    @staticmethod
    def facts(breaker) -> tuple[object, ...]:
        seen = breaker.window
        return breaker.state, breaker.epoch, breaker.until, breaker.probing, breaker.in_a_row, seen.calls, seen.failed

    @invariant()
    def in_flight_is_what_is_outstanding(self) -> None:
        for id in ADDRESSES:
            flying = sum(p.id == id for p in self.out)
            assert self.board.condition(id, self.now).in_flight == flying == self.lane(id).limiter.in_flight
            assert flying <= self.lane(id).limiter.stated  # the learned limit may fall below what is in flight

    @invariant()
    def a_silence_is_of_calls_under_way_that_nobody_has_heard(self) -> None:
        for id in ADDRESSES:
            breaker = self.lane(id).breaker
            assert set(breaker.silence.flying) <= {p for p in self.out if p.lane.breaker is breaker}
            self.board.condition(id, self.now)
            late = [p for p in self.out if p.lane.breaker is breaker and p.silent and self.now >= p.taken_at + 1.0]
            assert late or not breaker.silence.why

    @invariant()
    def permits_are_conserved(self) -> None:
        for id in ADDRESSES:
            breaker = self.lane(id).breaker
            probes = [p for p in self.out if p.lane.breaker is breaker and p.half_open and p.epoch == breaker.epoch]
            assert breaker.probing == len(probes) <= self.board.config.half_open_permits
            assert breaker.probing == 0 or breaker.state == HALF_OPEN

    @invariant()
    def counts_are_exact_and_never_negative(self) -> None:
        rows = self.board.snapshot(self.now)
        ended = ("answered", "failed", "refused", "disabled", "neutral")
        assert sum(row["calls"] for row in rows) == self.calls
        assert sum(row[how] for row in rows for how in ended) + len(self.out) == self.calls
        assert self.board.settled_twice == self.again
        for id in ADDRESSES:
            seen, limiter = self.lane(id).breaker.window, self.lane(id).limiter
            assert 0 <= seen.failed <= seen.calls
            assert 0 <= seen.slow <= seen.calls
            assert all(b is None or b.level <= b.capacity for b in (limiter.requests, limiter.tokens))

    @invariant()
    def epochs_never_fall(self) -> None:
        for id in ADDRESSES:
            epoch = self.lane(id).breaker.epoch
            assert epoch >= self.epochs[id]
            self.epochs[id] = epoch

    @invariant()
    def calm_is_true_until_its_end(self) -> None:
        for id in ADDRESSES:
            lane = self.lane(id)
            if self.now < min(lane.calm_until, lane.silence.next_check_at):
                assert lane.check.hold(self.now, 1) is None
                assert lane.condition.queue_s == 0.0
                degraded = lane.breaker.degradation.until > self.now or bool(lane.silence.why)
                assert bool(lane.condition.held) == degraded

    @invariant()
    def planning_sees_what_admission_does(self) -> None:
        for id in ADDRESSES:
            held, seen = self.lane(id).check.hold(self.now, 1), self.board.condition(id, self.now)
            degradation, silence = self.lane(id).breaker.degradation, self.lane(id).silence
            degraded = tuple(f"{why}; other models are preferred" for why in (degradation.why, silence.why))
            assert seen.held == held.reason if held else (seen.held == "" or seen.held.startswith(degraded))
            assert seen.queue_s >= 0
        json.dumps(self.board.snapshot(self.now), allow_nan=False)

    def teardown(self) -> None:
        """Once all is given back, everything that an operator needn't mend comes back by itself."""
        if not hasattr(self, "board"):
            return
        for permit in self.out:
            self.board.settle(permit, Verdict(False, neutral=True), self.now)
        self.now += 90_000.0
        for id in ADDRESSES:
            assert id not in self.board.barred(self.now)
            if self.lane(id).breaker.state != ISOLATED:
                permit = self.board.admit(id, self.now, 100)
                assert isinstance(permit, Permit), (id, permit)
                self.board.settle(permit, Verdict(False, neutral=True), self.now)


TestHealthMachine = HealthMachine.TestCase
TestHealthMachine.settings = settings(
    max_examples=150, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
