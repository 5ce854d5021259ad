"""The learned model at work in a router: asked for each plan, taught by scores, kept in a file.

Scores are taken in at once; what their words teach is worked out in a thread of its own, while requests go on with what
was known before.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from threading import Lock, Thread
from typing import NamedTuple

from capability_router.errors import ConfigError
from capability_router.learning.drift import Drift, Standing
from capability_router.learning.quality.arrays import Unreadable
from capability_router.learning.quality.memory import FORMER, Remembered, Result
from capability_router.learning.quality.model import Quality
from capability_router.learning.quality.sketch import Sketch, sketch
from capability_router.learning.quality.state import dumped, loaded
from capability_router.learning.quality.traits import traits
from capability_router.request import Request

_NAMED = 5  # models in a warning
log = logging.getLogger("capability_router")


class Judged(NamedTuple):
    """What is expected of a model on a request: its quality, its answer's tokens (None = not known), and the quality's

    standard error.
    """

    quality: float
    tokens: int | None
    error: float = 0.0


class Learner:
    """Thread-safe. The file is written by `save`, and only if something was learned since."""

    def __init__(self, path: Path, quality: Quality, *, damaged: bool = False) -> None:
        self.path, self.quality = path, quality
        self._damaged, self._unsaved = damaged, False
        self._drift = Drift()
        self._busy = Lock()  # while the words are worked out
        self._writing = Lock()

    @classmethod
    def open(cls, path: Path) -> Learner:
        """From its file; fresh where there is none, or where it is damaged, which is logged.

        Raises ConfigError where the file can't be opened, or no file can be made.
        """
        try:
            return cls(path, loaded(path.read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            if not path.parent.is_dir():
                raise ConfigError(
                    f"policy.state: {str(path)!r} can't be made: there is no folder {str(path.parent)!r}"
                ) from error
            return cls(path, Quality())
        except OSError as error:
            raise ConfigError(f"policy.state: cannot read {str(path)!r}: {error.strerror or error}") from error
        except (Unreadable, UnicodeDecodeError) as error:
            log.warning("the learned state %s is damaged (%s): learning starts afresh", path, error)
            return cls(path, Quality(), damaged=True)

    def registered(self, models: Sequence[str]) -> None:
        """A router asks these; it is told where nothing was learned of any of them, though of others."""
        known = [model for model in self.quality.memory.models if not model.endswith(FORMER)]
        if known and models and not set(known) & set(models):
            log.warning(
                "the learned state %s knows none of this router's models (%s), but %s: entries need the ids that its "
                "logs have", self.path, ", ".join(models[:_NAMED]), ", ".join(known[:_NAMED]),
            )  # fmt: skip

    def judge(self, request: Request, believed: Sequence[tuple[str, float]], worth: Sequence[float]) -> list[Judged]:
        """Per model (id, quality believed without having learned), which counts for so many scored answers."""
        quality, errors, tokens = self.quality.expect(traits(request), believed, worth)
        bounded, tenant = self.quality.tenants.bounded, request.routing.tenant
        found = zip(believed, worth, quality.tolist(), tokens.tolist(), errors.tolist(), strict=True)
        return [
            Judged(bounded(tenant, model, q, before, counted), max(1, round(t)) if t == t else None, error)
            for (model, before), counted, q, t, error in found
        ]

    def sketch(self, request: Request) -> Sketch:
        """What is kept of an answered request until its score comes; tells if its tenant's requests have moved."""
        seen, fit = traits(request), self.quality.fit
        if fit is not None:
            tenant = request.routing.tenant
            for moved in self._drift.note(tenant, Standing(*self.quality.standing(seen)), fit):
                log.warning("the requests of tenant %r are %s; what was learned may not hold for them", tenant, moved)
        return sketch(seen)

    def scored(
        self, request_id: str, seen: Sketch, model: str, score: float, tokens: int | None, tenant: str = ""
    ) -> None:
        """An answer of this model, of so many tokens, was worth this score to this tenant.

        Words are worked out in the background when enough is new.
        """
        again = self.quality.memory.has(request_id, model)
        weight = 1.0 if again else self.quality.tenants.note(tenant, model, score)
        for changed in self.quality.learn(Remembered(request_id, seen), {model: Result(score, tokens)}, weight):
            log.warning("%s: its scores are no longer what they were; what was learned of it counts for less", changed)
        self._unsaved = True
        if self.quality.due and self._busy.acquire(blocking=False):
            # No daemon: a thread that is ended within numpy's own code takes the whole process with it, by SIGABRT.
            Thread(target=self._refit, name="capability-router-learning").start()

    def _refit(self) -> None:
        try:
            self.quality.refit()
            self._unsaved = True  # the scores may be in the file already, what their words teach is not
            self.save()
        finally:
            self._busy.release()

    def save(self) -> None:
        """Write the file, whole or not at all. A damaged one is moved aside first.

        Where it can't be written that is logged, and the next time all of it is written.
        """
        with self._writing:
            if not self._unsaved:
                return
            self._unsaved = False
            try:
                self._write(dumped(self.quality))
            except OSError as error:
                self._unsaved = True
                log.error("the learned state %s can't be written: %s", self.path, error.strerror or error)

    def _write(self, text: str) -> None:
        if self._damaged and self.path.exists():
            self.path.rename(self.path.with_name(f"{self.path.name}.damaged"))
            self._damaged = False
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}.{id(self):x}")  # a process may have two
        try:
            owners = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(owners, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(draft, self.path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
