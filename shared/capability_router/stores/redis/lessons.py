"""Logs of what is learned, in a Redis or Valkey server.

The keys of a log share a hash tag. A summary may be several megabytes: it is sent in pieces under a key of its own,
which a script then makes the one that stands, so that nobody waits long for the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote
from uuid import uuid4

from capability_router.errors import StoreError
from capability_router.stores.lessons import (
    ANSWERS_KEPT,
    NONE,
    WRITERS_KEPT,
    LessonEntry,
    LessonLine,
    LogHead,
    LogPage,
    LogSummary,
    ScorableAnswer,
)
from capability_router.stores.redis.scripts import APPEND, KEEP, SUM_UP
from capability_router.stores.redis.server import RedisServer

PIECE = 1 << 18
_KEPT_MS, _SENT_MS = 90 * 86_400_000, 3_600_000  # a log that is left alone; pieces that nobody makes a summary
_MEETINGS = 10  # with others who replace the summary while it is read


class RedisLessons:
    """See LessonRoom. The server drops a log that was not written to for 90 days of its clock."""

    def __init__(self, server: RedisServer, prefix: str) -> None:
        self._server, self._prefix = server, prefix
        self._append = server.client.register_script(APPEND)
        self._sum_up = server.client.register_script(SUM_UP)
        self._keep = server.client.register_script(KEEP)

    def append(self, name: str, writer: str, lines: Sequence[LessonLine]) -> None:
        """See LessonRoom; one script."""
        words = [word for line in lines for word in line]
        with self._server.asked():
            self._append(keys=self._keys(name), args=[writer, uuid4().hex, _KEPT_MS, *words])

    def since(self, name: str, place: int, most: int) -> LogPage:
        """See LessonRoom."""
        head, log, _ = self._keys(name)
        with self._server.asked() as client, client.pipeline() as together:
            together.hmget(head, "epoch", "last", "summed")
            together.zrangebyscore(log, f"({place}", "+inf", 0, most)
            found, entries = together.execute()
        return LogPage(_head(found), [_entry(text) for text in entries])

    def summary(self, name: str) -> LogSummary | None:
        """See LessonRoom."""
        head = self._keys(name)[0]
        with self._server.asked() as client:
            for _ in range(_MEETINGS):
                epoch, place, own, count = client.hmget(head, "epoch", "summed", "text", "pieces")
                if own is None:
                    return None
                pieces = [client.hget(self._pieces(name, own), number) for number in range(int(count))]
                if None not in pieces:
                    return LogSummary(epoch, int(place), "".join(pieces))
        raise StoreError("a summary of what was learned could not be read: it was replaced each time, or is lost")

    def sum_up(self, name: str, summary: LogSummary, before: int) -> bool:
        """See LessonRoom."""
        own, text = uuid4().hex, summary.text
        pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
        key = self._pieces(name, own)
        with self._server.asked() as client:
            for number, piece in enumerate(pieces):
                client.hset(key, number, piece)
                client.pexpire(key, _SENT_MS)
            words = [summary.epoch, uuid4().hex, summary.place, before, own, len(pieces), _KEPT_MS, WRITERS_KEPT]
            done = self._sum_up(keys=[*self._keys(name), key], args=words)
            return bool(done)

    def keep(self, name: str, answers: Sequence[ScorableAnswer]) -> None:
        """See LessonRoom; one script."""
        keys, words = [self._key(name, part) for part in ("answers", "order")], [w for a in answers for w in a]
        with self._server.asked():
            self._keep(keys=keys, args=[_KEPT_MS, ANSWERS_KEPT, *words])

    def kept(self, name: str, id: str) -> str | None:
        """See LessonRoom."""
        with self._server.asked() as client:
            found = client.hget(self._key(name, "answers"), id)
        return None if found is None else str(found)

    def _keys(self, name: str) -> list[str]:
        return [self._key(name, part) for part in ("head", "log", "writers")]

    def _pieces(self, name: str, own: str) -> str:
        return self._key(name, f"text:{own}")

    def _key(self, name: str, part: str) -> str:
        return f"{self._prefix}:lessons1:{{{quote(name, safe=':')}}}:{part}"


def _head(found: Sequence[str | None]) -> LogHead:
    epoch, last, summed = found
    return LogHead(epoch or "", int(last or 0), NONE if summed is None else int(summed))


def _entry(text: str) -> LessonEntry:
    place, writer, number, rest = text.split(" ", 3)
    return LessonEntry(int(place), writer, int(number), rest)
