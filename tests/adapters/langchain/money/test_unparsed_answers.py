"""An answer that OpenAI's SDK could not parse for a schema was made, and is paid for."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from langchain_openai import ChatOpenAI
from loopback.chat_server import ChatServer, piece, sse
from openai_server import USAGE, Server
from pydantic import BaseModel

from capability_router.testing import assert_books_balanced
from capability_router.tokens.estimate import estimate_tokens
from langchain_router import ChatRouter

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # of older versions of langchain-openai
CLOSE = ["connection: close"]
PROSE = "Once upon a time there was a router"


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str


def routed(url: str, name: str = "m") -> ChatRouter:
    model = ChatOpenAI(model=name, base_url=url, api_key="k", use_responses_api=False, stream_usage=True, max_retries=0)
    return ChatRouter(models=[model], policy="single", retry={"attempts": 1})


async def asked(router: ChatRouter, way: str) -> None:
    structured = router.with_structured_output(Joke, method="json_schema")
    if way == "stream":
        list(structured.stream("tell"))
    elif way == "astream":
        _ = [chunk async for chunk in structured.astream("tell")]
    else:
        _ = structured.invoke("tell") if way == "invoke" else await structured.ainvoke("tell")


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
@pytest.mark.parametrize(
    ("name", "raised"), [("bad-x", ValueError), ("filtered-x", openai.ContentFilterFinishReasonError)]
)
async def test_a_whole_answer_is_booked_as_reported(server: Server, way: str, name: str, raised: Any) -> None:
    router = routed(server.url, name)
    with pytest.raises(raised):
        await asked(router, way)
    (call,) = router.router.ledger.calls()
    told = (call.usage.input_tokens, call.usage.output_tokens, call.usage.estimated)
    assert told == (USAGE["prompt_tokens"], USAGE["completion_tokens"], False)
    assert_books_balanced(router.router)


@pytest.mark.parametrize("way", ["stream", "astream"])
@pytest.mark.parametrize(
    ("text", "end"),
    [(PROSE, "whole"), ('{"setup": "a"}', "whole"), ('{"setup": "a', "cut")],
    ids=["no JSON", "another class", "cut"],
)
async def test_of_a_stream_the_text_that_came_is_estimated(way: str, text: str, end: str) -> None:
    ended = [piece(finish="stop")] if end == "whole" else []
    with ChatServer(sse(piece("", role="assistant"), piece(text), *ended, end=end, headers=CLOSE)) as server:
        router = routed(server.base_url)
        with pytest.raises(Exception, match=r"."):
            await asked(router, way)
    (call,) = router.router.ledger.calls()
    assert (call.usage.output_tokens, call.usage.estimated) == (estimate_tokens(text), True)
    assert call.usage.input_tokens > 0
