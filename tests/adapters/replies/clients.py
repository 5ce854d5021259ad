"""Each client of Chat Completions as a model of the framework that calls it, for `models=`; routers over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_openai import ChatOpenAI
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from loopback.chat_server import ChatServer

from langchain_router import ChatEndpoint, ChatRouter
from llamaindex_router import EndpointLLM, RouterLLM

Make = Callable[..., Any]


def search(q: str) -> str:
    """Search."""
    return q


TOOL = FunctionTool.from_defaults(search)


def openai(url: str, id: str) -> Any:
    return ChatOpenAI(model=id, base_url=url, api_key="k"), {"id": id}


def built_in(url: str, id: str) -> Any:
    return ChatEndpoint(base_url=url, model="m", api_key="k", id=id)


def like(url: str, id: str) -> Any:
    model = OpenAILike(model="m", api_base=url, api_key="k", is_chat_model=True, is_function_calling_model=True)
    return model, {"id": id, "tool_calling": True}


def endpoint(url: str, id: str) -> Any:
    return EndpointLLM(base_url=url, model="m", api_key="k"), {"id": id, "tool_calling": True}


def chained(url: str, id: str) -> Any:
    """LangChain's class under LlamaIndex."""
    return ChatOpenAI(model=id, base_url=url, api_key="k"), {"id": id, "tool_calling": True}


CHAIN, INDEX = [openai, built_in], [like, endpoint, chained]


def routed(make: Make, *servers: ChatServer) -> Any:
    """A router over the servers in this order, of the framework that this client belongs to."""
    models = [make(server.base_url, id) for id, server in zip("ab", servers, strict=False)]
    return (ChatRouter if make in CHAIN else RouterLLM)(models=models, policy="single")
