"""LlamaIndex's structured LLM around one of ours, for which the keys of a call stay out of spans and events."""

from __future__ import annotations

from llama_index.core.llms.structured_llm import StructuredLLM

from llamaindex_router.call_keys import keyless


class KeylessStructuredLLM(StructuredLLM):
    """See StructuredLLM. The wrapped LLM unveils the keys."""

    chat = keyless(StructuredLLM.chat)
    stream_chat = keyless(StructuredLLM.stream_chat)
    complete = keyless(StructuredLLM.complete)
    achat = keyless(StructuredLLM.achat)
    astream_chat = keyless(StructuredLLM.astream_chat)
    acomplete = keyless(StructuredLLM.acomplete)
