"""Words, surface and labels of any text."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from capability_router.learning.quality.sketch import sketch, unpacked
from capability_router.learning.quality.surface import NAMES, SIZE
from capability_router.learning.quality.traits import BAG, WORDS, labels, traits
from capability_router.learning.quality.words import MOST_CHARACTERS, pairs, word_hash, words
from capability_router.request import Need, Request
from capability_router.routing import Routing


def found(text: str) -> list[int]:
    return [int(h) for h in words(text).hashes]


def test_words_are_the_same_wherever_they_stand_and_however_they_are_written() -> None:
    first = found("The cat, the CAT (and the cat)!")
    assert first[0] == first[3] == first[7]
    assert first[1] == first[4] == first[8]
    assert len(set(first)) == 7


def test_each_word_of_a_text_has_the_hash_that_it_has_alone() -> None:
    told = "Which prime, if any, divides x^2 + 1? größer 日本 x_1"
    alone = ["which", "prime", ",", "if", "any", ",", "divides", "x", "^", "2", "+", "1", "?", "größer", "日", "本"]
    assert found(told)[: len(alone)] == [word_hash(w) for w in alone]


def test_all_numbers_are_one_word() -> None:
    assert found("3767")[0] == found("in 1984 he")[1] == word_hash("7")


def test_two_words_hash_as_they_do_in_a_text() -> None:
    assert word_hash("how many") == int(pairs(words("so how many are there").hashes)[1])
    assert word_hash("many how") != word_hash("how many")


def test_hashes_are_the_same_in_every_process() -> None:
    command = "from capability_router.learning.quality.words import word_hash; print(word_hash('same'))"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)  # noqa: S603 - the text above
    assert int(done.stdout) == word_hash("same")


@given(st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_text_has_finite_traits_of_the_promised_shape(text: str) -> None:
    seen = traits(Request((text,)))
    assert seen.bag.shape == (BAG,)
    assert seen.surface.shape == (SIZE,) == (len(NAMES),)
    assert np.isfinite(seen.bag).all()
    assert np.isfinite(seen.surface).all()
    assert float(seen.bag @ seen.bag) == pytest.approx(1.0 if words(text).hashes.size else 0.0, abs=1e-9)


@given(st.text(alphabet="ab 1.\n", min_size=1, max_size=200))
@settings(max_examples=100, deadline=None)
def test_a_sketch_keeps_what_traits_say(text: str) -> None:
    seen = traits(Request((text,)))
    bags, surfaces = unpacked([sketch(seen)])
    assert bags[0] == pytest.approx(seen.bag, abs=0.01)
    assert surfaces[0] == pytest.approx(seen.surface, rel=1e-5)


def test_a_long_text_is_read_at_its_ends() -> None:
    middle = "x" * 100 + " "
    long = "begin " * 200 + middle * 1_000 + "end " * 200
    seen = words(long)
    assert len(seen.data) <= MOST_CHARACTERS + 1
    assert int(seen.hashes[0]) == word_hash("begin")
    assert int(seen.hashes[-1]) == word_hash("end")


def test_what_comes_with_the_text_is_seen() -> None:
    plain = traits(Request(("hello",))).surface
    full = traits(
        Request(("hello",), tools='{"name": "f"}', needs=Need.STRUCTURED_OUTPUT, media=("image",), turns=5)
    ).surface
    changed = {NAMES[i] for i in np.flatnonzero(plain != full)}
    assert changed == {"tools", "schema", "media", "turns"}


def test_labels_tell_who_asks_and_no_label_is_mistaken_for_another() -> None:
    asked = [Routing(tenant="acme"), Routing(task="acme"), Routing(chain="acme"), Routing(tags=("acme",)), Routing()]
    told = [labels(Request(("x",), routing=terms)).tobytes() for terms in asked]
    assert len(set(told)) == 5
    seen = traits(Request(("x",), routing=Routing(tags=("a", "b"))))
    assert np.count_nonzero(seen.bag[WORDS:]) in (1, 2)
