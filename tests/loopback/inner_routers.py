"""Routers over one model at a server, to be a model of another router."""

from __future__ import annotations

from typing import Any

from langchain_openai import ChatOpenAI

from langchain_router import ChatEndpoint, ChatRouter
from llamaindex_router import EndpointLLM, RouterLLM


def chain(url: str, **settings: Any) -> ChatRouter:
    return ChatRouter(models=[ChatEndpoint(base_url=url, model="a")], policy="single", **settings)


def sdk_chain(url: str, **settings: Any) -> ChatRouter:
    return ChatRouter(models=[ChatOpenAI(model="a", base_url=url, api_key="k")], policy="single", **settings)


def rag(url: str, **settings: Any) -> RouterLLM:
    return RouterLLM(models=[EndpointLLM(base_url=url, model="a")], policy="single", **settings)
