"""The learned model at work in a router: asked for each plan, taught by scores, kept in a file.

Scores are learned at once. What their words teach is computed in a separate thread, while requests use the earlier
state.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Lock, Thread
from typing import NamedTuple

from capability_router.concurrency.process_hooks import ProcessHooks, ending, watch
from capability_router.errors import ConfigError
from capability_router.learning.drift import Drift, RequestPosition
from capability_router.learning.embedding_cache import EmbeddingCache
from capability_router.learning.guard import BaselineGuard, PlanPrediction
from capability_router.learning.implicit_signs import SignCounts
from capability_router.learning.quality.arrays import UnreadableState
from capability_router.learning.quality.embedding import Origin
from capability_router.learning.quality.memory import FORMER, Remembered, ScoredResult
from capability_router.learning.quality.model import QualityModel
from capability_router.learning.quality.sketch import Sketch, sketch
from capability_router.learning.quality.state import (
    IncompatibleState,
    base_of,
    dumped,
    loaded,
    merged,
    state_snapshot,
    text_of,
    unreadable,
)
from capability_router.learning.quality.traits import Traits, traits
from capability_router.learning.sharing.lesson import USER, Lesson
from capability_router.learning.state_file import StateFile
from capability_router.learning.tenants import hashed
from capability_router.request import Request

_NAMED = 5  # models in a warning
_MANY = 1_000  # requests; more than this are learned together, by a fit
_WORKED_OUT_S = 30.0  # the longest wait for a running computation, at the end
_READ = 50_000  # of those that were in the file
log = logging.getLogger("capability_router")


class LearnedEstimate(NamedTuple):
    """What is expected of a model on a request.

    Its quality; its answer's tokens, None = unknown; the quality's standard error, which grows while the model gets no
    scores, because it may have changed; and by how much the quality may well be better (quality/exploration_bonus.py).
    """

    quality: float
    tokens: int | None
    error: float = 0.0
    bonus: float = 0.0


class OnlineQualityModel:
    """The learned model and the tenants whose scores teach it. One thread at a time may `learn`."""

    def __init__(self, quality: QualityModel) -> None:
        self.quality = quality

    def learn(self, lesson: Lesson) -> list[str]:
        """Learn an answer's score. Returns the models that have changed, and logs them."""
        quality, (id, model, score, tokens, tenant, seen, *_) = self.quality, lesson
        before, tenants = quality.memory.score(id, model), quality.tenants
        weight = (
            tenants.told(tenant, model, score) if before is None
            else tenants.corrected(tenant, model, score - before, quality.memory.scored(model, tenant))
        )  # fmt: skip
        row, results, apart = Remembered(id, seen, tenant), {model: ScoredResult(score, tokens)}, quality.apart
        if apart is not None and tenant != apart.whose:
            apart.quality.learn(row, results)
        changed = quality.learn(row, results, weight)
        for each in changed:
            log.warning("%s: its recent scores differ from what was learned; older scores now count less", each)
        return changed if before is not None or model in changed else [*changed, *self._renewed(lesson)]

    def _renewed(self, lesson: Lesson) -> list[str]:
        """The model, if its replies now state another version."""
        before = self.quality.versioned(lesson.model, lesson.version)
        if not before:
            return []
        log.warning(
            "%s: its answers come of %r, no longer of %r; what was learned of it counts for less", lesson.model,
            self.quality.versions.of(lesson.model), before,
        )  # fmt: skip
        return [lesson.model]

    def learn_remote(
        self, rows: Sequence[tuple[Remembered, Mapping[str, ScoredResult]]], other: QualityModel
    ) -> list[str]:
        """Learn other processes' scores, in the order in which they came; returns models that have changed."""
        has = self.quality.memory.has
        rows = [(row, results) for row, results in rows if not any(has(row.id, model) for model in results)]
        if len(rows) > _MANY or not all(row.whose for row, _ in rows):  # of a log, whose order means nothing
            merged(self.quality, other)
            return []
        return [
            changed
            for row, results in rows
            for model, (score, tokens) in results.items()
            if not model.endswith(FORMER)
            for changed in self.learn(Lesson(row.id, model, score, tokens, row.whose, row.sketch))
        ]

    def told(self) -> Callable[[], str]:
        """The present state; its text is made when the result is called."""
        return partial(text_of, state_snapshot(self.quality))

    def forked(self) -> None:
        """This is the child of a fork."""
        self.quality.forked()


def fitting(quality: QualityModel, meanings: EmbeddingCache | None, path: Path) -> EmbeddingCache | None:
    """The embedder, if this state was learned with it or is still empty; else None, which is logged."""
    own, given = quality.origin, "" if meanings is None else meanings.embedder.name
    if own.name != given and (own.name or quality.scored):
        log.warning(
            "the learned state %s was learned %s, the router has %s: decisions go by hashed words. `capability-router "
            "train --embedder` learns a state with it", path,
            f"with the embedder {own.name!r}" if own.name else "without an embedder",
            f"{given!r}" if given else "none",
        )  # fmt: skip
        return None
    if meanings is not None:
        meanings.wanted, meanings.size = True, own.size or meanings.size
    return meanings


def agreed(quality: QualityModel, meanings: EmbeddingCache | None) -> QualityModel:
    """The same state, without embeddings of other embedders."""
    if meanings is None:
        if quality.origin.name:
            quality.forget_meanings()
    elif not quality.origin.name:
        quality.origin = Origin(meanings.embedder.name, meanings.size or 0)
    return quality


class Learner(ProcessHooks):
    """Thread-safe. `save` writes the file, and only if something was learned since.

    `base`: the state before any tenant scored, if there was one. `meanings`: requests' embeddings, if the model is
    learned with them.
    """

    def __init__(
        self, path: Path, quality: QualityModel, *, damaged: bool = False, base: QualityModel | None = None,
        meanings: EmbeddingCache | None = None,
    ) -> None:  # fmt: skip
        self.path, self.quality, self.base, self._meanings = path, quality, base, meanings
        self._damaged, self._unsaved = damaged, False
        self._foreign = ""  # why its file must stay: text, for an error keeps its frames alive
        self._file, self._told = StateFile(path), False
        self._read: dict[str, int] = {}  # requests in the file, by hash of their scores: these hold nothing new
        self._trained: str | None = None  # the text of `base`, written with the file
        self._drift = Drift()
        self._guard: BaselineGuard | None = None
        self._busy = Lock()  # while words are being learned
        self._writing = Lock()
        watch(self)

    @classmethod
    def open(cls, path: Path, meanings: EmbeddingCache | None = None) -> Learner:
        """Read from its file; fresh if there is none, or if it is damaged, which is logged.

        Raises ConfigError if the file can't be opened, or can't be created.
        """
        damaged, foreign, quality, base, file = False, "", QualityModel(), None, StateFile(path)
        try:
            text = file.read()
            quality, base = loaded(text), base_of(text)
        except FileNotFoundError as error:
            if not path.parent.is_dir():
                raise ConfigError(
                    f"policy.state: {str(path)!r} can't be made: there is no folder {str(path.parent)!r}"
                ) from error
        except OSError as error:
            raise ConfigError(f"policy.state: cannot read {str(path)!r}: {error.strerror or error}") from error
        except (UnreadableState, UnicodeDecodeError) as error:
            damaged, foreign = _reported(path, _why(error), "learning starts afresh")
        meanings = fitting(quality, meanings, path)
        learner = cls(path, agreed(quality, meanings), damaged=damaged, meanings=meanings)
        learner._file, learner._foreign = file, foreign
        learner._note_read(quality.memory.told())
        learner._begin(base)
        learner._work_out()
        return learner

    def _begin(self, base: str | None) -> None:
        """The trained state, before any score, is kept beside what is learned later."""
        if base is None:
            return
        try:
            self.base, self._trained = agreed(loaded(base), self._meanings), base
        except UnreadableState as error:
            log.warning("what the learned state %s began with is damaged (%s): it is left out", self.path, error)

    def registered(self, models: Sequence[str]) -> None:
        """A router uses these models. Logs a warning if something was learned, but about none of them."""
        known = [model for model in self.quality.memory.models if not model.endswith(FORMER)]
        if known and models and not set(known) & set(models):
            log.warning(
                "the learned state %s knows none of this router's models (%s), but %s: entries need the ids that its "
                "logs have", self.path, ", ".join(models[:_NAMED]), ", ".join(known[:_NAMED]),
            )  # fmt: skip

    def others(self, tenant: str) -> bool:
        """Whether any other tenant has scored."""
        return self.quality.tenants.bind(tenant)

    def has_scored(self, tenant: str) -> bool:
        """Whether this tenant has."""
        return hashed(tenant) in self.quality.tenants.known

    @property
    def signs(self) -> Mapping[str, SignCounts]:
        """The sums of implicit signs by model, from the logs that it was trained on."""
        return self.quality.signs

    def judge(
        self, request: Request, believed: Sequence[tuple[str, float]], worth: Sequence[float]
    ) -> list[LearnedEstimate]:
        """The prediction per model, given (id, quality before learning), which counts as `worth` scored answers."""
        return self.judged(self._seen(request), request.routing.tenant, believed, worth)

    def judged(
        self, seen: Traits, tenant: str, believed: Sequence[tuple[str, float]], worth: Sequence[float]
    ) -> list[LearnedEstimate]:  # fmt: skip
        """The same for a tenant's request, from its traits."""
        known = self.quality
        binds = known.tenants.bind(tenant)
        whose = hashed(tenant) if binds else ""
        quality, errors, tokens = known.expect(seen, believed, worth, whose)
        if binds and (apart := known.apart) is not None and apart.whose != whose:
            quality = apart.bounded(quality, seen, believed, worth, whose)
        before = self._before(seen, believed, worth) if binds else believed
        bounded = known.tenants.bounded
        bonuses = known.bonuses([model for model, _ in believed], errors)
        found = zip(before, worth, quality.tolist(), tokens.tolist(), errors.tolist(), bonuses, strict=True)
        return [
            LearnedEstimate(
                bounded(tenant, model, q, alone, counted) if binds else q, max(1, round(t)) if t == t else None,
                math.sqrt(error * error + known.unseen(model)), more,
            )
            for (model, alone), counted, q, t, error, more in found
        ]  # fmt: skip

    def _seen(self, request: Request) -> Traits:
        """The request's traits, with its text's embedding if that is known."""
        seen = traits(request)
        if self._meanings is None:
            return seen
        if not self.quality.origin.size and self._meanings.size:
            self.quality.origin = Origin(self._meanings.embedder.name, self._meanings.size)
        return seen._replace(meaning=self._meanings.of(request))

    def _before(
        self, seen: Traits, believed: Sequence[tuple[str, float]], worth: Sequence[float]
    ) -> Sequence[tuple[str, float]]:  # fmt: skip
        """What is believed of each model for this request without any tenant's scores."""
        if self.base is None:
            return believed
        quality = self.base.expect(seen, believed, worth).quality
        return [(model, q) for (model, _), q in zip(believed, quality.tolist(), strict=True)]

    def sketch(self, request: Request) -> Sketch:
        """What is kept of an answered request until its score comes. Logs it if its tenant's requests have changed."""
        seen, fit = self._seen(request), self.quality.fit
        if fit is not None:
            tenant = request.routing.tenant
            for moved in self._drift.note(tenant, RequestPosition(*self.quality.standing(seen)), fit):
                whose = f"the requests of tenant {tenant!r}" if tenant else "the requests that name no tenant"
                log.warning("%s are %s; what was learned may not hold for them", whose, moved)
        return sketch(seen)

    def scored(
        self, request_id: str, seen: Sketch, model: str, score: float, tokens: int | None, tenant: str = "",
        foreseen: PlanPrediction | None = None, source: str = USER, version: str = "",
    ) -> None:  # fmt: skip
        """An answer of this model, with this many tokens, got this score from this tenant.

        `foreseen`: its plan, at the first score only. `version`: the model's name in the reply. Words are learned in
        the background when there is enough new.
        """
        self._take(Lesson(request_id, model, score, tokens, hashed(tenant), seen, foreseen, source, version))
        self._work_out()

    def remembers(self, request_id: str, model: str) -> bool:
        """Whether a score of this answer was learned, in any process."""
        return self.quality.memory.has(request_id, model)

    def answered(self, lesson: Lesson) -> None:
        """A request was answered whose score may come to another process; without a store nothing is kept of it."""

    def scored_elsewhere(self, request_id: str, score: float) -> Lesson | None:
        """An answer of another or an earlier process got this score. Returns what was learned; None = unknown."""
        return None

    def _take(self, lesson: Lesson) -> None:
        self._changed(OnlineQualityModel(self.quality).learn(lesson))
        self._unsaved = True

    def _changed(self, models: Iterable[str]) -> None:
        """These models are no longer the same."""
        for model in models:
            if self._guard is not None:
                self._guard.changed(model)

    def _work_out(self) -> None:
        if self.quality.due and not ending() and self._busy.acquire(blocking=False):
            # Not a daemon: ending a thread within numpy's own code would end the whole process by SIGABRT.
            thread = Thread(target=self._refit, name="capability-router-learning")
            try:
                thread.start()
            except RuntimeError:  # no thread is left: the next score tries again
                self._busy.release()

    def _refit(self) -> None:
        try:
            self.quality.refit()
            self._refitted()
        finally:
            self._busy.release()

    def _refitted(self) -> None:
        self._unsaved = True  # the scores may already be in the file, but not what their words teach
        self.save()

    def close(self) -> None:
        """Save what was learned, including running computations: nothing is written later unless more is learned."""
        busy = self._busy
        if busy.acquire(timeout=_WORKED_OUT_S):
            busy.release()
        self.save()

    def save(self) -> None:
        """Write the file, whole or not at all. A damaged one is moved aside first.

        If it can't be written, that is logged, and all of it is written the next time.
        """
        with self._writing:
            if not self._unsaved:
                return
            self._unsaved = False
            try:
                self._file.write(self._written)
            except OSError as error:
                self._unsaved = True
                log.error("the learned state %s can't be written: %s", self.path, error.strerror or error)
            except IncompatibleState:  # reported when it was read
                self._unsaved = True

    def _written(self, others: bytes | None) -> str:
        """What to write, including what other processes have written since."""
        if others is not None:
            self._take_over(others)
        elif self._foreign and self.path.exists():
            raise IncompatibleState(self._foreign)
        elif self._damaged:
            self._file.move_aside()
        self._damaged, self._foreign = False, ""
        self._note_read(self.quality.memory.told())
        return dumped(self.quality, self._trained)

    def _take_over(self, others: bytes) -> None:
        """Learn what another process, or `train`, has written: each request once. Raises IncompatibleState."""
        try:
            text = others.decode()
            other = loaded(text)
        except (UnreadableState, UnicodeDecodeError) as error:
            why = _why(error)
            if not self._foreign or str(why) != self._foreign:
                _, self._foreign = _reported(self.path, why, "it is written anew")
            if self._foreign:
                raise IncompatibleState(self._foreign) from error
            self._file.move_aside()
            return
        if other.tenants.known and not self._told:
            self._told = True
            log.warning(
                "the learned state %s is another process's too: each takes over what the others have learned when it "
                "writes. With a `store` that lasts they learn from each other at once (told once)", self.path,
            )  # fmt: skip
        told, pupil = other.memory.told(), OnlineQualityModel(self.quality)
        rows = [(row, results) for row, results in told if row.id not in self._read]
        corrected = [lesson for row, results in told for lesson in self._corrected(row, results)]
        self._note_read(told)
        if self.base is None:
            self._begin(base_of(text))
        self._changed(pupil.learn_remote(rows, other))
        for lesson in corrected:
            pupil.learn(lesson)

    def _corrected(self, row: Remembered, results: Mapping[str, ScoredResult]) -> Iterator[Lesson]:
        """Scores that another process has replaced since they were read, unless this one has, too."""
        read = self._read.get(row.id)
        if read is None or read == _told(results) or read != _told(own := self.quality.memory.of(row.id)):
            return
        for model, (score, tokens) in results.items():
            if model in own and own[model].score != score:
                yield Lesson(row.id, model, score, tokens, row.whose, row.sketch)

    def _note_read(self, rows: Iterable[tuple[Remembered, Mapping[str, ScoredResult]]]) -> None:
        self._read.update((row.id, _told(results)) for row, results in rows)
        for id in list(islice(self._read, max(len(self._read) - _READ, 0))):
            del self._read[id]

    def tell(self, guard: BaselineGuard) -> None:
        """Connect the guard to changed models and other processes' scores; here there are no other processes."""
        self._guard = guard

    def hears(self, listener: Callable[[Lesson], None]) -> None:
        """Call the listener with other processes' scores; here there are none."""

    def runs(self, errand: Callable[[bool], None]) -> None:
        """Run this in the background, if there is a background thread."""

    def after_fork(self) -> None:
        """A forked child has none of its parent's threads, which may have held the locks."""
        self._busy, self._writing = Lock(), Lock()
        self.quality.forked()


def _told(results: Mapping[str, ScoredResult]) -> int:
    """The same for the same scores of the same models, in this process."""
    return hash(frozenset((model, result.score) for model, result in results.items()))


def _why(error: UnreadableState | UnicodeDecodeError) -> UnreadableState:
    return error if isinstance(error, UnreadableState) else unreadable(error.object, "no text")


def _reported(path: Path, why: UnreadableState, then: str) -> tuple[bool, str]:
    """Log what is wrong with the file; returns whether it is a damaged one of ours; if not, why it must stay."""
    if not isinstance(why, IncompatibleState):
        log.warning("the learned state %s is damaged (%s): %s", path, why, then)
        return True, ""
    log.error(
        "policy.state %s is left as it is (%s): learning starts afresh, and what is learned is not kept. Name another "
        "file, move this one away, or use the version that wrote it", path, why,
    )  # fmt: skip
    return False, str(why)
