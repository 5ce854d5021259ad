"""Credentials and models that are disabled, why, and when one call may try them again.

A rejected key or an empty account fails for every model behind it at that base URL, so the pair (base_url, credential)
is disabled. A model that its provider doesn't know is disabled as (base_url, model).

    state     a call for it        refused again           answered     anything else   an operator
    off       none, until `until`  (in flight before) -    -            -               on, by `reset`
    due       one, on trial        -                       -            -               on
    on trial  no other             off, for longer         on           due             on

The router can't know when a key is rotated or an account topped up. So one call is let through as a trial, after a time
that doubles with each rejection and is half random: a dead key costs a few calls in its first hour and at most two in
each later one. A time that the provider named is never shortened. Calls that were sent before the last rejection do not
count, nor do rejections of calls that were sent before it was enabled again. If a trial was not rejected after some
seconds, another call may try, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf
from typing import Literal

from capability_router.address import Address
from capability_router.health.breaker import BreakerConfig
from capability_router.health.permit import Verdict

BanSubject = Literal["credential", "model"]
_REFUSED_IN_S = 10.0
"""Seconds after which a trial is probably accepted, because rejections come at once; then other calls may try too."""
_UNTOLD: dict[BanSubject, str] = {"credential": "rejected by the provider", "model": "unknown to the provider"}


class Ban:
    """One credential or model that is off. Times are monotonic seconds.

    `what`: credential or model. `until`: when a trial is due. `tried_until`: until when others wait for the trial under
    way; 0.0 = none is. `since`: the last rejection. `refusals`: the rejections in a row.
    """

    __slots__ = ("reason", "refusals", "since", "tried_until", "until", "what")

    def __init__(self, what: BanSubject) -> None:
        self.what = what
        self.reason = ""
        self.refusals = 0
        self.since = self.until = self.tried_until = 0.0

    def __repr__(self) -> str:
        return f"Ban({self.what}, refusals={self.refusals}, until={self.until:g})"

    def held(self, now: float) -> str:
        """Why no call is admitted, and until when."""
        if now < self.until:
            return f"{self.reason}; tried again in {_wait(self.until - now)}"
        return f"{self.reason}; one call is trying it again"

    def told(self, id: str, now: float) -> str:
        """The same, with what the user can do about it."""
        return f"{self.held(now)}, or at once after router.reset({id!r})"


class Bans:
    """What is disabled, in `found`. Without a lock: the board locks. `draw` gives a random number from 0 to 1."""

    __slots__ = ("_config", "_draw", "_enabled", "found")

    def __init__(self, config: BreakerConfig, draw: Callable[[], float]) -> None:
        self._config, self._draw = config, draw
        self.found: dict[tuple[str, str, str], Ban] = {}
        self._enabled: dict[tuple[str, str, str], float] = {}  # when it was enabled, or the call sent that did it

    def __bool__(self) -> bool:
        return bool(self.found)

    def of(self, address: Address) -> list[Ban]:
        """What is disabled of this address, due for a trial or not."""
        if not self.found:
            return []
        credential, model = self.found.get(_key(address, "credential")), self.found.get(_key(address, "model"))
        if credential is None and model is None:  # the usual case, even if another one is disabled
            return []
        return [ban for ban in (credential, model) if ban is not None]

    def off(self, address: Address, now: float) -> Ban | None:
        """The ban that disables this address for longest; None = there is none, or a trial is due or under way."""
        standing = [ban for ban in self.of(address) if now < ban.until]
        return max(standing, key=lambda ban: ban.until, default=None)

    def on_trial(self, address: Address, now: float) -> Ban | None:
        """The ban of this address that another call is trying; None = there is none."""
        return next((ban for ban in self.of(address) if now < ban.tried_until), None)

    def begin_trial(self, address: Address, now: float) -> bool:
        """A call to this address begins: everything disabled there is on trial. Returns whether anything is."""
        tried = self.of(address)
        for ban in tried:
            ban.tried_until = now + _REFUSED_IN_S
        return bool(tried)

    def refused(self, what: BanSubject, address: Address, verdict: Verdict, taken_at: float, now: float) -> Ban | None:
        """A call sent at `taken_at` was refused for its credential or model: the ban, if that is news."""
        key = _key(address, what)
        if taken_at < self._enabled.get(key, -inf):
            return None
        ban, hint = self.found.get(key), verdict.retry_after_s or 0.0
        if ban is not None and taken_at <= ban.since:
            ban.until = max(ban.until, now + hint)
            return None
        if ban is None:
            ban = self.found[key] = Ban(what)
        ban.refusals += 1
        ban.reason = f"{what} disabled: {verdict.detail or _UNTOLD[what]}"
        length = hint if hint > 0 and ban.refusals == 1 else max(hint, self._length(ban.refusals))
        ban.since, ban.until, ban.tried_until = now, now + length, 0.0
        return ban

    def ended(self, address: Address, verdict: Verdict, taken_at: float) -> Iterator[Ban]:
        """A trial sent at `taken_at` has ended. Returns what was found to work, which is enabled again."""
        good = not verdict.neutral and (verdict.ok or verdict.blame == "quality")
        for ban in self.of(address):
            if taken_at > ban.since:
                ban.tried_until = 0.0
                if good:
                    self._enable(_key(address, ban.what), taken_at)
                    yield ban

    def forked(self) -> None:
        """In the child of a fork: trials under way are the parent's."""
        for ban in self.found.values():
            ban.tried_until = 0.0

    def allow(self, address: Address, now: float) -> None:
        """Enable credential and model again. A refusal of a call that is under way now does not disable them."""
        for what in _UNTOLD:
            self._enable(_key(address, what), now)

    def _enable(self, key: tuple[str, str, str], since: float) -> None:
        self.found.pop(key, None)
        self._enabled[key] = since

    def _length(self, refusals: int) -> float:
        config = self._config
        full = min(config.disabled_s * 2.0 ** min(refusals - 1, 64), config.max_disabled_s)
        return full * (0.5 + 0.5 * self._draw())


def _key(address: Address, what: BanSubject) -> tuple[str, str, str]:
    return what, address.base_url, address.credential if what == "credential" else address.model


def _wait(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
