"""The built-in detector: how often each label occurs in a text. It keeps counts by the text's digest, and no text."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b

from capability_router.concurrency.latch import Latch
from capability_router.screening.escapes import unescaped
from capability_router.screening.labels import LABELS, PHONE
from capability_router.screening.patterns import KINDS, LabelPattern
from capability_router.screening.phones import Phones, phones

_KEPT = 2_000  # texts: all but the last of a conversation have been searched before
_SHORT = 200  # characters; searching a shorter text is as quick as looking it up

Found = Mapping[str, int]


class Detector:
    """Looks for these labels. `phone_region`: the country whose phone numbers need no +. Raises ConfigError."""

    def __init__(self, labels: Collection[str] = LABELS, phone_region: str | None = None) -> None:
        self._kinds = tuple(kind for kind in KINDS if kind.label in labels)
        self._phones: Phones | None = phones(phone_region) if PHONE in labels else None
        self._known: OrderedDict[bytes, Found] = OrderedDict()
        self._lock = Latch()

    def found(self, texts: Iterable[str]) -> Found:
        """By label, the number of occurrences in all texts, in time linear in their length."""
        total: dict[str, int] = {}
        for text in texts:
            found = self._looked(text) if len(text) <= _SHORT else self._remembered(text)
            for label, count in found.items():
                total[label] = total.get(label, 0) + count
        return total

    def _remembered(self, text: str) -> Found:
        key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                return known
        found = self._looked(text)
        with self._lock:
            self._known[key] = found
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return found

    def _looked(self, text: str) -> Found:
        found, text = {}, unescaped(text)
        for kind in self._kinds:
            for gate in kind.gates:
                if gate in text:
                    break
            else:
                continue
            if count := _count(kind, text):
                found[kind.label] = count
        if self._phones is not None and (count := self._phones(text)):
            found[PHONE] = count
        return found


def _count(kind: LabelPattern, text: str) -> int:
    holds, matches = kind.holds, kind.pattern.finditer(text)
    return sum(1 for _ in matches) if holds is None else sum(map(holds, matches))
