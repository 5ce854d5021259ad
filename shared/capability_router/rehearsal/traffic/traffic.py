"""Requests to rehearse with: where they are from, over how long, and what of it is only assumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from capability_router.rehearsal.traffic.shape import RequestShape


class LoggedSpeed(NamedTuple):
    """How quick a model was in a log: its median wait for the first token, and its tokens per second; None = unseen."""

    ttft_s: float | None
    tokens_per_s: float | None


class Traffic(NamedTuple):
    """`shapes` in the order of their arrival. `seconds`: how long the run is; `told`: their origin, in words.

    `unix_s`: when it begins. `paces`: how quick models were, if a log shows it. `notes`: what was left out of it.
    """

    shapes: Sequence[RequestShape]
    seconds: float
    told: str
    unix_s: float = 1_800_000_000.0
    paces: Mapping[str, LoggedSpeed] = {}
    notes: tuple[str, ...] = ()
