"""A key that was rotated and an account that was topped up come back by themselves, through the real clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from llama_index.llms.openai import OpenAI
from loopback import chat_server
from loopback.chat_server import ChatServer, Step, Wire, completion

from capability_router import NoEligibleModel, RouterError
from capability_router.catalog.registry import Registry
from capability_router.clock import ManualClock
from langchain_router import ChatEndpoint, ChatRouter
from llamaindex_router import RouterLLM

reply = partial(chat_server.reply, headers=["connection: close"])  # event loops end with their test


def refusal(status: int, code: str) -> Step:
    return reply({"error": {"message": "no", "type": code, "code": code, "param": None}}, status)


REFUSALS = {
    "rejected": (refusal(401, "invalid_api_key"), "credential"),
    "forbidden": (refusal(403, "permission_denied"), "credential"),
    "unpaid": (refusal(402, "payment_required"), "credential"),
    "spent": (refusal(429, "insufficient_quota"), "credential"),
    "unknown": (refusal(404, "model_not_found"), "model"),
}


def chained(server: ChatServer, *, later: bool) -> Callable[[], str]:
    model = ChatOpenAI(model="gpt-4o-mini", base_url=server.base_url, api_key="sk-mine")
    llm = ChatRouter(models=[model], policy="single")
    return with_clock(llm, lambda: (asyncio.run(llm.ainvoke("hi")) if later else llm.invoke("hi")).content)


def indexed(server: ChatServer, *, later: bool) -> Callable[[], str]:
    model = OpenAI(model="gpt-4o-mini", api_base=server.base_url, api_key="sk-mine", reuse_client=False)
    llm = RouterLLM(models=[model], policy="single")
    return with_clock(llm, lambda: (asyncio.run(llm.acomplete("hi")) if later else llm.complete("hi")).text)


class Asking:
    """One call after the other, on a clock that moves only when told to."""

    def __init__(self, llm: Any, ask: Callable[[], str]) -> None:
        self.router, self._ask = llm.router, ask
        self.clock = self.router.clock = ManualClock(1000.0)
        self.events: list[str] = []
        self.router.on_health(lambda event: self.events.append(event.kind))

    def __call__(self) -> str:
        return self._ask()


def with_clock(llm: Any, ask: Callable[[], str]) -> Asking:
    return Asking(llm, ask)


@pytest.fixture(params=[(make, later) for make in (chained, indexed) for later in (False, True)], ids=str)
def asked(request: pytest.FixtureRequest) -> Iterator[tuple[ChatServer, Asking]]:
    make, later = request.param
    with ChatServer(reply(completion())) as server:
        yield server, make(server, later=later)


@pytest.mark.parametrize("why", REFUSALS)
def test_it_comes_back_by_itself(asked: tuple[ChatServer, Asking], why: str) -> None:
    server, ask = asked
    step, what = REFUSALS[why]
    server.script[:] = [step, step, reply(completion())]
    with pytest.raises(RouterError):
        ask()
    told = r"disabled: .*; tried again in \d+ s, or at once after router.reset\('openai/gpt-4o-mini'\)"
    with pytest.raises(NoEligibleModel, match=told) as caught:
        ask()
    assert [r.rule for r in caught.value.refusals] == [what]
    row = ask.router.health()[0]
    assert 30 <= row["held_for_s"] <= 60
    assert row["disabled_why"].startswith(f"{what} disabled")
    ask.clock.advance(60.0)
    with pytest.raises(RouterError):
        ask()  # it is still refused: this was the one trial
    ask.clock.advance(59.9)
    with pytest.raises(NoEligibleModel):
        ask()
    assert len(server.seen) == 2
    ask.clock.advance(60.1)
    assert [ask(), ask()] == ["hello", "hello"]
    assert ask.router.health()[0]["disabled_why"] == ""
    assert ask.events == [f"{what}_disabled", f"{what}_disabled", f"{what}_enabled"]


def test_reset_tries_it_at_once(asked: tuple[ChatServer, Asking]) -> None:
    server, ask = asked
    server.script[:] = [REFUSALS["rejected"][0], reply(completion())]
    with pytest.raises(RouterError):
        ask()
    ask.router.reset("openai/gpt-4o-mini")
    assert ask() == "hello"


def test_a_dead_key_costs_a_trickle_of_calls() -> None:
    numbers = count()

    def dead_or_well(wire: Wire) -> bool:
        next(numbers)
        return REFUSALS["rejected"][0](wire)

    with ChatServer(dead_or_well) as dead, ChatServer(reply(completion())) as well:
        models = [ChatOpenAI(model=m, base_url=s.base_url, api_key="k") for m, s in (("a", dead), ("b", well))]
        llm = ChatRouter(models=models, policy="single")
        ask = Asking(llm, lambda: llm.invoke("hi").content)
        for _ in range(360):  # an hour, ten seconds apart
            assert ask() == "hello"
            ask.clock.advance(10.0)
        first_hour = len(dead.seen)
        for _ in range(360):
            assert ask() == "hello"
            ask.clock.advance(10.0)
    assert 6 <= first_hour <= 8
    assert 1 <= len(dead.seen) - first_hour <= 2


def test_whoever_comes_while_one_call_tries_waits_for_it() -> None:
    async def both() -> list[Any]:
        router = ChatRouter(models=[ChatOpenAI(model="m", base_url=server.base_url, api_key="k")], policy="single")
        with pytest.raises(RouterError):
            await router.ainvoke("hi")
        now = router.router.clock.now
        router.router.clock = Shifted(now)
        return await asyncio.gather(*(router.ainvoke("hi") for _ in range(5)))

    def late(wire: Wire) -> bool:
        wire.pause(0.3)
        return reply(completion())(wire)

    with ChatServer(REFUSALS["rejected"][0], late, reply(completion())) as server:
        assert [answer.content for answer in asyncio.run(both())] == ["hello"] * 5
        assert len(server.seen) == 6


class Shifted(ManualClock):
    """The real clock, two minutes on."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self._real = now

    def now(self) -> float:
        return self._real() + 120.0

    async def asleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


KEY = "sk-0123456789abcdef"
OWN = {"base_url": "", "model": "m", "api_key_env": "MY_GATEWAY_KEY"}


def models_of(url: str) -> dict[str, tuple[Any, str]]:
    """How an entry may come by its key, and what is to be said of it."""
    mine = "in the environment variable MY_GATEWAY_KEY"
    somewhere = "as given to it or in the environment variable that its client reads"
    anthropic = url.removesuffix("/v1")
    return {
        "read by ChatOpenAI": (ChatOpenAI(model="m", base_url=url), "in the environment variable OPENAI_API_KEY"),
        "read by ChatAnthropic": (
            ChatAnthropic(model="m", base_url=anthropic), "in the environment variable ANTHROPIC_API_KEY"
        ),
        "given": (ChatOpenAI(model="m", base_url=url, api_key="sk-another"), somewhere),
        "of an endpoint": ({"id": "m", "endpoint": {**OWN, "base_url": url}}, mine),
        "of a ChatEndpoint": (ChatEndpoint(**{**OWN, "base_url": url}), mine),
        "of no key": ({"id": "m", "endpoint": {"base_url": url, "model": "m"}}, somewhere),
    }  # fmt: skip


HOWS = ("read by ChatOpenAI", "read by ChatAnthropic", "given", "of an endpoint", "of a ChatEndpoint", "of no key")


@pytest.mark.parametrize("how", HOWS)
def test_the_advice_names_the_variable_that_the_key_was_read_from(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MY_GATEWAY_KEY"):
        monkeypatch.setenv(name, KEY)
    with ChatServer(REFUSALS["rejected"][0]) as server:
        model, where = models_of(server.base_url)[how]
        llm = ChatRouter(models=[model])
        with pytest.raises(RouterError) as caught:
            llm.invoke("hi")
    id = llm.router.registry.cards[0].id
    assert f"Check the API key of {id}, {where}." in str(caught.value)
    assert KEY not in str(caught.value)


def test_so_it_does_for_llamaindex(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ChatServer(REFUSALS["rejected"][0]) as server:
        llm = RouterLLM(models=[OpenAI(model="gpt-4o-mini", api_base=server.base_url)])
        with pytest.raises(RouterError, match="openai/gpt-4o-mini, in the environment variable OPENAI_API_KEY"):
            llm.complete("hi")


def test_named_models_are_called_with_the_routers_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for make in (ChatRouter, RouterLLM):
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        read = make(models=["openai:gpt-4o-mini"]).router.registry.entry("openai/gpt-4o-mini")
        given = make(models=["openai:gpt-4o-mini"], api_key="sk-mine").router.registry.entry("openai/gpt-4o-mini")
        assert (read.key_variable, given.key_variable) == ("OPENAI_API_KEY", "")
        assert read.address.credential != given.address.credential
        configured = make.from_config({"models": ["openai:gpt-4o-mini"]}, api_key="sk-mine")
        assert configured.router.registry.entry("openai/gpt-4o-mini").address == given.address


def test_where_none_was_given_it_is_the_one_that_is_looked_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    assert Registry.build(["groq:llama-3.3-70b"]).entry("groq/llama-3.3-70b").key_variable == "GROQ_API_KEY"


def test_several_dead_keys_that_are_due_at_once_cost_a_request_one_attempt() -> None:
    with ChatServer(REFUSALS["rejected"][0]) as dead, ChatServer(reply(completion())) as well:
        keys = [(dead, "k1"), (dead, "k2"), (dead, "k3"), (well, "k4")]
        models = [ChatOpenAI(model=key, base_url=server.base_url, api_key=key) for server, key in keys]
        llm = ChatRouter(models=models, policy="single", max_retries=2, hedge=True)
        ask = Asking(llm, lambda: llm.invoke("hi").content)
        with pytest.raises(RouterError, match="Not reached within 3 attempts: openai/k4"):
            ask()
        for due in (1, 2, 3):
            ask.clock.advance(4000.0)
            assert ask() == "hello"
            assert len(dead.seen) == 3 + due
        ask.router.isolate("openai/k4")
        with pytest.raises(RouterError):
            ask()  # nothing else is left: the other two are tried after all
        assert len(dead.seen) == 8


PAGE = b"<html><head><title>403 Forbidden</title></head></html>"
BETWEEN = {
    "page": (chat_server.reply(PAGE, 403, ["connection: close"], "text/html"), "server_error"),
    "proxy": (
        chat_server.reply(b"", 407, ["connection: close", "proxy-authenticate: Basic"], "text/html"),
        "connection",
    ),
    "proxy's": (
        chat_server.reply(b"", 401, ["connection: close", "proxy-authenticate: NTLM"], "text/html"),
        "connection",
    ),
}


def built_in(server: ChatServer, *, later: bool) -> Asking:
    llm = ChatRouter(models=[ChatEndpoint(base_url=server.base_url, model="m", api_key="k")], policy="single")
    return with_clock(llm, lambda: (asyncio.run(llm.ainvoke("hi")) if later else llm.invoke("hi")).content)


@pytest.mark.parametrize("why", BETWEEN)
@pytest.mark.parametrize("make", [chained, indexed, built_in])
def test_what_stands_before_a_provider_bars_no_key(make: Any, why: str) -> None:
    step, fault = BETWEEN[why]
    with ChatServer(step, reply(completion())) as server:
        ask = make(server, later=False)
        assert ask() == "hello"  # the same model again, after its back-off
    assert [call.fault for call in ask.router.ledger.calls()] == [fault, None]
    assert "credential_disabled" not in ask.events
