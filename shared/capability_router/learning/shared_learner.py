"""The learned model of several processes: trained offline in a file, learned online in a store.

The file is read and never written. A process that starts from another file, or writes another format, uses a separate
log. So all of them can share a store.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path

from capability_router.errors import ConfigError
from capability_router.learning.embedding_cache import EmbeddingCache
from capability_router.learning.guard import BaselineGuard, PlanPrediction
from capability_router.learning.learner import Learner, OnlineQualityModel, agreed, fitting
from capability_router.learning.logs.sketch_json import sketched, written
from capability_router.learning.quality.arrays import UnreadableState
from capability_router.learning.quality.model import QualityModel
from capability_router.learning.quality.sketch import Sketch
from capability_router.learning.quality.state import SCHEMA, loaded
from capability_router.learning.sharing.answer_store import AnswerStore
from capability_router.learning.sharing.lesson import FORMAT, Lesson
from capability_router.learning.sharing.lesson_sync import LessonSync, SketchCodec, SyncHooks
from capability_router.request import Request
from capability_router.stores.lessons import LessonStore
from capability_router.stores.opening import file_of

log = logging.getLogger("capability_router")


class SharedLearner(Learner):
    """Thread-safe. `save` writes to the store the scores that wait, and what a refit has learned."""

    def __init__(
        self, path: Path, text: str | None, room: LessonStore, owner: str, meanings: EmbeddingCache | None = None
    ) -> None:  # fmt: skip
        """`text`: of the file, None = there is none. `owner`: routers of the same name share what they learn."""
        self._text = text
        base = QualityModel() if text is None else loaded(text)
        self._meanings = meanings = fitting(base, meanings, path)
        self._listener: Callable[[Lesson], None] | None = None
        began = "" if text is None else blake2b(text.encode(), digest_size=8).hexdigest()
        embedder = "" if meanings is None else meanings.embedder.name
        course = SyncHooks(
            self._made, SketchCodec(written, sketched), self._adopted, self._hear, self._changed, self._work_out
        )  # fmt: skip
        self.scribe = LessonSync(room, f"{owner}|{FORMAT}.{SCHEMA}|{began}|{embedder}", course)
        known = None if text is None else agreed(base, meanings)
        super().__init__(path, self.scribe.pupil.quality, base=known, meanings=meanings)
        self._answers = AnswerStore(room, self.scribe.name, written, sketched, self.scribe.ring)
        self.scribe.errands.append(lambda _: self._answers.flush())

    @classmethod
    def over(
        cls, path: Path | None, room: LessonStore, owner: str, meanings: EmbeddingCache | None = None
    ) -> SharedLearner:  # fmt: skip
        """Start from the file, if there is one. A damaged file is logged and left as it is."""
        text = None
        if path is not None:
            try:
                text = path.read_text(encoding="utf-8")
                loaded(text)
            except FileNotFoundError:
                text = None
            except OSError as error:
                raise ConfigError(f"policy.state: cannot read {str(path)!r}: {error.strerror or error}") from error
            except (UnreadableState, UnicodeDecodeError) as error:
                log.warning("the learned state %s is damaged (%s): learning starts without it", path, error)
                text = None
        return cls(path or Path(), text, room, owner, meanings)

    def load(self) -> None:
        """Take over what the store holds. If the store is away, that is logged."""
        self.scribe.load()
        self._work_out()

    def sketch(self, request: Request) -> Sketch:
        """See Learner; the store is read from the first answer on."""
        self.scribe.start()
        return super().sketch(request)

    def answered(self, lesson: Lesson) -> None:
        """See Learner; the answer is written to the store shortly after."""
        self._answers.keep(lesson)

    def scored_elsewhere(self, request_id: str, score: float) -> Lesson | None:
        """See Learner."""
        lesson = self._answers.find(request_id)
        if lesson is None:
            return None
        again = self.remembers(request_id, lesson.model)  # then its plan has already been reported
        lesson = lesson._replace(score=score, foreseen=None if again else lesson.foreseen)
        self._take(lesson)
        self._work_out()
        return lesson

    def save(self) -> None:
        """Write what waits to the store. Raises nothing: if the store is away, that is logged."""
        self.scribe.close()

    def _made(self, text: str | None) -> OnlineQualityModel:
        text = self._text if text is None else text
        return OnlineQualityModel(agreed(QualityModel() if text is None else loaded(text), self._meanings))

    def tell(self, guard: BaselineGuard) -> None:
        """Connect the guard to other processes' scores, including earlier ones."""
        self._guard = guard
        guard.renew(_planned(self.scribe.recent))

    def hears(self, listener: Callable[[Lesson], None]) -> None:
        """Call the listener with lessons of other processes, and again with the latest of those that were
        summarised.
        """
        self._listener = listener

    def runs(self, errand: Callable[[bool], None]) -> None:
        """Run this in the background too, from time to time; the argument True means the last time."""
        self.scribe.errands.append(errand)

    def _adopted(self, pupil: OnlineQualityModel, recent: Iterable[Lesson]) -> None:
        self.quality = pupil.quality
        if self._guard is not None:
            self._guard.renew(_planned(recent))
        if self._listener is not None:
            for lesson in recent:
                self._listener(lesson)

    def _hear(self, lesson: Lesson) -> None:
        if self._guard is not None:
            self._guard.note(lesson.foreseen, lesson.model, lesson.score, lesson.id, lesson.tenant)
        if self._listener is not None:
            self._listener(lesson)

    def _take(self, lesson: Lesson) -> None:
        self.scribe.take(lesson)

    def _refitted(self) -> None:
        self.scribe.overdue = True


IN_STORE = "store"
"""The name of a state that is only in the router's store, and started empty."""


def learner_of(state: str, url: str, room: LessonStore, owner: str, meanings: EmbeddingCache | None = None) -> Learner:
    """The learner for a state's name (a path or "store") and the router's store at this URL. Raises ConfigError.

    A store in memory keeps nothing, so then the file is written. A store that lasts is read at once, unless its file
    does not exist yet.
    """
    if url.startswith("memory"):
        if state == IN_STORE:
            raise ConfigError("policy.state: 'store' needs a store that lasts: `store: sqlite:///router.db`, or Redis")
        return Learner.open(Path(state), meanings)
    learner = SharedLearner.over(None if state == IN_STORE else Path(state), room, owner, meanings)
    if (file := file_of(url)) is None or file.exists():
        learner.load()
    return learner


def _planned(lessons: Iterable[Lesson]) -> list[tuple[PlanPrediction, str, float, str, str]]:
    return [
        (each.foreseen, each.model, each.score, each.id, each.tenant) for each in lessons if each.foreseen is not None
    ]
