"""Schemas for the built-in endpoint: what is sent so that the answer fits one, and what reads the answer."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any, Literal, cast

from langchain_core.output_parsers import BaseOutputParser, JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_openai_function, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from capability_router.endpoints.openai_models import may_be_strict, one_call
from capability_router.errors import ConfigError
from langchain_router.messages.withheld import RefusalGuard

Method = Literal["json_schema", "function_calling", "json_mode"]
METHODS: tuple[Method, ...] = ("json_schema", "function_calling", "json_mode")


def tool_choice_of(choice: Any, names: list[str]) -> Any:
    """LangChain's words for a tool choice as Chat Completions writes them; raises ConfigError for an unknown tool."""
    if choice in (True, "any", "required"):
        return "required"
    if choice in (None, False, "auto", "none") or isinstance(choice, Mapping):
        return choice or None
    if choice not in names:
        raise ConfigError(f"tool_choice {choice!r} names none of the bound tools: {', '.join(names)}")
    return {"type": "function", "function": {"name": choice}}


def response_format(schema: Any, strict: bool | None) -> dict[str, Any]:
    """A schema in any form that LangChain takes -> the `response_format` of Chat Completions."""
    if isinstance(schema, Mapping) and schema.get("type") == "json_schema":
        return dict(schema)
    function = convert_to_openai_function(schema, strict=strict)
    told: dict[str, Any] = {"name": function["name"], "schema": function.get("parameters", {})}
    if function.get("description"):
        told["description"] = function["description"]
    if strict is not None:
        told["strict"] = strict
    return {"type": "json_schema", "json_schema": told}


def openai_response_format(schema: Any) -> dict[str, Any]:
    """The `response_format` for OpenAI itself: strict for a class that may be, as ChatOpenAI asks for classes."""
    plain = response_format(schema, None)
    is_class = isinstance(schema, type) and is_basemodel_subclass(schema)
    return response_format(schema, True) if is_class and may_be_strict(plain["json_schema"]["schema"]) else plain


def bound_to_schema(model: Any, schema: Any, method: Method, strict: bool | None, tools: Any) -> Runnable[Any, Any]:
    """The model, bound so that its answers fit the schema."""
    return cast("Runnable[Any, Any]", _bound(model, schema, method, strict, tools))


def _bound(model: Any, schema: Any, method: Method, strict: bool | None, tools: Any) -> Any:
    told = {"ls_structured_output_format": {"kwargs": {"method": method}, "schema": schema}}
    if method == "json_mode":
        return model.bind(response_format={"type": "json_object"}, **told)
    if method == "function_calling":
        name = convert_to_openai_tool(schema)["function"]["name"]
        lone = one_call(model.model) if model.at_openai else {}
        return model.bind_tools([schema, *(tools or ())], tool_choice=name, strict=strict, **lone, **told)
    wanted = openai_response_format(schema) if strict is None and model.at_openai else response_format(schema, strict)
    if tools:
        return model.bind_tools(tools, response_format=wanted, strict=strict, **told)
    return model.bind(response_format=wanted, **told)


def parser_of(schema: Any, method: Method) -> BaseOutputParser[Any]:
    """Reads an answer: an object of a pydantic class, else a dict."""
    is_class = isinstance(schema, type) and is_basemodel_subclass(schema)
    if method == "function_calling":
        if is_class:
            return PydanticToolsParser(tools=[schema], first_tool_only=True)
        name = convert_to_openai_tool(schema)["function"]["name"]
        return JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)
    return PydanticOutputParser(pydantic_object=schema) if is_class else JsonOutputParser()


def with_parser(bound: Runnable[Any, Any], parser: Runnable[Any, Any], *, include_raw: bool) -> Runnable[Any, Any]:
    """The bound model and its parser; with `include_raw`, {raw, parsed, parsing_error} and no exception.

    A refusal, or what a content filter stopped, is an AnswerWithheld.
    """
    if not include_raw:
        return bound | RefusalGuard() | parser
    parsed = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | RefusalGuard() | parser, parsing_error=lambda _: None
    )
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=bound) | parsed.with_fallbacks([failed], exception_key="parsing_error")
