"""Two agents, one hands over to the other, offline on the simulator. Run it: python examples/agent_workflow.py

Both hold the same RouterLLM. One of the models can't call tools and is never given any; the model that made a tool
call also gets its result; one that fails costs an attempt. (Simulated models read a tool's arguments from the question
where it names them, hence its wording.)
"""

from __future__ import annotations

import asyncio

from llama_index.core.agent.workflow import AgentOutput, AgentWorkflow, FunctionAgent, ToolCallResult
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.memory import ChatMemoryBuffer

from capability_router import routing
from capability_router.simulator import Fleet
from llamaindex_router import RouterEventHandler, RouterLLM

SUM = "Calculate {}, handoff to agent: sums, reason: a sum"
STOCK = {"lamp": 4, "desk": 0}


def stock(article: str) -> str:
    """How many pieces of an article are in stock. `article`: lamp or desk."""
    return f"{STOCK.get(article.lower(), 0)} pieces of {article} in stock"


def multiply(a: float, b: float) -> float:
    """Multiply two numbers."""
    return a * b


def agents(llm: RouterLLM) -> AgentWorkflow:
    desk = FunctionAgent(
        name="desk", description="Answers customers; knows the stock.", llm=llm, tools=[stock], can_handoff_to=["sums"],
        system_prompt="You answer customers. Hand over to sums whatever must be calculated.",
    )  # fmt: skip
    sums = FunctionAgent(
        name="sums", description="Calculates.", llm=llm, tools=[multiply], can_handoff_to=["desk"],
        system_prompt="You calculate with your tools.",
    )  # fmt: skip
    return AgentWorkflow(agents=[desk, sums], root_agent="desk")


async def asked(llm: RouterLLM, costs: RouterEventHandler, question: str) -> None:
    """Ask, and show each turn of the agents with the model that took it."""
    print(f"\n{question}")
    before = len(costs.calls)
    memory = ChatMemoryBuffer.from_defaults(token_limit=4_000)
    run = agents(llm).run(question, memory=memory, max_iterations=8)
    async for event in run.stream_events():
        if isinstance(event, AgentOutput):
            call = costs.calls[-1]
            wants = ", ".join(tool.tool_name for tool in event.tool_calls) or "answers"
            print(f"  {event.current_agent_name:5} {call['model']:22}{call['attempts']} attempts  "
                  f"${call['cost_usd']:.6f}  {wants}  ({call['reason']})")  # fmt: skip
        elif isinstance(event, ToolCallResult):
            print(f"        {event.tool_name}({event.tool_kwargs}) = {event.tool_output.content[:60]}")
    print(f"  > {' '.join(str(await run).split())[:200]}")
    print(f"  {len(costs.calls) - before} calls, ${sum(c['cost_usd'] or 0 for c in costs.calls[before:]):.6f}")


async def main() -> None:
    costs = RouterEventHandler()
    get_dispatcher().add_event_handler(costs)
    with Fleet.from_config() as fleet:
        llm = RouterLLM.from_config(fleet.router_config(), policy={"name": "adaptive", "quality_target": 0.9})

        print("Who may take a turn that has tools")
        plan = llm.explain("How many lamps are in stock?", tools=[stock])
        print(f"  {', '.join(candidate.id for candidate in plan.candidates)}")
        for refusal in plan.refusals:
            print(f"  not {refusal.model}: {refusal.detail}")

        with routing(tenant="shop"):
            await asked(llm, costs, "How many are in stock, article: lamp?")
            await asked(llm, costs, SUM.format("6 times 7"))
            provider = str(costs.calls[-1]["provider"])
            fleet.fault(f"503:{provider}")
            print(f"\n-- {provider} fails from here on")
            await asked(llm, costs, SUM.format("11 times 12"))

        print("\nThe bill")
        for (tenant, model), total in llm.router.ledger.total(by=("tenant", "model")).items():
            print(f"  {tenant:8}{model:22}{total.calls:3} calls  ${total.cost_usd:f}")


if __name__ == "__main__":
    asyncio.run(main())
