"""Writes what this process learns into a log that processes share, and learns from the log what the others wrote.

Each lesson has its writer and a growing number, and each process knows the last number that it has learned of each
writer. So a lesson counts once, even if it is sent again after a lost answer, a crash or a fork. The order is that of
the log; clocks do not matter. When a log is long, the first process that notices replaces it by a summary, its own
state. A process that has not read that far takes the summary over. All of this is done in a thread; a request only sees
a changed reference.
"""

from __future__ import annotations

import json
import logging
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Generic, NamedTuple, Protocol, TypeVar
from uuid import uuid4

from capability_router.concurrency.periodic_thread import PeriodicThread, ThreadSignal
from capability_router.concurrency.process_hooks import ProcessHooks, watch
from capability_router.errors import StoreError
from capability_router.learning.guard import WINDOW
from capability_router.learning.sharing.lesson import USER, CorruptLesson, Lesson, Pack, line, opened, read, sealed
from capability_router.stores.lessons import (
    NONE,
    WRITERS_KEPT,
    LessonEntry,
    LessonLine,
    LessonStore,
    LogHead,
    LogSummary,
)

log = logging.getLogger("capability_router")
PENDING = 10_000
"""Lessons that wait for the store at most; of more, the oldest stay this process's own."""
SUMMED_AFTER = 500
"""Entries of a log, before they are summed up."""
_BATCH, _PAGE = 200, 200
_USERS = 2_000  # scores, by which an evaluator's may come late
_PAUSE_S, _POLL_S = 0.2, 5.0  # for which lessons are gathered; between two looks at what others wrote
_PATIENCE_S = (0.5, 30.0)  # between two attempts when the store is away: at first, at most
_MEETINGS = 20  # with others who sum up while this process reads


class OnlineModel(Protocol):
    """What learns."""

    def learn(self, lesson: Lesson) -> Sequence[str]:
        """Gives the models that have changed, by what was learned."""
        ...

    def told(self) -> Callable[[], str]:
        """What it knows at this moment; the text of it is made when that is called, and takes longer."""
        ...

    def forked(self) -> None:
        """Locks may be held for ever: this is the child of a fork."""
        ...


P = TypeVar("P", bound=OnlineModel)


class SketchCodec(NamedTuple):
    """How a sketch is written and read."""

    pack: Pack
    unpack: Pack


class SyncHooks(NamedTuple, Generic[P]):
    """What is to be taught, and the functions that are called.

    `made` makes the pupil from a summary's text, or from what is known without any (None), raising ValueError for one
    that is damaged. `adopted` is called with a pupil that replaces the last one, and with the newest lessons that had a
    plan; `heard` with each lesson that other processes wrote; `changed` with models that have changed; `after` when
    there were lessons of other processes.
    """

    made: Callable[[str | None], P]
    packing: SketchCodec
    adopted: Callable[[P, Iterable[Lesson]], None]
    heard: Callable[[Lesson], None]
    changed: Callable[[Iterable[str]], None]
    after: Callable[[], None]


class _Waiting(NamedTuple):
    """`lesson` None: an entry that says nothing."""

    number: int
    lesson: Lesson | None


class _ModelReplica(Generic[P]):
    """A pupil, up to which number it has learned of each writer, and the newest lessons that had a plan."""

    def __init__(self, pupil: P, marks: Mapping[str, int], recent: Iterable[Lesson] = ()) -> None:
        self.pupil = pupil
        self.marks = OrderedDict(marks)
        self.recent: deque[Lesson] = deque(recent, WINDOW)
        self._users: deque[str] = deque(maxlen=_USERS)  # requests that users have scored of late
        self.others: deque[str] = deque(maxlen=_USERS)  # requests of which another process was told of late

    def learn(self, writer: str, number: int, lesson: Lesson | None) -> Sequence[str] | None:
        """The models that have changed by it; None = it was known already. A lesson that can't be read is left out."""
        if number <= self.marks.get(writer, 0):
            return None
        self.mark(writer, number)
        if lesson is None:
            return None
        if lesson.source == USER:
            self._users.append(lesson.id)
        elif lesson.id in self._users:  # an evaluator had not heard of it yet
            return None
        changed = self.pupil.learn(lesson)
        if changed:  # what the former ones were worth speaks for nobody any more
            self.recent = deque((each for each in self.recent if each.model not in changed), WINDOW)
        if lesson.foreseen is not None:
            self.recent.append(lesson._replace(seen=None))
        else:
            self._corrected(lesson)
        return changed

    def again(self, lesson: Lesson) -> None:
        """An own lesson comes back. If another process scored the same answer, the later one in the log holds."""
        if lesson.id in self.others and (lesson.source == USER or lesson.id not in self._users):
            self.pupil.learn(lesson)
            self._corrected(lesson)

    def _corrected(self, lesson: Lesson) -> None:
        """If it is a further score of an answer, the plan of it holds with this score."""
        for at, each in enumerate(self.recent):
            if each.id == lesson.id and each.model == lesson.model:
                self.recent[at] = each._replace(score=lesson.score)

    def mark(self, writer: str, number: int) -> None:
        self.marks[writer] = number
        self.marks.move_to_end(writer)
        if len(self.marks) > WRITERS_KEPT:
            self.marks.popitem(last=False)


class LessonSync(ProcessHooks, Generic[P]):
    """Writes lessons to a store and reads those of others. Thread-safe.

    `read` and `flush` ask the store and raise StoreError; the thread, `close` and the process's end log it once,
    and try again.
    """

    def __init__(self, room: LessonStore, name: str, course: SyncHooks[P]) -> None:
        self._room, self.name, self._course = room, name, course
        self._known = _ModelReplica(course.made(None), {})
        self._illegible = False
        self.errands: list[Callable[[bool], None]] = []
        """Run with each round, and a last time with True; may raise StoreError."""
        self._begin()
        watch(self)

    def _begin(self) -> None:
        """As a process that has written nothing and read nothing; what it knows by inheritance is read anew."""
        self._writer, self._number, self.dropped = uuid4().hex, 0, 0
        self._pending: deque[_Waiting] = deque()
        self._lock = threading.Lock()  # of what is known
        self._working = threading.Lock()  # of what was read
        self._head, self._place = LogHead(), NONE
        self._last: LessonEntry | None = None  # read at that place; None = unknown
        self._renew = True
        self._damaged = self._lost = self._failing = False
        self.overdue = False
        """Whether something was worked out that the next summary should hold."""
        self._rounds: PeriodicThread[LessonSync[P]] = PeriodicThread(
            "router lessons", partial(_run, whose=weakref.ref(self))
        )

    @property
    def pupil(self) -> P:
        """Who knows all that was read."""
        return self._known.pupil

    @property
    def recent(self) -> list[Lesson]:
        """The newest lessons that had a plan, without their sketches."""
        with self._lock:
            return list(self._known.recent)

    @property
    def unwritten(self) -> int:
        """Lessons that wait for the store."""
        return len(self._pending)

    def take(self, lesson: Lesson) -> None:
        """Learn it now; it is written soon."""
        with self._lock:
            self._number += 1
            self._pending.append(_Waiting(self._number, lesson))
            if len(self._pending) > PENDING:
                self._pending.popleft()
                self.dropped += 1
            changed = self._known.learn(self._writer, self._number, lesson)
        self._course.changed(changed or ())
        self.ring()

    def ring(self) -> None:
        """Have a round made in a moment."""
        self._rounds.start()
        self._rounds.ring(self)

    # -- with the store -----------------------------------------------------------------------------

    def round(self) -> None:
        """Write what is new here, read what is new there, sum up if it is long."""
        with self._working:
            self._flush()
            heard = self._read()
            if self._lost:
                self._void()
                heard = self._read() or heard
            if self._head.last - max(self._head.summed, 0) >= SUMMED_AFTER or self._damaged or self._lost:
                self._sum_up()
            for errand in self.errands:
                errand(False)
        if heard:
            self._course.after()

    def load(self) -> None:
        """What the log holds, for a process that begins. A store that is away is logged."""
        self._tried(self._read)

    def _flush(self) -> None:
        while True:
            with self._lock:
                batch = list(islice(self._pending, _BATCH))
            if not batch:
                return
            pack = self._course.packing.pack
            lines = [LessonLine(number, "" if lesson is None else line(lesson, pack)) for number, lesson in batch]
            self._room.append(self.name, self._writer, lines)
            with self._lock:
                while self._pending and self._pending[0].number <= batch[-1].number:
                    self._pending.popleft()

    def _read(self) -> bool:
        """Whether there was something of others."""
        heard = False
        for _ in range(_MEETINGS):
            if self._renew:
                self._rebuild()
                heard = True
            while True:
                head, entries = self._room.since(self.name, self._place - (self._last is not None), _PAGE)
                if self._head.epoch not in ("", head.epoch):  # it was emptied, and is told what this process knows
                    self._head, self._place, self._last, self._lost = LogHead(), NONE, None, True
                    continue
                older = self._older(head, entries)
                self._renew = self._summary_is_newer() if older else head.summed > self._place
                if self._renew:  # entries have gone that were not read here
                    break
                if older:  # it is told what this process knows, too
                    self._place, self._last, self._lost = head.summed, None, True
                    continue
                self._head = head
                heard = self._heard(entries) or heard
                if len(entries) < _PAGE:
                    return heard
        raise StoreError(f"what was learned could not be read: {self.name!r} was summed up each time")

    def _older(self, head: LogHead, entries: Sequence[LessonEntry]) -> bool:
        """Whether the store is an older copy of itself, put back: what was read here is not there, or another entry."""
        last = self._last
        if head.last < self._place:
            return True
        return last is not None and head.summed < self._place and [e[:3] for e in entries[:1]] != [last[:3]]

    def _summary_is_newer(self) -> bool:
        """Whether the summary knows more than this process: another one was faster to tell what it knows."""
        summary = self._room.summary(self.name)
        marks = {} if summary is None else self._opened(summary).marks
        return any(number > self._known.marks.get(writer, 0) for writer, number in marks.items())

    def _heard(self, entries: Iterable[LessonEntry]) -> bool:
        heard = False
        for entry in entries:
            if entry.place <= self._place:
                continue
            lesson = self._decoded_lesson(entry)
            with self._lock:
                changed = self._known.learn(entry.writer, entry.number, lesson)
                if lesson is not None and changed is None and entry.writer == self._writer:
                    self._known.again(lesson)
            self._place, self._last = entry.place, entry
            if lesson is not None and changed is not None:
                heard = True
                self._known.others.append(lesson.id)
                self._course.changed(changed)
                self._course.heard(lesson)
        return heard

    def _decoded_lesson(self, entry: LessonEntry) -> Lesson | None:
        try:
            return None if not entry.text else read(entry.text, self._course.packing.unpack)
        except CorruptLesson as error:
            if not self._illegible:
                log.warning("a lesson in the store is left out: %s (told once)", error)
            self._illegible = True
            return None

    def _rebuild(self) -> None:
        """A learner begins with the summary, reads the log after it, and replaces the former learner.

        What waits here to be written is in neither.
        """
        summary = self._room.summary(self.name)
        known, place = self._opened(summary), NONE if summary is None else summary.place
        last: LessonEntry | None = None
        while True:
            page = self._room.since(self.name, place, _PAGE)
            head = page.head
            if head.summed > place or (summary is not None and summary.epoch != head.epoch):
                return  # summed up further meanwhile: `_read` begins again
            for entry in page.entries:
                known.learn(entry.writer, entry.number, self._decoded_lesson(entry))
                place, last = entry.place, entry
            if len(page.entries) < _PAGE:
                break
        with self._lock:
            for number, lesson in self._pending:
                known.learn(self._writer, number, lesson)
            if self._number:
                known.mark(self._writer, self._number)
            self._known = known
            self._course.adopted(known.pupil, list(known.recent))
        self._place, self._head, self._renew, self._lost = place, head, False, False
        self._last = last

    def _opened(self, summary: LogSummary | None) -> _ModelReplica[P]:
        if summary is not None:
            try:
                told = json.loads(opened(summary.text))
                marks = {str(writer): int(number) for writer, number in told["marks"].items()}
                recent = [read(text, self._course.packing.unpack) for text in told["recent"]]
                return _ModelReplica(self._course.made(str(told["text"])), marks, recent)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                log.warning("what was learned in the store is damaged (%s): learning starts afresh", _why(error))
                self._damaged = True
        elif not self._known.marks:
            return self._known
        return _ModelReplica(self._course.made(None), {})

    def _void(self) -> None:
        """An empty entry, so that a process that has read all of a new log finds that a summary goes further."""
        with self._lock:
            self._number += 1
            self._pending.append(_Waiting(self._number, None))  # in line: numbers are written as they grow
            self._known.mark(self._writer, self._number)
        self._flush()

    def _sum_up(self) -> None:
        with self._lock:
            text, marks = self._known.pupil.told(), dict(self._known.marks)
            recent = list(self._known.recent)
        self._flush()  # first: who ends now must not have told in the summary alone what others read in the log
        lines = [line(lesson, self._course.packing.pack) for lesson in recent]
        told = json.dumps({"marks": marks, "recent": lines, "text": text()}, separators=(",", ":"))
        place = max(self._place, 0)
        if self._room.sum_up(self.name, LogSummary(self._head.epoch, place, sealed(told)), self._head.summed):
            self._head, self._place = self._head._replace(summed=place), place
            self.overdue = self._damaged = self._lost = False
        elif self._lost:  # another process has told what it knew
            self._renew, self._lost = True, False

    # -- the thread ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to exchange lessons, if that has not begun."""
        if self._rounds.start():
            self._rounds.ring(self)

    def _tried(self, work: Callable[[], object]) -> bool:
        """False when the store is away, which is logged once."""
        try:
            work()
        except StoreError as error:
            if self._turned(failing=True):
                log.warning("what is learned stays in this process until its store is back: %s", error)
            return False
        if self._turned(failing=False):
            log.warning("what is learned is shared again; %d scores could not be kept for it", self.dropped)
        return True

    def _turned(self, *, failing: bool) -> bool:
        """Whether that is news: the thread and whoever closes may find it out at once, and one of them tells it."""
        with self._lock:
            before, self._failing = self._failing, failing
        return before != failing

    def close(self) -> None:
        """Write all that waits, and what was worked out. It can go on being used."""
        self._rounds.stop()
        if self._tried(self.round):
            self._tried(self._left)

    def _left(self) -> None:
        with self._working:
            for errand in self.errands:
                errand(True)
            if self.overdue:
                self._sum_up()

    def at_exit(self) -> None:
        """Write what waits; nothing is read any more."""
        if self._pending:
            with self._working:
                self._tried(self._flush)

    def after_fork(self) -> None:
        """The child's part is its own; what its parent has not written is its parent's to write."""
        self._known.pupil.forked()
        self._begin()


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError) else type(error).__name__


def _run(bell: ThreadSignal[LessonSync[Any]], whose: weakref.ref[LessonSync[Any]]) -> None:
    patience, poll_s = _PATIENCE_S[0], _POLL_S
    while True:
        rang = bell.heard(poll_s)
        if (found := rang or whose()) is None or bell.ended.wait(_PAUSE_S if rang else 0.0):
            return
        if found._tried(found.round):
            patience, poll_s = _PATIENCE_S[0], _POLL_S
        else:
            if rang is not None:
                bell.ring(rang)
            bell.ended.wait(patience)
            patience, poll_s = min(2 * patience, _PATIENCE_S[1]), 0.0
        del found, rang
