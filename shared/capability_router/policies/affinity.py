"""Which model a conversation uses, and how much of its prompt that model's provider has probably cached.

A tool call's id and a thinking signature belong to one model, so the answer to a tool call goes back to the model that
made the call whenever that model can be used. Otherwise a conversation only prefers its model: cached tokens make the
next turn cheaper there, and the policy weighs that.

A conversation is recognised by its messages (its prompt begins with all of an earlier prompt), else by its session and
first message (after its middle was summarised), else by what the messages say about the model that wrote them (in
another process). Conversations of different tenants are different ones, whatever they are called.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from capability_router.catalog.aliases import canonical
from capability_router.request import Reply, Request, Usage

V = TypeVar("V")

KEPT = 10_000
WARM_S = 300.0  # OpenAI and Anthropic keep a prefix for five minutes at the least
LEAST_CACHED = 1_024  # tokens; shorter prompts are not cached by them
_CACHES_MARKED_ONLY = frozenset({"anthropic", "bedrock"})
"""Providers that cache only what a request marks. The last call's usage shows whether anything is cached."""


class StickyModel(NamedTuple):
    """The model that a conversation uses; "" = none yet.

    `binding`: that model goes first wherever it can be used. `cached_tokens`: how much of the prompt is probably
    cached.
    """

    model: str
    binding: bool = False
    cached_tokens: int = 0


NOWHERE = StickyModel("")


@dataclass(slots=True)
class CachedPrompt:
    """An answered prompt: the model, the time, and how many of its tokens the provider has cached."""

    model: str
    at: float
    cached_tokens: int


class Affinity:
    """The newest 10,000 tool calls and as many conversations, with `models`. Thread-safe; holds hashes, no text."""

    def __init__(self, models: Collection[str], keep: int = KEPT) -> None:
        self._models = models
        self._calls: OrderedDict[Hashable, str] = OrderedDict()
        self._turns: OrderedDict[Hashable, CachedPrompt] = OrderedDict()
        self._keep = keep

    def note(self, request: Request, reply: Reply, model: str, cached_tokens: int, at: float) -> None:
        """Record that this model gave the reply; `at` in seconds of the router's clock."""
        turn = CachedPrompt(model, at, cached_tokens)
        tenant = request.routing.tenant
        keys = _prefixes(tenant, request.texts)[-1:] + _sessions(request)
        if reply.tool_call_ids:
            _keep(self._calls, _calls(tenant, reply.tool_call_ids), model, self._keep)
        _keep(self._turns, keys, turn, self._keep)

    def of(self, request: Request, now: float) -> StickyModel:
        """The model that the request's conversation uses."""
        follows, earlier = request.follows, request.texts[:-1]
        if not (follows or earlier or request.routing.session or request.answered_by):  # as a first request
            return NOWHERE
        tenant = request.routing.tenant
        before, sessions = _prefixes(tenant, earlier), _sessions(request)
        maker = _latest(self._calls, _calls(tenant, follows))
        turn = _latest(self._turns, before)
        session = _latest(self._turns, sessions) if turn is None else None
        said = request.answered_by if request.answered_by in self._models else ""
        known = turn or session
        # For a tool call the message itself is the best source: some servers number calls anew per conversation.
        model = (said or maker) if follows else (known.model if known else said)
        if not model:
            return NOWHERE
        warm = turn is not None and turn.model == model and now - turn.at <= WARM_S
        return StickyModel(model, bool(follows), turn.cached_tokens if warm and turn else 0)


def cached_after(provider: str, usage: Usage) -> int:
    """How many tokens of a prompt its provider has cached after answering it; 0 if the prompt is too short."""
    told = usage.cache_read_tokens + usage.cache_creation_tokens
    most = max(told, usage.input_tokens)
    if most < LEAST_CACHED:
        return 0
    cached = told if canonical(provider) in _CACHES_MARKED_ONLY else most
    return cached if cached >= LEAST_CACHED else 0


def _calls(tenant: str, ids: Iterable[str]) -> list[Hashable]:
    return [(tenant, each) for each in ids]


def _prefixes(tenant: str, texts: Sequence[str]) -> list[Hashable]:
    """A key for each beginning of a prompt, by whole messages. (Each text is hashed only once.)"""
    key = hash(tenant)
    keys: list[Hashable] = []
    for text in texts:
        key = hash((key, text))
        keys.append(key)
    return keys


def _sessions(request: Request) -> list[Hashable]:
    """Keys by session and first message: the agents of one thread have different first messages."""
    session, tenant = request.routing.session, request.routing.tenant
    return [(tenant, session, hash(request.texts[0]))] if session and request.texts else []


def _latest(known: OrderedDict[Hashable, V], keys: Sequence[Hashable]) -> V | None:
    for key in reversed(keys):
        found = known.get(key)
        if found is not None:
            return found
    return None


def _keep(known: OrderedDict[Hashable, V], keys: Iterable[Hashable], value: V, most: int) -> None:
    """Needs no lock: each operation on such a dict is atomic."""
    for key in keys:
        known[key] = value
        try:
            known.move_to_end(key)  # a known key keeps its old place otherwise
        except KeyError:  # another thread had no room for it
            continue
    while len(known) > most:
        try:
            known.popitem(last=False)
        except KeyError:  # another thread took the last one out
            break
