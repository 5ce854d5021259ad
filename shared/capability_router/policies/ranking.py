"""The candidates of a plan, best first; each is made when it is read.

For most requests the first one answers and the others are never read, however many models there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import overload

from capability_router.catalog.card import ModelCard
from capability_router.eligibility import window_of
from capability_router.learning.context_windows import LearnedWindow
from capability_router.plan import Candidate
from capability_router.policies.base import EligibleModel, PolicyScores, Terms
from capability_router.policies.expected_cost import shown
from capability_router.policies.lazy_tuple import LazyTuple, TupleLike
from capability_router.policies.prompt_sizing import PromptSizing


class Ranking(TupleLike[Candidate]):
    """`order`: the indices of `rows` and of their scores, best first.

    `tokens`: of the input, if `sizing` does not give them by model.
    """

    __slots__ = ("_judged", "_learned", "_made", "_order", "_rows", "_sizing", "_tokens")

    def __init__(
        self, order: Sequence[int], rows: Sequence[EligibleModel], judged: PolicyScores, tokens: int,
        sizing: PromptSizing | None = None, learned: Mapping[str, LearnedWindow] | None = None,
    ) -> None:  # fmt: skip
        self._order, self._rows, self._judged = order, rows, judged
        self._tokens, self._sizing, self._learned = tokens, sizing, learned
        self._made: dict[int, Candidate] = {}

    @overload
    def __getitem__(self, rank: int) -> Candidate: ...
    @overload
    def __getitem__(self, rank: slice) -> tuple[Candidate, ...]: ...
    def __getitem__(self, rank: int | slice) -> Candidate | tuple[Candidate, ...]:
        if isinstance(rank, slice):
            return tuple(map(self._candidate, self._order[rank]))
        return self._candidate(self._order[rank])

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Candidate]:
        return map(self._candidate, self._order)

    def usable_from(self, rank: int) -> bool:
        """Whether a candidate of this rank or a later one is not held; creates no candidates."""
        rows = self._rows
        for at in self._order[rank:]:  # noqa: SIM110 - each launch calls this, and a generator is slower
            if not rows[at].held:
                return True
        return False

    def _candidate(self, at: int) -> Candidate:
        made = self._made.get(at)
        if made is None:
            made = self._made[at] = self._make(at)
        return made

    def _make(self, at: int) -> Candidate:
        row, tokens, scale = self._rows[at], self._tokens, 1.0
        card, terms = row.card, LazyTuple(partial(_terms, self._judged, row, at))
        if self._sizing is not None:
            tokens, scale = self._sizing.tokens(card), self._sizing.scale(card).factor
        return Candidate(
            card.id, card.provider, card.model or card.name, self._judged.scores[at], row.quality, row.cost_pico,
            row.latency_s, row.queue_s, terms, row.held, _window(card, self._learned), row.fallback_pico, tokens, scale,
            row.answers,
        )  # fmt: skip


def _terms(judged: PolicyScores, row: EligibleModel, at: int) -> Terms:
    """The summands of the score at this index. For most requests they are never read."""
    terms = judged.terms(at)
    return shown(terms, row) if row.fallback_pico else terms


def _window(card: ModelCard, learned: Mapping[str, LearnedWindow] | None) -> int | None:
    """Tokens of input that it accepts, by its card or, if less, as learned from its errors."""
    window = card.context_window if card.max_input_tokens is None else card.max_input_tokens
    if not learned or card.id not in learned:
        return window
    told = window_of(card, learned)
    return told if window is None or (told is not None and told < window) else window
