"""Detects that a user asked the same again: a weak sign against the earlier answer.

It is looked for within a session, and only if a person may have asked. A request within three seconds of the answer, or
while the answer is running, comes from a program, and so does one in a tool loop or in a batch. (The router's fallbacks
are within one request.) Only hashes of a text are kept.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import NamedTuple

from capability_router.concurrency.latch import ReentrantLatch
from capability_router.request import Outcome, Reply, Request
from capability_router.routing import EVALUATION_TAG

LEAST_S, MOST_S = 3.0, 180.0  # seconds from the answer to a possible repetition
TURNS, SESSIONS = 2, 1_000  # remembered requests: per session; in all
_SHORT = 400  # characters; a longer text (a passage and its question) must be equal word for word
_MOST_WORDS, _LEAST_WORDS = 32, 2
_IN_A_ROW = 2  # signs of one question: more repetitions come from a program
_WORD = re.compile(r"\w+")
_COMMON = frozenset((
    "what", "whats", "which", "where", "when", "whose", "that", "this", "these", "those", "with", "from", "have",
    "does", "please", "could", "would", "should", "tell", "about", "into", "your", "there", "their", "them", "then",
    "than", "just", "also",
))  # fmt: skip


class RepeatSign(NamedTuple):
    """A sign ("retried" or "accepted") of the answer that this model gave to an earlier request."""

    request_id: str
    model: str
    kind: str


class _RequestFingerprint(NamedTuple):
    """What is compared of a request. `head`: its first message, None = there is only one. `words`: distinctive ones."""

    shape: int
    head: int | None
    text: int
    words: frozenset[int]

    def goes_on(self, before: _RequestFingerprint) -> bool:
        """Whether both may belong to one conversation: the same beginning, or both a single message."""
        return self.head == before.head or before.is_opening_of(self.head)

    def is_opening_of(self, head: int | None) -> bool:
        """Whether it is a single message with which the other conversation begins."""
        return self.head is None and self.text == head

    def repeats(self, before: _RequestFingerprint) -> bool:
        """Whether it asks the same: the same text; for short texts nearly the same distinctive words."""
        if self.shape != before.shape or not self.goes_on(before):
            return False
        if self.text == before.text:
            return True
        few, many = sorted((self.words, before.words), key=len)
        return len(few) >= _LEAST_WORDS and few <= many and 2 * len(few) >= len(many)


class _Turn(NamedTuple):
    """An answered request: the model, the time. `again`: which repetition; `after`: the model that answered before."""

    request_id: str
    model: str
    ended: float
    look: _RequestFingerprint
    again: int = 0
    after: str = ""


class RepeatDetector:
    """The sessions that asked last; thread-safe."""

    def __init__(self) -> None:
        self._turns: OrderedDict[tuple[str, str, str], list[_Turn]] = OrderedDict()
        self._lock = ReentrantLatch()  # the garbage collector may end a request in the middle of another's

    def ended(self, request: Request, outcome: Outcome, reply: Reply, now: float) -> RepeatSign | None:
        """Add an ended request; returns the sign about an earlier one, if any. `now`: seconds of the router's clock."""
        terms = request.routing
        if not terms.session or terms.priority == "batch" or request.in_tool_loop or not request.texts:
            return None
        if EVALUATION_TAG in terms.tags:
            return None
        look, began = _looked(request), now - outcome.elapsed_s
        with self._lock:
            turns = self._turns.setdefault((terms.tenant, terms.session, terms.chain), [])
            self._turns.move_to_end((terms.tenant, terms.session, terms.chain))
            if len(self._turns) > SESSIONS:
                self._turns.popitem(last=False)
            before = _repeated(turns, look, began)
            told = _told(before) if before is not None else _accepted(turns, look, began)
            if outcome.model is not None and not reply.tool_calls:  # a tool call is no answer to a person
                again, after = (before.again + 1, before.model) if before is not None else (0, "")
                turns.append(_Turn(request.id, outcome.model, now, look, again, after))
                del turns[:-TURNS]
        return told


def _repeated(turns: list[_Turn], look: _RequestFingerprint, began: float) -> _Turn | None:
    for turn in reversed(turns):
        if LEAST_S <= began - turn.ended <= MOST_S and look.repeats(turn.look):
            return turn
    return None


def _told(before: _Turn) -> RepeatSign | None:
    return RepeatSign(before.request_id, before.model, "retried") if before.again < _IN_A_ROW else None


def _accepted(turns: list[_Turn], look: _RequestFingerprint, began: float) -> RepeatSign | None:
    """The user goes on to something else after another model's answer to the same question."""
    last = turns[-1] if turns else None
    if last is None or last.after in ("", last.model) or began - last.ended < LEAST_S or not look.goes_on(last.look):
        return None
    turns[-1] = last._replace(after="")
    return RepeatSign(last.request_id, last.model, "accepted")


def _looked(request: Request) -> _RequestFingerprint:
    first, last = request.texts[0], request.texts[-1]
    words = _WORD.findall(last.casefold()) if len(last) <= _SHORT else ()
    telling = [word for word in words if (len(word) > 3 and word not in _COMMON) or not word.isalpha()]
    few = telling if len(telling) <= _MOST_WORDS else ()
    head = _hashed(first) if len(request.texts) > 1 else None
    return _RequestFingerprint(
        hash((int(request.needs), request.tools)), head, _hashed(last), frozenset(map(hash, few))
    )


def _hashed(text: str) -> int:
    """Short texts are hashed regardless of case and spacing."""
    return hash(" ".join(text.casefold().split()) if len(text) <= _SHORT else text)
