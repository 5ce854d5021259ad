"""An evaluator teaches the router, offline on the simulator. Run it: python examples/evaluator.py

The cards claim the same quality of all models, so sums go to the cheapest one at first. Of half of the answers a strong
model is asked for a second opinion, beside the traffic and through the same router: what that costs is booked apart.
"""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal

from capability_router import Answer, Request, routing
from capability_router.routing import EVALUATION_TAG
from capability_router.simulator import Fleet
from langchain_router import ChatRouter

STRONG = "cedar/cedar-large"
ROUNDS, QUESTIONS = 6, 40


def number(text: str) -> str:
    """The last number in an answer."""
    return next(iter(reversed(re.findall(r"\d+", text))), "")


def second_opinion(request: Request, answer: Answer) -> bool:
    """Whether the strong model comes to the same result."""
    with routing(pin=STRONG):
        return number(llm.invoke(request.texts[-1]).text) == number(answer.text)


def alike(config: dict) -> dict:
    """The simulator's router.yaml with cards that claim the same quality of all models."""
    return {**config, "models": [{**card, "quality": {"default": 0.9}} for card in config["models"]]}


def ask_round(turn: int) -> tuple[int, Counter[str], Decimal]:
    """Right answers, who gave them, and their cost in USD."""
    right, models, before = 0, Counter[str](), spent()
    for n in range(turn * QUESTIONS, (turn + 1) * QUESTIONS):
        a, b = 12 + 37 * n % 88, 12 + 53 * n % 88
        message = llm.invoke(f"What is {a} * {b}?")
        models[message.response_metadata["router"]["model"]] += 1
        right += number(message.text) == str(a * b)
    llm.router.close()  # waits for the evaluations; the router goes on being used
    return right, models, spent() - before


def spent() -> Decimal:
    totals = llm.router.ledger.total(by=("tag",))
    return sum((total.cost_usd or Decimal(0) for (tag,), total in totals.items() if tag != EVALUATION_TAG), Decimal(0))


if __name__ == "__main__":
    with Fleet.from_config() as fleet:
        llm = ChatRouter.from_config(
            alike(fleet.router_config()), evaluator=second_opinion, evaluate={"share": 0.5, "budget_usd": 1.0}
        )
        print("round  right  USD       who answered")
        for turn in range(ROUNDS):
            right, models, cost = ask_round(turn)
            told = ", ".join(f"{name} {times}" for name, times in models.most_common())
            print(f"{turn + 1:5}  {right / QUESTIONS:5.0%}  {cost:.6f}  {told}")

        print()
        print("evaluations:", {name: count for name, count in llm.router.evaluations().items() if count})
        own = llm.router.ledger.total(by=("tag",))[(EVALUATION_TAG,)]
        print(f"booked under {EVALUATION_TAG}: {own.calls} calls, ${own.cost_usd:f}")
        print()
        print(llm.explain("What is 17 * 23?").render())
