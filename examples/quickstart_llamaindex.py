"""RouterLLM as LlamaIndex's LLM, offline on the simulator. Run it: python examples/quickstart_llamaindex.py"""

from __future__ import annotations

from llama_index.core import Document, Settings, SummaryIndex

from capability_router import routing
from capability_router.simulator import Fleet
from llamaindex_router import RouterLLM

PAGES = (
    "Returns are accepted for 30 days after delivery when the goods are unused.",
    "Gift cards are valid for three years and cannot be exchanged for money.",
    "Parcels are handed to the courier on working days before four in the afternoon.",
)


def main() -> None:
    with Fleet.from_config() as fleet:
        # Settings.llm = OpenAI(model="gpt-5.4-mini")
        Settings.llm = RouterLLM.from_config(fleet.router_config())

        index = SummaryIndex.from_documents([Document(text=page) for page in PAGES])
        with routing(tenant="acme"):
            print(index.as_query_engine().query("How long are gift cards valid?"))
            answer = index.as_query_engine(streaming=True).query("For how many days are returns accepted?")
            for piece in answer.response_gen:
                print(piece, end="", flush=True)
        print()

        with routing(tenant="globex"):
            reply = Settings.llm.complete("Classify the sentiment as positive or negative: the courier was late again")
        print(reply.text, reply.additional_kwargs["router"])

        print()
        print(Settings.llm.router.ledger.total(by=("tenant", "model")).render())


if __name__ == "__main__":
    main()
