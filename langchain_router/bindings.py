"""Tools and schemas that were bound to the router: recorded as given, and bound to the chosen model.

Each partner package turns tools and schemas into its own wire format, so the router must not
convert them: it records the call and makes it again on the chosen model.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool

from capability_router.faults.offered_tools import Offered, offered, tool_call_name
from langchain_router.messages.provider_tools import portable
from langchain_router.partners.dialects import dialect_of

BOUND = "router_bound"
"""The call keyword under which a binding travels from `bind_tools` to `invoke`."""
_MOST = 256
"""Replays that a binding keeps: one for each model, and for each set of defaults that a router was given meanwhile."""


class BoundToolList(list[dict[str, Any]]):
    """Bound tools, as readers of a binding's `kwargs["tools"]` expect them. Beside a recorded call it is not sent.

    LangGraph's `create_react_agent` looks there, and binds its tools anew to a model that has none.
    """


class RecordedBinding(ABC):
    """A recorded call of a model's method. One replay per model, made at first use.

    `provider` is the model's: what only other providers have is left out of the replay.
    """

    @cached_property
    def _made(self) -> dict[int, tuple[BaseChatModel, Runnable[Any, Any]]]:
        return {}

    def on(self, model: BaseChatModel, provider: str = "") -> Runnable[Any, Any]:
        """This binding on that model; raises whatever the model's own method raises."""
        made = self._made.get(id(model))
        if made is None:  # the model is kept beside its replay, so that its id is not given away again
            made = (model, self.replay(model, provider))
            if len(self._made) >= _MOST:
                for oldest in list(self._made)[: _MOST // 2]:
                    self._made.pop(oldest, None)  # another thread may have removed it
            self._made[id(model)] = made
        return made[1]

    def left_out(self, provider: str) -> tuple[str, ...]:
        """The names of the bound tools that this provider does not have."""
        return portable(self.offered, {}, provider)[2]

    @property
    @abstractmethod
    def offered(self) -> Sequence[Any]:
        """The bound tools."""

    @abstractmethod
    def replay(self, model: BaseChatModel, provider: str = "") -> Runnable[Any, Any]:
        """The recorded call made on that model, anew."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_made"}

    def __deepcopy__(self, _: dict[int, Any]) -> RecordedBinding:
        return self


@dataclass(frozen=True, eq=False)
class ToolBinding(RecordedBinding):
    """A recorded `bind_tools(tools, **kwargs)`."""

    tools: tuple[Any, ...] = field(repr=False)
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def offered(self) -> Sequence[Any]:
        """The tools."""
        return self.tools

    def replay(self, model: BaseChatModel, provider: str = "") -> Runnable[Any, Any]:
        told = _without_parallel(self.kwargs) if _takes_no_parallel(model) else self.kwargs
        tools, options, left_out = portable(self.tools, told, provider)
        return model.bind(**options) if left_out and not tools else model.bind_tools(tools, **options)

    @property
    def keywords(self) -> dict[str, Any]:
        """What is bound to the router."""
        return {BOUND: self, "tools": BoundToolList(self._shapes)}

    @cached_property
    def _shapes(self) -> list[dict[str, Any]]:
        return [_shape(tool) for tool in self.tools]

    @cached_property
    def described(self) -> tuple[str, tuple[str, ...]]:
        """The tools' schemas as text and their names."""
        return _described(self._shapes)

    @cached_property
    def names(self) -> Offered:
        """The names by which its tools are called."""
        return offered_names(self.tools)


@dataclass(frozen=True, eq=False)
class StructuredBinding(RecordedBinding):
    """A recorded `with_structured_output(schema, **kwargs)`."""

    schema: Any = field(repr=False)
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def offered(self) -> Sequence[Any]:
        """The tools given beside the schema."""
        return self.kwargs.get("tools") or ()

    def replay(self, model: BaseChatModel, provider: str = "") -> Runnable[Any, Any]:
        tools, _, left_out = portable(self.offered, {}, provider)
        options = dict(self.kwargs)
        if left_out:
            options["tools"] = tools or None
        return model.with_structured_output(self.schema, **options)

    @property
    def method(self) -> str | None:
        """How the schema is to be asked for; None = as the model's package prefers."""
        return self.kwargs.get("method")

    @cached_property
    def described(self) -> tuple[str, tuple[str, ...]]:
        """The schema as text, which is sent as input, and the tools given beside it."""
        schema, _ = describe_tools((self.schema,) if self.schema is not None else ())
        tools, names = describe_tools(self.kwargs.get("tools") or ())
        return schema + tools, names


Binding = ToolBinding | StructuredBinding


def _takes_no_parallel(model: BaseChatModel) -> bool:
    """Whether calls with `parallel_tool_calls` fail: its class has no such setting, or its model rejects it."""
    name = getattr(model, "model_name", None)
    return dialect_of(model).always_parallel or bool(isinstance(name, str) and _REJECTING.fullmatch(name))


_REJECTING = re.compile(r"o\d(?:-mini)?(?:-\d{4}-\d\d-\d\d)?")
"""The names of OpenAI's models that answer 400 to `parallel_tool_calls`: o1, o3, o3-mini, o4-mini."""


def _without_parallel(kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in kwargs.items() if name != "parallel_tool_calls"}


def describe_tools(tools: Any) -> tuple[str, tuple[str, ...]]:
    """Tools in any form that LangChain takes -> their JSON schemas as text, their names."""
    return _described([_shape(tool) for tool in tools])


def _described(shapes: Sequence[dict[str, Any]]) -> tuple[str, tuple[str, ...]]:
    names = (shape.get("function", shape).get("name") or shape.get("type") for shape in shapes)
    return "\n".join(json.dumps(shape, default=str) for shape in shapes), tuple(str(name) for name in names if name)


def offered_names(tools: Any) -> Offered:
    """The names by which tools in any form that LangChain takes are called."""
    return offered(map(_called_as, tools))


def _called_as(tool: Any) -> str:
    extras = getattr(tool, "extras", None)
    own = isinstance(extras, dict) and "provider_tool_definition" in extras  # sent in the tool's place
    return "" if own else tool_call_name(_shape(tool))


def _shape(tool: Any) -> dict[str, Any]:
    own_form = isinstance(tool, dict) and ("function" in tool or tool.get("type", "object") not in ("object", "custom"))
    return tool if own_form else _converted(tool, convert_to_openai_tool)


def _converted(tool: Any, convert: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    try:
        return convert(tool)
    except (ValueError, TypeError, KeyError):  # a form that only its own provider's package knows
        return tool if isinstance(tool, dict) else {"name": getattr(tool, "name", getattr(tool, "__name__", ""))}
