"""What an error says of a name that is not known."""

from __future__ import annotations

import subprocess
import sys

import pytest

from capability_router.endpoints.providers import PROVIDERS, spec_for
from capability_router.errors import ConfigError
from capability_router.nearest import nearest

WORDS = ("tenant", "task", "chain")


def test_the_most_alike_word_is_named() -> None:
    assert nearest("tenent", WORDS) == "; did you mean 'tenant'?"
    assert nearest("tenent", WORDS, "; none", tail=":...") == "; did you mean 'tenant:...'?"


def test_without_one_all_words_are_named_in_their_order() -> None:
    assert nearest("zzz", iter(WORDS)) == "; known: tenant, task, chain"
    assert nearest(7, WORDS) == "; known: tenant, task, chain"


@pytest.mark.parametrize("otherwise", ["", "; see the list"])
def test_without_one_the_caller_may_say_something_else(otherwise: str) -> None:
    assert nearest("zzz", WORDS, otherwise) == otherwise


def test_a_provider_is_named_with_the_place_of_its_model() -> None:
    with pytest.raises(ConfigError, match=r"over HTTP; did you mean 'openai:\.\.\.'\?$"):
        spec_for("opnai:gpt-5")
    with pytest.raises(ConfigError, match=f"over HTTP; known: {', '.join(PROVIDERS)}$"):
        spec_for("openai")


def test_only_an_error_loads_the_comparison() -> None:
    code = "import sys, capability_router.routing, capability_router.catalog.card; print('difflib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - own code
    assert done.stdout == "False\n"
