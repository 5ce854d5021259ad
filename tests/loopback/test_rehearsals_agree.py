"""A rehearsal says what really happens: the same configuration and the same faults over HTTP, with real clients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from langchain_openai import ChatOpenAI

from capability_router.errors import RouterError, StreamInterrupted
from capability_router.rehearsal.rehearsal import RehearsalOptions, rehearse
from capability_router.rehearsal.result import RequestResult
from capability_router.rehearsal.traffic.shape import RequestShape
from capability_router.rehearsal.traffic.traffic import Traffic
from capability_router.simulator import Fleet
from langchain_router import ChatRouter

REQUESTS = 12
ASK = "what is 17*23"
PROVIDERS = [{"name": name, "models": [{"name": f"m-{name}", "skill": 1}]} for name in "abc"]
PATIENT = {"open_s": 600, "max_open_s": 600, "learns_limits": False}  # nothing reopens while the real one runs
QUICK = dict.fromkeys("abc", (0.0001, 100000.0))


class Seen(NamedTuple):
    """Per request: who answered, or how it failed; calls by model; changes of health, by kind and model."""

    ends: list[str]
    calls: Counter[str]
    changes: Counter[tuple[str, str]]


@pytest.fixture(scope="module")
def running() -> Iterator[Fleet]:
    with Fleet.from_config({"time_scale": 0, "providers": PROVIDERS}) as fleet:
        yield fleet


@pytest.fixture
def fleet(running: Fleet) -> Iterator[Fleet]:
    yield running
    running.heal()


def chat(fleet: Fleet, **settings: Any) -> ChatRouter:
    models = [
        (ChatOpenAI(base_url=fleet.base_url(name), model=f"m-{name}", api_key=f"key-{name}", use_responses_api=False,
                    stream_usage=True), {"id": name, "provider": name})
        for name in "abc"
    ]  # fmt: skip
    return ChatRouter(models=models, policy="single", health=PATIENT, **settings)


def real(llm: ChatRouter, *, stream: bool) -> Seen:
    changes: Counter[tuple[str, str]] = Counter()
    ends, calls = [], Counter[str]()
    llm.router.on_health(lambda event: changes.update([(event.kind, event.model)]))
    llm.router.on_outcome(lambda _, outcome: calls.update(attempt.model for attempt in outcome.attempts))
    for _ in range(REQUESTS):
        try:
            told = [llm.invoke(ASK)] if not stream else list(llm.stream(ASK))
            ends.append(next(m.response_metadata["router"]["model"] for m in told if "router" in m.response_metadata))
        except RouterError as error:
            ends.append("interrupted" if isinstance(error, StreamInterrupted) else "failed")
    return Seen(ends, calls, changes)


def rehearsed(llm: ChatRouter, faults: list[str], *, stream: bool) -> Seen:
    shapes = tuple(RequestShape(float(n), 20, 8, stream=stream) for n in range(REQUESTS))
    traffic = Traffic(shapes, float(REQUESTS), "one by one")
    found = rehearse(llm.router, RehearsalOptions(faults, traffic=traffic, latency=QUICK, advise=False))
    changes = Counter((change.kind, change.model) for change in found.run.changes)
    calls = Counter(tried.model for tried in found.run.tries())
    return Seen(list(map(_end, found.run.rows)), calls, changes)


def _end(row: RequestResult) -> str:
    return row.model or ("interrupted" if row.why == "interrupted" else "failed")


SCRIPTS = [
    # over HTTP, rehearsed, streamed
    (["outage:a"], ["outage:a"], False),
    (["outage:a", "reset:b"], ["outage:a", "reset:b"], True),
    (["503:a", "500:b"], ["errors:a,status=503", "500:b"], False),
    (["429:a,retry_after=300"], ["rate-limit=5m:a"], False),
    (["429:a,retry_after=300", "429:b,retry_after=300"], ["rate-limit=300s:a", "429=300s:b"], True),
    (["401:a"], ["auth:a"], False),
    (["quota:a", "401:b"], ["quota:a", "auth:b"], True),
    (["context:a"], ["overflow:a"], False),
    (["content_filter:a"], ["filter:a"], False),
    (["empty:a"], ["empty:a"], False),
    (["html:a"], ["html:a"], False),
    (["cut:a,after_chunks=1"], ["cut:a"], True),
    (["cut:a"], ["cut:a"], False),
    (["clean_truncation:a,after_chunks=1"], ["truncate:a"], True),
    (["in_stream_error:a,after_chunks=1"], ["stream-error:a"], True),
    (["outage:a", "401:b", "503:c"], ["outage:a", "auth:b", "errors:c,status=503"], False),
]


@pytest.mark.parametrize(("over_http", "lines", "stream"), SCRIPTS, ids=[" ".join(s[1]) for s in SCRIPTS])
def test_what_is_rehearsed_is_what_happens(fleet: Fleet, over_http: list[str], lines: list[str], stream: bool) -> None:
    retry = {"wait": "none", "max_wait_s": 1}
    before = rehearsed(chat(fleet, retry=retry), lines, stream=stream)
    fleet.fault(*over_http)
    assert real(chat(fleet, retry=retry), stream=stream) == before


def test_a_call_that_hangs_is_ended_by_the_same_clock(fleet: Fleet) -> None:
    settings = {"retry": {"wait": "none", "max_wait_s": 1}, "timeouts": {"total": 0.3}}
    before = rehearsed(chat(fleet, **settings), ["hang:a"], stream=False)
    fleet.fault("hang:a")
    assert real(chat(fleet, **settings), stream=False) == before
    assert 1 <= before.calls["a"] < REQUESTS
