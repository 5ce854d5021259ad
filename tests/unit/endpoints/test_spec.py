from __future__ import annotations

from typing import Any

import pytest

from capability_router.address import fingerprint
from capability_router.endpoints.openai_compatible import OpenAICompatible, client_for
from capability_router.endpoints.providers import ALIASES, PROVIDERS, known, spec_for
from capability_router.endpoints.spec import EndpointSpec, Secret
from capability_router.endpoints.timeouts import ClientTimeouts
from capability_router.errors import ConfigError

URL = "https://llm.example/v1"


class SecretStr:
    def get_secret_value(self) -> str:
        return "k-1"


@pytest.mark.parametrize("key", ["k-1", Secret("k-1"), SecretStr(), lambda: "k-1", " k-1\n"])
def test_a_key_may_be_a_string_a_secret_or_a_callable(key: Any) -> None:
    assert EndpointSpec(URL, "m", key).key() == "k-1"


def test_the_same_key_is_the_same_account() -> None:
    one, same, other = (EndpointSpec(URL, "m", key).address for key in ("k-1", SecretStr(), "k-2"))
    assert one == same == (URL, "m", fingerprint("k-1"), "")
    assert one != other


def test_accounts_are_told_apart_by_headers_and_callables_too() -> None:
    names = ("Api-Key", "X-Goog-Api-Key", "X-Team-Token")
    by_header = [EndpointSpec(URL, "m", headers={name: key}).address for name in names for key in (f"{name}a", "b")]
    by_callable = [EndpointSpec(URL, "m", key).address for key in (lambda: "a", lambda: "b")]
    assert len({*by_header, *by_callable}) == 6  # the key alone counts, not where it stands


def test_no_key_has_no_fingerprint() -> None:
    assert EndpointSpec(URL, "m").address.credential == ""
    assert EndpointSpec(URL, "m", "").key() is None


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "k-9\n")
    assert EndpointSpec(URL, "m", api_key_env="SOME_KEY").key() == "k-9"


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_variable_is_named_when_the_endpoint_is_built(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("SOME_KEY", value)
    spec = EndpointSpec(URL, "gpt-x", api_key_env="SOME_KEY")
    with pytest.raises(ConfigError, match=r"'gpt-x'.*SOME_KEY.*not set"):
        OpenAICompatible(spec)


def test_a_given_key_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    assert EndpointSpec(URL, "m", "k-1", "SOME_KEY").key() == "k-1"


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ({"base_url": URL, "model": "m", "api_key_evn": "X"}, r"'a/b'.*'api_key_evn'.*did you mean 'api_key_env'"),
        ({"base_url": URL, "model": "m", "zzz": 1}, r"'zzz'.*known: base_url"),
        ({"model": "m"}, r"'a/b'.*base_url"),
        ({"base_url": URL}, r"needs `model`"),
        ({"base_url": "llm.example/v1", "model": "m"}, r"http"),
        ({"base_url": "ftp://llm.example", "model": "m"}, r"http"),
        ({"base_url": "https://u:pw@llm.example", "model": "m"}, r"api_key or headers"),
        ({"base_url": "https://llm.example:99999/v1", "model": "m"}, r"not a URL"),
        ({"base_url": "https://llm.exa mple/v1", "model": "m"}, r"base_url"),
        ({"base_url": URL, "model": "m", "headers": ["x"]}, r"headers"),
        ({"base_url": URL, "model": "m", "headers": {"a b": "x"}}, r"'a b'"),
        ({"base_url": URL, "model": "m", "timeouts": {"conect": 1}}, r"'conect'.*connect"),
        ({"base_url": URL, "model": "m", "timeouts": {"connect": 0}}, r"timeouts.connect.*above 0"),
        ({"base_url": URL, "model": "m", "timeouts": float("nan")}, r"timeouts.total"),
        ({"base_url": URL, "model": "m", "timeouts": True}, r"timeouts.total"),
        ({"base_url": URL, "model": "m", "api_key": 7}, r"api_key"),
    ],
)
def test_what_cannot_work_is_refused(mapping: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        EndpointSpec.parse(mapping, owner="a/b")
    assert "pw" not in str(caught.value)


def test_a_mapping_is_parsed_and_null_means_unsaid() -> None:
    spec = EndpointSpec.parse({"base_url": f"{URL}/", "timeouts": {"connect": 2}, "headers": None}, model="m")
    assert (spec.base_url, spec.model, spec.timeouts) == (URL, "m", ClientTimeouts(connect=2.0))
    assert EndpointSpec.parse(spec) is spec


def test_what_is_no_mapping_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be a mapping"):
        EndpointSpec.parse("https://x")  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize(
    ("base_url", "port", "target"),
    [
        (URL, 443, b"/v1/chat/completions"),
        (f"{URL}/chat/completions", 443, b"/v1/chat/completions"),
        ("http://127.0.0.1:81", 81, b"/chat/completions"),
        (f"{URL}?api-version=3", 443, b"/v1/chat/completions?api-version=3"),
        ("https://llm.example/a b/v1".replace(" ", "%20"), 443, b"/a%20b/v1/chat/completions"),
        ("http://[::1]:81/v1", 81, b"/v1/chat/completions"),
    ],
)
def test_the_url_of_the_calls(base_url: str, port: int, target: bytes) -> None:
    client = OpenAICompatible(EndpointSpec(base_url, "m"))
    assert (client.url.port, client.url.target) == (port, target)


def test_a_foreign_host_name_is_encoded() -> None:
    assert OpenAICompatible(EndpointSpec("https://bücher.example/v1", "m")).server.host == "xn--bcher-kva.example"
    with pytest.raises(ConfigError, match="host name"):
        client_for({"base_url": f"https://{'ü' * 80}.example/v1"}, owner="a/b", model="m")


def test_a_calls_limits_go_before_the_endpoints() -> None:
    assert ClientTimeouts(connect=1, total=9).under(ClientTimeouts(None, 2, None, None)) == ClientTimeouts(
        1, 2, None, 9
    )
    assert ClientTimeouts().under(None) == ClientTimeouts()


def test_known_providers() -> None:
    assert all(known(name) for name in (*PROVIDERS, *ALIASES))
    assert known("Google-GenAI") == PROVIDERS["google"]
    assert known("nobody") is None
    spec = spec_for("ollama:llama3.2:3b")
    assert (spec.base_url, spec.model, spec.key()) == ("http://127.0.0.1:11434/v1", "llama3.2:3b", None)
    assert spec_for("groq:x").api_key_env == "GROQ_API_KEY"
    assert spec_for("groq:x", api_key="k").key() == "k"


@pytest.mark.parametrize(
    ("name", "variables", "url"),
    [
        ("openai:m", {"OPENAI_BASE_URL": " https://gw.example/v1/ "}, "https://gw.example/v1"),
        ("openai:m", {"OPENAI_BASE_URL": "https://two.example", "OPENAI_API_BASE": "https://o.example"}, "https://o.example"),
        ("openai:m", {"OPENAI_BASE_URL": " ", "OPENAI_API_BASE": ""}, "https://api.openai.com/v1"),
        ("groq:m", {"GROQ_BASE_URL": "https://gw.example/groq"}, "https://gw.example/groq/openai/v1"),
        ("mistralai:m", {"MISTRAL_BASE_URL": "https://gw.example/v1"}, "https://gw.example/v1"),
        ("xai:m", {"OPENAI_BASE_URL": "https://gw.example/v1"}, "https://api.x.ai/v1"),
    ],
)  # fmt: skip
def test_a_gateway_is_taken_from_the_variables_of_the_providers_own_clients(
    name: str, variables: dict[str, str], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in {each for row in PROVIDERS.values() for each in row.elsewhere}:
        monkeypatch.delenv(variable, raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    assert spec_for(name).base_url == url


def test_a_gateway_that_is_no_url_is_told_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSEEK_API_BASE", "https://user:secret@gw.example")
    with pytest.raises(ConfigError, match=r"'deepseek:m'.* variable DEEPSEEK_API_BASE: .*base_url") as caught:
        spec_for("deepseek:m")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "told"), [("opnai:x", "openai"), ("openai", "provider:model"), ("zzzz:x", "known: openai")]
)
def test_an_unknown_provider_is_told(name: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        spec_for(name)
