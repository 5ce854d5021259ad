"""A process that ends while a stream of it is half read: with its own exit code, and soon."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from loopback.chat_server import ChatServer, piece, sse

_WITHIN_COMPILED_CODE = """
import atexit, sys, time

def late():
    try:
        for _ in stream:
            pass
    except SystemExit as told:
        print(told)

if sys.argv[1:]:
    atexit.register(late)  # before the router is imported, so it is called after its readers were halted
from typing import Annotated
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_router import ChatRouter
from pydantic import BeforeValidator, TypeAdapter

def slowly(text):
    time.sleep(0.02)  # the thread wakes within pydantic's own, compiled function
    return text

WORDS = TypeAdapter(Annotated[str, BeforeValidator(slowly)])

class Talker(BaseChatModel):
    @property
    def _llm_type(self):
        return "talker"
    def _generate(self, *_, **__):
        raise NotImplementedError
    def _stream(self, *_, **__):
        while True:
            yield ChatGenerationChunk(message=AIMessageChunk(WORDS.validate_python("word ")))

router = ChatRouter(models=[(Talker(), {"id": "a"})], policy="single", deadline_s=60)
stream = router.stream("hi")
assert [next(stream).content for _ in range(3)] == ["word "] * 3
sys.exit(7)
"""


@pytest.mark.parametrize("reads_on", [False, True])
def test_a_thread_that_works_in_compiled_code_is_not_ended_there(reads_on: bool) -> None:
    """Who reads on afterwards, which is rare, is told why there is no more, and waits for nobody."""
    command = [sys.executable, "-c", _WITHIN_COMPILED_CODE, *["late"] * reads_on]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - our own code
    told = "the process is ending: the rest of this answer is not read\n" * reads_on
    assert (ran.returncode, ran.stdout, ran.stderr) == (7, told, "")


_HALF_READ = """
import gc, json, os, sys
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from llamaindex_router import RouterLLM

routers = []
for url in sys.argv[2:]:
    llm = OpenAILike(model="m", api_key="k", api_base=url, is_chat_model=True)
    routers.append(RouterLLM(models=[(llm, {"id": "a"})], policy="single", timeouts={"total": 60}))
gc.freeze()
ends = []
for each in range(int(sys.argv[1])):  # each child ends as the interpreter does, of modules that are imported once
    child = os.fork()
    if not child:
        break
    ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
else:
    print(json.dumps(ends))
    sys.exit()
stream = routers[each % len(routers)].stream_chat([ChatMessage(content="hi")])
for _ in range(2 + each):
    next(stream)
sys.exit(each)
"""
_LIVELY = sse(*[part for _ in range(3_000) for part in (piece("word "), 0.001)])
_SILENT = sse(*[piece("word ")] * 9, None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_a_stream_that_a_client_package_reads_leaves_the_exit_code_alone() -> None:
    times = 6
    with ChatServer(_LIVELY) as lively, ChatServer(_SILENT) as silent:
        command = [sys.executable, "-W", "ignore", "-c", _HALF_READ, str(times), lively.base_url, silent.base_url]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)  # noqa: S603 - our own code
    assert ran.stderr == ""
    assert json.loads(ran.stdout) == list(range(times))


_WHOLE_WORK = """
import asyncio, gc, json, os, sys, threading, time
from typing import Annotated
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_router import AllCandidatesFailed, ChatRouter
from pydantic import BeforeValidator, TypeAdapter

def slowly(text):
    time.sleep(0.005)
    return text

WORDS = TypeAdapter(Annotated[str, BeforeValidator(slowly)])
begun = threading.Event()

def work():
    begun.set()
    for _ in range(4000):
        WORDS.validate_python("word")

class Worker(BaseChatModel):
    works: bool
    @property
    def _llm_type(self):
        return "worker"
    def _generate(self, *_, **__):
        if self.works:
            work()
        return ChatResult(generations=[ChatGeneration(message=AIMessage("well"))])

def judged(*_):
    work()
    return 0.5

async def left(router):
    task = asyncio.create_task(router.ainvoke("hi"))
    while not begun.is_set():
        await asyncio.sleep(0.002)
    await asyncio.sleep(0.01)
    sys.exit(each)

gc.freeze()
ends = []
for each in range(3):
    child = os.fork()
    if not child:
        break
    ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
else:
    print(json.dumps(ends))
    sys.exit()
what = sys.argv[1]
settings = {
    "awaited": {}, "given up": {"timeouts": {"total": 0.05}},
    "evaluator": {"evaluator": judged, "evaluate": {"share": 1.0}},
}[what]
router = ChatRouter(models=[(Worker(works=what != "evaluator"), {"id": "a"})], policy="single", **settings)
if what == "awaited":
    asyncio.run(left(router))
try:
    router.invoke("hi")
except AllCandidatesFailed:
    assert what == "given up"
assert begun.wait(10)
time.sleep(0.01)
sys.exit(each)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
@pytest.mark.parametrize("what", ["awaited", "given up", "evaluator"])
def test_work_that_has_no_steps_leaves_the_exit_code_alone(what: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", _WHOLE_WORK, what]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)  # noqa: S603 - our own code
    assert ran.stderr == ""
    assert json.loads(ran.stdout) == [0, 1, 2]
