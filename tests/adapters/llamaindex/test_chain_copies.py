"""A LangChain model is copied for a call that has options of its own; the model itself goes on."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field

from llamaindex_router import RouterLLM


class Closes(BaseChatModel):
    """Closes its client at its end, as langchain-google-genai 4.2.0 does, and says how warm it was asked."""

    temperature: float = 0.0
    client: dict[str, bool] = Field(default_factory=dict)

    @property
    def _llm_type(self) -> str:
        return "closes"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        if self.client.get("closed"):
            raise RuntimeError("the client has been closed")
        told = AIMessage(str(self.temperature), response_metadata={"finish_reason": "stop"})
        return ChatResult(generations=[ChatGeneration(message=told)])

    def __del__(self) -> None:
        self.client["closed"] = True


def test_a_copy_for_one_call_closes_no_client_that_it_shares() -> None:
    model = Closes()
    llm = RouterLLM([(model, {"id": "closes"})])
    assert [llm.complete("hi", temperature=0.5).text for _ in range(2)] == ["0.5", "0.5"]
    assert llm.complete("hi").text == "0.0"
    assert model.client == {}
