"""What LlamaIndex says of a configuration: whether its models can be made, and what they retry by themselves."""

from __future__ import annotations

from collections.abc import Iterator

from capability_router.catalog.audit import AuditFinding
from capability_router.catalog.registry import Registry
from capability_router.endpoints.providers import without
from capability_router.errors import ConfigError
from llamaindex_router.endpoint import EndpointLLM
from llamaindex_router.fleet.llm_fleet import llm_of, package_of, prepared


def review(registry: Registry) -> Iterator[AuditFinding]:
    """The findings, model by model. (Some integrations ask their provider for the model when they are made.)"""
    for entry in registry:
        try:
            llm = prepared(llm_of(entry, None), {})
        except ConfigError as error:
            yield AuditFinding(entry.card.id, "LlamaIndex", str(error), True)
            continue
        if isinstance(entry.source, str) and isinstance(llm, EndpointLLM) and (package := package_of(entry.source)):
            yield AuditFinding(entry.card.id, "LlamaIndex", without(package, llm.base_url), False)
        if left := getattr(llm, "max_retries", 0):
            told = (
                f"{type(llm).__name__} retries up to {left} times by itself, beside the router; set its max_retries=0"
            )
            yield AuditFinding(entry.card.id, "hidden retries", told, True)
