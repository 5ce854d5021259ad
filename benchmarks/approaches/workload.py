"""What is asked, and when: questions of several kinds, some behind a long document, in quiet hours and peaks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from math import ceil, exp, log
from pathlib import Path
from random import Random
from typing import NamedTuple

from benchmarks.approaches.questions import CLASSIFY, GENERATE, READ, Question, read

QUIET_PER_S, PEAK_PER_S = 1.5, 8.0
PEAKS = ((0.2, 0.3), (0.65, 0.75))
"""Parts of the time in which as many requests come as in a peak."""
SHORTEST, LONGEST = 4_000, 160_000
"""Tokens of a document; their logarithm is drawn evenly."""
CHARACTERS = 4
"""Of a token, as the data count them."""
TAUGHT_LONG = 200
"""Of the rows that are learned from: those with a document before the question."""


class Mix(NamedTuple):
    """A workload: the files that its questions are from, and the shares of the kinds."""

    name: str
    files: tuple[str, ...]
    shares: Mapping[str, float]


MIXES = {
    "mixed": Mix("mixed", ("mmlu_pro", "zeroeval"), {CLASSIFY: 0.45, GENERATE: 0.40, READ: 0.15}),
    "labels": Mix("labels", ("mmlu_pro",), {CLASSIFY: 1.0}),
    "answers": Mix("answers", ("zeroeval",), {GENERATE: 0.85, READ: 0.15}),
    "tasks": Mix("tasks", ("llmrouter_uiuc",), {CLASSIFY: 0.5, GENERATE: 0.5}),
}


class PosedQuestion(NamedTuple):
    """A question as it is put at a moment. `text` is all of the prompt, `extra` the tokens of the document in it."""

    at: float
    kind: str
    text: str
    extra: int
    question: Question


class Workload:
    """A mix with its questions: `learned` to train on, `held` to be judged on, `models` that answered all of them."""

    def __init__(self, mix: Mix, learned: Sequence[Question], held: Sequence[Question]) -> None:
        self.mix, self.learned, self.held = mix, learned, held
        self.models = sorted(set.intersection(*(set(q.answers) for q in [*learned, *held])))
        self._shelf = TextCorpus([q.prompt for q in learned])

    @classmethod
    def open(cls, shared: Path, name: str) -> Workload:
        """From the files; raises Missing."""
        parts = [read(shared, file) for file in MIXES[name].files]
        return cls(MIXES[name], [q for part, _ in parts for q in part], [q for _, part in parts for q in part])

    def posed(self, seed: int, length_s: float) -> Iterator[PosedQuestion]:
        """The requests of one run, in the order of time."""
        chance = Random(f"{self.mix.name}-{seed}")
        decks = {kind: QuestionDeck(_of_kind(self.held, kind), chance) for kind in self.mix.shares}
        kinds, weights = list(self.mix.shares), list(self.mix.shares.values())
        for at in _arrivals(chance, length_s):
            kind = chance.choices(kinds, weights)[0]
            question = decks[kind].draw()
            yield self._put(at, kind, question, chance)

    def _put(self, at: float, kind: str, question: Question, chance: Random) -> PosedQuestion:
        if kind != READ:
            return PosedQuestion(at, kind, question.prompt, 0, question)
        document = self._shelf.document(chance)
        text = f"Documents:\n\n{document}\n\nWith these documents at hand, answer the question.\n\n{question.prompt}"
        return PosedQuestion(at, kind, text, ceil((len(text) - len(question.prompt)) / CHARACTERS), question)

    def taught(self) -> Iterator[PosedQuestion]:
        """The other part, as a log of yesterday's requests would hold it."""
        chance = Random(f"{self.mix.name}-taught")
        long = {q.id for q in chance.sample(list(self.learned), TAUGHT_LONG)} if READ in self.mix.shares else set()
        for question in self.learned:
            yield self._put(0.0, READ if question.id in long else question.kind, question, chance)

    def means(self, kind: str = "") -> dict[str, tuple[float, float, float]]:
        """Per model of the part to learn from: mean score, tokens in and out; of one kind, or of the mix."""
        shares = self.mix.shares if not kind else {kind: 1.0}
        found = {}
        for model in self.models:
            parts = [(share, _mean(_of_kind(self.learned, k), model)) for k, share in shares.items()]
            score, entered, written = (sum(share * part[i] for share, part in parts) for i in range(3))
            found[model] = (score, entered, written)
        return found


class QuestionDeck:
    """Questions in a drawn order, again from the start when all were drawn."""

    def __init__(self, questions: Sequence[Question], chance: Random) -> None:
        self._questions, self._chance, self._left = questions, chance, [*questions][:0]

    def draw(self) -> Question:
        if not self._left:
            self._left = [*self._questions]
            self._chance.shuffle(self._left)
        return self._left.pop()


class TextCorpus:
    """Real text of any length: prompts of the part to learn from, one after the other."""

    def __init__(self, prompts: Sequence[str]) -> None:
        self._prompts = list(prompts)
        self._ends = list(accumulate(len(p) + 2 for p in self._prompts))

    def document(self, chance: Random) -> str:
        size = CHARACTERS * exp(chance.uniform(log(SHORTEST), log(LONGEST)))
        begin = chance.randrange(len(self._prompts))
        before = self._ends[begin - 1] if begin else 0
        end = bisect_left(self._ends, before + size) + 1
        parts = [*self._prompts[begin:end], *self._prompts[: max(end - len(self._prompts), 0)]]
        return "\n\n".join(parts)[: int(size)]


def _of_kind(questions: Sequence[Question], kind: str) -> list[Question]:
    """A document may stand before any question."""
    return [q for q in questions if kind in (READ, q.kind)]


def _mean(questions: Sequence[Question], model: str) -> tuple[float, float, float]:
    answers = [q.answers[model] for q in questions]
    size = len(answers)
    return sum(a.score for a in answers) / size, sum(a.entered for a in answers) / size, sum(
        a.written for a in answers
    ) / size  # fmt: skip


def _arrivals(chance: Random, length_s: float) -> Iterator[float]:
    """A Poisson process at two rates (by thinning)."""
    at = 0.0
    while (at := at + chance.expovariate(PEAK_PER_S)) < length_s:
        peak = any(since <= at / length_s < until for since, until in PEAKS)
        if chance.random() * PEAK_PER_S < (PEAK_PER_S if peak else QUIET_PER_S):
            yield at
