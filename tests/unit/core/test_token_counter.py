"""A real tokenizer in the estimate's place."""

from __future__ import annotations

import logging
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from capability_router import ConfigError, Request
from capability_router.router import Router
from capability_router.testing import ask, scripted_router

TEXT = "antidisestablishmentarianism " * 40


def planned(router: Router, **fields: Any) -> int:
    return router.explain(Request((TEXT,), **fields)).input_tokens


def counting(counter: Any) -> Router:
    return scripted_router({"a": ["ok"]}, tokens={"counter": counter})


def test_a_function_counts_in_the_estimates_place() -> None:
    router = counting(lambda text: 5_000)
    assert planned(router) == 5_007  # and what is laid around one message
    assert planned(scripted_router({"a": ["ok"]}, token_counter=len)) == len(TEXT) + 7
    assert ask(router, Request((TEXT,))).outcome.ok


def test_tools_are_added_and_attached_parts_are_left_to_the_estimate() -> None:
    router = counting(lambda text: 5_000)
    assert planned(router, tools='{"name": "search"}') > 5_007
    assert planned(router, media=("image",)) < 5_000


@pytest.mark.parametrize("result", [-1, 2.5, "many", True, None])
def test_a_counter_that_fails_is_told_once_and_estimated(result: Any, caplog: pytest.LogCaptureFixture) -> None:
    def odd(text: str) -> Any:
        if result is None:
            raise OSError(text)
        return result

    expected = planned(scripted_router({"a": ["ok"]}))
    with caplog.at_level(logging.WARNING):
        router = counting(odd)
        assert [planned(router) for _ in range(3)] == [expected] * 3
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert "the token counter odd failed" in told[0]
    assert "antidis" not in told[0]


def test_tiktoken_counts_if_its_vocabulary_is_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tiktoken")
    cache = files("llama_index.core").joinpath("_static", "tiktoken_cache")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
    import tiktoken

    true = len(tiktoken.get_encoding("o200k_base").encode_ordinary(TEXT))
    assert planned(counting("tiktoken")) == true + 7


def test_tiktoken_is_never_made_to_download(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tiktoken = pytest.importorskip("tiktoken")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: pytest.fail("it would download"))
    with caplog.at_level(logging.WARNING):
        router = counting("tiktoken")
    assert "not in its cache" in caplog.text
    assert planned(router) == planned(scripted_router({"a": ["ok"]}))


def test_without_tiktoken_the_setting_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    with pytest.raises(ConfigError, match="tiktoken is not installed"):
        counting("tiktoken")


def test_another_word_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="tiktoken"):
        counting("tiktokn")
