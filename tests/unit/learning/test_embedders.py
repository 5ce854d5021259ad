"""Embeddings in a router: of a function, in time or not, learned with or not; they tell apart what words do not."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

import numpy as np
from click.testing import CliRunner

from capability_router import ConfigError, Price, Request, Router
from capability_router.cli.train import train
from capability_router.clock import SystemClock
from capability_router.learning.embedder import Embedder, embedder_of
from capability_router.learning.embedding_cache import embedded
from capability_router.learning.quality.embedding import MEANING, Origin, folded
from capability_router.learning.quality.memory import Remembered, ScoredResult
from capability_router.learning.quality.model import QualityModel
from capability_router.learning.quality.sketch import sketch
from capability_router.learning.quality.state import dumped, loaded
from capability_router.learning.quality.traits import traits
from capability_router.testing import ask, scripted_router

MODELS = ("lawyer", "coder")
TRADES = {"law": (1.0, 0.0), "code": (0.0, 1.0)}


def prompt(dice: Random, trade: str) -> str:
    """Words that say nothing of the trade: it is in the last one, which no two prompts share."""
    return f"please see to the matter {dice.randrange(10**9)}{'a' if trade == 'law' else 'b'}"


def by_trade(texts: list[str]) -> list[list[float]]:
    """Knows what words don't tell."""
    return [[1.0, 0.2, 0.1] if text.endswith("a") else [0.2, 1.0, 0.1] for text in texts]


def made(state: Path, embedder: Any, **settings: Any) -> Router:
    cards = {name: {"price": Price(1, 2), "quality": {"default": 0.7}} for name in MODELS}
    policy = {"name": "adaptive", "state": str(state)}
    scripts = {name: ["an answer"] * 300 for name in MODELS}
    settings = {"embedding": {"within_ms": 20_000}, "embedder": embedder, "clock": SystemClock(), **settings}
    return scripted_router(scripts, cards=cards, policy=policy, **settings)


def written(path: Path, embed: Callable[[list[str]], Sequence[Sequence[float]]] | None = by_trade) -> Path:
    quality, dice = QualityModel(), Random(1)
    quality.origin = Origin(f"{embed.__module__}.{embed.__qualname__}", 3) if embed else Origin()

    def row(number: int, trade: str) -> tuple[Remembered, dict[str, ScoredResult]]:
        text = prompt(dice, trade)
        seen = traits(Request((text,)))._replace(meaning=folded(embed([text])[0]) if embed else None)
        return Remembered(str(number), sketch(seen)), dict(zip(MODELS, map(ScoredResult, TRADES[trade]), strict=True))

    quality.learn_log([row(number, ("law", "code")[number % 2]) for number in range(300)])
    path.write_text(dumped(quality), encoding="utf-8")
    return path


def share_right(router: Router, count: int = 40) -> float:
    dice, right = Random(2), 0
    for number in range(count):
        trade = ("law", "code")[number % 2]
        run = ask(router, prompt(dice, trade))
        right += run.plan.chosen.id == MODELS[number % 2]
    return right / count


def test_an_embedding_tells_apart_what_words_do_not(tmp_path: Path) -> None:
    learned = made(written(tmp_path / "state.json"), by_trade)
    assert share_right(learned) == 1.0
    by_words = made(written(tmp_path / "words.json", None), None)
    assert share_right(by_words) < 0.8


def test_what_is_learned_online_is_learned_with_the_embedder(tmp_path: Path) -> None:
    router, dice = made(tmp_path / "state.json", by_trade), Random(3)
    for number in range(120):
        trade = ("law", "code")[number % 2]
        request = Request((prompt(dice, trade),))
        run = ask(router, request)
        router.feedback(request.id, TRADES[trade][MODELS.index(run.plan.chosen.id)])
    known: Any = router.planner.learned
    with known._busy:
        known.quality.refit()
    router.close()
    state = loaded((tmp_path / "state.json").read_text())
    assert state.origin == Origin(f"{__name__}.by_trade", 3)
    assert state.memory.meanings is not None
    assert share_right(made(tmp_path / "state.json", by_trade)) > 0.9


@pytest.mark.parametrize("embed", [None, by_trade])
def test_another_embedder_than_the_states_is_told_and_words_are_used(
    tmp_path: Path, embed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def other(texts: list[str]) -> list[list[float]]:
        asked.extend(texts)
        return by_trade(texts)

    with caplog.at_level(logging.WARNING, "capability_router"):
        router = made(written(tmp_path / "state.json", embed), other)
    assert "decisions go by hashed words" in caplog.text
    ask(router, "please see to the matter 1a")
    assert asked == []
    known: Any = router.planner.learned
    with known._busy:
        assert known.quality.memory.meanings is None


def recorded(router: Router) -> list[dict[str, Any]]:
    """The records that it will write."""
    records: list[dict[str, Any]] = []
    router.add_sink(records.append)
    return records


def embeddings(router: Router, records: list[dict[str, Any]]) -> list[str]:
    assert router.flush()
    return [record["embedding"]["outcome"] for record in records if record["kind"] == "decision"]


def test_the_record_tells_what_an_embedding_took_and_no_text(tmp_path: Path) -> None:
    router = made(written(tmp_path / "s.json"), by_trade, embedding={"usd_per_mtok": 0.02, "within_ms": 20_000})
    log = recorded(router)
    for _ in range(2):
        ask(router, "please see to the secret matter 1a")
    assert embeddings(router, log) == ["ready", "kept"]
    first = log[0]["embedding"]
    assert first["cost_usd"] > 0
    assert first["ms"] >= 0
    assert "secret matter" not in json.dumps(log)
    assert "cost_usd" not in log[1]["embedding"]


def test_who_is_late_is_not_waited_for_and_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gate = threading.Event()

    def late(texts: list[str]) -> list[list[float]]:
        gate.wait(60)
        return by_trade(texts)

    late.__qualname__, late.__module__ = by_trade.__qualname__, by_trade.__module__
    router = made(written(tmp_path / "s.json"), late, embedding={"within_ms": 1})
    log = recorded(router)
    with caplog.at_level(logging.WARNING, "capability_router"):
        for number in range(12):
            ask(router, f"please see to the secret matter {number}a")
    assert embeddings(router, log)[0] == "late"
    assert set(embeddings(router, log)) <= {"late", "failed"}
    assert caplog.text.count("no answer within 1 ms") == 1
    assert "secret" not in caplog.text
    gate.set()


@pytest.mark.parametrize(
    "answer", [[], [[]], [[1.0, float("nan"), 0.0]], [[1.0, 2.0]], "of a secret", None, [[1, 2, 3], [4, 5, 6]]]
)
def test_what_is_no_vector_is_told_and_words_are_used(
    tmp_path: Path, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def odd(_: list[str]) -> Any:
        return answer

    odd.__qualname__, odd.__module__ = by_trade.__qualname__, by_trade.__module__
    router = made(written(tmp_path / "s.json"), odd)
    log = recorded(router)
    with caplog.at_level(logging.WARNING, "capability_router"):
        assert ask(router, "a secret").outcome is not None
    assert embeddings(router, log) == ["failed"]
    assert "go by hashed words meanwhile" in caplog.text
    assert "secret" not in caplog.text


def test_what_an_embedder_raises_quotes_no_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def broken(texts: list[str]) -> Any:
        raise RuntimeError(f"can't embed {texts}")

    broken.__qualname__, broken.__module__ = by_trade.__qualname__, by_trade.__module__
    router = made(written(tmp_path / "s.json"), broken)
    with caplog.at_level(logging.DEBUG):
        assert ask(router, "a secret").outcome is not None
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


class Half:
    """An `Embeddings` with only one half implemented."""

    def __init__(self, *, sync: bool) -> None:
        self.sync = sync

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if not self.sync:
            raise NotImplementedError
        return by_trade(texts)

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        if self.sync:
            raise NotImplementedError
        await asyncio.sleep(0)
        return by_trade(texts)


@pytest.mark.parametrize("sync", [True, False])
async def test_half_an_embedder_is_enough_for_blocking_and_awaited_requests(tmp_path: Path, sync: bool) -> None:
    router, request = made(tmp_path / "state.json", Half(sync=sync)), Request(("please see to 2a",))
    log = recorded(router)
    await asyncio.to_thread(ask, router, "please see to 1a")
    await router.prepare(request)
    ask(router, request)
    assert embeddings(router, log) == ["ready", "ready"]


def test_training_takes_an_embedder_that_is_only_async() -> None:
    assert embedded(embedder_of(Half(sync=False)), ["1a", "2b"])[1] == 3


def test_a_class_in_the_place_of_an_embedder_is_refused_at_once() -> None:
    for wrong in (Half, f"{__name__}:Half"):
        with pytest.raises(ConfigError, match="embedder: Half is a class; give an instance of it"):
            embedder_of(wrong)


async def test_in_async_the_loop_goes_on_while_an_embedding_is_made(tmp_path: Path) -> None:
    here = asyncio.Event()

    async def embed(texts: list[str]) -> list[list[float]]:
        await here.wait()  # set by another task of the same loop
        return by_trade(texts)

    embed.__qualname__, embed.__module__ = by_trade.__qualname__, by_trade.__module__
    router, request = made(written(tmp_path / "s.json"), embed), Request((prompt(Random(2), "code"),))
    waiting = asyncio.create_task(router.prepare(request))
    await asyncio.sleep(0)
    here.set()
    await waiting
    assert ask(router, request).plan.chosen.id == "coder"


def test_only_the_newest_texts_are_kept(tmp_path: Path) -> None:
    asked: list[str] = []

    def counted(texts: list[str]) -> list[list[float]]:
        asked.extend(texts)
        return by_trade(texts)

    counted.__qualname__, counted.__module__ = by_trade.__qualname__, by_trade.__module__
    router = made(written(tmp_path / "s.json"), counted, embedding={"cached": 2, "within_ms": 20_000})
    for text in ("1a", "2a", "1a", "3a", "2a"):
        ask(router, text)
    assert asked == ["1a", "2a", "3a", "2a"]


def test_without_a_thread_it_is_decided_without_and_the_next_one_is_embedded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    router = made(written(tmp_path / "s.json"), by_trade, embedding={"within_ms": 20_000})
    log = recorded(router)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(20):
            ask(router, "please see to 1a")
    ask(router, "please see to 1a")
    assert embeddings(router, log) == ["failed"] * 20 + ["ready"]


def test_a_state_is_trained_with_an_embedder_by_the_command(tmp_path: Path) -> None:
    dice, log, state = Random(4), tmp_path / "log.jsonl", tmp_path / "state.json"
    rows = [
        {
            "id": str(number), "prompt": prompt(dice, ("law", "code")[number % 2]),
            "outcomes": {m: {"score": s} for m, s in zip(MODELS, TRADES[("law", "code")[number % 2]], strict=True)},
        }
        for number in range(200)
    ]  # fmt: skip
    log.write_text("\n".join(map(json.dumps, rows)))
    path = f"{__name__}:by_trade"
    plain = CliRunner().invoke(train, [str(log), "-o", str(state), "--json"])
    assert plain.exit_code == 3, "by words alone nothing can be told"
    found = CliRunner().invoke(train, [str(log), "-o", str(state), "--json", "--embedder", path])
    assert found.exit_code == 0, found.output
    assert loaded(state.read_text()).origin == Origin(f"{__name__}.by_trade", 3)
    assert share_right(made(state, by_trade)) == 1.0
    log.write_text(json.dumps({"id": "1", "input_tokens": 5, "outcomes": {"m": {"score": 1}}}))
    none = CliRunner().invoke(train, [str(log), "--embedder", path])
    assert none.exit_code == 1
    assert "hold none" in str(none.exception)


def test_a_text_in_the_place_of_vectors_is_not_repeated() -> None:
    with pytest.raises(ConfigError, match=r"json\.dumps: it gave a text, no vectors$"):
        embedded(embedder_of("json:dumps"), ["a secret"])


def test_what_is_no_embedder_is_refused() -> None:
    for wrong in (3, Random, "no.such.module:thing", "json:nothing"):
        with pytest.raises(ConfigError, match="embedder"):
            embedder_of(wrong)
    assert embedder_of("json:dumps").name == "json.dumps"
    assert isinstance(embedder_of(by_trade), Embedder)


@pytest.mark.parametrize("size", [1, 3, 512, 513, 1_536])
def test_folding_keeps_angles(size: int) -> None:
    dice = np.random.default_rng(size)
    vectors = dice.normal(size=(6, size))
    small = np.array([folded(vector) for vector in vectors]).astype(float)
    assert small.shape == (6, MEANING)

    def cosines(rows: Any) -> Any:
        rows = rows / np.sqrt((rows * rows).sum(1))[:, None]
        return rows @ rows.T

    assert np.abs(cosines(vectors) - cosines(small)).max() < (0.02 if size <= MEANING else 0.2)
