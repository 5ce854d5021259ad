"""The room for what is learned: a log that many write, and its summary; the same in each kind of store."""

from __future__ import annotations

import pytest

from capability_router.stores.base import Store
from capability_router.stores.lessons import (
    ANSWERS_KEPT,
    LOGS_KEPT,
    NONE,
    WRITERS_KEPT,
    LessonLine,
    LogHead,
    LogSummary,
    ScorableAnswer,
)
from capability_router.stores.redis.lessons import PIECE
from capability_router.stores.sqlite.lessons import SqliteLessons


def texts(store: Store, place: int = 0, name: str = "log") -> list[str]:
    return [entry.text for entry in store.lessons.since(name, place, 100).entries]


def test_entries_come_in_the_order_in_which_they_were_written_each_once(store: Store) -> None:
    room = store.lessons
    assert room.since("log", 0, 10) == (LogHead(), [])
    room.append("log", "a", [LessonLine(1, "one"), LessonLine(2, "two words")])
    room.append("log", "b", [LessonLine(1, '{"three": "ü"}')])
    room.append("log", "a", [LessonLine(1, "one"), LessonLine(2, "again"), LessonLine(5, "five")])
    head, entries = room.since("log", 0, 10)
    assert [(e.place, e.writer, e.number, e.text) for e in entries] == [
        (1, "a", 1, "one"), (2, "a", 2, "two words"), (3, "b", 1, '{"three": "ü"}'), (4, "a", 5, "five"),
    ]  # fmt: skip
    assert (head.last, head.summed, bool(head.epoch)) == (4, NONE, True)
    assert [e.place for e in room.since("log", 1, 2).entries] == [2, 3]
    assert texts(store, name="other") == []


def test_a_summary_takes_the_place_of_the_entries_before_it(store: Store) -> None:
    room = store.lessons
    room.append("log", "a", [LessonLine(n, str(n)) for n in range(1, 6)])
    epoch = room.since("log", 0, 1).head.epoch
    assert room.summary("log") is None
    assert room.sum_up("log", LogSummary(epoch, 3, "1 to 3"), NONE)
    assert not room.sum_up("log", LogSummary(epoch, 4, "late"), NONE)
    assert room.summary("log") == LogSummary(epoch, 3, "1 to 3")
    assert texts(store) == ["4", "5"]
    room.append("log", "a", [LessonLine(2, "told again"), LessonLine(6, "6")])
    assert texts(store) == ["4", "5", "6"]
    assert room.sum_up("log", LogSummary(epoch, 5, "1 to 5"), 3)
    assert room.since("log", 0, 9).head == LogHead(epoch, 6, 5)
    assert not room.sum_up("log", LogSummary("another epoch", 6, "stranger"), 5)
    assert room.summary("log") == LogSummary(epoch, 5, "1 to 5")


def test_a_summary_begins_a_log_that_is_not_there(store: Store) -> None:
    room = store.lessons
    assert not room.sum_up("log", LogSummary("of a log that was emptied", 7, "all"), 7)
    assert room.summary("log") is None
    assert room.sum_up("log", LogSummary("", 0, "all"), NONE)
    found = room.summary("log")
    assert found is not None
    assert (found.place, found.text, bool(found.epoch)) == (0, "all", True)
    room.append("log", "a", [LessonLine(1, "one")])
    assert room.since("log", 0, 9).head == LogHead(found.epoch, 1, 0)


def test_a_summary_of_several_megabytes_comes_back_whole(store: Store) -> None:
    text = "".join(f"{n} ü " for n in range(400_000))
    assert len(text) > 10 * PIECE
    assert store.lessons.sum_up("log", LogSummary("", 0, text), NONE)
    assert store.lessons.sum_up("log", LogSummary("", 0, text[::-1]), 0)
    found = store.lessons.summary("log")
    assert found is not None
    assert found.text == text[::-1]


def test_a_stopped_replacement_leaves_the_summary_that_stood(shared: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    room = shared.lessons
    room.append("log", "a", [LessonLine(1, "1"), LessonLine(2, "2")])
    assert room.sum_up("log", LogSummary("", 1, "first"), NONE)

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if hasattr(room, "_sum_up"):
            patch.setattr(room, "_sum_up", stopped)
        else:
            patch.setattr("capability_router.stores.sqlite.lessons._tidy", stopped)
        with pytest.raises(KeyboardInterrupt):
            room.sum_up("log", LogSummary("", 2, "second"), 1)
    found = room.summary("log")
    assert found is not None
    assert (found.place, found.text, texts(shared)) == (1, "first", ["2"])


def test_of_writers_and_of_sqlites_logs_those_of_late_are_known(shared: Store) -> None:
    room = shared.lessons
    for number in range(WRITERS_KEPT + 5):
        room.append("log", f"writer {number}".replace(" ", "-"), [LessonLine(1, "x")])
    last = room.since("log", 0, 1).head.last
    assert room.sum_up("log", LogSummary("", last, "all"), NONE)
    room.append("log", f"writer-{WRITERS_KEPT + 4}", [LessonLine(1, "known")])
    assert texts(shared, last) == []
    room.append("log", "writer-0", [LessonLine(1, "forgotten")])
    assert texts(shared, last) == ["forgotten"]
    for number in range(LOGS_KEPT):
        assert room.sum_up(f"log {number}", LogSummary("", 0, "x"), NONE)
    kept = room.summary("log") is None
    assert kept == shared.name.startswith("sqlite"), "in Redis they end by the server's clock"


def test_answers_are_kept_beside_a_log_those_of_late(store: Store) -> None:
    room = store.lessons
    assert room.kept("log", "r1") is None
    room.keep("log", [ScorableAnswer("r1", "one"), ScorableAnswer("r2", '{"two": "ü"}')])
    room.keep("log", [ScorableAnswer("r1", "one again"), ScorableAnswer("r3", "")])
    assert [room.kept("log", id) for id in ("r1", "r2", "r3", "r4")] == ["one again", '{"two": "ü"}', "", None]
    assert room.kept("other", "r1") is None
    for at in range(0, ANSWERS_KEPT, 500):
        room.keep("log", [ScorableAnswer(f"more {number}", "x") for number in range(at, at + 500)])
    room.keep("log", [ScorableAnswer("more 1", "seen again"), ScorableAnswer("last", "x")])
    assert [room.kept("log", id) for id in ("r1", "r3", "more 0", "more 1", "more 2", "last")] == [
        None, None, None, "seen again", "x", "x",
    ]  # fmt: skip


def test_answers_that_nobody_scores_go_with_the_states_of_before(shared: Store) -> None:
    room = shared.lessons
    if isinstance(room, SqliteLessons):
        with room._database.writing() as connection:  # a file of before: answers began no log
            connection.execute("INSERT INTO lesson_answers (name, id, text) VALUES ('unlisted', 'r', 'x')")
    for number in range(LOGS_KEPT):
        room.keep(f"state {number}", [ScorableAnswer("r", "x")])
    room.keep("state 0", [ScorableAnswer("r", "in use")])
    room.keep("newest", [ScorableAnswer("r", "x")])
    assert [room.kept(name, "r") for name in ("state 0", "state 2", "newest")] == ["in use", "x", "x"]
    gone = [room.kept(name, "r") is None for name in ("unlisted", "state 1")]
    assert gone == [True, shared.name.startswith("sqlite")], "in Redis they end by the server's clock"
