"""Back-off in tenacity's words: `{exponential_jitter: {initial: 0.5, max: 8}}`, or a tenacity wait object."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

import tenacity

from capability_router.nearest import nearest
from capability_router.settings.units import number, seconds, shown

WORDS: dict[str, Callable[..., Any]] = {
    "exponential_jitter": tenacity.wait_exponential_jitter,
    "random_exponential": tenacity.wait_random_exponential,
    "exponential": tenacity.wait_exponential,
    "incrementing": tenacity.wait_incrementing,
    "random": tenacity.wait_random,
    "fixed": tenacity.wait_fixed,
    "none": tenacity.wait_none,
}


class Backoff:
    """Seconds before the n-th repetition on one target, n from 1, as a tenacity strategy says."""

    __slots__ = ("strategy",)

    def __init__(self, strategy: Callable[[Any], float]) -> None:
        self.strategy = strategy

    def __call__(self, repetition: int) -> float:
        """Seconds to wait; a strategy's nonsense (negative, infinite) counts as 0."""
        state = tenacity.RetryCallState(None, None, (), {})  # type: ignore[arg-type]  # waits read the number alone
        state.attempt_number = repetition
        found = float(self.strategy(state))
        return found if 0.0 <= found < math.inf else 0.0

    def __repr__(self) -> str:
        return f"<Backoff {type(self.strategy).__name__}>"


def backoff(value: Any) -> Backoff:
    """A Backoff from a tenacity object, a duration (fixed), a word, or `{word: {argument: value}}`."""
    if isinstance(value, Backoff):
        return value
    if callable(value) and not isinstance(value, type):
        return _tried(value)
    if isinstance(value, (int, float)) or (isinstance(value, str) and value[:1].isdigit()):
        return Backoff(tenacity.wait_none() if value == 0 else tenacity.wait_fixed(seconds(value)))
    word, arguments = _worded(value)
    return _tried(_built(word, {} if arguments is None else arguments))


def _worded(value: Any) -> tuple[str, Any]:
    pair = (value, None) if isinstance(value, str) else None
    if isinstance(value, Mapping) and len(value) == 1:
        pair = next(iter(value.items()))
    if pair is None or pair[0] not in WORDS:
        hint = nearest(pair[0], WORDS, "") if pair else ""
        raise ValueError(
            f"must be a duration, a tenacity wait, or one of {', '.join(WORDS)} with its arguments, such as "
            f"{{exponential_jitter: {{initial: 0.5, max: 8}}}}; got {shown(pair[0] if pair else value)}{hint}"
        )
    return pair


def _built(word: str, arguments: Any) -> Callable[[Any], float]:
    """tenacity's strategy; every argument but a base is a duration."""
    if word == "fixed" and not isinstance(arguments, Mapping):
        arguments = {"wait": arguments}
    if not isinstance(arguments, Mapping):
        raise ValueError(f"{word} must be a mapping of its arguments, got {shown(arguments)}")
    known = tuple(signature(WORDS[word]).parameters)
    for name in arguments:
        if name not in known:
            raise ValueError(f"{word} has no argument {name!r}; known: {', '.join(known) or 'none'}")
    kept = {k: number(1)(v) if k == "exp_base" else 0.0 if v == 0 else seconds(v) for k, v in arguments.items()}
    built: Callable[[Any], float] = WORDS[word](**kept)
    return built


def _tried(strategy: Callable[[Any], float]) -> Backoff:
    made = Backoff(strategy)
    try:
        made(1)
    except Exception as error:  # noqa: BLE001 - a user's callable may raise anything; it must not fail in a retry
        raise ValueError(f"does not work as a tenacity wait: {type(error).__name__}: {error}") from None
    return made
