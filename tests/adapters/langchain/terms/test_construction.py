"""How a ChatRouter is made, and what it says of itself."""

from __future__ import annotations

import pytest
from fakes import Scripted
from langchain_core.messages import HumanMessage
from langchain_core.runnables import ConfigurableField
from langchain_openai import ChatOpenAI
from openai_server import Server
from routers import add, router

from langchain_router import AllCandidatesFailed, ChatEndpoint, ChatRouter, ConfigError


def test_bad_construction_says_what_to_change() -> None:
    with pytest.raises(ConfigError, match="models"):
        ChatRouter(models=[])
    with pytest.raises(ConfigError, match=r"must be a list, got a Scripted; write models=\[...\]"):
        ChatRouter(models=Scripted())
    with pytest.raises(ConfigError, match="policy"):
        ChatRouter(models=[Scripted()], polcy="single")
    with pytest.raises(ConfigError, match="cache"):
        ChatRouter(models=[Scripted()], cache=True)
    with pytest.raises(ConfigError, match="router="):
        ChatRouter(models=[Scripted()], router=router(Scripted()).router)


def wrong(**keywords: object) -> str:
    with pytest.raises(ConfigError) as caught:
        ChatRouter(**keywords)
    return str(caught.value)


def test_a_keyword_that_stood_on_the_model_before_says_where_it_goes() -> None:
    models = [ChatOpenAI(model="m", api_key="k")]
    assert "did you mean 'temperature'?" in wrong(models=models, temprature=0)
    assert "did you mean 'models'?" in wrong(model="gpt-5.4")
    assert "did you mean 'models'?" in wrong(modles=models)
    for name in ("top_p", "seed", "base_url", "model_kwargs"):
        told = wrong(models=models, **{name: 1})
        assert f"it is a setting of ChatOpenAI: give it to the model, or bind it: llm.bind({name}=...)" in told
    told = wrong(models=["openai:gpt-5.4"], top_p=1)
    assert "If it is a setting of a model, give it to the model" in told
    assert "belongs in policy" in wrong(models=models, quality_target=0.9)
    told = wrong(models=["openai:gpt-5.4"], seed=1)
    assert told.endswith("or bind it: llm.bind(seed=...); that of the router: policy: {seed: ...}")
    with pytest.raises(ConfigError, match="did you mean 'max_tokens'"):
        ChatRouter.from_config({"models": models}, max_token=3)


def test_a_wrapped_model_among_the_models_says_what_to_give_in_its_place() -> None:
    model = Scripted()
    for wrapped in (model.bind(stop=["x"]), model.bind_tools([add]), model.with_config(tags=["t"]), model.with_retry()):
        for entry in (wrapped, {"model": wrapped}, (wrapped, {"quality": 0.5})):
            assert "give the Scripted in it" in wrong(models=[entry])
    told = wrong(models=[model.with_fallbacks([Scripted()])])
    assert "list the models in it one by one" in told
    assert "give the" not in told
    assert "can't be routed to; an entry is" in wrong(models=[object()])


def test_a_class_or_a_model_of_another_kind_says_what_to_give_in_its_place() -> None:
    from langchain_openai import OpenAI as Completing
    from llama_index.llms.openai import OpenAI

    assert "models[0] is the class Scripted, which can't be routed to; give a model: Scripted(...)" in wrong(
        models=[Scripted]
    )
    assert "LlamaIndex's LLMs are for RouterLLM" in wrong(models=[OpenAI(model="gpt-5.4", api_key="k")])
    assert "give the chat model of its package" in wrong(models=[Completing(model="gpt-5.4", api_key="k")])


def test_a_router_is_shared_and_built_from_a_config(server: Server) -> None:
    config = {"models": [{"id": "m", "endpoint": {"base_url": server.url, "model": "ok-m"}}], "policy": "cheapest"}
    model = ChatRouter.from_config(config, temperature=0.2)
    assert model.invoke("hi").content == "a b c"
    assert server.seen[-1][1]["temperature"] == 0.2
    again = ChatRouter(router=model.router)
    again.invoke("hi")
    assert len(model.router.ledger.calls()) == 2


def test_tools_that_read_a_models_name_find_one_that_is_no_real_models() -> None:
    model = router(ChatOpenAI(model="gpt-5.4", api_key="k"))
    assert (model.model, model.model_name) == ("router", "router")
    assert model._get_ls_params()["ls_model_name"] == "router"
    assert model._get_ls_params(model="gpt-5.4")["ls_model_name"] == "gpt-5.4"
    assert not {"model", "model_name"} & {*type(model).model_fields, *model.model_dump()}
    with pytest.raises(AttributeError, match="model"):
        model.model = "gpt-5.4"


def test_its_name_is_its_routers_and_its_runs() -> None:
    """Spans, metrics, records and `status` tell routers apart by it."""
    made = ChatRouter(models=[Scripted()], name="shop")
    assert (made.name, made.get_name(), made.router.name) == ("shop", "shop", "shop")
    configured = ChatRouter.from_config({"name": "file", "models": []}, models=[Scripted()], name="keyword")
    assert (configured.name, configured.router.name) == ("keyword", "keyword")
    assert ChatRouter(router=made.router, name="another run").router.name == "shop"
    assert ChatRouter(models=[Scripted()]).router.name == "router"


def test_attempts_of_a_shared_router_are_not_changed_unnoticed() -> None:
    made = ChatRouter(models=[Scripted()], max_retries=1)
    assert ChatRouter(router=made.router, max_retries=1).max_retries == 1
    with pytest.raises(ConfigError, match="max_retries"):
        ChatRouter(router=made.router, max_retries=0)
    both = ChatRouter(models=[Scripted()], max_retries=1, retry={"attempts": 3})
    assert ChatRouter(router=both.router, max_retries=both.max_retries).max_retries == 2
    configurable = made.configurable_fields(max_retries=ConfigurableField(id="again"))
    assert configurable.invoke("x").content == "a b c"
    with pytest.raises(ConfigError, match="max_retries"):
        configurable.with_config(configurable={"again": 0}).invoke("x")


def test_retries_are_counted_as_models_read_them_and_others_are_told() -> None:
    made = ChatRouter(models=[Scripted()], max_retries="2")  # as it comes from the environment
    assert (made.max_retries, made.router.settings.retry.attempts) == (2, 3)
    for given in (-1, 1.5, "two", 20):
        with pytest.raises(ConfigError, match="max_retries must be a whole number from 0 to 19, got"):
            ChatRouter(models=[Scripted()], max_retries=given)


def test_another_thing_in_the_place_of_a_router_is_told() -> None:
    with pytest.raises(ConfigError, match=r"takes a capability_router.Router, got a str; .*from_config"):
        ChatRouter(router="router.yaml")  # type: ignore[arg-type]  # a mistake
    with pytest.raises(ConfigError, match=r"got a ChatRouter; .* is its \.router"):
        ChatRouter(router=ChatRouter(models=[Scripted()]))  # type: ignore[arg-type]  # a mistake


def test_secrets_are_nowhere() -> None:
    child = ChatEndpoint(base_url="http://127.0.0.1:9/v1", model="m", api_key="sk-secret")
    model = ChatRouter(models=[child], api_key="sk-other")
    with pytest.raises(AllCandidatesFailed) as caught:
        model.invoke("hi")
    texts = [repr(model), str(model), repr(model.router), repr(model.fleet), str(model.asdict()), str(caught.value)]
    texts += [repr(child) for _, child in model.fleet]
    assert not any("sk-" in text for text in texts)


def test_profile_promises_what_every_model_can() -> None:
    model = router(
        (Scripted(name_="x"), {"tool_calling": True, "structured_output": True, "max_input_tokens": 1000}),
        (Scripted(name_="y"), {"tool_calling": True, "structured_output": False, "max_input_tokens": 500}),
    )
    assert model.profile == {"tool_calling": True, "structured_output": False, "max_input_tokens": 500}


def test_token_ids_are_the_first_models() -> None:
    class Lettered(Scripted):
        def get_token_ids(self, text: str) -> list[int]:
            return [ord(letter) for letter in text]

    assert router(Lettered(name_="x"), Scripted(name_="y")).get_token_ids("ab") == [97, 98]
    own = ChatRouter(models=[Scripted()], custom_get_token_ids=lambda text: [len(word) for word in text.split()])
    assert (own.get_token_ids("one three"), own.get_num_tokens("one three")) == ([3, 5], 2)


def test_tokens_are_counted_without_a_download() -> None:
    assert 5 < router(Scripted()).get_num_tokens("one two three four five six seven") < 12
    assert router(Scripted()).get_num_tokens_from_messages([HumanMessage("hello")], tools=[add]) > 20


def test_importing_the_package_loads_no_framework() -> None:
    import subprocess
    import sys

    code = "import sys, langchain_router; print('langchain_core' in sys.modules, 'pydantic' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own
    assert ran.stdout == "False False\n"


@pytest.mark.parametrize(
    ("word", "value"), [("timeout", -1), ("timeout", float("nan")), ("max_tokens", -1), ("max_tokens", 0)]
)
def test_a_limit_that_is_none_is_refused_at_once(word: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"(?s){word}.*greater than 0"):
        router(Scripted(), **{word: value})
