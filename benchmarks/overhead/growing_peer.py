"""What a peer adds as models and prompts grow: run by `benchmarks.overhead --peers grow`, in the peer's environment.

    PYTHON -m benchmarks.overhead.growing_peer NAME ROUNDS

Prints one JSON line: microseconds of processor time that are added to `invoke`, p50, by the number of models at a short
prompt, and by the kB of the prompt at one model; and how many each further model and kB adds, over the whole range. A
round asks all of them in turn. Models are fake ones that answer at once, or deployments of litellm's mock.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from benchmarks.overhead.peer import DIRECT, chat_litellm_over, litellm_over
from benchmarks.overhead.prompt import of_size, same
from benchmarks.overhead.samples import added, each_us, measured

MODELS, SIZES_KB, CALLS = (2, 10, 50, 200), (1, 10, 100), 20

Asked = Callable[[str], object]
"""A call with this prompt."""


class Case(NamedTuple):
    """A number of models or of kB: what is asked bare, and what through the peer."""

    size: int
    bare: Asked
    through: Asked
    prompts: Iterator[str]


def ours(models: int) -> tuple[Asked, Asked]:
    from benchmarks.overhead.growth import router
    from benchmarks.overhead.parrot import Parrot

    return Parrot().invoke, router(models).invoke


def fallbacks(models: int) -> tuple[Asked, Asked]:
    from benchmarks.overhead.parrot import Parrot

    first, *others = (Parrot() for _ in range(models))
    return Parrot().invoke, first.with_fallbacks(others).invoke


def model_router(models: int) -> tuple[Asked, Asked]:
    from langchain_model_router import ChatRouter

    from benchmarks.overhead.parrot import Parrot

    routes: Any = {f"m{n}": Parrot() for n in range(models)}
    return Parrot().invoke, ChatRouter(routes=routes, strategy=lambda _: "m0", default_route="m0").invoke


def litellm_router(models: int) -> tuple[Asked, Asked]:
    litellm, router = litellm_over(models)
    return (
        lambda text: litellm.completion(**DIRECT, messages=_said(text)),
        lambda text: router.completion("parrot", _said(text)),
    )


def _said(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def chat_litellm_router(models: int) -> tuple[Asked, Asked]:
    bare, through = chat_litellm_over(models)
    return bare.invoke, through.invoke


GROWING: dict[str, Callable[[int], tuple[Asked, Asked]]] = {
    "ChatRouter": ours, "with_fallbacks": fallbacks, "langchain-model-router": model_router,
    "litellm.Router": litellm_router, "ChatLiteLLMRouter": chat_litellm_router,
}  # fmt: skip
"""By the name that `peer.PEERS` has the environment of."""


def asked(way: tuple[Asked, Iterator[str]]) -> list[float]:
    """A round of one way, each call with the next prompt."""
    call, prompts = way
    return each_us([partial(call, text) for text in islice(prompts, CALLS)])


def figures(name: str, rounds: int) -> dict[str, Any]:
    made = GROWING[name]
    return {
        "models": _grown([Case(n, *made(n), same()) for n in MODELS], rounds),
        "kb": _grown([Case(kb, *made(1), of_size(kb)) for kb in SIZES_KB], rounds),
    }


def _grown(cases: Sequence[Case], rounds: int) -> dict[str, Any]:
    """All cases take turns: the slope is between two of them, and the machine's pace may change meanwhile."""
    ways = {f"{case.size}, bare": (case.bare, case.prompts) for case in cases}
    ways |= {f"{case.size}, through": (case.through, case.prompts) for case in cases}
    found = measured(asked, ways, rounds)
    us = [added(found[f"{case.size}, through"], found[f"{case.size}, bare"], 0.5) for case in cases]
    return {"us": us, "further": (us[-1] - us[0]) / (cases[-1].size - cases[0].size)}


if __name__ == "__main__":
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes to stderr
    out.write(json.dumps(figures(sys.argv[1], int(sys.argv[2]))) + "\n")
