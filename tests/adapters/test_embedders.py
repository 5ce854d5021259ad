"""The frameworks' own embeddings as a router's embedder, blocking and awaited."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

from langchain_core.embeddings import DeterministicFakeEmbedding, FakeEmbeddings
from langchain_core.language_models import FakeListChatModel
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.llms import MockLLM

from capability_router.learning.embedder import embedder_of
from capability_router.learning.quality.embedding import Origin
from capability_router.learning.quality.state import loaded
from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

SECRET = "the secret of the house"
EMBEDDERS = [DeterministicFakeEmbedding(size=48), FakeEmbeddings(size=700), MockEmbedding(embed_dim=16)]
NAMES = ["DeterministicFakeEmbedding 48", "FakeEmbeddings 700", "MockEmbedding unknown 16"]


def made(kind: str, embedder: Any, folder: Path) -> Any:
    settings: dict[str, Any] = {
        "policy": {"name": "adaptive", "state": str(folder / "state.json")}, "embedder": embedder,
        "embedding": {"within_ms": 20_000}, "telemetry": {"jsonl": folder / "decisions.jsonl"},
    }  # fmt: skip
    if kind == "langchain":
        return ChatRouter(
            models=[(FakeListChatModel(responses=["yes"]), {"id": name}) for name in ("a", "b")], **settings
        )
    return RouterLLM(models=[(MockLLM(), {"id": name}) for name in ("a", "b")], **settings)


async def asked(kind: str, way: str, llm: Any) -> str:
    """The request's id."""
    if kind == "langchain":
        reply = llm.invoke(SECRET) if way == "blocking" else await llm.ainvoke(SECRET)
        return str(reply.response_metadata["router"]["request_id"])
    reply = llm.complete(SECRET) if way == "blocking" else await llm.acomplete(SECRET)
    return str(reply.additional_kwargs["router"]["request_id"])


@pytest.mark.parametrize(("embedder", "name"), list(zip(EMBEDDERS, NAMES, strict=True)), ids=NAMES)
def test_an_embedder_is_known_by_class_model_and_size(embedder: Any, name: str) -> None:
    assert embedder_of(embedder).name == name


@pytest.mark.parametrize("embedder", EMBEDDERS, ids=NAMES)
@pytest.mark.parametrize("way", ["blocking", "awaited"])
@pytest.mark.parametrize("kind", ["langchain", "llamaindex"])
async def test_each_frameworks_embeddings_serve_each_adapter(
    kind: str, way: str, embedder: Any, tmp_path: Path
) -> None:
    llm = made(kind, embedder, tmp_path)
    ids = [await asked(kind, way, llm) for _ in range(2)]
    llm.router.feedback(ids[0], 1.0)
    llm.router.close()
    state = (tmp_path / "state.json").read_text()
    size = getattr(embedder, "size", None) or embedder.embed_dim
    quality = loaded(state)
    assert quality.origin == Origin(embedder_of(embedder).name, size)
    assert quality.memory.rows[0].sketch.meaning is not None
    records = [json.loads(line) for line in (tmp_path / "decisions.jsonl").read_text().splitlines()]
    outcomes = [record["embedding"]["outcome"] for record in records if record["kind"] == "decision"]
    assert outcomes == ["ready", "kept"]
    assert "secret" not in state + json.dumps(records)


class Awaited(DeterministicFakeEmbedding):
    """One whose blocking call would hold an event loop up."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise AssertionError("called where it blocks")

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return [DeterministicFakeEmbedding.embed_query(self, text) for text in texts]


@pytest.mark.parametrize("kind", ["langchain", "llamaindex"])
async def test_in_async_the_embedder_is_awaited(kind: str, tmp_path: Path) -> None:
    llm = made(kind, Awaited(size=8), tmp_path)
    await asked(kind, "awaited", llm)
    llm.router.close()
    (record,) = [json.loads(line) for line in (tmp_path / "decisions.jsonl").read_text().splitlines()]
    assert record["embedding"]["outcome"] == "ready"
