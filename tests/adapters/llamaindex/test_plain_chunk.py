"""What is told beside the text of a chunk is read of it as ever, and nothing is looked for where there is nothing."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse
from openai.types.chat import ChatCompletionChunk

from capability_router.request import Finish
from llamaindex_router.annotation import KEY, annotated
from llamaindex_router.attempts.transcript import Transcript
from llamaindex_router.messages import usage
from llamaindex_router.messages.plain_chunk import is_plain_chunk
from llamaindex_router.messages.streamed_arguments import StreamedArguments

PIECE: dict[str, Any] = {
    "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "usage": None, "service_tier": "flex",
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": "so"}, "finish_reason": None}],
}  # fmt: skip
KNOWN = {"choices", "object", "service_tier"}


def chunk(**more: Any) -> dict[str, Any]:
    return {**PIECE, **more}


def choice(**more: Any) -> dict[str, Any]:
    return chunk(choices=[{**PIECE["choices"][0], **more}])


def as_openai(raw: dict[str, Any]) -> ChatCompletionChunk:
    """As the SDK makes it of what comes, whatever that is."""
    made = ChatCompletionChunk.construct(**raw)
    assert isinstance(made, ChatCompletionChunk)
    return made


class Asked:
    """Has nothing, and remembers for what it was asked."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getattr__(self, name: str) -> None:
        self.names.add(name)


class AskedItems(dict[str, Any]):
    """The same of a mapping."""

    def __init__(self) -> None:
        super().__init__({"made up": 1})
        self.names: set[str] = set()

    def get(self, name: str, *_: Any) -> Any:
        self.names.add(name)


def read_all(raw: Any) -> tuple[Any, ...]:
    """What is told beside the text, read name by name."""
    return (
        usage.error_event(raw), usage.counts_of(raw), usage.finish_of(raw), usage.refuses(raw), usage.bill_of(raw, {}),
    )  # fmt: skip


@pytest.mark.parametrize("raw", [Asked(), AskedItems()], ids=["attributes", "items"])
def test_every_name_is_known_that_is_asked_for(raw: Asked | AskedItems) -> None:
    read_all(raw)
    usage.tier_of(raw)
    StreamedArguments().take(raw)
    assert len(raw.names) > 20
    assert raw.names <= usage.ASKED | {"contentBlockDelta"}


@pytest.mark.parametrize("made", [dict, as_openai])
def test_a_piece_tells_nothing_beside_its_text(made: Any) -> None:
    for raw in (PIECE, chunk(obfuscation="xyz"), choice(delta={}), choice(delta=None), choice(content_filters={})):
        assert is_plain_chunk(made(raw))
        assert read_all(made(raw)) == (None, {}, None, False, None)


@pytest.mark.parametrize("name", sorted(usage.ASKED - KNOWN))
def test_a_chunk_that_has_more_is_no_piece(name: str) -> None:
    assert not is_plain_chunk(chunk(**{name: 1}))
    assert not is_plain_chunk(as_openai(chunk(**{name: 1})))


@pytest.mark.parametrize("made", [dict, as_openai])
def test_what_is_told_within_makes_it_no_piece(made: Any) -> None:
    ended, refused = choice(finish_reason="stop"), choice(delta={"refusal": "No."})
    told = [ended, refused, choice(message={"content": "all"}), choice(stop_reason="end"), chunk(object="response")]
    for raw in (*told, chunk(choices=[]), chunk(choices=[*PIECE["choices"]] * 2), chunk(choices=None)):
        assert not is_plain_chunk(made(raw))


def test_the_last_events_of_bedrock_and_cohere_are_no_pieces() -> None:
    """Of a dict alone these are asked, by its very class."""
    counts, whole = chunk(metadata={"usage": {"outputTokens": 3}}), chunk(event_type="stream-end")
    assert (usage.finish_of(counts), usage.unwrapped(whole)) == (Finish.OTHER, None)
    assert not is_plain_chunk(counts)
    assert not is_plain_chunk(whole)


def test_other_things_are_no_pieces() -> None:
    assert not any(map(is_plain_chunk, (None, "text", [], {}, Asked(), ChatMessage("so"))))


@pytest.mark.parametrize("made", [dict, as_openai])
def test_an_answer_in_pieces_is_read_as_a_whole(made: Any) -> None:
    seen = Transcript()
    counts = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    for raw in (PIECE, choice(finish_reason="stop"), chunk(choices=[], usage=counts, service_tier=None)):
        seen.take(ChatResponse(message=ChatMessage("so"), delta="so", raw=made(raw)))
    reply = seen.reply()
    assert (reply.finish, reply.model, reply.hollow) == (Finish.STOP, "m", False)
    assert reply.usage is not None
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.service_tier) == (3, 2, "flex")


def test_what_a_response_says_beside_a_piece_counts() -> None:
    seen = Transcript()
    seen.take(CompletionResponse(text="so", delta="so", raw=PIECE, additional_kwargs={"finish_reason": "length"}))
    assert seen.finish is Finish.LENGTH


class Own(ChatResponse):
    """Of an integration's own class."""

    more: int = 1


@pytest.mark.parametrize("kind", [ChatResponse, Own, CompletionResponse])
def test_an_annotated_copy_is_what_pydantic_makes_of_it(kind: Any) -> None:
    told: dict[str, Any] = {"delta": "so", "raw": PIECE, "additional_kwargs": {"prompt_tokens": 3}}
    text = {"text": "so"} if kind is CompletionResponse else {"message": ChatMessage("so")}
    given = kind(**text, **told)
    copy = annotated(given, {"model": "m"})
    expected = given.model_copy(update={"additional_kwargs": {"prompt_tokens": 3, KEY: {"model": "m"}}})
    assert copy == expected
    assert copy is not given
    assert (copy.model_fields_set, copy.raw is given.raw) == (expected.model_fields_set, True)
    assert KEY not in given.additional_kwargs
    assert given.model_fields_set == set(text) | set(told)
