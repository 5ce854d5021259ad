from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability_router.endpoints.scrub import LONGEST, PLAIN_WORDS, identifier, scrub

words = st.text(st.characters(categories=["L", "N"]), min_size=3, max_size=12).filter(
    lambda w: w.lower() not in PLAIN_WORDS and w not in " prompt role content"
)


@given(st.lists(words, min_size=1, max_size=6))
def test_no_word_that_was_sent_comes_back(sent: list[str]) -> None:
    body = json.dumps({"content": " ".join(sent)}, ensure_ascii=False)
    told = scrub(f"Invalid content: '{' '.join(sent)}' near {sent[0]}!", body)
    assert not [word for word in sent if word in told]


@given(st.text(min_size=8, max_size=40), st.text(max_size=50), st.text(max_size=50))
def test_no_key_comes_back_and_nothing_grows(key: str, before: str, after: str) -> None:
    told = scrub(before + key + after, "", key)
    assert len(told) <= LONGEST
    assert key not in told


@given(st.lists(words, min_size=1, max_size=6))
def test_nor_in_the_spelling_of_json_within_json(sent: list[str]) -> None:
    body = json.dumps({"content": " ".join(sent)}, ensure_ascii=False)
    told = scrub(f"upstream: {json.dumps({'input': ' '.join(sent)})}", body)
    assert not [word for word in sent if word in told or json.dumps(word)[1:-1] in told]


def test_a_key_in_the_spelling_of_json_within_json_goes_too() -> None:
    assert "s3cret" not in scrub(r"no access with s3cret01\u003d\u003d here", "", "s3cret01==")


def test_a_key_at_the_end_of_what_is_read_goes_whole() -> None:
    told = scrub("x-1 " * 499 + "s3cret-0123456789 and more", "x-1 ", ("s3cret-0123456789",))
    assert "s3c" not in told


@pytest.mark.parametrize(
    "told",
    [
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 130519 tokens.",
        "You exceeded your current quota, please check your plan and billing details.",
        "Your credit balance is too low to access the API.",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "API key not valid. Please pass a valid API key.",
        "Rate limit reached for requests per min (RPM): Limit 3, Used 3. Please try again in 20s.",
    ],
)
def test_what_tells_the_fault_stays_even_if_the_prompt_has_the_words(told: str) -> None:
    prompt = "the maximum context length tokens quota billing credit balance too low API key valid prompt long limit"
    kept = scrub(told, json.dumps({"content": prompt}))
    assert kept.replace("…", "") in told or kept == told
    assert len(kept) > 0.8 * len(told)


@pytest.mark.parametrize("echo", ["sk-abc***wxyz", "sk-proj-abcdefgh12", "Bearer abcdefgh", "gsk_abcdefgh"])
def test_key_like_words_go_whoever_they_belong_to(echo: str) -> None:
    assert scrub(f"Incorrect API key provided: {echo}.").rstrip(".") == "Incorrect API key provided: …"


@pytest.mark.parametrize(
    ("value", "told"),
    [("rate_limit_exceeded", "rate_limit_exceeded"), (429, "429"), (None, ""), ("two words", ""), ("k-1-x", ""),
     ("messages[0].content", "messages[0].content"), ("quokka", "")],
)  # fmt: skip
def test_identifiers(value: object, told: str) -> None:
    assert identifier(value, '{"content": "a quokka"}', "k-1") == told
