"""ChatRouter in place of ChatOpenAI, offline on the simulator. Run it: python examples/quickstart_langchain.py"""

from __future__ import annotations

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from capability_router import routing
from capability_router.simulator import Fleet
from langchain_router import ChatRouter

RULES = "Returns are accepted for 30 days. Gift cards are valid for three years."


def main() -> None:
    with Fleet.from_config() as fleet:
        # llm = ChatOpenAI(model="gpt-5.4-mini")
        llm = ChatRouter.from_config(fleet.router_config())

        prompt = ChatPromptTemplate.from_template("{rules}\n\nQuestion: {question}")
        chain = prompt | llm | StrOutputParser()
        with routing(tenant="acme", tags=["quickstart"]):
            print(chain.invoke({"rules": RULES, "question": "How long are gift cards valid?"}))
            for piece in chain.stream({"rules": RULES, "question": "For how many days are returns accepted?"}):
                print(piece, end="", flush=True)
        print()

        fleet.fault("outage:birch")  # the favourite goes down; the caller does not notice
        with routing(tenant="globex"):
            message = llm.invoke(f"{RULES}\n\nQuestion: How long are gift cards valid?")
        print(message.text, message.response_metadata["router"])

        print()
        print(llm.explain("What is 17 * 23?").render())
        print()
        print(llm.router.ledger.total(by=("tenant", "model")).render())


if __name__ == "__main__":
    main()
