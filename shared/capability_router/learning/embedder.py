"""Makes texts into vectors: by LangChain's `Embeddings`, LlamaIndex's `BaseEmbedding`, or a function of a list of
texts.

They are recognised by their methods; no framework is imported.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from capability_router.errors import ConfigError

Vectors = Sequence[Sequence[float]]
_NAMES = ("model", "model_name", "model_id", "deployment", "deployment_name", "repo_id")
_SIZES = ("dimensions", "embed_dim", "size")


class Embedder(NamedTuple):
    """`name` identifies it in every process. `embed` or `aembed` may be missing, never both; either may raise
    NotImplementedError.
    """

    name: str
    embed: Callable[[list[str]], Vectors] | None
    aembed: Callable[[list[str]], Awaitable[Vectors]] | None = None


def embedder_of(given: Any) -> Embedder:
    """From an object, a function (sync or async), or "module:object". Raises ConfigError."""
    thing = _named(given) if isinstance(given, str) else given
    if inspect.isclass(thing):
        raise ConfigError(f"embedder: {thing.__name__} is a class; give an instance of it")
    if callable(getattr(thing, "embed_documents", None)):
        return Embedder(_name(thing), thing.embed_documents, getattr(thing, "aembed_documents", None))
    if callable(getattr(thing, "get_text_embedding_batch", None)):
        return Embedder(_name(thing), thing.get_text_embedding_batch, thing.aget_text_embedding_batch)
    if not callable(thing):
        raise ConfigError(
            f"embedder must be a LangChain Embeddings, a LlamaIndex BaseEmbedding, or a function from a list of texts "
            f"to a list of vectors, got {type(thing).__name__}"
        )
    own = thing if inspect.isroutine(thing) else type(thing)
    name = f"{own.__module__}.{own.__qualname__}"
    if inspect.iscoroutinefunction(thing) or inspect.iscoroutinefunction(getattr(thing, "__call__", None)):  # noqa: B004 - its kind is asked, not whether it is there
        return Embedder(name, None, thing)
    return Embedder(name, thing)


def _named(path: str) -> Any:
    module, _, name = path.partition(":")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"embedder {path!r} is not found: write module:object ({type(error).__name__})") from error
    return found


def _name(thing: Any) -> str:
    """Its class, with its model and size as far as it states them, whichever framework holds it."""
    told = [str(value) for name in _NAMES if isinstance(value := getattr(thing, name, None), str) and value]
    sizes = [str(value) for name in _SIZES if isinstance(value := getattr(thing, name, None), int) and value]
    return " ".join([type(thing).__name__, *told[:1], *sizes[:1]])
