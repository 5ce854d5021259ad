"""Simulated providers in virtual time: weather that changes, calls that follow it, bills of their own.

A provider is a list of spells, each with its weather; the weather at the moment of a call decides its
script: when its chunks come, how it ends. Providers keep books of their own, in integers, for what they
have told the router (`billed`); what they could not tell it (a call given up before any usage came)
is counted apart, in `untold` calls.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, NamedTuple

from capability_router.faults.kinds import Fault
from capability_router.request import Finish, Reply, Usage

NEVER = float("inf")
PIECES = 3
LEAST_OUT = 8  # tokens of an answer: those of its text, of which a count that grows with it never falls short by half


@dataclass(slots=True)
class CallScript:
    """One call, which nothing changes. `first_s`: seconds to its first text, `end_s`: to its end; NEVER = it hangs.

    `pieces` texts come until the end, then `fault`, or `finish` (None = it ends without a reason).
    """

    first_s: float
    end_s: float
    pieces: int = PIECES
    fault: Fault | None = None
    finish: Finish | None = Finish.STOP


Weather = Callable[[Random], CallScript]


def fair(chance: Random) -> CallScript:
    """A usual answer: 0.2 to 0.6 s to the first text, as long again for the rest."""
    first = 0.2 + 0.4 * chance.random()
    return CallScript(first, first * (1.2 + 0.8 * chance.random()))


def slow(chance: Random) -> CallScript:
    """Ten times as slow."""
    usual = fair(chance)
    return replace(usual, first_s=usual.first_s * 10, end_s=usual.end_s * 10)


def failing(fault: Fault, after_s: float = 0.05) -> Weather:
    """Every call fails before its first text."""
    return lambda _: CallScript(NEVER, after_s, 0, fault)


def stalled(chance: Random) -> CallScript:
    """No first text ever, or none after it."""
    first = NEVER if chance.random() < 0.5 else 0.3
    return CallScript(first, NEVER, 1)


def cut(chance: Random) -> CallScript:
    """The connection is lost after 0 to 2 texts."""
    pieces = int(chance.random() * PIECES)
    return CallScript(0.3, 0.4, pieces, Fault("connection", "reset"))


def hushed(chance: Random) -> CallScript:
    """It ends cleanly, too early, without a terminal reason."""
    return CallScript(0.3, 0.4, int(chance.random() * PIECES), None, None)


def empty(_: Random) -> CallScript:
    """It ends well and says nothing."""
    return CallScript(NEVER, 0.3, 0)


def flaky(share: float, fault: Fault) -> Weather:
    """This share of the calls fails, the rest is fair."""
    broken = failing(fault)
    return lambda chance: broken(chance) if chance.random() < share else fair(chance)


WEATHERS: Mapping[str, Weather] = {
    "fair": fair, "slow": slow, "stalled": stalled, "cut": cut, "hushed": hushed, "empty": empty,
    "down": failing(Fault("connection", "refused", sent=False), 0.01),
    "broken": failing(Fault("server_error", status=500)),
    "overloaded": failing(Fault("overloaded", status=529), 0.2),
    "limited": failing(Fault("rate_limited", status=429, retry_after_s=4.0)),
    "limited_untold": failing(Fault("rate_limited", status=429)),
    "flaky": flaky(0.5, Fault("server_error", status=503)),
    "picky": flaky(0.1, Fault("content_filtered", status=400)),
    "strict": flaky(0.1, Fault("bad_request", status=400)),
    "narrow": flaky(0.3, Fault("context_overflow", status=400)),
    "locked": failing(Fault("auth", status=401)),
    "spent": failing(Fault("quota_exhausted", status=402)),
    "gone": failing(Fault("not_found", status=404)),
}  # fmt: skip
"""By name. After `locked`, `spent` and `gone` an operator resets the target."""
NEEDS_OPERATOR = ("locked", "spent", "gone")


class WeatherPeriod(NamedTuple):
    """Weather from a moment on."""

    since: float
    weather: str


class VirtualProvider:
    """One target. Prices are whole picodollars per token. `tells_early`: its usage grows with each chunk."""

    def __init__(
        self, name: str, spells: list[WeatherPeriod], price: tuple[int, int], *, tells_early: bool, most: int = 1 << 30
    ) -> None:
        self.name, self.spells, self.price, self.tells_early, self.most = name, spells, price, tells_early, most
        self._since = [spell.since for spell in spells]
        self.text = f"{name} "
        self.calls = self.in_flight = self.billed = self.untold = 0

    def weather(self, now: float) -> str:
        return self.spells[bisect_right(self._since, now) - 1].weather

    def answer(self, now: float, chance: Random) -> CallScript:
        """The script of a call that begins now; beyond its capacity it says so."""
        if self.in_flight > self.most:
            return CallScript(NEVER, 0.02, 0, Fault("rate_limited", status=429, retry_after_s=0.5))
        return WEATHERS[self.weather(now)](chance)


class VirtualCall:
    """One call in flight, as the core's Attempt; whoever moves the time gives it its chunks.

    `due`: when it gives the next one, or ends, as far as that has been foreseen.
    """

    __slots__ = ("began", "closed", "due", "given", "provider", "script", "seen", "stream", "tokens", "whole")
    keeps_time = True

    def abort(self) -> None:
        """It holds nothing."""

    def __init__(
        self, provider: VirtualProvider, script: CallScript, tokens: tuple[int, int], began: float, *, stream: bool
    ) -> None:
        self.provider, self.script, self.tokens, self.began, self.stream = provider, script, tokens, began, stream
        self.given = 0  # pieces
        self.due = NEVER
        self.seen = ""
        self.whole = self.closed = False
        provider.calls += 1
        provider.in_flight += 1

    def next_at(self) -> float:
        """When it gives its next piece, or ends."""
        script, given = self.script, self.given
        first, end = script.first_s, script.end_s
        if given >= script.pieces or not self.stream:
            return self.began + end
        if not given or end == NEVER:
            return self.began + first
        return self.began + first + (end - first) * given / script.pieces

    def usage(self) -> tuple[int, int] | None:
        """What the provider has told of its tokens so far."""
        into, out = self.tokens
        if self.whole and self.script.finish is not None:
            return into, out
        if self.provider.tells_early and self.given:
            return into, out * self.given // PIECES
        return None

    def close(self) -> None:
        """The connection is closed, by either side: the provider writes its bill. Once."""
        assert not self.closed, "a call was closed twice"
        self.closed = True
        provider, told = self.provider, self.usage()
        provider.in_flight -= 1
        if told is not None:
            provider.billed += told[0] * provider.price[0] + told[1] * provider.price[1]
        elif self.script.fault is None or self.script.fault.status is None:
            provider.untold += 1

    # -- what the core asks of an attempt

    def commits(self, chunk: str) -> bool:
        self.seen += chunk
        return chunk != ""

    def reply(self) -> Reply:
        told = self.usage()
        finish = self.script.finish if self.whole else None
        return Reply(None if told is None else Usage(told[0], told[1]), finish, self.seen)

    def chunks(self) -> Any:
        raise NotImplementedError("virtual time drives it")

    achunks = chunks
