"""What every copy of a RouterLLM shares: the router, the candidates' LLMs, the memory of tool calls.

Copies, deep copies and pickles made in this process keep this one object. A pickle opened in another
process makes it anew from its recipe, in which no secret is written: keys come from that process's
environment.
"""

from __future__ import annotations

import re
import uuid
import weakref
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms.llm import LLM

from capability_router.address import keyless
from capability_router.catalog.card import ModelCard
from capability_router.catalog.registry import Registry
from capability_router.concurrency.latch import Latch, ReentrantLatch
from capability_router.errors import ConfigError
from capability_router.request import Outcome, Request
from llamaindex_router.annotation import Annotator, NullAnnotator
from llamaindex_router.attempts.endpoint import LlamaEndpoint
from llamaindex_router.call import LLMCall, R
from llamaindex_router.endpoint import EndpointLLM
from llamaindex_router.event_handler import announce
from llamaindex_router.fleet.chain_model import is_chat_model
from llamaindex_router.fleet.description import describe
from llamaindex_router.fleet.llm_fleet import LLMFleet
from llamaindex_router.fleet.secret_names import SECRET
from llamaindex_router.messages.handover import Origins
from llamaindex_router.routed import RoutedLLMCall
from llamaindex_router.tokens import tokens_of

if TYPE_CHECKING:
    from capability_router.router import Router

_URL = re.compile(r"https?://\S+")
_cores: weakref.WeakValueDictionary[str, SharedCore] = weakref.WeakValueDictionary()
_routers: weakref.WeakSet[Any] = weakref.WeakSet()
_making = Latch()


class CoreConfig(NamedTuple):
    """How to make a core. `models` or a `config` (router.yaml's path, or the same as a mapping), which `models`
    override; `settings` of the router, `defaults` for the chosen model's call, a key for models given by name.
    """

    models: Any = None
    config: str | Mapping[str, Any] | None = None
    settings: Mapping[str, Any] = {}
    defaults: Mapping[str, Any] = {}
    api_key: str | None = None

    def scrubbed(self) -> CoreConfig:
        """The same without what must stay in this process."""
        settings = {name: value for name, value in self.settings.items() if name != "evaluator"}  # it may hold keys
        config = _with_screen(self.config) if isinstance(self.config, Mapping) else self.config
        return CoreConfig(scrubbed(self.models), config, _with_screen(settings), scrubbed(dict(self.defaults)))

    def rebuilt(self) -> CoreConfig:
        """The same with what it describes of LLMs made again; raises ConfigError where that can't be."""
        return self._replace(models=rebuilt(self.models), config=rebuilt(self.config))


class SharedCore:
    """Made from a recipe, or around a Router that exists."""

    def __init__(self, recipe: CoreConfig, router: Router | None = None, token: str | None = None) -> None:
        self._recipe = recipe if router is None else _recipe_of(router, recipe)
        self.router = router if router is not None else _router(recipe)
        self.router.count_with(tokens_of, "of LlamaIndex")
        self.children = LLMFleet(self.router.registry, recipe.defaults, recipe.api_key)
        self.origins = Origins()
        self._register_token(token or uuid.uuid4().hex)
        with _making:
            if self.router not in _routers:
                _routers.add(self.router)
                self.router.on_outcome(_told)

    def under(self, defaults: Mapping[str, Any]) -> SharedCore:
        """One around the same router, whose models have these defaults; None takes one away."""
        whole = {**self._recipe.defaults, **defaults}
        stated = {name: value for name, value in whole.items() if value is not None}
        core = SharedCore.__new__(SharedCore)
        core._recipe = self._recipe._replace(defaults=stated)
        core.router, core.origins, core.children = self.router, self.origins, self.children.under(stated)
        core._register_token(uuid.uuid4().hex)
        return core

    def _register_token(self, token: str) -> None:
        """By this token a pickle finds it again while it lives."""
        self._token = token
        _cores[token] = self

    def start(
        self, call: LLMCall[R], request: Request, manager: CallbackManager, *, annotate: bool
    ) -> RoutedLLMCall[R]:
        """Plan a call; raises NoEligibleModel or BudgetExceeded before anything is sent."""
        endpoint = LlamaEndpoint(call, self.children, manager, self.origins)
        run = self.router.start(request, endpoint, again=lambda: self._unheard(call))
        if run.caller is not None:
            run.caller.asks(self.children)
        return RoutedLLMCall(call, run, (Annotator if annotate else NullAnnotator)(run, endpoint), self.origins)

    def _unheard(self, call: LLMCall[Any]) -> LlamaEndpoint:
        """The same call once more, for a shadow: no callback handler of the caller's hears of it."""
        return LlamaEndpoint(call, self.children, CallbackManager([]), self.origins)

    def __copy__(self) -> SharedCore:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> SharedCore:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, (self._token, self._recipe.scrubbed())

    def __repr__(self) -> str:
        return f"<SharedCore of {self.router!r}>"


def _router(recipe: CoreConfig) -> Router:
    from capability_router.router import Router

    if recipe.config is not None:
        over = recipe.settings if recipe.models is None else {**recipe.settings, "models": recipe.models}
        return Router.from_config(recipe.config, describe=describe, api_key=recipe.api_key, **over)
    return Router(recipe.models, describe=describe, api_key=recipe.api_key, **recipe.settings)


def _recipe_of(router: Router, recipe: CoreConfig) -> CoreConfig:
    """How to make a router like this one: its entries and its settings."""
    settings = replace(router.settings, models=())
    return recipe._replace(models=router.registry, settings={"settings": settings})


def _told(request: Request, outcome: Outcome) -> None:
    if isinstance(request.payload, LLMCall):
        announce(request, outcome)


def _opened(token: str, recipe: CoreConfig) -> SharedCore:
    with _opening:
        return _cores.get(token) or SharedCore(recipe.rebuilt(), token=token)


_opening = ReentrantLatch()


class PickledModel(NamedTuple):
    """An LLM, or a LangChain chat model, in a pickle: its class and its fields, without secrets.

    It is built only where the core that it is of is not alive: there its key has to be in the environment.
    """

    kind: type[Any]
    fields: dict[str, Any]


def _built(kind: type[Any], fields: dict[str, Any]) -> Any:
    try:
        return kind(**fields)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{kind.__name__} can't be made again in this process ({type(error).__name__}); pickles hold no keys, "
            "so set its key in the environment"
        ) from error


def rebuilt(value: Any) -> Any:
    """The same entries with what their blueprints describe."""
    if isinstance(value, PickledModel):
        return _built(value.kind, rebuilt(value.fields))
    if isinstance(value, Registry):
        return Registry([replace(e, source=rebuilt(e.source)) for e in value])
    if isinstance(value, Mapping):
        return {name: rebuilt(item) for name, item in value.items()}
    return type(value)(rebuilt(item) for item in value) if type(value) in (list, tuple) else value


def scrubbed(value: Any) -> Any:
    """The same entries without what must stay in this process."""
    if isinstance(value, EndpointLLM):
        return PickledModel(type(value), value.blueprint())
    if isinstance(value, LLM):
        stated = {name: getattr(value, name) for name in value.model_fields_set if _kept(type(value), name)}
        return PickledModel(type(value), {k: v for k, v in scrubbed(stated).items() if picklable(v)})
    if is_chat_model(value):
        stated = {name: getattr(value, name, None) for name in value.model_fields_set if not SECRET.search(name)}
        return PickledModel(type(value), {name: scrubbed(item) for name, item in stated.items() if _plain(item)})
    if isinstance(value, Registry):
        return Registry([replace(e, card=scrubbed(e.card), source=scrubbed(e.source)) for e in value])
    if isinstance(value, ModelCard):
        return replace(value, endpoint=scrubbed(value.endpoint))
    if isinstance(value, Mapping):
        return {name: scrubbed(item) for name, item in value.items() if not SECRET.search(str(name))}
    if isinstance(value, (list, tuple)):
        return type(value)(scrubbed(item) for item in value)
    return keyless(value) if isinstance(value, str) and _URL.fullmatch(value) else value


def _with_screen(words: Mapping[str, Any]) -> dict[str, Any]:
    """Scrubbed but for what looks at requests: one of its labels may be called "secret", and a router without it sends.

    A function that can't be pickled makes the pickle fail.
    """
    kept = {"screen": words["screen"]} if "screen" in words else {}
    return {**scrubbed(words), **kept}


def _kept(kind: type[LLM], name: str) -> bool:
    return name != "callback_manager" and name in kind.model_fields and not SECRET.search(name)


def _plain(value: Any) -> bool:
    """Made of JSON's types alone: a model of LangChain has its clients, with their keys, among its fields."""
    if isinstance(value, (list, tuple)):
        return all(map(_plain, value))
    if isinstance(value, dict):
        return all(_plain(item) and not SECRET.search(str(name)) for name, item in value.items())
    return value is None or isinstance(value, (str, int, float, bool))


def picklable(value: Any) -> bool:
    """Whether it goes into a pickle."""
    import pickle

    try:
        pickle.dumps(value)
    except (pickle.PicklingError, TypeError, AttributeError):
        return False
    return True
