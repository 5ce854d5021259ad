"""Many threads on one board: nothing lost, nothing counted twice, nobody waits for ever."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Barrier, Lock

from capability_router.address import Address
from capability_router.health.board import BreakerConfig, HealthBoard, Permit, Verdict

THREADS, CALLS = 32, 400
ENDS = {
    "answered": Verdict(True, ttft_s=0.1, elapsed_s=0.5, output_tokens=10),
    "failed": Verdict(False, blame="breaker"),
    "refused": Verdict(False, blame="gate", retry_after_s=0.001),
    "neutral": Verdict(False, neutral=True),
}


def test_counters_are_exact_and_nothing_is_left_in_flight():
    board = HealthBoard(BreakerConfig(open_s=0.01), seed=3)
    board.register("a", Address("u", "m", "1"), limits={"concurrency": 8})
    board.register("b", Address("u", "m", "2"))
    barrier, guard = Barrier(THREADS), Lock()
    most, flying, ended = 0, Counter[str](), Counter[str]()

    def work(seed: int) -> None:
        nonlocal most
        chance, mine = Random(seed), Counter[str]()
        barrier.wait()
        for n in range(CALLS):
            now, id = n * 0.001, chance.choice("ab")
            permit = board.admit(id, now) if chance.random() < 0.9 else board.force(id, now)
            if not isinstance(permit, Permit):
                continue
            with guard:
                flying[id] += 1
                most = max(most, flying["a"])
            how = chance.choices(list(ENDS), [6, 3, 1, 1])[0]
            with guard:
                flying[id] -= 1
            board.settle(permit, ENDS[how], now)
            board.settle(permit, ENDS[how], now)
            mine[how] += 1
            board.condition(id, now)
        with guard:
            ended.update(mine)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    rows = board.snapshot(CALLS * 0.001)
    assert {how: sum(row[how] for row in rows) for how in ENDS} == {how: ended[how] for how in ENDS}
    assert sum(row["calls"] for row in rows) == ended.total()
    assert [row["in_flight"] for row in rows] == [0, 0]
    assert board.settled_twice == ended.total()
    assert most <= 8
    assert ended.total() > THREADS


def test_probes_are_never_more_than_the_permits():
    board = HealthBoard(BreakerConfig(consecutive=5, half_open_permits=2), seed=3)
    board.register("a", Address("u", "m"))
    for _ in range(5):
        permit = board.admit("a", 0.0)
        assert isinstance(permit, Permit)
        board.settle(permit, ENDS["failed"], 0.0)
    barrier = Barrier(THREADS)

    def work(_: int) -> bool:
        barrier.wait()
        return isinstance(board.admit("a", 10.0), Permit)

    with ThreadPoolExecutor(THREADS) as pool:
        assert sum(pool.map(work, range(THREADS))) == 2
