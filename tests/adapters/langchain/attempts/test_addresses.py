"""A failure is held against the model, key or region that had it, and against no neighbour."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import Scripted
from langchain_core import exceptions as core
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from langchain_router import AllCandidatesFailed, ChatRouter
from langchain_router.fleet.description import describe


class Rejected(core.ModelAuthenticationError):
    """The key is no good."""


class Coded(Exception):
    """As an SDK's, with a code and an HTTP status."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__(code)
        self.code, self.status_code = code, status


def router(*models: Any) -> ChatRouter:
    return ChatRouter(models=list(models), policy="single")


def rejecting(name: str) -> Scripted:
    return Scripted(name_=name, script=[Rejected("401")])


def test_a_router_whose_models_are_rejected_takes_no_other_router_with_it() -> None:
    outer = router(router(rejecting("a")), router(Scripted(name_="b")))
    for _ in range(2):
        assert outer.invoke("x").response_metadata["router"]["model"] == "router/router#2"


FAULTS: dict[str, tuple[Exception, str]] = {
    "auth": (Rejected("401"), "server_error"),
    "quota_exhausted": (Coded("insufficient_quota", 429), "overloaded"),
    "not_found": (Coded("model_not_found", 404), "server_error"),
}


@pytest.mark.parametrize("inner", FAULTS)
def test_what_a_routers_models_are_blamed_for_is_held_against_no_account_of_the_router(inner: str) -> None:
    error, kind = FAULTS[inner]
    # The second router is known by the same models as the first one: to the outer one they are one account.
    first, second = router(Scripted(name_="a", script=[error])), router(Scripted(name_="a"))
    outer = router(first, second)
    for _ in range(2):
        assert outer.invoke("x").response_metadata["router"]["model"] == "router/router#2"
        assert outer.explain("x").refusals == ()
    assert first.router.ledger.calls()[0].fault == inner
    assert outer.router.ledger.calls()[0].fault == kind


def test_it_says_which_fault_it_was_and_is_not_tried_again_at_once() -> None:
    inner = router(rejecting("a"))
    with pytest.raises(AllCandidatesFailed, match=r"the first one rejected the credential \(auth\)") as caught:
        router(inner).invoke("x")
    assert len(caught.value.failures) == 1
    assert not caught.value.is_retryable  # type: ignore[attr-defined]  # the raised class has it


def test_an_unseen_credential_is_that_models_own() -> None:
    both = router(rejecting("a"), Scripted(name_="b"))
    for _ in range(2):
        assert both.invoke("x").response_metadata["router"]["model"] == "fake/b"


class Regional(Scripted):
    """As Bedrock's and Vertex's classes, which name their region."""

    region_name: str | None = None
    location: str | None = None


@pytest.mark.parametrize("field", ["region_name", "location"])
def test_regions_are_told_apart(field: str) -> None:
    east, west = (describe(Regional(**{field: where})) for where in ("us-east-1", "eu-west-1"))
    assert east is not None
    assert west is not None
    assert east.address.region == "us-east-1"
    assert east.address != west.address


def test_one_key_at_one_url_is_one_account() -> None:
    models = [ChatOpenAI(model=name, base_url="http://h/v1", api_key="k") for name in ("a", "b")]
    first, second = (described.address for model in models if (described := describe(model)))
    assert (first.base_url, first.credential) == (second.base_url, second.credential)
    assert first.model != second.model
    without = [describe(ChatOllama(model=name, base_url="http://h")) for name in ("a", "b")]
    assert len({described.address.credential for described in without if described}) == 2


class Hosted(Scripted):
    """As ChatAI21, which has its URL in a field of another name."""

    api_host: str
    api_key: SecretStr = SecretStr("k")


def test_a_key_is_rejected_at_the_address_of_its_field_alone() -> None:
    dead = Hosted(name_="a", api_host="http://east/v1", script=[Rejected("401")])
    live = Hosted(name_="b", api_host="http://west/v1")
    both = router(dead, live)
    for _ in range(2):
        assert both.invoke("x").response_metadata["router"]["model"] == "fake/b"


def test_a_router_within_a_router_is_where_its_models_are() -> None:
    def inner(url: str, key: str = "k") -> ChatRouter:
        return router(ChatOpenAI(model="m", base_url=url, api_key=key))

    urls = ("http://east/v1", "http://east/v1", "http://west/v1")
    east, twin, west = (described.address for url in urls if (described := describe(inner(url))))
    assert east == twin
    other = describe(inner("http://east/v1", "another"))
    assert other is not None
    assert len({east.base_url, west.base_url, other.address.base_url}) == 3  # also apart as domains of a hedge


def test_two_routers_over_models_of_one_name_have_a_health_each() -> None:
    class Elsewhere(Scripted):
        base_url: str = ""

    east = router(Elsewhere(name_="m", base_url="http://east/v1", script=[ConnectionError("gone")]))
    west = router(Elsewhere(name_="m", base_url="http://west/v1"))
    outer = ChatRouter(models=[east, west], policy="single", health={"consecutive": 1})
    for _ in range(3):
        assert outer.invoke("x").response_metadata["router"]["model"] == "router/router#2"
    assert [row["state"] for row in outer.router.health()] == ["open", "closed"]
