"""Where an LLM calls, and on whose account: in its own fields, among its keywords, or in the client beneath.

Two models at one address and with one key share what a refused key or a dead server means. So what an integration
keeps to its client alone has to be found there, else two accounts would be taken for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from capability_router.address import fingerprint

_URLS = ("api_base", "base_url", "azure_endpoint", "endpoint", "endpoint_url", "api_url")
_KEYS = ("api_key", "aws_access_key_id", "profile_name", "token")
_AMONG_KEYWORDS = "additional_kwargs"  # LiteLLM's
_CLIENT_URLS = (
    "_api_client._http_options.base_url", "sdk_configuration.server_url", "_client_wrapper._base_url",
    "_config.endpoint",
)  # fmt: skip
_CLIENT_KEYS = (
    "api_key", "sdk_configuration.security.api_key", "_client_wrapper._token", "_config.credential.key",
)  # fmt: skip
"""In Google's client, Mistral's, Cohere's and Azure's; Anthropic's has its key under its own name."""
_OF_GOOGLE = ".googleapis.com"  # its client's own address, which says nothing that its class doesn't


def url_of(llm: Any) -> str:
    """The address that it calls, "" if that is only known to its package. A model may be named by its address."""
    found = (stated_url_of(llm), *_within(llm, _CLIENT_URLS), _as_address(getattr(llm, "model", None)))
    url = next((str(url) for url in found if url), "")
    return "" if _OF_GOOGLE in url else url


def stated_url_of(llm: Any) -> str:
    """The address that it was given, "" if it has its package's own."""
    return next((str(url) for url in _told(llm, _URLS) if url), "")


def credential_of(llm: Any) -> str:
    """The mark of its key, "" if it has none that can be seen."""
    found = (_shown(key) for key in (*_told(llm, _KEYS), *_within(llm, _CLIENT_KEYS)))
    return fingerprint(next((key for key in found if key), None))


def _told(llm: Any, names: tuple[str, ...]) -> Iterator[Any]:
    yield from (getattr(llm, name, None) for name in names)
    keywords = getattr(llm, _AMONG_KEYWORDS, None)
    if isinstance(keywords, Mapping):
        yield from (keywords.get(name) for name in names)


def _within(llm: Any, paths: tuple[str, ...]) -> Iterator[Any]:
    client = getattr(llm, "_client", None)
    for path in paths if client is not None else ():
        yield _followed(client, path)


def _followed(thing: Any, path: str) -> Any:
    for name in path.split("."):
        thing = getattr(thing, name, None)
    return thing


def _as_address(model: Any) -> str:
    return model if isinstance(model, str) and model.startswith(("http://", "https://")) else ""


def _shown(key: Any) -> str | None:
    secret = key.get_secret_value() if hasattr(key, "get_secret_value") else key
    return secret if isinstance(secret, str) else None
