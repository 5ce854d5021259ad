"""SummarizationMiddleware goes by the tokens that the provider reported, with a router as without one."""

from __future__ import annotations

from typing import Any

from fakes import Scripted
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain_core.messages import AIMessage, HumanMessage

from langchain_router import ChatRouter

USAGE = {"input_tokens": 9_000, "output_tokens": 3, "total_tokens": 9_003}  # far more than its text looks like
TURN = AIMessage("b", usage_metadata=USAGE, response_metadata={"model_provider": "fake"})


def kinds(model: Any) -> list[str]:
    summing = SummarizationMiddleware(model=model, trigger=("tokens", 5_000), keep=("messages", 1))
    agent = create_agent(model, middleware=[summing])
    messages = agent.invoke({"messages": [HumanMessage("a"), TURN, HumanMessage("c")]})["messages"]
    return [message.text[:9] for message in messages]


def test_a_router_over_one_provider_is_known_by_it() -> None:
    plain = kinds(Scripted())
    assert plain[0].startswith("Here is a")
    assert kinds(ChatRouter(models=[Scripted(name_="x"), Scripted(name_="y")])) == plain


def test_a_router_over_several_goes_by_no_ones_name() -> None:
    class Other(Scripted):
        def _get_ls_params(self, stop: Any = None, **kwargs: Any) -> Any:
            return {"ls_provider": "other", "ls_model_name": "m", "ls_model_type": "chat"}

    router = ChatRouter(models=[Scripted(), Other()])
    assert router._get_ls_params()["ls_provider"] == "router"
    assert list(ChatRouter(models=[router]).router.registry.entries) == ["router/router"]
