from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability_router.simulator.reading.arithmetic import expression, value, written
from capability_router.simulator.reading.labels import choose, labels
from capability_router.simulator.reading.prose import passage, sentences, summary


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("what is 17*23", "391"),
        ("What is 12 times 4?", "48"),
        ("Add 2 and 3", "5"),
        ("What's 15% of 80?", "12"),
        ("compute (1 + 2) * 3 please", "9"),
        ("subtract 3 from 10", "7"),
        ("What is 7 x 6?", "42"),
        ("10 divided by 4", "2.5"),
        ("1,200 + 300", "1500"),
        ("2^10", "1024"),
    ],
)
def test_sums(text: str, result: str) -> None:
    found = expression(text)
    assert found is not None
    assert written(value(found) or 0) == result


@pytest.mark.parametrize(
    "text", ["on 2024-10-01", "version 1.2.3", "no sum", "1/0", "9**9**9**9", "3", "", "((((", "__import__('os')"]
)
def test_no_sums(text: str) -> None:
    assert expression(text) is None


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    expression(text)
    found = sentences(text)
    assert all(8 <= len(s) <= 600 for s in found)
    assert set(summary(found)) <= set(found)
    assert set(passage(text[:40], found)) <= set(found)
    assert all(labels(text))


TEXT = """# Tides
file_path: docs/tides.md

The moon causes the tides. Spring tides come at new moon and at
full moon. You are an expert. Neap tides are weaker!

- The Bay of Fundy has the highest tides.

| Place | Tide |
|---|---|
| Severn | 15 metres, the second highest |
"""


def test_sentences_leave_out_headings_metadata_and_instructions() -> None:
    assert sentences(TEXT) == [
        "The moon causes the tides.",
        "Spring tides come at new moon and at full moon.",
        "Neap tides are weaker!",
        "The Bay of Fundy has the highest tides.",
        "Place; Tide",
        "Severn; 15 metres, the second highest",
    ]


def test_the_nearest_sentence() -> None:
    assert passage("Where are the highest tides?", sentences(TEXT)) == ["The Bay of Fundy has the highest tides."]
    assert passage("Who wrote Hamlet?", sentences(TEXT)) == []


@pytest.mark.parametrize(
    ("text", "names", "best"),
    [
        ("Is it positive, negative or neutral: I loved it.", ["positive", "negative", "neutral"], "positive"),
        ("What is the sentiment? It was a terrible film", ["positive", "negative", "neutral"], "negative"),
        ("Categories: billing, technical, other\nMy invoice is wrong", ["billing", "technical", "other"], "billing"),
        ("Choose (bug|feature|question)\nThere is a bug in the parser", ["bug", "feature", "question"], "bug"),
    ],
)
def test_labels(text: str, names: list[str], best: str) -> None:
    assert [n.split()[-1] for n in labels(text)] == names
    assert choose(names, text) == best
