"""Reproducible random numbers: each is a hash of its arguments, so the same request gets the same result."""

from __future__ import annotations

import hashlib

_FULL = float(2**64)
_OWN_SHARE = 0.25  # the share of requests that are drawn per model; the others are equally hard for all models


def digest(*parts: object) -> str:
    """32 hex digits that stand for the parts."""
    return hashlib.blake2b("\x1f".join(map(str, parts)).encode("utf-8", "replace"), digest_size=16).hexdigest()


def draw(*parts: object) -> float:
    """A number in [0, 1) that depends on the parts alone."""
    return int(digest(*parts)[:16], 16) / _FULL


def answers_correctly(skill: float, seed: int, model: str, prompt: str) -> bool:
    """Whether a model of this skill (0..1) gets this prompt right.

    Most prompts are equally hard for all models, so that a better model mostly knows what a weaker
    one knows; the chance over many prompts is exactly `skill` for each.
    """
    own = draw(seed, "own", model, prompt) < _OWN_SHARE
    return draw(seed, "luck", model if own else "", prompt) < skill
