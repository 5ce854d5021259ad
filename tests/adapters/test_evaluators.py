"""Evaluators under both frameworks: their own classes, their real clients over loopback HTTP, blocking and awaited."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langsmith.evaluation import EvaluationResult, RunEvaluator, run_evaluator
from langsmith.schemas import Run
from llama_index.core.evaluation import AnswerRelevancyEvaluator, CorrectnessEvaluator
from llama_index.core.llms import ChatResponse, CompletionResponse
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from loopback.chat_server import USAGE, ChatServer, completion, piece, reply, sse
from pydantic import BaseModel

from capability_router import Request, Router
from capability_router.evaluation.answer import Answer
from capability_router.routing import EVALUATION_TAG
from capability_router.testing import assert_books_balanced
from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

ONCE = httpx.Limits(max_keepalive_connections=0)  # a connection is of one event loop, and tests have many
PRICE, CHEAP = {"input_mtok": 10, "output_mtok": 10}, {"input_mtok": 1, "output_mtok": 1}
CALL = {
    "content": None, "role": "assistant",
    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}],
}  # fmt: skip
FIT = {
    "content": None, "role": "assistant",
    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "Sum", "arguments": '{"total": 3}'}}],
}  # fmt: skip


class Sum(BaseModel):
    """A sum."""

    total: int


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


class Served:
    """A router over one server; `judge` is another model's server, for evaluators that ask the router."""

    def __init__(self, kind: str, way: str) -> None:
        self.chain, self.awaited = kind == "langchain", way == "awaited"
        self._http, self._ahttp = httpx.Client(), httpx.AsyncClient(limits=ONCE)
        self.answers, self.judge = ChatServer(reply(completion("42"))), ChatServer(reply(completion("1")))
        self.records: list[dict[str, Any]] = []
        self.router: Router | None = None

    def model(self, server: ChatServer) -> Any:
        if self.chain:
            return ChatOpenAI(
                model="m", api_key="k", base_url=server.base_url, http_client=self._http, http_async_client=self._ahttp,  # type: ignore[arg-type]  # a plain key is taken too
            )  # fmt: skip
        return self.llama(server)

    def llama(self, server: ChatServer) -> OpenAILike:
        clients = {"http_client": self._http, "async_http_client": self._ahttp}
        return OpenAILike(
            model="m", api_key="k", api_base=server.base_url, is_chat_model=True, context_window=9_000,
            is_function_calling_model=True, **clients,
        )  # fmt: skip

    def made(self, evaluator: Any, settings: Any = None, **evaluate: Any) -> Any:
        cards = [
            (self.model(server), {"id": id, "price": price, "max_output_tokens": 1_000})
            for id, server, price in (("main", self.answers, PRICE), ("judge", self.judge, CHEAP))
        ]
        kind, given = ChatRouter if self.chain else RouterLLM, {"policy": "single", **(settings or {})}
        llm: Any = kind(cards, evaluator=evaluator, evaluate={"share": 1.0, **evaluate}, **given)
        self.router = llm.router
        llm.router.add_sink(self)
        return llm

    def write(self, record: dict[str, Any]) -> None:
        self.records.append(record)

    def close(self) -> None:
        pass

    @property
    def scores(self) -> list[float]:
        return [row["score"] for row in self.records if row["kind"] == "feedback" and row["source"] == "evaluator"]

    async def ask(self, llm: Any, *given: Any, chain: str = "invoke", llama: str = "complete", **keywords: Any) -> None:
        """Call a method, read all that it gives, and have its answer evaluated."""
        name = chain if self.chain else llama
        if not self.awaited:
            await asyncio.to_thread(self._blocking, getattr(llm, name), given, keywords)
        else:
            got = getattr(llm, f"a{name}")(*given, **keywords)
            got = await got if not hasattr(got, "__aiter__") else got
            if hasattr(got, "__aiter__"):
                async for _ in got:
                    pass
        assert self.router is not None
        await self.router.aclose()

    def _blocking(self, method: Any, given: Any, keywords: Any) -> None:
        got = method(*given, **keywords)
        if "stream" in method.__name__:
            for _ in got:
                pass

    async def __aenter__(self) -> Served:
        return self

    async def __aexit__(self, *error: object) -> None:
        for server in (self.answers, self.judge):
            server.__exit__()
        self._http.close()
        await self._ahttp.aclose()


@pytest.fixture(params=["langchain", "llamaindex"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["blocking", "awaited"])
async def served(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    async with Served(kind, request.param) as made:
        yield made


def watching() -> tuple[list[tuple[Request, Answer]], Any]:
    seen: list[tuple[Request, Answer]] = []

    def judge(request: Request, answer: Answer) -> float:
        seen.append((request, answer))
        return 0.5

    return seen, judge


async def test_whole_answers(served: Served) -> None:
    seen, judge = watching()
    await served.ask(served.made(judge), "6 * 7?")
    ((request, answer),) = seen
    assert (request.texts, answer.text, answer.model) == (("6 * 7?",), "42", "main")
    assert isinstance(answer.value, AIMessage if served.chain else CompletionResponse)
    assert served.scores == [0.5]


async def test_streams(served: Served) -> None:
    served.answers.script = [sse(piece(""), piece("forty"), piece("-two"), piece(finish="stop"), USAGE)]
    seen, judge = watching()
    await served.ask(served.made(judge), "6 * 7?", chain="stream", llama="stream_complete")
    ((_, answer),) = seen
    assert (answer.text, answer.finish) == ("forty-two", "stop")
    assert answer.value.text == "forty-two"
    assert served.scores == [0.5]


async def test_tool_calls_are_told_as_json(served: Served) -> None:
    served.answers.script = [reply(completion(message=CALL, finish_reason="tool_calls"))]
    seen, judge = watching()
    llm = served.made(judge)
    if served.chain:
        await served.ask(llm.bind_tools([tool(add)]), "1 + 2?")
    else:
        await served.ask(llm, [FunctionTool.from_defaults(add)], user_msg="1 + 2?", llama="chat_with_tools")
    ((_, answer),) = seen
    assert json.loads(answer.text) == [{"name": "add", "args": {"a": 1, "b": 2}}]
    assert answer.tool_calls == 1
    assert isinstance(answer.value, AIMessage if served.chain else ChatResponse)


async def test_parsed_answers_are_told_as_json(served: Served) -> None:
    from llama_index.core.prompts import PromptTemplate

    served.answers.script = [reply(completion(message=FIT, finish_reason="tool_calls"))]
    seen, judge = watching()
    llm = served.made(judge)
    if served.chain:
        await served.ask(llm.with_structured_output(Sum, method="function_calling"), "1 + 2?")
    else:
        await served.ask(llm, Sum, PromptTemplate("1 + 2?"), llama="structured_predict")
    ((_, answer),) = seen
    assert (answer.value, answer.text) == (Sum(total=3), '{"total":3}')


async def test_an_evaluator_that_asks_the_same_router_is_booked_and_not_scored(served: Served) -> None:
    made: list[Any] = []

    def blocking(request: Request, answer: Answer) -> float:
        (llm,) = made
        given = llm.invoke(f"Good? {answer.text}", model="judge") if served.chain else llm.complete(answer.text)
        return float(given.text == "1")

    async def awaited(request: Request, answer: Answer) -> float:
        (llm,) = made
        given = await (llm.ainvoke("Good?", model="judge") if served.chain else llm.acomplete("Good?"))
        return float(given.text == "1")

    made.append(served.made(awaited if served.awaited else blocking))
    (llm,) = made
    for _ in range(2):
        await served.ask(llm, "6 * 7?")
    assert served.scores == [1.0 if served.chain else 0.0] * 2
    assert llm.router.ledger.total(by=("tag",))[(EVALUATION_TAG,)].calls == 2
    assert llm.router.ledger.total().calls == 4
    assert_books_balanced(llm.router)


async def test_both_answers_of_an_executed_shadow_are_scored(served: Served) -> None:
    shadow = {"name": "cheapest", "execute": 1.0, "budget_usd": 1}
    llm = served.made(lambda request, answer: answer.text == "42", {"shadow": shadow}, share=0.0)
    await served.ask(llm, "6 * 7?")
    assert served.scores == [1.0]
    (shadows,) = (row for row in served.records if row["kind"] == "shadow_score")
    (decided,) = (row for row in served.records if row["kind"] == "decision")
    assert (shadows["request_id"], shadows["score"]) == (decided["request_id"], 0.0)
    assert_books_balanced(llm.router)


async def test_an_answer_that_does_not_parse_is_a_sign_against_its_model(served: Served) -> None:
    from llama_index.core.prompts import PromptTemplate

    unfit = {
        **FIT,
        "tool_calls": [{**FIT["tool_calls"][0], "function": {"name": "Sum", "arguments": '{"total": "x"}'}}],
    }
    served.answers.script = [reply(completion(message=unfit, finish_reason="tool_calls"))]
    served.judge.script = [reply(completion(message=FIT, finish_reason="tool_calls"))]
    llm = served.made(None, {"policy": {"name": "weighted", "weights": {"cost": 0, "quality": 1}}})
    if served.chain:
        await served.ask(llm.with_structured_output(Sum, method="function_calling"), "1 + 2?")
    else:
        await served.ask(llm, Sum, PromptTemplate("1 + 2?"), llama="structured_predict")
    (sign,) = (row for row in served.records if row["kind"] == "sign")
    assert (sign["model"], sign["sign"], sign["source"]) == ("main", "unparsable", "implicit")


@pytest.mark.filterwarnings("ignore:.*beta")
async def test_events_of_a_v3_stream_have_their_text() -> None:
    async with Served("langchain", "awaited") as served:
        served.answers.script = [sse(piece(""), piece("forty"), piece("-two"), piece(finish="stop"), USAGE)]
        seen, judge = watching()
        llm = served.made(judge)
        stream = await llm.astream_events("6 * 7?", version="v3")
        async for _ in stream:
            pass
        await llm.router.aclose()
    ((_, answer),) = seen
    assert (answer.text, answer.value) == ("forty-two", None)


# -- their own evaluators -------------------------------------------------------------------------


class Exact(RunEvaluator):
    def evaluate_run(self, run: Run, example: Any = None, evaluator_run_id: Any = None) -> EvaluationResult:
        return EvaluationResult(key="exact", score=(run.outputs or {})["output"] == "42")


@run_evaluator
def short(run: Run, example: Any) -> dict[str, Any]:
    return {"key": "short", "score": len((run.outputs or {})["output"]) / 4}


@run_evaluator
async def asked(run: Run, example: Any) -> dict[str, Any]:
    await asyncio.sleep(0)
    return {"key": "asked", "score": run.inputs["input"] == "6 * 7?"}


@pytest.mark.parametrize(("evaluator", "score"), [(Exact(), 1.0), (short, 0.5), (asked, 1.0)], ids=str)
async def test_langsmiths_run_evaluators(
    served: Served, evaluator: Any, score: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    await served.ask(served.made(evaluator), "6 * 7?")
    assert served.scores == [score], served.router and served.router.evaluations()


@pytest.mark.parametrize(("said", "score"), [("4.5\nRight.", 1.0), ("1.0\nWrong.", 0.0)])
async def test_llamaindexs_correctness_evaluator_is_read_by_whether_it_passes(
    said: str, score: float, kind: str
) -> None:
    async with Served(kind, "awaited") as served:
        served.judge.script = [reply(completion(said))]
        evaluator = CorrectnessEvaluator(llm=served.llama(served.judge))
        await served.ask(served.made(evaluator), "6 * 7?")
        assert served.scores == [score]


async def test_llamaindexs_grades_with_their_scale(served: Served) -> None:
    served.judge.script = [reply(completion("4.0\nNearly."))]
    evaluator = CorrectnessEvaluator(llm=served.llama(served.judge))
    await served.ask(served.made(evaluator, scale=[1, 5]), "6 * 7?")
    assert served.scores == [0.75]


async def test_a_llamaindex_evaluator_over_the_router_that_it_scores_for() -> None:
    async with Served("llamaindex", "awaited") as served:
        served.answers.script = [reply(completion("42")), reply(completion("Fits.\n[RESULT] 2"))]
        evaluator = AnswerRelevancyEvaluator(llm=OpenAILike(model="m", api_key="k"))
        llm = served.made(evaluator)
        evaluator._llm = llm
        await served.ask(llm, "6 * 7?")
        assert served.scores == [1.0]
        assert llm.router.ledger.total(by=("tag",))[(EVALUATION_TAG,)].calls == 1


class Likeness:
    """As langchain_classic's StringEvaluator, which is no dependency of anything here."""

    requires_reference = False

    def evaluate_strings(self, *, prediction: str, reference: str | None = None, input: str | None = None) -> Any:
        return {"score": 1, "value": "Y", "reasoning": f"{input} {prediction}"}

    async def aevaluate_strings(self, **given: Any) -> Any:
        await asyncio.sleep(0)
        return self.evaluate_strings(**given)


async def test_langchains_string_evaluators(served: Served) -> None:
    await served.ask(served.made(Likeness()), "6 * 7?")
    assert served.scores == [1.0]


async def test_one_that_needs_a_reference_is_told(served: Served) -> None:
    evaluator = Likeness()
    evaluator.requires_reference = True
    with pytest.raises(ValueError, match="Likeness needs a reference answer, and a router has none"):
        served.made(evaluator)


async def test_pickles_leave_the_evaluator_at_home(served: Served) -> None:
    llm = served.made(lambda request, answer: 1.0)
    dumped = pickle.dumps(llm) if not served.chain else pickle.dumps(llm.router.settings)
    assert b"lambda" not in dumped
