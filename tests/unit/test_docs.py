"""What the pages list is what there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from capability_router.catalog.known import snapshot
from capability_router.settings.block import Block
from capability_router.settings.policies import Policy
from capability_router.settings.wait import WORDS
from capability_router.settings.words import Words

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


def rows(page: str) -> dict[str, str]:
    """First name of a table's row -> the whole row."""
    return {found[1]: line for line in page.splitlines() if (found := re.match(r"\| `(\w+)`", line))}


def blocks(kind: Any) -> Iterator[type[Block]]:
    """The blocks in an annotation: its own, a tuple's."""
    if isinstance(kind, type) and issubclass(kind, Block):
        yield kind
    for part in get_args(kind):
        yield from blocks(part)


def own(block: type[Block]) -> dict[str, Any]:
    """Its keys without those of the block that it extends, which stand in that one's row."""
    below = getattr(block.__base__, "model_fields", {})
    return {key: inner for key, inner in block.model_fields.items() if key not in below}


def settings() -> Iterator[tuple[str, str]]:
    """Every block of router.yaml with every key in it, and the blocks within."""
    for name, field in Words.model_fields.items():
        yield name, name
        waiting = list(blocks(field.annotation))
        while waiting:
            for key, inner in own(waiting.pop()).items():
                yield name, key
                waiting += blocks(inner.annotation)


@pytest.mark.parametrize(("block", "key"), sorted(set(settings())))
def test_each_setting_is_in_the_row_of_its_block(block: str, key: str) -> None:
    assert re.search(rf"[`{{ ,]{key}[`:, (}}]", rows(PAGE)[block]), f"docs/configuration.md: {block} has no {key}"


@pytest.mark.parametrize("block", ["shadow", "canary"])
def test_a_second_policy_has_the_keys_of_the_first(block: str) -> None:
    (kind,) = blocks(Words.model_fields[block].annotation)
    assert issubclass(kind, Policy)
    assert "the keys of `policy`" in rows(PAGE)[block]


@pytest.mark.parametrize("word", WORDS)
def test_each_word_of_a_wait_is_listed(word: str) -> None:
    assert f"`{word}`" in PAGE


PAGES = sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_refers_to_is_there(page: Path) -> None:
    found = re.findall(r"\]\(([^)#:\s]+)(?:#([\w-]+))?\)", page.read_text(encoding="utf-8"))
    for name, anchor in found:
        target = page.parent / name
        assert target.exists(), f"{page.name} refers to {name}"
        heads = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
        assert not anchor or anchor in {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in heads}


def named_models(page: Path) -> set[str]:
    """Every model of the catalog's providers that a page names, as provider:model or as a framework's `model=`."""
    text = page.read_text(encoding="utf-8")
    providers = "|".join(snapshot.providers())
    found = re.findall(rf"\b({providers})[:/]([a-z][\w.-]*\d[\w.-]*)(?![\w/-])", text)
    named = {f"{provider}:{model}" for provider, model in found}
    return named | {f"openai:{name}" for name in re.findall(r'OpenAI\(model="([^"]+)"', text)}


@pytest.mark.parametrize("name", ["README.md", "docs/catalog.md", "docs/money.md", "docs/reliability.md",
                                  "examples/quickstart_langchain.py", "examples/quickstart_llamaindex.py"])  # fmt: skip
def test_the_models_in_examples_are_known_and_not_about_to_be_switched_off(name: str) -> None:
    last = date.fromisoformat(snapshot.provenance().as_of) + timedelta(days=60)
    named = named_models(ROOT / name)
    assert named, f"{name} names no model: is it read as it is written?"
    for model in sorted(named):
        found = snapshot.find(*model.split(":", 1))
        assert found is not None, f"{name}: the catalog has no {model}"
        assert not found.known.retires or found.known.retires > last.isoformat(), f"{name}: {model} retires"
