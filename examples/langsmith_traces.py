"""What LangSmith shows of routed calls. Run it: python examples/langsmith_traces.py

Without a key nothing leaves this machine: LangSmith's own client sends to a stand-in (langsmith_capture.py), and
the tree is printed. With LANGSMITH_API_KEY in the environment the same runs go to LangSmith, into the project
LANGSMITH_PROJECT. The models are simulated either way.
"""

from __future__ import annotations

import logging
import os

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableConfig
from langchain_core.tracers.langchain import LangChainTracer
from langsmith import Client
from langsmith_capture import Capture
from langsmith_tree import render
from pydantic import BaseModel

from capability_router import routing
from capability_router.simulator import Fleet
from langchain_router import ChatRouter

RULES = "Returns are accepted for 30 days. Gift cards are valid for three years."
LETTER = "Hello, this is Ada Lovelace from London. Please send me 12 notebooks."


class Order(BaseModel):
    """An order."""

    customer: str
    quantity: int
    city: str


def calls(fleet: Fleet, client: Client) -> None:
    """Three requests, each with a trace of its own."""
    llm = ChatRouter.from_config(fleet.router_config())
    tracer = LangChainTracer(client=client)  # or nothing at all and LANGSMITH_TRACING=true in the environment

    def named(name: str) -> RunnableConfig:
        return {"callbacks": [tracer], "run_name": name, "tags": ["example"]}

    answering = ChatPromptTemplate.from_template("{rules}\n\nQuestion: {question}") | llm | StrOutputParser()
    answering.invoke({"rules": RULES, "question": "How long are gift cards valid?"}, named("an answer"))

    reading = ChatPromptTemplate.from_template("Extract the order: {letter}") | llm.with_structured_output(Order)
    with routing(tenant="acme", max_cost_usd=0.01):  # too little for two models; a third one knows no schemas
        reading.invoke({"letter": LETTER}, named("an order, cheaply"))

    fleet.fault("429:birch,retry_after=5")  # the favourite is asked too much
    question = {"rules": RULES, "question": "For how many days are returns accepted?"}
    for _piece in answering.stream(question, named("a busy day")):
        pass


def main() -> None:
    key = os.environ.get("LANGSMITH_API_KEY")
    logging.getLogger("capability_router").setLevel(logging.ERROR)  # else it warns of the model that is asked too much
    with Fleet.from_config() as fleet:
        if key:
            client = Client()
            calls(fleet, client)
            client.flush()
            project = os.environ.get("LANGSMITH_PROJECT", "default")
            print(f"Sent to LangSmith's project {project!r}, unless its client has said otherwise above.")
            return
        capture = Capture()
        calls(fleet, capture.client)
        print(render(capture.runs()))
        print("Costs are the router's own (router_cost_usd); LangSmith prices the llm runs whose models it knows.")
        capture.close()


if __name__ == "__main__":
    main()
