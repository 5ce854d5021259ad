"""A provider's word for the end means the same whichever way its answer comes."""

from __future__ import annotations

import pytest

from capability_router.endpoints.wire import finish_from
from capability_router.request import ENDS, Finish
from langchain_router.messages.replies import finish_of
from llamaindex_router.messages.usage import finish_word


@pytest.mark.parametrize("word", [*ENDS, "a word of tomorrow's"])
def test_of_an_endpoint_and_of_both_frameworks(word: str) -> None:
    for said in (word, word.upper()):
        read = (finish_from(said), finish_of({"finish_reason": said}), finish_word(said))
        assert set(read) == {ENDS.get(word, Finish.OTHER)}
