"""How a deployment's calls are made here: `model: provider:name`, or an `endpoint` with its key's variable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from capability_router.migration.note import ImportNotes
from capability_router.migration.provider import ModelName, ProviderAccess, own_keys, provider_access
from capability_router.migration.remarks import AUTO
from capability_router.migration.source import Place
from capability_router.migration.variables import Variables, is_reference, named, put

Params = Mapping[str, Any]
Fields = dict[str, Any]
_AZURE = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
_OAUTH = ("azure_ad_token", "azure_ad_token_provider", "tenant_id", "client_id", "client_secret", "azure_username")
_VERSION = re.compile(r"^[\w.-]{1,40}$")
_PUBLIC = frozenset({
    "anthropic-beta", "anthropic-version", "http-referer", "x-title", "user-agent", "editor-version", "content-type",
    "accept", "openai-beta",
})  # fmt: skip
"""Headers that hold no secrets."""
PACKAGES = {
    "bedrock_converse": "langchain-aws; region and account come from AWS' own variables (AWS_REGION, AWS_PROFILE, ...)",
    "google_vertexai": "langchain-google-vertexai; project and place come from GOOGLE_CLOUD_PROJECT, "
    "GOOGLE_CLOUD_LOCATION and GOOGLE_APPLICATION_CREDENTIALS",
}
"""Our provider -> the package that it needs, and where that package finds its account."""


class EndpointResolver:
    """Finds out how calls are made; adds to `notes` what it could not keep."""

    def __init__(self, notes: ImportNotes, variables: Variables) -> None:
        self._notes, self._variables = notes, variables

    def source(self, name: ModelName, params: Params, place: Place, label: str) -> Fields | None:
        """The entry's `model` or `endpoint`; None = it can't be reached from here, which is reported."""
        found = provider_access(name.provider)
        if found is None:
            self._unreachable(name, place)
            return None
        if name.provider in ("azure", "azure_ai"):
            return self._azure(name, params, place, label)
        base = params.get("api_base") or params.get("base_url")
        if found.own_protocol and base:
            self._notes.left_out(
                (*place, "api_base"), f"an address of one's own for {name.provider}'s API can't be named in a file",
                "give its model object in code: models=[ChatModel(base_url=...), ...]",
            )  # fmt: skip
            return None
        return self._found(found, name, params, base, place, label)

    def _unreachable(self, name: ModelName, place: Place) -> None:
        if not name.provider:
            self._notes.left_out((*place, "model"), "its name tells no provider", "write provider/model")
            return
        if name.provider == "auto_router":
            self._notes.left_out((*place, "model"), *AUTO)
            return
        self._notes.left_out(
            (*place, "model"), "no client here reaches this provider by its name",
            "give its LangChain or LlamaIndex object in code, or the address of its Chat Completions as "
            "`endpoint: {base_url, model, api_key_env}`",
        )  # fmt: skip

    def _found(
        self, found: ProviderAccess, name: ModelName, params: Params, base: Any, place: Place, label: str
    ) -> Fields | None:  # fmt: skip
        url = self._url(base, (*place, "api_base"), found.path) if base else found.base_url
        key = self._key(params, place, found, label)
        headers = self._headers(params, place)
        default = not base or url.rstrip("/") == found.base_url
        if found.ours and default and not headers and (not key or key in own_keys(found.ours)):
            return self._by_name(found, name, place)
        if not url:
            todo = "set the address of its Chat Completions: endpoint: {base_url: ...}"
            self._notes.left_out((*place, "model"), "nothing tells where this model is", todo)
            return None
        if found.own_protocol:
            self._notes.differs(
                (*place, "api_key" if found.ours else "model"),
                f"{name.provider} is called by Chat Completions here, without what only its own API has",
                f"set {own_keys(found.ours)[0]} for its own client" if found.ours else "",
            )  # fmt: skip
        endpoint: Fields = {"base_url": url, "model": put(name.model)}
        endpoint |= {"api_key_env": key or found.keys[0]} if key or (found.keys and default) else {}
        return {"endpoint": endpoint | ({"headers": headers} if headers else {})}

    def _by_name(self, found: ProviderAccess, name: ModelName, place: Place) -> Fields:
        ours = own_keys(found.ours)
        if found.keys and ours and found.keys[0] not in ours:
            self._notes.differs((*place, "model"), f"its key is looked for in {' or '.join(ours)}")
        package = PACKAGES.get(found.ours)
        if package:
            self._notes.add("to do", (*place, "model"), "it is called by its own package", f"install {package}")
        return {"model": f"{found.ours}:{put(_converse(name.model) if package else name.model)}"}

    def _azure(self, name: ModelName, params: Params, place: Place, label: str) -> Fields | None:
        odd = next((word for word in _OAUTH if params.get(word)), None)
        if odd is not None and not params.get("api_key"):
            self._notes.left_out(
                (*place, odd), "a file holds no token provider",
                "give AzureChatOpenAI(azure_ad_token_provider=...) in code",
            )  # fmt: skip
            return None
        base = params.get("api_base") or params.get("base_url") or "os.environ/AZURE_API_BASE"
        key = (
            self._key(params, place, provider_access(name.provider) or ProviderAccess(), label)
            or f"{name.provider.upper()}_API_KEY"
        )
        url = self._url(base, (*place, "api_base"))
        headers = self._headers(params, place)
        if not url:
            return None
        model = put(name.model)
        if "${" not in url and not str(urlsplit(url).hostname or "").endswith(_AZURE):
            return self._gateway(url, name, params, key, headers)
        if is_reference(base) or not params.get("api_base"):
            todo = "its value must end without a slash"
            self._notes.add("to do", (*place, "api_base"), "a path is put behind the variable", todo)
        if params.get("api_version"):
            self._notes.differs(
                (*place, "api_version"),
                "called at Azure's /openai/v1, which has no api-version and is kept up by Azure",
            )
        path = "" if url.endswith("/openai/v1") else "/openai/v1"
        endpoint: Fields = {"base_url": f"{url.partition('/openai/deployments')[0]}{path}", "model": model}
        return {"endpoint": endpoint | {"api_key_env": key} | ({"headers": headers} if headers else {})}

    def _gateway(self, url: str, name: ModelName, params: Params, key: str, headers: Fields) -> Fields:
        """A company's own gateway to Azure: the address that LiteLLM would call, with the key in Azure's header."""
        if name.provider == "azure_ai":
            endpoint: Fields = {"base_url": url, "model": put(name.model), "api_key_env": key}
            return {"endpoint": endpoint | ({"headers": headers} if headers else {})}
        stated = params.get("api_version")
        plain = isinstance(stated, str) and (named(stated) or _VERSION.match(stated))
        version = put(str(stated)) if plain else "2025-02-01-preview"
        base, query = url.partition("?")[0], f"?api-version={version}"
        if "/openai/deployments/" not in base:
            base = f"{base}/openai/deployments/{put(name.model)}"
        return {"endpoint": {
            "base_url": f"{base}{query}", "model": put(name.model), "headers": {"api-key": f"${{{key}}}", **headers},
        }}  # fmt: skip

    def _key(self, params: Params, place: Place, found: ProviderAccess, label: str) -> str | None:
        """The variable that holds the key: the one in the file, or the one to which a plain key must be moved."""
        value = params.get("api_key")
        known = named(value)
        if known is not None or not value or not isinstance(value, str):
            return known
        if value.strip().lower() in ("none", "null", "dummy", "fake-key", "not-needed", "no-key", "empty"):
            return None
        wanted = found.keys[0] if found.keys else f"{label}_API_KEY"
        return self._moved(value, wanted, (*place, "api_key"), "the key")

    def _moved(self, secret: str, wanted: str, place: Place, what: str) -> str:
        name = self._variables.name_for(secret, wanted)
        self._notes.add("secret", place, f"{what} stands in the file in plain, and was not copied", f"set {name} to it")
        return name

    def _headers(self, params: Params, place: Place) -> dict[str, str]:
        """Texts that may be secret become variables."""
        found: dict[str, str] = {}
        for block in ("extra_headers", "headers"):
            given = params.get(block)
            for name, value in given.items() if isinstance(given, Mapping) else ():
                plain, at = isinstance(value, (str, int)), (*place, block, str(name))
                if plain and (is_reference(value) or str(name).lower() in _PUBLIC):
                    found[str(name)] = put(str(value))
                elif plain:
                    found[str(name)] = f"${{{self._moved(str(value), str(name), at, 'a header')}}}"
        organization = params.get("organization")
        if isinstance(organization, str):
            found["OpenAI-Organization"] = put(organization)
        return found

    def _url(self, value: Any, place: Place, path: str = "") -> str:
        """The address without user, password and query; "" if it is invalid."""
        variable = named(value)
        if variable is not None:
            return f"${{{variable}}}{path}"
        text = str(value).strip() if isinstance(value, str) else ""
        try:
            parts = urlsplit(text)
            host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
        except ValueError:
            host = port = ""
        if not host or parts.scheme not in ("http", "https"):
            self._notes.left_out(place, "it is no address of the kind https://host/v1", "write one by hand")
            return ""
        odd = [name for name, _ in parse_qsl(parts.query) if name != "api-version"]
        if parts.username or parts.password or odd:
            why = "what the address holds beside host and path may be secret, and was not copied"
            self._notes.add("secret", place, why, "send it by `endpoint.headers`, from a variable")
        shown = f"[{host}]" if ":" in host else host
        base = f"{parts.scheme}://{shown}{port}{parts.path.rstrip('/')}".removesuffix("/chat/completions")
        return put(base if not path or base.endswith(path) else f"{base}{path}")


def as_endpoint(name: ModelName) -> Fields | None:
    """A model that is called by its provider's name, as an endpoint; None = that would be another API."""
    found = provider_access(name.provider)
    if found is None or found.own_protocol or not found.base_url:
        return None
    key = next(iter(own_keys(found.ours)), "")
    return {"base_url": found.base_url, "model": put(name.model)} | ({"api_key_env": key} if key else {})


def _converse(model: str) -> str:
    """Bedrock's routes before the name ("converse/...") state how LiteLLM calls it."""
    head, slash, rest = model.partition("/")
    return rest if slash and head in ("converse", "invoke", "converse_like") else model
