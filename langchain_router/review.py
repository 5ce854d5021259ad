"""Checks a configuration with LangChain: whether its models can be created, and whether they have own retries."""

from __future__ import annotations

from collections.abc import Iterator

from langchain_core.language_models import BaseChatModel

from capability_router.catalog.audit import AuditFinding
from capability_router.catalog.entry import Entry
from capability_router.catalog.registry import Registry
from capability_router.endpoints.providers import without
from capability_router.errors import ConfigError
from langchain_router.endpoint import ChatEndpoint
from langchain_router.fleet.copies import retries_left, without_retries
from langchain_router.fleet.sources import model_of
from langchain_router.partners.dialects import dialect_for


def review(registry: Registry) -> Iterator[AuditFinding]:
    """The findings, model by model; sends nothing."""
    for entry in registry:
        yield from _reviewed(entry)


def _reviewed(entry: Entry) -> Iterator[AuditFinding]:
    id = entry.card.id
    try:
        model = model_of(entry, None)
    except ConfigError as error:
        yield AuditFinding(id, "LangChain", str(error), True)
        return
    if told := _stood_in(entry, model):
        yield AuditFinding(id, "LangChain", told, False)
    quiet, name = without_retries(model), type(model).__name__
    if left := retries_left(quiet):
        told = f"{name} retries up to {left} times by itself, beside the router; set its max_retries=0"
        yield AuditFinding(id, "hidden retries", told, True)
    elif quiet is not model:
        yield AuditFinding(id, "retries", f"those of {name} itself are switched off: the router retries", False)


def _stood_in(entry: Entry, model: BaseChatModel) -> str:
    """That the provider's own package is missing, so that the built-in client makes the calls; "" = it is not."""
    if not isinstance(entry.source, str) or not isinstance(model, ChatEndpoint):
        return ""
    package = dialect_for(entry.source.partition(":")[0]).package.replace("_", "-")
    return without(package, model.base_url) if package else ""
