"""What the pages list is what there is."""

from __future__ import annotations

import ast
import re
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest

from capability_router.catalog.known import snapshot
from capability_router.faults.kinds import KINDS, FaultKind
from capability_router.routing import RoutingTerms
from capability_router.settings.backoff import WORDS
from capability_router.settings.block import Block
from capability_router.settings.policies import PolicyBlock
from capability_router.settings.router_yaml import RouterYaml
from capability_router.settings.yaml_text import parsed

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


def section(name: str) -> str:
    """The part of the page that describes a block, up to the next heading."""
    _, _, rest = PAGE.partition(f"\n### {name}\n")
    assert rest, f"docs/configuration.md has no section {name}"
    return re.split(r"^##", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> dict[str, str]:
    """Key -> its default as it is written, of a table `key | default | meaning`."""
    return dict(re.findall(r"^\| `(\w+)` \| (.+?) \| ", text, re.MULTILINE))


def block_of(annotation: Any) -> type[Block] | None:
    """The block in an annotation: its own, an optional one's, a tuple's."""
    if isinstance(annotation, type) and issubclass(annotation, Block):
        return annotation
    return next((found for part in get_args(annotation) if (found := block_of(part))), None)


def own(block: type[Block]) -> dict[str, Any]:
    """Its fields without those of the block that it extends, which stand in that one's table."""
    below = getattr(block.__base__, "model_fields", {})
    return {key: inner for key, inner in block.model_fields.items() if key not in below}


BLOCKS = {name: block for name, field in RouterYaml.model_fields.items() if (block := block_of(field.annotation))}
PLAIN = sorted(set(RouterYaml.model_fields) - set(BLOCKS))
LISTED = "budgets"
"""The block of which there may be several."""


def given(name: str, key: str, written: str) -> Any:
    """What a router.yaml would have that writes out the default of a key."""
    value = parsed(written.strip("`"), ROOT)
    needed = {
        "budgets": {"scope": "global", "limit_usd": 1},
        "canary": {"name": "adaptive", "share": 0.1},
        "shadow": {"name": "adaptive"},
    }.get(name, {})
    block = {**needed, key: value}
    read = getattr(RouterYaml.model_validate({name: [block] if name == LISTED else block}), name)
    return getattr(read[0] if name == LISTED else read, key)


def default(name: str, key: str) -> Any:
    """What holds where a router.yaml says nothing of it."""
    whole = getattr(RouterYaml(), name)
    field = BLOCKS[name].model_fields[key]
    return getattr(whole, key) if isinstance(whole, Block) else field.get_default(call_default_factory=True)


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_each_block_has_a_table_of_its_keys_and_defaults(name: str) -> None:
    told = rows(section(name))
    assert set(told) == set(own(BLOCKS[name])), f"docs/configuration.md: keys of {name}"
    for key, written in told.items():
        if written == "required":
            assert BLOCKS[name].model_fields[key].is_required(), key
        elif written == "–":
            assert default(name, key) is None, f"{name}.{key}"
        else:
            assert repr(given(name, key, written)) == repr(default(name, key)), f"{name}.{key}"


def test_each_key_that_is_no_block_has_a_row_and_its_default() -> None:
    told = rows(PAGE.partition("## Top-level keys")[2].partition("\n### ")[0])
    assert sorted(told) == PLAIN
    for key, written in told.items():
        value = None if written == "–" else parsed(written.strip("`"), ROOT)
        fallback = getattr(RouterYaml(), key)
        assert (list(fallback) if isinstance(fallback, tuple) else fallback) == value, key


@pytest.mark.parametrize("name", ["shadow", "canary"])
def test_a_second_policy_has_the_keys_of_the_first(name: str) -> None:
    assert issubclass(BLOCKS[name], PolicyBlock)
    assert "the keys of `policy`" in " ".join(section(name).split())


@pytest.mark.parametrize("term", sorted(RoutingTerms.__annotations__.keys() - {"framework"}))  # the adapters' own word
def test_each_routing_term_is_listed(term: str) -> None:
    assert re.search(rf"^\| .*`{term}`.* \| ", PAGE.partition("## Per request")[2], re.MULTILINE)


@pytest.mark.parametrize("word", WORDS)
def test_each_word_of_a_wait_is_listed(word: str) -> None:
    assert f"`{word}`" in PAGE


OURS = ("capability_router", "langchain_router", "llamaindex_router")
PAGES = sorted((*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("docs/*/*.md")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_refers_to_is_there(page: Path) -> None:
    found = re.findall(r"\]\(([^)#:\s]+)(?:#([\w-]+))?\)", page.read_text(encoding="utf-8"))
    for name, anchor in found:
        target = page.parent / name
        assert target.exists(), f"{page.name} refers to {name}"
        heads = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
        assert not anchor or anchor in {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in heads}


def fenced(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_settings_that_a_page_shows_are_taken(page: Path) -> None:
    for text in fenced(page, "yaml"):
        settings = parsed(text, page)
        if "price" not in settings:  # a field of an entry alone
            RouterYaml.model_validate(settings)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_that_a_page_shows_imports_what_there_is(page: Path) -> None:
    for text in fenced(page, "python"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in OURS:
                there = import_module(str(node.module))
                assert [name.name for name in node.names if not hasattr(there, name.name)] == []


def named_models(page: Path) -> set[str]:
    """Every model of the catalog's providers that a page names, as provider:model or as a framework's `model=`."""
    text = page.read_text(encoding="utf-8")
    providers = "|".join(snapshot.providers())
    found = re.findall(rf"\b({providers})[:/]([a-z][\w.-]*\d[\w.-]*)(?![\w/-])", text)
    named = {f"{provider}:{model}" for provider, model in found}
    return named | {f"openai:{name}" for name in re.findall(r'OpenAI\(model="([^"]+)"', text)}


NAMING = [
    "README.md", "docs/catalog.md", "docs/ledger.md", "docs/quickstart.md", "docs/health.md",
    "examples/quickstart_langchain.py", "examples/quickstart_llamaindex.py",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMING)
def test_the_models_in_examples_are_known_and_not_about_to_be_switched_off(name: str) -> None:
    last = date.fromisoformat(snapshot.builtin().as_of) + timedelta(days=60)
    named = named_models(ROOT / name)
    assert named, f"{name} names no model: is it read as it is written?"
    for model in sorted(named):
        found = snapshot.find(*model.split(":", 1))
        assert found is not None, f"{name}: the catalog has no {model}"
        assert not found.known.retires or found.known.retires > last.isoformat(), f"{name}: {model} retires"


def headings(page: Path) -> list[str]:
    return re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)


def test_both_frameworks_pages_have_the_same_headings() -> None:
    assert headings(ROOT / "docs" / "langchain.md") == headings(ROOT / "docs" / "llamaindex.md")


def test_the_index_names_every_page() -> None:
    docs = ROOT / "docs"
    index = (docs / "README.md").read_text(encoding="utf-8")
    pages = {str(page.relative_to(docs)) for page in docs.rglob("*.md")} - {"README.md"}
    assert pages == set(re.findall(r"\]\(([^)#:]+\.md)\)", index))


@pytest.mark.parametrize("folder", ["examples", "benchmarks"])
def test_each_command_of_a_folder_is_in_its_readme(folder: str) -> None:
    told = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    commands = {path.stem for path in (ROOT / folder).glob("*.py") if path.stem != "__init__"}
    commands |= {path.parent.name for path in (ROOT / folder).glob("*/__main__.py")}
    assert {name for name in commands if not re.search(rf"\b{name}\b", told)} == set()


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CORE = ROOT / "shared" / "capability_router"
ADAPTERS = [ROOT / "langchain_router", ROOT / "llamaindex_router"]


def rooms() -> list[str]:
    """Every folder with modules, as architecture.md writes it."""
    inside = [path.parent.relative_to(CORE) for path in CORE.rglob("__init__.py") if path.parent != CORE]
    beside = [path.parent.relative_to(ROOT) for top in ADAPTERS for path in top.glob("*/__init__.py")]
    return sorted(f"{folder.as_posix()}/" for folder in (*inside, *beside))


@pytest.mark.parametrize("room", rooms())
def test_the_architecture_names_every_room(room: str) -> None:
    assert f"`{room}`" in ARCHITECTURE


def test_what_the_architecture_names_is_there() -> None:
    named = set(re.findall(r"`([\w/]+(?:\.py|/))`", ARCHITECTURE))
    assert len(named) > 100
    assert sorted(name for name in named if not (CORE / name).exists() and not (ROOT / name).exists()) == []


FAULTS = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
SAME = {"never": "no", "at_once": "once", "backoff": "after a back-off", "pushback": "after the time it asked for"}
BLAME = {"none": "nothing", "gate": "a not-before gate", "credential": "that credential", "model": "that model"}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_the_row_of_each_fault_says_what_follows_from_it(kind: FaultKind) -> None:
    row = next(line.split(" | ") for line in FAULTS.splitlines() if line.startswith(f"| `{kind.name}` | "))
    same, other, against = row[2], row[3], row[4]
    assert same.startswith(SAME[kind.same])
    assert (kind.other == "no") == other.startswith("no:")
    assert (kind.other == "larger_window") == ("larger" in other)
    assert (kind.other == "unless_returned") == ("on_content_filter" in other)
    assert against.startswith(BLAME.get(kind.blame, kind.blame))
