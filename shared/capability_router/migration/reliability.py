"""LiteLLM's retries, cooldowns and time limits as `retry`, `health` and `timeouts`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from capability_router.migration.amount import number, tidy
from capability_router.migration.note import ImportNotes
from capability_router.migration.source import Place

MOST_ATTEMPTS, MOST_REPEATS = 20, 10
_SHORTEST_S, _LONGEST_S = 0.001, 86_400.0
_OURS = 4
"""Our default number of attempts."""


class FallbackChain(NamedTuple):
    """The longest way of a request: its groups and deployments. `alone`: some group has only one deployment."""

    groups: int
    members: int
    alone: bool


Found = tuple[Any, Place] | None
Setting = Callable[[str], Found]
"""A setting's value and place; None = it is not set."""


class Reliability:
    """Reads numbers; an invalid one is reported and left out."""

    def __init__(self, notes: ImportNotes, setting: Setting) -> None:
        self._notes, self._setting = notes, setting

    def _number(self, word: str, what: str = "a number of 0 or more") -> tuple[float | None, Place]:
        found = self._setting(word)
        if found is None:
            return None, ()
        value, place = found
        parsed = number(value)
        if parsed is None and value is not None:
            self._notes.left_out(place, f"it is not {what}", "write one by hand")
        return parsed, place

    def retry(self, chain: FallbackChain) -> dict[str, Any]:
        """As many launches as LiteLLM would make at most, and enough to reach the last group."""
        retries, place = self._number("num_retries")
        wait, waits_at = self._number("retry_after")
        block: dict[str, Any] = {}
        if retries is not None:
            wanted = max(int(retries + 1) * chain.groups, chain.members)
            block = {
                "attempts": min(max(wanted, 1), MOST_ATTEMPTS),
                "per_target": min(int(retries), MOST_REPEATS) if chain.alone else min(int(retries), 1),
            }
            self._notes.differs(
                place,
                "attempts are counted per request, over all groups, and second ones are at most 20 % of the requests "
                "(retry.budget_ratio)",
            )  # fmt: skip
        elif chain.members > _OURS:
            block = {"attempts": min(chain.members, MOST_ATTEMPTS)}
        if wait:
            block["wait"] = {"exponential": {"multiplier": 0.5, "min": tidy(wait), "max": tidy(max(8.0, wait))}}
            self._notes.differs(waits_at, "it is the shortest pause before a repetition on the same model")
        return block

    def health(self) -> dict[str, Any]:
        """Cooldowns: when a breaker opens and for how long."""
        fails, fails_at = self._number("allowed_fails")
        stated, cool_at = self._number("cooldown_time")
        cool = None if stated is None else min(max(stated, _SHORTEST_S), _LONGEST_S) if stated else 0.0
        block: dict[str, Any] = {}
        if fails is not None:
            block["consecutive"] = int(fails) + 1
            self._notes.differs(
                fails_at,
                "so many failures in a row and one more open a breaker (LiteLLM: within a minute), as do half of the "
                "last calls; also of a group's only deployment",
            )  # fmt: skip
        if cool:
            block["open_s"] = tidy(cool)
            block |= {"max_open_s": tidy(cool)} if cool > 300 else {}
            self._notes.differs(
                cool_at, "then up to two calls try the model; it stays open longer from the third failed try on"
            )
        elif cool == 0:
            self._notes.left_out(cool_at, "a model that fails is always left alone for a while", "see health.open_s")
        return block

    def timeouts(self) -> dict[str, Any]:
        """For one attempt, for all models."""
        block: dict[str, Any] = {}
        for words, clocks in ((("request_timeout", "timeout"), ("total",)), (("stream_timeout",), _STREAM)):
            for word in words:
                seconds, place = self._number(word, "a number of seconds")
                if seconds and clocks[0] not in block:
                    block |= dict.fromkeys(clocks, tidy(seconds))
                    self._told(word, place)
                elif seconds:
                    self._notes.left_out(place, "request_timeout goes before it, as in LiteLLM")
        return block

    def _told(self, word: str, place: Place) -> None:
        if word == "stream_timeout":
            told = "a stream may take so long to its first token, and as long from one to the next"
        else:
            told = "it bounds a whole attempt, streams too (LiteLLM: each read of a stream)"
        self._notes.differs(place, told)


_STREAM = ("first_token", "between_tokens")


def setting(*blocks: tuple[Mapping[str, Any], Place]) -> Setting:
    """Search these blocks in turn."""

    def look(word: str) -> Found:
        for block, place in blocks:
            if block.get(word) is not None:
                return block[word], (*place, word)
        return None

    return look
