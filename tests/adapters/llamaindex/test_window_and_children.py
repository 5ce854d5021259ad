"""What the router says of itself, and how entries become LLMs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from adapters.llamaindex.chat_server import ChatServer
from botocore.config import Config
from llama_index.core.base.llms.types import ChatMessage, LLMMetadata
from llama_index.core.indices.prompt_helper import PromptHelper
from llama_index.core.llms import CustomLLM, MockLLM
from llama_index.llms.openai import OpenAI
from llama_index.llms.openai_like import OpenAILike
from pydantic import PrivateAttr

from capability_router.catalog.card import ModelCard
from llamaindex_router import EndpointLLM, RouterLLM
from llamaindex_router.fleet.description import describe
from llamaindex_router.fleet.llm_fleet import prepared
from llamaindex_router.window import metadata_for


def told(windows: list[int | None], mode: Any = "auto", max_tokens: int | None = None) -> Any:
    cards = [ModelCard(id=str(i), context_window=w) for i, w in enumerate(windows)]
    return metadata_for("router", cards, {}, mode, max_tokens)


@pytest.mark.parametrize(
    ("windows", "mode", "expected"),
    [
        ([4_000, 128_000, 1_000_000], "auto", 128_000),
        ([4_000, 128_000], "auto", 4_000),
        ([8_000], "auto", 8_000),
        ([4_000, 8_000, 16_000, 32_000, 64_000], "auto", 16_000),
        ([4_000, 128_000], "min", 4_000),
        ([4_000, 128_000], "max", 128_000),
        ([8_000, 4_000, 128_000], "primary", 8_000),
        ([4_000, 128_000], 50_000, 50_000),
        ([None, 128_000], "auto", 128_000),
        ([None], "auto", 3_900),
    ],
)
def test_windows(windows: list[int | None], mode: Any, expected: int) -> None:
    assert told(windows, mode).context_window == expected


@pytest.mark.parametrize("mode", ["auto", "min", "max", "primary", 600])
@pytest.mark.parametrize("max_tokens", [None, 100])
def test_the_pair_always_leaves_room(mode: Any, max_tokens: int | None) -> None:
    metadata = told([4_096, 128_000], mode, max_tokens)
    helper = PromptHelper.from_llm_metadata(metadata)
    assert helper.context_window - helper.num_output > 0
    assert metadata.num_output == (max_tokens or {600: 150}.get(mode, min(1_024, metadata.context_window // 4)))


def test_the_output_belongs_to_the_same_model() -> None:
    cards = [ModelCard(id="a", context_window=8_000, output_reserve=6_000), ModelCard(id="b", context_window=10_000)]
    metadata = metadata_for("router", cards, {}, "min", None)
    assert (metadata.context_window, metadata.num_output) == (8_000, 6_000)


def test_min_warns_of_windows_far_apart(caplog: pytest.LogCaptureFixture) -> None:
    told([4_000, 128_000], "min")
    assert "several times as many calls" in caplog.text


def test_metadata_is_static(pair: RouterLLM) -> None:
    before = pair.metadata
    pair.chat([ChatMessage(content="hi")])
    assert pair.metadata is before


def test_small_prompts_go_to_small_models_and_large_ones_only_where_they_fit(
    child: Callable[..., Any], server: ChatServer
) -> None:
    small = (child("a", context_window=2_000), {"id": "small"})
    large = (child("b", context_window=64_000), {"id": "large"})
    llm = RouterLLM(models=[small, large], policy="single")
    assert llm.chat([ChatMessage(content="hi")]).additional_kwargs["router"]["model"] == "small"
    assert llm.chat([ChatMessage(content="word " * 5_000)]).additional_kwargs["router"]["model"] == "large"
    (refusal,) = llm.explain("word " * 5_000).refusals
    assert (refusal.model, refusal.rule) == ("small", "context_window")
    assert "2,000" in refusal.detail


def test_what_llms_say_of_themselves() -> None:
    llm = OpenAI(model="gpt-4o-mini", api_key="k", max_tokens=500)
    found = describe(llm)
    assert found is not None
    assert (found.fields["provider"], found.fields["model"]) == ("openai", "gpt-4o-mini")
    assert (found.fields["context_window"], found.fields["output_reserve"]) == (128_000, 500)
    assert found.fields["tool_calling"] is True
    assert found.address.base_url == "https://api.openai.com/v1"
    assert found.address.credential
    assert found.address.credential != "k"


def test_a_default_window_is_not_taken_for_a_fact() -> None:
    unstated = describe(OpenAILike(model="m", api_base="http://127.0.0.1:9/v1"))
    stated = describe(OpenAILike(model="m", api_base="http://127.0.0.1:9/v1", context_window=3_900))
    assert unstated is not None
    assert stated is not None
    assert (unstated.fields["context_window"], stated.fields["context_window"]) == (None, 3_900)


def test_text_only_llms_are_known_to_be_blind() -> None:
    assert isinstance(MockLLM(), CustomLLM)
    found = describe(MockLLM())
    assert found is not None
    assert found.fields["image_inputs"] is False
    assert describe(object()) is None


def test_a_name_that_metadata_does_not_know_is_no_error() -> None:
    found = describe(OpenAI(model="some-new-model", api_key="k"))
    assert found is not None
    assert found.fields["model"] == "some-new-model"


@pytest.mark.parametrize(
    ("package", "kind", "model"),
    [("openai", "OpenAI", "gpt-4o"), ("anthropic", "Anthropic", "claude-sonnet-4-0")],
)
def test_retries_are_off_on_a_copy_and_in_its_clients(package: str, kind: str, model: str) -> None:
    llm = getattr(pytest.importorskip(f"llama_index.llms.{package}"), kind)(model=model, api_key="k")
    if isinstance(llm, OpenAI):
        llm._get_client()
        llm._get_aclient()
    copied = prepared(llm, {"temperature": 0.3})
    assert (copied.max_retries, copied.temperature) == (0, 0.3)
    assert (copied._client.max_retries, copied._aclient.max_retries) == (0, 0)
    assert llm.max_retries > 0
    assert llm._client.max_retries > 0
    assert prepared(copied, {}) is copied


def test_names_use_the_integration_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "k")
    llm = RouterLLM(models=["openai:gpt-4o-mini", "groq:llama-3.3-70b"], api_key="k")
    kinds = [type(llm._core.children.get(name)) for name in llm.router.registry.entries]
    assert kinds == [OpenAI, EndpointLLM]
    assert next(iter(llm.router.registry.entries)) == "openai/gpt-4o-mini"


def test_a_provider_behind_a_gateway_keeps_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISTRAL_BASE_URL", "https://gw.example/v1")
    llm = RouterLLM(models=["mistral:mistral-large-latest"], api_key="k")
    child = llm._core.children.get("mistral/mistral-large-latest")
    assert isinstance(child, EndpointLLM)
    assert (child.base_url, child.description.fields["provider"]) == ("https://gw.example/v1", "mistral")


class Watching(MockLLM):
    """Says which window it was built with."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(context_window=9_000, num_output=300, model_name="watching")


def test_a_frameworks_own_windows_are_used() -> None:
    llm = RouterLLM(models=[Watching()])
    assert llm.metadata.context_window == 9_000
    assert llm.metadata.num_output == 1_024  # what eligibility keeps free, when that is more than the 300


@pytest.mark.parametrize(
    ("home", "name", "own", "expected"),
    [
        ("litellm.base", "additional_kwargs", {"user": "u"}, {"user": "u", "num_retries": 0}),
        ("litellm.base", "additional_kwargs", {"num_retries": 2}, {"num_retries": 2}),
        ("cohere.base", "additional_kwargs", {}, {"request_options": {"max_retries": 0}}),
        ("azure_inference.base", "model_kwargs", None, {"retry_total": 0}),
        ("another", "additional_kwargs", {"user": "u"}, {"user": "u"}),
    ],
)
def test_an_sdk_that_repeats_beside_its_integration_is_told_not_to(
    home: str, name: str, own: Any, expected: dict[str, Any]
) -> None:
    class Given(MockLLM):
        additional_kwargs: dict[str, Any] | None = None
        model_kwargs: dict[str, Any] | None = None

    kind = type("Given", (Given,), {"__module__": f"llama_index.llms.{home}"})
    llm = kind()
    setattr(llm, name, own)
    assert getattr(prepared(llm, {}), name) == expected
    assert getattr(llm, name) == own


def test_clients_of_aws_send_once() -> None:
    class Given(MockLLM):
        max_retries: int = 3
        aws_access_key_id: str = "one"
        endpoint_url: str = "http://here"
        _client: Any = PrivateAttr(default=None)
        _config: Any = PrivateAttr(default=None)

    llm = Given()
    llm._client = boto3.client("bedrock-runtime", region_name="x", aws_access_key_id="a", aws_secret_access_key="b")
    llm._config = Config(retries={"max_attempts": 4})
    copied = prepared(llm, {})
    assert copied._client._endpoint is not llm._client._endpoint
    assert copied._config.retries == {"total_max_attempts": 1}
    assert llm._config.retries == {"max_attempts": 4}
    assert prepared(Given(), {})._client is None
    another = Given()
    another.aws_access_key_id = "two"
    told, other = describe(llm), describe(another)
    assert told is not None
    assert other is not None
    assert told.address.base_url == "http://here"
    assert told.address.credential != other.address.credential
    llm._client.close()
