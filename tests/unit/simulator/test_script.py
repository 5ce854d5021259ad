from __future__ import annotations

import pytest

from capability_router.clock import ManualClock
from capability_router.errors import ConfigError
from capability_router.simulator import FaultScript


def script(*faults: str, seed: int = 0) -> tuple[FaultScript, ManualClock]:
    clock = ManualClock(100.0)
    made = FaultScript(faults, seed=seed, clock=clock)
    made.begin()
    return made, clock


def struck(made: FaultScript, count: int, provider: str = "a", model: str = "m") -> list[bool]:
    return [made.pick(provider, model) is not None for _ in range(count)]


def test_from_and_to() -> None:
    made, clock = script("hang:a@10s+5s")
    seen = []
    for _ in range(4):
        seen.append(made.pick("a", "m") is not None)
        clock.advance(5)
    assert seen == [False, False, True, False]


def test_target() -> None:
    made, _ = script("hang:a/m")
    assert made.pick("a", "m")
    assert not made.pick("a", "other")
    assert not made.pick("b", "m")


def test_counts() -> None:
    assert struck(script("hang:a,after_requests=2")[0], 4) == [False, False, True, True]
    assert struck(script("hang:a,every=3")[0], 7) == [False, False, True, False, False, True, False]
    assert struck(script("hang:a,times=2")[0], 4) == [True, True, False, False]


def test_share_is_seeded() -> None:
    first, again, other = (struck(script("hang:a,share=0.3", seed=s)[0], 2_000) for s in (1, 1, 2))
    assert first == again != other
    assert 0.26 < sum(first) / 2_000 < 0.34


def test_the_first_that_strikes_decides() -> None:
    made, _ = script("429:a,every=2", "hang:a")
    assert [f.kind for f in (made.pick("a", "m"), made.pick("a", "m")) if f] == ["hang", "429"]


def test_start_counts_from_now_and_clear_ends_it() -> None:
    made, clock = script()
    clock.advance(50)
    made.start("hang:a@1s+2s", "hang:b")
    assert made.pick("a", "m") is None
    clock.advance(1.5)
    assert made.pick("a", "m")
    made.clear("a")
    assert made.pick("a", "m") is None
    assert made.pick("b", "m")
    made.clear()
    assert made.faults == ()


def test_ports_and_their_edges() -> None:
    made, clock = script("outage:a@10s+5s", "outage:b/m")
    assert not made.refuses("a")
    assert made.next_edge_s() == 10
    clock.advance(10)
    assert made.refuses("a")
    assert not made.refuses("b")  # one model of several: the port stays open
    assert made.next_edge_s() == 5
    clock.advance(5)
    assert not made.refuses("a")
    assert made.next_edge_s() is None


def test_strangers_are_named() -> None:
    made, _ = script("hang:alder")
    known = {"alder": ("alder-nano",)}
    changes: list[int] = []
    made.bind(known, lambda: changes.append(1))
    with pytest.raises(ConfigError, match="no provider 'aldr'; did you mean 'alder'"):
        made.start("hang:aldr")
    with pytest.raises(ConfigError, match="no model 'x'"):
        made.start("hang:alder/x")
    assert changes == []
    made.start("hang:alder/alder-nano")
    assert changes == [1]
