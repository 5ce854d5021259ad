"""The user's catalog file: found, preferred where it is newer, and harmless when it is broken."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from capability_router.catalog.known import snapshot, userfile
from capability_router.catalog.registry import Registry
from capability_router.errors import ConfigError
from capability_router.money.price import Price


def text(as_of: str = "2030-01-01", models: dict[str, Any] | None = None) -> str:
    part = {"models": models or {"gpt-5-mini": {"context_window": 7, "price": {"input_mtok": 1, "output_mtok": 2}}}}
    sources = {"acme": {"as_of": as_of, "version": "3"}}
    return json.dumps({"schema": 2, "as_of": as_of, "sources": sources, "providers": {"openai": part}})


def deep_price(depth: int) -> dict[str, Any]:
    price: dict[str, Any] = {"input_mtok": 1}
    for _ in range(depth):
        price = {"input_mtok": 1, "services": {"batch": price}}
    return price


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    place = tmp_path / "catalog.json"
    monkeypatch.setenv(userfile.VARIABLE, str(place))
    snapshot.forget()
    yield place
    monkeypatch.undo()
    snapshot.forget()


def test_a_newer_statement_comes_before_the_built_in_one_and_says_its_source(file):
    file.write_text(text())
    (entry,) = Registry.build(["openai:gpt-5-mini"])
    assert entry.card.context_window == 7
    assert entry.card.price == Price(1, 2, as_of="2030-01-01", source="acme 3")
    assert entry.sources["price"] == entry.sources["context_window"] == "catalog acme 3 (2030-01-01)"


def test_an_older_one_does_not_but_adds_what_the_built_in_lacks(file):
    file.write_text(text("2020-01-01", {"gpt-5-mini": {"context_window": 7}, "gpt-own": {"context_window": 9}}))
    assert snapshot.lookup("openai", "gpt-5-mini")["context_window"] == 400_000
    assert snapshot.lookup("openai", "gpt-own")["context_window"] == 9


def test_an_exact_name_is_closer_than_a_newer_look_alike(file):
    exact = next(name for name in snapshot.builtin().models("openai") if name[-11:-8] == "-20")
    plain = exact[:-11]
    file.write_text(text(models={plain: {"context_window": 7}}))
    assert snapshot.find("openai", exact).model == exact
    assert snapshot.lookup("openai", plain)["context_window"] == 7


@pytest.mark.parametrize(
    "broken",
    [
        "{", "[]", "{}", '"text"', '{"schema": 1}', '{"schema": 2}', "\x00", text().replace("2030-01-01", "soon"),
        text(models={"m": 5}), text(models={"m": {"origins": []}}),
        text(models={"m": {"doubts": {"price": 5}}}), text(models={"m": {"retires": 5}}),
        '{"schema": 2, "as_of": "2026-01-01", "sources": [], "providers": {}}', "[" * 200_000 + "]" * 200_000,
    ],
)  # fmt: skip
def test_a_broken_file_is_told_once_and_the_built_in_catalog_is_used(file, broken, caplog):
    file.write_text(broken)
    with caplog.at_level(logging.WARNING, "capability_router"):
        for model in ("gpt-5-mini", "gpt-5", "gpt-5-nano"):
            assert snapshot.lookup("openai", model)["context_window"] == 400_000
    (record,) = caplog.records
    assert str(file) in record.getMessage()
    assert "the built-in catalog is used" in record.getMessage()


def test_many_threads_that_ask_first_are_told_once(file, caplog):
    file.write_text("{")
    with ThreadPoolExecutor(16) as pool:
        windows = list(pool.map(lambda i: snapshot.lookup("openai", f"gpt-5{'-mini' * (i % 2)}"), range(64)))
    assert {known["context_window"] for known in windows} == {400_000}
    assert len(caplog.records) == 1


def test_a_file_that_is_no_text_or_a_folder_is_told(file, caplog):
    file.write_bytes(b"\xff\xfe\x00")
    assert snapshot.lookup("openai", "gpt-5-mini")["context_window"] == 400_000
    file.unlink()
    file.mkdir()
    snapshot.forget()
    assert snapshot.lookup("openai", "gpt-5-mini")["context_window"] == 400_000
    assert len(caplog.records) == 2


def test_fields_of_a_later_version_and_odd_values_are_passed_over(file, caplog):
    price = {"input_mtok": 1, "output_mtok": -2}
    row = {"context_window": "many", "max_output_tokens": 5, "thinks_aloud": True, "tool_calling": 1, "price": price}
    file.write_text(text(models={"gpt-5-mini": row}))
    (card,) = Registry.build(["openai:gpt-5-mini"]).cards
    assert (card.context_window, card.max_output_tokens, card.tool_calling, card.price) == (None, 5, None, None)
    assert "price of openai:gpt-5-mini can't be read" in caplog.text


def test_no_file_is_no_fault(file, caplog):
    assert snapshot.lookup("openai", "gpt-5-mini")["context_window"] == 400_000
    assert not caplog.records


@pytest.mark.parametrize("word", ["off", "OFF", "", "0", "none"])
def test_the_file_can_be_switched_off(monkeypatch, word):
    monkeypatch.setenv(userfile.VARIABLE, word)
    assert userfile.path() is None


def test_the_place_follows_the_platform(monkeypatch, tmp_path):
    monkeypatch.delenv(userfile.VARIABLE)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert userfile.path() == tmp_path / "capability-router" / "catalog.json"
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert userfile.path() == tmp_path / "Library" / "Application Support" / "capability-router" / "catalog.json"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert userfile.path() == tmp_path / "local" / "capability-router" / "catalog.json"
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert userfile.path() is None


def test_a_replacement_that_fails_keeps_the_old_file_and_leaves_nothing_beside_it(file, monkeypatch):
    file.write_text("old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(ConfigError, match=r"No space left.*--to"):
        userfile.replace(file, "new")
    assert file.read_text() == "old"
    assert list(file.parent.iterdir()) == [file]


def test_a_replacement_makes_its_folder(tmp_path):
    place = tmp_path / "a" / "b" / "catalog.json"
    userfile.replace(place, "new")
    assert place.read_text() == "new"


def test_a_row_with_a_price_alone_leaves_the_built_in_windows_and_capabilities_with_their_own_sources(file):
    (before,) = Registry.build(["openai:gpt-5-mini"])
    price = {"input_mtok": 0.01, "output_mtok": 0.02}
    file.write_text(text(models={"gpt-5-mini": {"price": price}}))
    snapshot.forget()
    (entry,) = Registry.build(["openai:gpt-5-mini"])
    assert entry.card.price == Price(0.01, 0.02, as_of="2030-01-01", source="acme 3")
    for name in ("context_window", "max_input_tokens", "max_output_tokens", "tool_calling", "audio_inputs"):
        assert getattr(entry.card, name) == getattr(before.card, name) is not None
        assert entry.sources[name] == before.sources[name] != entry.sources["price"]
    built_in = snapshot.builtin().known("openai", "gpt-5-mini")
    assert snapshot.find("openai", "gpt-5-mini").known.retires == built_in.retires


def test_a_row_that_states_a_window_states_all_sizes(file):
    file.write_text(text(models={"gpt-5-mini": {"context_window": 7}, "gpt-5": {"max_output_tokens": 9}}))
    mini, large = Registry.build(["openai:gpt-5-mini", "openai:gpt-5"]).cards
    assert (mini.context_window, mini.max_input_tokens, mini.max_output_tokens) == (7, None, None)
    assert (large.context_window, large.max_input_tokens, large.max_output_tokens) == (400_000, 272_000, 9)
    assert mini.price is not None
    assert mini.tool_calling is True


def test_a_field_in_conflict_in_the_users_row_is_not_filled(file):
    row = {"price": {"input_mtok": 1, "output_mtok": 2}, "doubts": {"tool_calling": {"acme": True, "b": False}}}
    file.write_text(text(models={"gpt-5-mini": row}))
    assert "tool_calling" not in snapshot.lookup("openai", "gpt-5-mini")


def test_a_source_that_both_catalogs_name_keeps_its_day_in_each(file):
    told = {"litellm": {"as_of": "2030-01-01", "version": "9"}}
    models = {"gpt-5-mini": {"price": {"input_mtok": 1, "output_mtok": 2}}}
    stated = {"schema": 2, "as_of": "2030-01-01", "sources": told, "providers": {"openai": {"models": models}}}
    file.write_text(json.dumps(stated))
    found = snapshot.find("openai", "gpt-5-mini")
    assert found.source("price") == "catalog litellm 9 (2030-01-01)"
    built_in = {str(source) for source in snapshot.builtin().sources.values()}
    assert found.source("context_window").removeprefix("catalog ") in built_in
    assert found.as_of("context_window") < "2030"


def test_a_price_nested_without_end_is_passed_over(file):
    file.write_text(text(models={"gpt-own": {"context_window": 9, "price": deep_price(400)}}))
    (card,) = Registry.build(["openai:gpt-own"]).cards
    assert (card.context_window, card.price) == (9, None)
