"""Predicts the quality for logged requests by a state file of the learned model. The file is only read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from capability_router.errors import ConfigError
from capability_router.learning.learner import Learner, agreed
from capability_router.learning.logs.sketch_json import sketched
from capability_router.learning.quality.arrays import UnreadableState
from capability_router.learning.quality.sketch import Sketch, unpacked
from capability_router.learning.quality.state import loaded
from capability_router.learning.quality.traits import Traits, traits
from capability_router.replay.log.logged_request import LoggedRequest


class StatePredictor:
    """The learned model, used with the words of a request: those of its captured text, else its hashed ones.

    `embedder`: the one that it was learned with; "" = none. It is not used, because a log contains no embeddings.
    Raises ConfigError for a file that can't be opened or is no such state.
    """

    def __init__(self, path: Path) -> None:
        try:
            quality = loaded(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"policy.state: cannot read {str(path)!r}: {error.strerror or error}") from error
        except (UnreadableState, UnicodeDecodeError) as error:
            raise ConfigError(f"policy.state: {str(path)!r} is no learned state ({error})") from error
        self.embedder = quality.origin.name
        quality = agreed(quality, None)
        if quality.due:
            quality.refit()
        self._learner = Learner(path, quality)

    def judge(
        self, logged: LoggedRequest, believed: Sequence[tuple[str, float]], worth: Sequence[float]
    ) -> list[float] | None:  # fmt: skip
        """The quality per model, 0 to 1; None if the record contains no words."""
        seen = _seen(logged)
        if seen is None:
            return None
        return [each.quality for each in self._learner.judged(seen, logged.terms.tenant, believed, worth)]


def _seen(logged: LoggedRequest) -> Traits | None:
    if logged.request.texts:
        return traits(logged.request)
    found = sketched(logged.traits)
    return None if found is None else _traits(found)


def _traits(found: Sketch) -> Traits:
    bags, surfaces = unpacked([found])
    return Traits(bags[0].astype(float), surfaces[0].astype(float))
