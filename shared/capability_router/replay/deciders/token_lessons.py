"""Learns token factors from the answers in the log in the order of time, so that no decision uses later answers."""

from __future__ import annotations

from collections.abc import Sequence

from capability_router.learning.output_lengths import OutputLengths
from capability_router.learning.token_scales import TokenScales
from capability_router.replay.log.logged_request import LoggedRequest


class TokenLessons:
    """Of the log's decisions, by the models' ids in the log."""

    def __init__(self, decisions: Sequence[LoggedRequest]) -> None:
        self._ended = sorted(decisions, key=_at)
        self._next = 0
        self.lengths, self.sizes = OutputLengths(), TokenScales()

    def until(self, unix: float) -> list[LoggedRequest]:
        """Learn from what ended before this moment, Unix seconds; gives these."""
        begin = self._next
        while self._next < len(self._ended) and self._ended[self._next].at < unix:
            self._learn(self._ended[self._next])
            self._next += 1
        return self._ended[begin : self._next]

    def longer(self, logged: LoggedRequest, other: str) -> tuple[float, float]:
        """The ratio of another model's tokens to those of the logged answer: input, output."""
        lengths, sizes = self.lengths.on(logged.features.task), self.sizes.on(logged.features.bucket)
        one, two = (lengths.by_model.get(model, lengths.common) for model in (logged.model, other))
        ins = [sizes[model].factor if model in sizes else 1.0 for model in (logged.model, other)]
        return ins[1] / ins[0], two / one

    def _learn(self, logged: LoggedRequest) -> None:
        answer, found = logged.answer(), logged.features
        if answer is None or answer.estimated:
            return
        if answer.finish != "length":
            several = logged.request.answers or 1
            self.lengths.learn(answer.model, found.task, found.output_tokens * several, answer.output_tokens)
        if found.bucket:
            self.sizes.learn(answer.model, found.bucket, found.input_tokens, answer.input_tokens)


def _at(logged: LoggedRequest) -> float:
    return logged.at
