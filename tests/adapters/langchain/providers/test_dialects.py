"""What is known of the partner classes, held against the installed packages."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
from fakes import Scripted
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_groq import ChatGroq
from langchain_mistralai import ChatMistralAI
from langchain_ollama import ChatOllama
from langchain_openai import AzureChatOpenAI, ChatOpenAI

from langchain_router import ChatEndpoint, ChatRouter
from langchain_router.fleet.copies import with_keywords
from langchain_router.fleet.description import describe
from langchain_router.partners.dialects import DIALECTS, UNKNOWN, Dialect, dialect_for, dialect_of

INSTALLED = [d for d in DIALECTS if find_spec(d.package)]


def class_of(dialect: Dialect) -> Any:
    return getattr(import_module(dialect.package), dialect.makes or dialect.class_name, None)


@pytest.mark.parametrize("dialect", INSTALLED, ids=lambda d: d.class_name)
def test_the_fields_named_are_fields_of_the_class(dialect: Dialect) -> None:
    made = class_of(dialect)
    if made is None:
        assert dialect.class_name.startswith("_")  # a package's own affair, that nobody is to make
        assert not dialect.providers
        return
    assert issubclass(made, BaseChatModel)
    fields = made.model_fields
    assert dialect.retries is None or "max_retries" in fields
    if dialect.providers:
        assert not dialect.url_fields or any(name in fields for name in dialect.url_fields)
        assert any(name in fields for name in dialect.field_names("max_tokens"))
        assert "temperature" in fields


MODELS: list[tuple[BaseChatModel, str]] = [
    (ChatOpenAI(model="m", api_key="k", base_url="http://h/v1"), "BaseChatOpenAI"),
    (AzureChatOpenAI(azure_endpoint="http://h/v1", api_key="k", api_version="1"), "AzureChatOpenAI"),
    (ChatAnthropic(model="m", api_key="k", base_url="http://h/v1"), "ChatAnthropic"),
    (ChatGoogleGenerativeAI(model="m", api_key="k", base_url="http://h/v1"), "ChatGoogleGenerativeAI"),
    (ChatGroq(model="m", api_key="k", base_url="http://h/v1"), "ChatGroq"),
    (ChatMistralAI(model="m", api_key="k", base_url="http://h/v1"), "ChatMistralAI"),
    (ChatOllama(model="m", base_url="http://h/v1"), "ChatOllama"),
    (ChatEndpoint(model="m", base_url="http://h/v1"), "ChatEndpoint"),
]


@pytest.mark.parametrize(("model", "class_name"), MODELS, ids=lambda v: v if isinstance(v, str) else "")
def test_a_model_and_whoever_derives_from_its_class_are_known(model: BaseChatModel, class_name: str) -> None:
    assert dialect_of(model).class_name == class_name
    derived = type("House", (type(model),), {"__module__": "house.models"})
    assert dialect_of(derived.model_construct()).class_name == class_name
    told = describe(model)
    assert told is not None
    assert told.address.base_url == "http://h/v1"


def test_a_class_that_nobody_knows_has_the_defaults() -> None:
    assert dialect_of(Scripted()) is UNKNOWN
    namesake = type("ChatOllama", (Scripted,), {"__module__": "house.models"})
    assert dialect_of(namesake()) is UNKNOWN
    assert dialect_for("nonesuch") is UNKNOWN
    assert dialect_for(" Google-GenAI ").class_name == "ChatGoogleGenerativeAI"


def test_no_class_and_no_provider_has_two_records() -> None:
    classes = [(dialect.package, dialect.class_name) for dialect in DIALECTS]
    providers = [provider for dialect in DIALECTS for provider in dialect.providers]
    assert len(set(classes)) == len(classes)
    assert len(set(providers)) == len(providers)


@pytest.mark.parametrize(("model", "class_name"), MODELS, ids=lambda v: v if isinstance(v, str) else "")
def test_words_that_are_fields_alone_are_no_keywords_of_the_call(model: BaseChatModel, class_name: str) -> None:
    given = {"temperature": 0.25, "max_tokens": 7, "seed": 1}
    ready, kwargs = with_keywords(model, given)
    only = dialect_of(model).fields_only
    assert set(given) - set(kwargs) == set(only)
    stated = [next(v for n in dialect_of(model).field_names(w) if (v := getattr(ready, n, None))) for w in only]
    assert stated == [given[word] for word in only]


def test_a_router_is_known_as_one() -> None:
    assert dialect_of(ChatRouter(models=[Scripted()])).routes
    assert not any(dialect_of(model).routes for model, _ in MODELS)


def test_no_partner_package_is_loaded_to_know_it() -> None:
    packages = sorted({d.package for d in DIALECTS} - {"langchain_router"})
    code = f"import sys, langchain_router.partners.dialects; print([p for p in {packages!r} if p in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("dialect", [d for d in INSTALLED if d.empty_stream_error], ids=lambda d: d.class_name)
def test_what_the_package_says_of_a_stream_of_nothing_stands_in_its_source(dialect: Dialect) -> None:
    assert dialect.empty_stream_error in inspect.getsource(inspect.getmodule(class_of(dialect)))  # type: ignore[arg-type]  # it has one
