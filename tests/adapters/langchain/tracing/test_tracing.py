"""The tree of runs: one chain run per request, one child per attempt, usage and tokens once."""

from __future__ import annotations

import httpx
import pytest
from fakes import Recorder, Scripted, metadata
from langchain_core.callbacks import UsageMetadataCallbackHandler, get_usage_metadata_callback
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tracers.schemas import Run

from langchain_router import AllCandidatesFailed, ChatRouter, NoEligibleModel, routing

LLM_ERROR, LLM = ("llm", "Scripted", "error", []), ("llm", "Scripted", "", [])
TOTAL = {"input_tokens": 10, "output_tokens": 3, "total_tokens": 13}


def router(*models: Scripted, **settings: object) -> ChatRouter:
    return ChatRouter(models=list(models), policy="single", **settings)


def failing_then_good() -> ChatRouter:
    return router(Scripted(name_="x", script=[httpx.ConnectError("no route")]), Scripted(name_="y"))


@pytest.mark.parametrize("verb", ["invoke", "stream", "ainvoke", "astream", "v3", "av3"])
async def test_one_chain_run_with_one_child_per_attempt(verb: str) -> None:
    tracer, usage = Recorder(), UsageMetadataCallbackHandler()
    await call(failing_then_good(), verb, {"callbacks": [tracer, usage], "metadata": {"user": "u"}})
    children = [LLM_ERROR, LLM]
    assert tracer.tree() == [("chain", "ChatRouter", "", children)]
    (root,) = tracer.roots
    first, second = root.child_runs
    told = metadata(root)
    assert told["router_model"] == "fake/y"
    assert told["router_attempts"] == 2
    assert told["router_fallback"] is True
    assert told["router_faults"] == "1 fake/x: connection"
    assert told["user"] == "u"
    assert not any(key.startswith("ls_") for key in told if key != "ls_integration")
    assert "usage_metadata" not in told
    assert "total_cost" not in told
    assert metadata(first)["router_attempt"] == 1
    assert metadata(first)["ls_model_name"] == "x"
    assert metadata(second)["router_after"] == "connection"
    assert metadata(second)["ls_model_name"] == "y"
    assert usage.usage_metadata == {"y": TOTAL}


async def call(model: ChatRouter, verb: str, config: dict) -> None:
    if verb == "invoke":
        model.invoke("hi", config)
    elif verb == "stream":
        list(model.stream("hi", config))
    elif verb == "ainvoke":
        await model.ainvoke("hi", config)
    elif verb == "astream":
        [c async for c in model.astream("hi", config)]
    elif verb == "v3":
        assert model.stream_events("hi", config, version="v3").output.text == "a b c"
    else:
        assert (await (await model.astream_events("hi", config, version="v3"))).text == "a b c"


def test_the_runs_of_a_chain_hang_below_it() -> None:
    chain = ChatPromptTemplate.from_template("{x}") | failing_then_good() | StrOutputParser()
    tracer = Recorder()
    with get_usage_metadata_callback() as usage:
        assert chain.invoke({"x": "hi"}, {"callbacks": [tracer], "run_name": "summariser"}) == "a b c"
    (root,) = tracer.tree()
    assert root[:2] == ("chain", "summariser")
    assert [c[1] for c in root[3]] == ["ChatPromptTemplate", "ChatRouter", "StrOutputParser"]
    assert root[3][1][3] == [LLM_ERROR, LLM]
    assert usage.usage_metadata == {"y": TOTAL}


def test_a_call_is_booked_under_its_chain_and_tags() -> None:
    model = router(Scripted())
    chain = ChatPromptTemplate.from_template("{x}") | model
    chain.invoke({"x": "hi"}, {"callbacks": [Recorder()], "run_name": "summariser", "tags": ["nightly"]})
    assert model.router.ledger.total(by=("chain", "tag")).keys() == {("summariser", "nightly")}


@pytest.mark.parametrize("terms", [{}, {"deny": ["fake/y"]}], ids=["answered", "refused"])
def test_the_run_says_for_whom_it_was(terms: dict) -> None:
    tracer = Recorder()
    try:
        with routing(tenant="acme", task="summarise", tags=["nightly"], **terms):
            router(Scripted(name_="y")).invoke("hi", {"callbacks": [tracer], "tags": ["blue"]})
    except NoEligibleModel:
        assert terms
    told = metadata(tracer.roots[0])
    assert (told["router_tenant"], told["router_task"], told["router_tags"]) == ("acme", "summarise", "nightly, blue")


def test_nothing_is_said_of_terms_that_are_not_set() -> None:
    tracer = Recorder()
    router(Scripted(name_="y")).invoke("hi", {"callbacks": [tracer]})
    assert not {"router_tenant", "router_task", "router_tags"} & metadata(tracer.roots[0]).keys()


def test_tokens_are_seen_once() -> None:
    tracer = Recorder()
    list(router(Scripted()).stream("hi", {"callbacks": [tracer]}))
    assert "".join(tracer.tokens) == "a b c"


async def test_v2_events_give_each_token_once() -> None:
    events = [e async for e in failing_then_good().astream_events("hi", version="v2")]
    tokens = [e["data"]["chunk"].content for e in events if e["event"] == "on_chat_model_stream"]
    assert "".join(tokens) == "a b c"
    ends = [e for e in events if e["event"] == "on_chat_model_end"]
    assert len(ends) == 1


def test_constructor_callbacks_tags_and_metadata_reach_the_models() -> None:
    tracer = Recorder()
    router(Scripted(), callbacks=[tracer], tags=["nostream"], metadata={"team": "t"}).invoke("hi")
    (root,) = tracer.roots
    assert root.child_runs[0].tags == ["nostream"]
    assert metadata(root.child_runs[0])["team"] == "t"


def test_run_name_and_run_id_are_the_routers_own() -> None:
    import uuid

    tracer, id = Recorder(), uuid.uuid4()
    router(Scripted()).invoke("hi", {"callbacks": [tracer], "run_name": "mine", "run_id": id})
    assert tracer.roots[0].name == "mine"
    assert tracer.roots[0].id == id
    assert tracer.roots[0].child_runs[0].name == "Scripted"


def test_a_failure_ends_the_run_with_its_facts() -> None:
    tracer = Recorder()
    with pytest.raises(AllCandidatesFailed):
        router(Scripted(script=[httpx.ConnectError("x")]), retry={"attempts": 1}).invoke("hi", {"callbacks": [tracer]})
    assert tracer.tree() == [("chain", "ChatRouter", "error", [LLM_ERROR])]
    assert metadata(tracer.roots[0])["router_faults"].endswith("connection")


def test_a_refused_request_is_visible_with_its_reasons() -> None:
    tracer, terms = Recorder(), {"router": {"deny": ["fake/scripted"]}}
    with pytest.raises(NoEligibleModel):
        router(Scripted()).invoke("hi", {"callbacks": [tracer], "configurable": terms})
    assert tracer.tree() == [("chain", "ChatRouter", "error", [])]
    assert "denied" in metadata(tracer.roots[0])["router_refusals"]


@pytest.mark.parametrize("rule", ["deny", "allow", "capability"])
def test_the_facts_stay_small_however_many_models_are_refused(rule: str) -> None:
    names = [f"model-with-a-rather-long-name-{i:02}" for i in range(51)]
    others = [f"fake/{name}" for name in names[1:]]
    models = [(Scripted(name_=name), {"tool_calling": name == names[0]}) for name in names]
    model, tracer = ChatRouter(models=models, policy="single"), Recorder()
    terms = {"deny": {"deny": others}, "allow": {"allow": ["fake/" + names[0]]}}.get(rule, {})
    config = {"callbacks": [tracer], "configurable": {"router": terms}}
    (model.bind_tools([_tool]) if rule == "capability" else model).invoke("hi", config)
    told = metadata(tracer.roots[0])
    assert told["router_model"] == "fake/" + names[0]
    assert told["router_refused"] == 50
    shown = told["router_refusals"].split("; ")
    assert 10 < len(shown) < 51
    assert shown[0].startswith("fake/" + names[1])
    assert shown[-1] == f"and {50 - (len(shown) - 1)} more"
    assert sum(len(str(value)) for key, value in told.items() if key.startswith("router_")) < 3_000


def test_one_long_reason_is_cut() -> None:
    tracer, model = Recorder(), router(Scripted(name_="a"), Scripted(name_="b"))
    terms = {"router": {"allow": ["fake/a"], "data": {"regions": [f"region-{i}" for i in range(200)]}}}
    with pytest.raises(NoEligibleModel):
        model.invoke("hi", {"callbacks": [tracer], "configurable": terms})
    first, second = metadata(tracer.roots[0])["router_refusals"].split("; ")
    assert first.endswith("…")
    assert len(first) == 200
    assert second == "fake/b: allow: not among the allowed: fake/a"


def _tool(x: int) -> int:
    """A tool."""
    return x


def test_leaving_a_stream_early_closes_the_runs() -> None:
    tracer = Recorder()
    stream = router(Scripted()).stream("hi", {"callbacks": [tracer]})
    next(stream)
    stream.close()
    assert tracer.tree() == [("chain", "ChatRouter", "error", [LLM_ERROR])]
    assert "GeneratorExit" in (tracer.roots[0].error or "")


def test_langsmith_context_of_a_child_is_the_routers_run() -> None:
    from langchain_core.runnables import RunnableLambda
    from langchain_core.runnables.config import var_child_runnable_config

    seen = []

    class Looking(Scripted):
        def _generate(self, *args, **kwargs):
            config = var_child_runnable_config.get()
            seen.append(config["callbacks"].parent_run_id)
            RunnableLambda(lambda x: x).invoke(1)
            return super()._generate(*args, **kwargs)

    tracer = Recorder()
    router(Looking()).invoke("hi", {"callbacks": [tracer]})
    assert seen == [tracer.roots[0].id]
    assert {c.name for c in tracer.roots[0].child_runs} == {"Looking", "RunnableLambda"}


async def test_listeners_are_given_the_routers_chain_run() -> None:
    runs: list[Run] = []
    model = ChatRouter(models=[Scripted()]).with_listeners(on_end=runs.append)
    model.invoke("x")
    await model.ainvoke("x")
    list(model.stream("x"))
    assert len(runs) == 3
    for run in runs:
        assert (run.run_type, list(run.outputs or {})) == ("chain", ["messages"])
        assert run.metadata["router_model"] == "fake/scripted"
        assert [(child.run_type, child.name) for child in run.child_runs] == [("chat_model", "Scripted")]
