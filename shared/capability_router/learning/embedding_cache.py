"""Embeddings of requests: asked for before a decision, within a time limit, and kept by a digest of the text.

If the embedder is late or fails, the decision uses hashed words; for a while after that, decisions do not even wait. No
text is kept, logged or raised.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

from capability_router.clock import Clock
from capability_router.concurrency.latch import Latch
from capability_router.concurrency.longest_wait import at_most
from capability_router.concurrency.process_hooks import ProcessHooks, watch
from capability_router.errors import ConfigError
from capability_router.learning.embedder import Embedder, Vectors, embedder_of
from capability_router.learning.quality.embedding import Meaning, folded
from capability_router.learning.quality.words import bounded
from capability_router.request import Request
from capability_router.sdks.readers import READERS
from capability_router.stores.backoff_breaker import BackoffBreaker
from capability_router.tokens.estimate import estimate_tokens

log = logging.getLogger("capability_router")
_AT_ONCE = 8  # calls in threads
_TOLD = 10_000  # requests whose time and cost of embedding are kept until they are read


class EmbeddingSettings(Protocol):
    """The settings: the embedder, ms that a decision waits, texts kept, USD per million tokens (None = unknown)."""

    @property
    def embedder(self) -> Any: ...
    @property
    def within_ms(self) -> float: ...
    @property
    def cached(self) -> int: ...
    @property
    def usd_per_mtok(self) -> float | None: ...


class EmbeddingResult(NamedTuple):
    """The result of an embedding: seconds, status ("ready", "kept", "late", "failed"), its cost (None = unknown)."""

    seconds: float
    how: str
    usd: float | None = None


class EmbeddingCache(ProcessHooks):
    """Thread-safe. Nothing is embedded until a learned model sets `wanted`."""

    def __init__(self, embedder: Embedder, clock: Clock, terms: EmbeddingSettings) -> None:
        self.embedder, self._clock, self._terms = embedder, clock, terms
        self._within_s = terms.within_ms / 1_000
        self.wanted = False
        self.size: int | None = None
        """Of a vector, once one was seen, or a state says it."""
        self._kept: OrderedDict[bytes, Meaning] = OrderedDict()
        self._took: OrderedDict[str, EmbeddingResult] = OrderedDict()
        self._calls: dict[bytes, Future[str]] = {}  # how each ends; all who want its text wait for it
        self._fuse = BackoffBreaker(clock.now)
        self._failing = ""
        self._lock = Latch()
        watch(self)

    def after_fork(self) -> None:
        """The threads that make the calls are the parent's: here they would be awaited, and counted, for ever."""
        self._calls = {}

    def of(self, request: Request) -> Meaning | None:
        """The kept embedding of its text; calls nothing."""
        if not self.wanted:
            return None
        with self._lock:
            return self._kept.get(_digest(_text(request)))

    def took(self, request_id: str) -> dict[str, Any] | None:
        """The result of a request's embedding, JSON-safe; can be read once."""
        with self._lock:
            took = self._took.pop(request_id, None)
        if took is None:
            return None
        cost = {} if took.usd is None else {"cost_usd": took.usd}
        return {"embedder": self.embedder.name, "ms": round(took.seconds * 1e3, 3), "outcome": took.how, **cost}

    # -- before a decision --------------------------------------------------------------------------

    def before(self, request: Request) -> None:
        """Ask for the embedding in a thread, and wait for it within the limit."""
        if not self.wanted or request.id in self._took:
            return
        text, began = _text(request), self._clock.now()
        call = self._begun(text)
        if isinstance(call, str):
            self._note(request.id, EmbeddingResult(0.0, call))
            return
        try:
            how = call.result(at_most(self._within_s))
        except TimeoutError:
            how = "late"
        self._ended(request.id, text, began, how)

    async def abefore(self, request: Request) -> None:
        """The same without blocking the event loop."""
        if not self.wanted or request.id in self._took:
            return
        text, began = _text(request), self._clock.now()
        known = self._known(text)
        if known is not None:
            self._note(request.id, EmbeddingResult(0.0, known))
            return
        try:
            async with asyncio.timeout(self._within_s):
                how = await self._awaited(text)
        except TimeoutError:
            how = "late"
        self._ended(request.id, text, began, how)

    async def _awaited(self, text: str) -> str:
        if self.embedder.aembed is not None:
            found = await _caught(self.embedder.aembed([text]))
            if self.embedder.embed is None or not _lacking(found):
                return self._put(text, found)
        call = self._begun(text)
        return call if isinstance(call, str) else await asyncio.wrap_future(call)

    def _known(self, text: str) -> str | None:
        """The answer, if it needs no call."""
        with self._lock:
            key = _digest(text)
            if key in self._kept:
                self._kept.move_to_end(key)
                return "kept"
            return "failed" if self._fuse.is_tripped else None

    def _begun(self, text: str) -> Future[str] | str:
        """A running call, or the answer without one."""
        known = self._known(text)
        if known is not None:
            return known
        key = _digest(text)
        with self._lock:
            call = self._calls.get(key)
            if call is not None:
                return call
            if len(self._calls) >= _AT_ONCE:
                return "late"
            call = self._calls[key] = Future()
            call.set_running_or_notify_cancel()  # else a caller who waits no longer would cancel it for all
        thread = threading.Thread(target=self._made, args=(text, key, call), name="router embedding", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no thread is left: decide without an embedding; the next request tries again
            with self._lock:
                del self._calls[key]
            call.set_result("failed")  # for callers that have found it meanwhile
            return "failed"
        return call

    def _made(self, text: str, key: bytes, call: Future[str]) -> None:
        how = "failed"
        try:
            with READERS.at_work():
                found = _tried(self.embedder, [text])
            how = self._put(text, found)
        finally:
            with self._lock:
                del self._calls[key]
            call.set_result(how)

    def _put(self, text: str, found: Vectors | str) -> str:
        """Keep the result; returns how it went."""
        if isinstance(found, str):
            self._failed(found)
            return "failed"
        try:
            (vector,) = found
            meaning, size = folded(vector), len(vector)
        except (ValueError, TypeError):
            self._failed("it gave no vector of numbers")
            return "failed"
        with self._lock:
            self.size = known = self.size or size
            if size == known:
                self._kept[_digest(text)] = meaning
                if len(self._kept) > self._terms.cached:
                    self._kept.popitem(last=False)
        if size != known:
            self._failed(f"its vectors have {size:,} numbers, {known:,} were learned from")
            return "failed"
        return "ready"

    def _failed(self, why: str) -> None:
        self._fuse.record_failure(why)
        if why != self._failing:
            log.warning("the embedder %s: %s; decisions go by hashed words meanwhile", self.embedder.name, why)
        self._failing = why

    def _ended(self, request_id: str, text: str, began: float, how: str) -> None:
        price = self._terms.usd_per_mtok
        usd = None if price is None else estimate_tokens(text) * price / 1e6
        if how == "late":
            self._failed(f"no answer within {self._terms.within_ms:g} ms")
        elif how == "ready":
            self._fuse.mend()
            if self._failing:
                log.warning("the embedder %s answers again", self.embedder.name)
            self._failing = ""
        self._note(request_id, EmbeddingResult(self._clock.now() - began, how, usd))

    def _note(self, request_id: str, took: EmbeddingResult) -> None:
        with self._lock:
            self._took[request_id] = took
            if len(self._took) > _TOLD:
                self._took.popitem(last=False)


def meanings_of(terms: EmbeddingSettings, clock: Clock) -> EmbeddingCache | None:
    """None if no embedder is set. Raises ConfigError for an object that is no embedder."""
    return None if terms.embedder is None else EmbeddingCache(embedder_of(terms.embedder), clock, terms)


def embedded(embedder: Embedder, texts: Sequence[str]) -> tuple[list[Meaning], int]:
    """The embeddings of many texts at once, and the size of the embedder's vectors. Raises ConfigError if it fails."""
    found = _tried(embedder, [bounded(text) for text in texts])
    if isinstance(found, str):
        raise _unusable(embedder, found)
    try:
        sizes = {len(vector) for vector in found}
        if len(found) != len(texts) or len(sizes) != 1:
            raise ValueError
        return [folded(vector) for vector in found], sizes.pop()
    except (ValueError, TypeError):
        raise _unusable(embedder, "it gave no vectors of one size, one for each text") from None


def _unusable(embedder: Embedder, why: str) -> ConfigError:
    return ConfigError(f"the embedder {embedder.name}: {why}")


def _tried(embedder: Embedder, texts: list[str]) -> Vectors | str:
    """The vectors; else why not, without the error's message, because it may quote the text."""
    embed, aembed = embedder.embed, embedder.aembed
    found = "it can't be called" if embed is None else _called(lambda: embed(texts))
    if aembed is not None and (embed is None or _lacking(found)):
        found = _called(lambda: asyncio.run(_run(aembed, texts)))
    return found


def _called(call: Callable[[], Vectors]) -> Vectors | str:
    try:
        return _no_text(call())
    except Exception as error:  # noqa: BLE001 - an embedder may raise anything, and decisions can do without
        return type(error).__name__


def _lacking(found: Vectors | str) -> bool:
    """Whether the embedder has no such half, sync or async; the other one may work."""
    return isinstance(found, str) and found == NotImplementedError.__name__


def _no_text(found: Vectors | str) -> Vectors | str:
    """The vectors; if a text came instead, a reason that does not repeat it, because it may quote the prompt."""
    return "it gave a text, no vectors" if isinstance(found, str) else found


async def _run(aembed: Callable[[list[str]], Awaitable[Vectors]], texts: list[str]) -> Vectors:
    return await aembed(texts)


async def _caught(vectors: Awaitable[Vectors]) -> Vectors | str:
    try:
        return _no_text(await vectors)
    except Exception as error:  # noqa: BLE001 - as above
        return type(error).__name__


def _text(request: Request) -> str:
    return bounded("\n".join(request.texts))


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()
