"""What LlamaIndex's blocks show of the size of what is attached, and its tokenizer as a counter."""

from __future__ import annotations

import pickle
import struct

import pytest
from llama_index.core.base.llms.types import AudioBlock, ChatMessage, DocumentBlock, ImageBlock, TextBlock
from llama_index.core.llms.mock import MockLLM
from llama_index.core.utils import get_tokenizer

from capability_router.router import Router
from capability_router.routing import Routing
from capability_router.tokens.attached import AttachedPart
from llamaindex_router import RouterLLM
from llamaindex_router.call import chat
from llamaindex_router.translate import request_of

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", 640, 480) + bytes(9)
PDF = b"%PDF-1.7\n" + b"<< /Type /Page >>\n" * 3


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (ImageBlock(image=PNG, detail="low"), AttachedPart("image", 640, 480, detail="low")),
        (ImageBlock(url="https://example.org/a.png"), AttachedPart("image")),
        (DocumentBlock(data=PDF, document_mimetype="application/pdf"), AttachedPart("pdf", pages=3)),
        (AudioBlock(url="https://example.org/a.wav", format="wav"), AttachedPart("audio")),
    ],
)
def test_blocks(block: ImageBlock | DocumentBlock | AudioBlock, part: AttachedPart) -> None:
    message = ChatMessage(role="user", blocks=[TextBlock(text="what is it?"), block])
    request = request_of(chat([message], {}), Routing())
    assert request.attached == (part,)
    assert request.media == (part.kind,)


def test_llamaindexs_tokenizer_counts_where_that_is_wanted() -> None:
    text = "antidisestablishmentarianism " * 20
    llm = RouterLLM(models=[MockLLM()], tokens={"counter": "model"})
    assert llm.explain(text).input_tokens == len(get_tokenizer()(text)) + 7


def test_also_over_a_router_that_is_given_and_after_a_pickle() -> None:
    text = "antidisestablishmentarianism " * 20
    given = RouterLLM(models=[MockLLM()], tokens={"counter": "model"}).router
    made = Router(given.registry, tokens={"counter": "model"})
    for router in (made, pickle.loads(pickle.dumps(Router(given.registry, tokens={"counter": "model"})))):  # noqa: S301 - our own bytes
        assert RouterLLM(router=router).explain(text).input_tokens == len(get_tokenizer()(text)) + 7
