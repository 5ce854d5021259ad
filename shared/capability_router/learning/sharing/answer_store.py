"""Which model answered which request, and what was seen of it, kept in the store: a score may come to any process.

They are written in a thread; a request adds to a line in memory. What is not written when a process is killed is lost,
and a score of it is then no lesson.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from capability_router.concurrency.process_hooks import ProcessHooks, watch
from capability_router.errors import StoreError
from capability_router.learning.sharing.lesson import CorruptLesson, Lesson, Pack, line, read
from capability_router.stores.lessons import LessonStore, ScorableAnswer
from capability_router.stores.surrogates import sound

log = logging.getLogger("capability_router")
WAITING = 2_000
"""Answers that wait for the store at most; of more, the oldest are not kept."""
_BATCH, _FEW = 200, 2


class AnswerStore(ProcessHooks):
    """Thread-safe. `flush` raises StoreError; other methods that use the store log it once."""

    def __init__(self, room: LessonStore, name: str, pack: Pack, unpack: Pack, ring: Callable[[], None]) -> None:
        """`name`: of the log whose lessons they become. `ring`: have `flush` called soon, by a thread."""
        self._room, self._name, self._pack, self._unpack, self._ring = room, name, pack, unpack, ring
        self._told = False
        self.after_fork()
        watch(self)

    def keep(self, lesson: Lesson) -> None:
        """As a lesson whose score is yet to come. No lock: the garbage collector may end a request anywhere."""
        self._waiting.append(lesson)
        if len(self._waiting) <= _FEW:
            self._ring()

    def flush(self) -> None:
        """Write those that wait."""
        with self._writing:
            while batch := self._batch():
                try:
                    self._room.keep(
                        self._name, [ScorableAnswer(lesson.id, line(lesson, self._pack)) for lesson in batch]
                    )
                except StoreError:
                    room = WAITING - len(self._waiting)  # else newer ones would go
                    self._waiting.extendleft(reversed(batch[len(batch) - room :] if room < len(batch) else batch))
                    raise

    def _batch(self) -> list[Lesson]:
        found: list[Lesson] = []
        with suppress(IndexError):
            while len(found) < _BATCH:
                found.append(self._waiting.popleft())
        return found

    def find(self, id: str) -> Lesson | None:
        """Whoever answered it; None = it is not kept, or can't be read."""
        here = next((lesson for lesson in self._waiting.copy() if lesson.id == id), None)
        if here is not None:
            return here
        try:
            text = self._room.kept(self._name, sound(id))
            return None if text is None else read(text, self._unpack)
        except (StoreError, CorruptLesson) as error:
            self._tell(error)
            return None

    def at_exit(self) -> None:
        """Write what waits."""
        try:
            self.flush()
        except StoreError as error:
            self._tell(error)

    def after_fork(self) -> None:
        """What the parent has not written is its own to write."""
        self._waiting: deque[Lesson] = deque(maxlen=WAITING)
        self._writing = threading.Lock()

    def _tell(self, error: Exception) -> None:
        if not self._told:
            log.warning("who answered a request can't be read from the store, or written: %s (told once)", error)
        self._told = True
