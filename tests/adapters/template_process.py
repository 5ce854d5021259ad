"""A process that has imported the frameworks, and forks for each program that it is given: imports take seconds each.

An order is a line of JSON on standard input: `program`, `words` (its sys.argv[1:]), `stdin` (base64), `environ` and
`seconds` that it may take. The answer is a line, too: `code`, `stdout` and `stderr`. A child is as fresh as the imports
leave it, and ends as a process does: threads, exit handlers and all.
"""

from __future__ import annotations

import base64
import contextlib
import gc
import importlib
import json
import os
import signal
import sys
import tempfile
from typing import IO, Any

FRAMEWORKS = (
    "langchain_openai", "langchain_anthropic", "langchain_groq", "langchain_mistralai", "langchain_ollama",
    "langchain_google_genai", "llama_index.core.llms", "llama_index.llms.openai", "llama_index.llms.openai_like",
    "llama_index.llms.ollama", "llama_index.llms.google_genai", "llama_index.llms.anthropic",
    "openai.resources", "openai.types", "anthropic.resources", "groq.resources", "anyio._backends._asyncio",
    "langchain_router.chat_model", "llamaindex_router.llm", "capability_router.config",
)  # fmt: skip


def _become(order: dict[str, Any], files: list[IO[bytes]]) -> None:
    """In the child: its own input, outputs, words, environment and end."""
    for number, file in enumerate(files):
        os.dup2(file.fileno(), number)
    os.environ.clear()
    os.environ.update(order["environ"])
    sys.argv[1:] = order["words"]
    signal.alarm(order["seconds"])


def _forked(order: dict[str, Any]) -> bool:
    """Whether this is the child; its parent waits for its end and answers."""
    with contextlib.ExitStack() as stack:
        files: list[IO[bytes]] = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
        files[0].write(base64.b64decode(order["stdin"]))
        files[0].seek(0)
        child = os.fork()
        if not child:
            _become(order, files)
            return True
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        for file in files[1:]:
            file.seek(0)
        stdout, stderr = (file.read().decode() for file in files[1:])
    print(json.dumps({"code": code, "stdout": stdout, "stderr": stderr}), flush=True)
    return False


def _next_child() -> str | None:
    """The program that this child is to run; None: this is the template, and there are no more orders."""
    for line in sys.stdin:
        order = json.loads(line)
        if _forked(order):
            return str(order["program"])
    return None


if __name__ == "__main__":
    for framework in FRAMEWORKS:
        with contextlib.suppress(ImportError):  # a program that needs it will say so
            importlib.import_module(framework)
    gc.freeze()  # else each child looks through all of it as it ends
    program = _next_child()
    if program is not None:
        exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})  # noqa: S102 - the tests' own programs
