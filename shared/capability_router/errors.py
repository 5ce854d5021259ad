"""Every error the router raises.

    RouterError
    ├── ConfigError            a setting, card, key or file is wrong; says which and what to write
    ├── NoEligibleModel        no model can take the request; nothing was sent      .refusals
    ├── BudgetExceeded         a spending cap would be broken; nothing was sent     .scope .left_usd
    ├── StoreError             a store can't be reached, read or written; names it without its password
    ├── RouterBusy             no model may be called in time: full, held, or switched off         .held_by
    └── AllCandidatesFailed    attempts were made, none gave an answer              .failures .held_by
        └── StreamInterrupted  the answer broke off after its first text            .partial

The adapters raise subclasses that are also errors of their framework, so that existing
``except`` clauses match.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from decimal import Decimal


class RefusalLike(Protocol):
    """A refusal as errors need it: model, rule, numbers."""

    @property
    def model(self) -> str: ...
    @property
    def rule(self) -> str: ...
    @property
    def detail(self) -> str: ...


class FailedAttempt(Protocol):
    """A failed attempt as errors need it."""

    @property
    def model(self) -> str: ...
    @property
    def fault(self) -> str | None: ...
    @property
    def detail(self) -> str: ...
    @property
    def elapsed_s(self) -> float: ...


class RouterError(Exception):
    """Anything the router itself raises."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle class, text and attributes, so that copies are complete."""
        return remade, (type(self), self.args, dict(self.__dict__))


def remade(kind: type[RouterError], args: tuple[Any, ...], state: dict[str, Any]) -> RouterError:
    """Rebuild the error without calling its constructor."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigError(RouterError, ValueError):
    """A setting, a model card, a key or a file is wrong; the text says which and what to write."""


class NoEligibleModel(RouterError):
    """No registered model can take the request. Nothing was sent, nothing was booked."""

    def __init__(self, refusals: Sequence[RefusalLike]) -> None:
        self.refusals = tuple(refusals)
        reasons = "".join(f"\n  {r.model}: {r.rule}: {r.detail}" for r in self.refusals)
        super().__init__(f"no model can take this request; nothing was sent.{reasons}")


class BudgetExceeded(RouterError):
    """A spending cap leaves no room for the request, or its store can't be asked. Nothing was sent.

    `limit_usd = spent_usd + reserved_usd + left_usd`; all are None if they would show a tenant others' spending.
    `resets_at`: when the window ends ("2026-11-26T00:00:00Z"); None = never. `fits`: the models that would fit.
    `passing`: there may be room before the window ends: all that is missing is held by calls under way, or the store is
    away.
    """

    def __init__(
        self, message: str, *, scope: str = "", window: str = "", limit_usd: Decimal | None = None,
        spent_usd: Decimal | None = None, reserved_usd: Decimal | None = None, left_usd: Decimal | None = None,
        resets_at: str | None = None, fits: Sequence[str] = (), passing: bool = False,
    ) -> None:  # fmt: skip
        self.scope, self.window, self.limit_usd, self.spent_usd = scope, window, limit_usd, spent_usd
        self.reserved_usd, self.left_usd, self.resets_at, self.fits = reserved_usd, left_usd, resets_at, tuple(fits)
        self.passing = passing
        super().__init__(message)


class StoreError(RouterError):
    """A store can't be reached, read or written; the text names it, without its password."""


class RouterBusy(RouterError):
    """No eligible model may be called before the deadline, or within `retry.max_wait_s`; nothing was sent.

    Each is full, held by its breaker or by a limit of its provider's, isolated, or its key or name is disabled; or too
    many requests wait already.
    `held_by`: model -> what holds it, in the words of `router.health()`. `retry_after_s`: seconds until one may be
    free; None = unknown.
    """

    retry_after_s: float | None = None

    def __init__(self, message: str, held_by: Mapping[str, str] = MappingProxyType({})) -> None:
        self.held_by = dict(held_by)
        super().__init__(message)


class AllCandidatesFailed(RouterError):
    """Attempts were made and none gave an answer; ``failures`` holds them in order.

    `held_by`: model -> what holds it by now, in the words of `router.health()`. `retry_after_s`: seconds until the
    first model may be called again; None = unknown, or one may be called now.
    """

    retry_after_s: float | None = None

    def __init__(
        self, failures: Sequence[FailedAttempt], *, tenant: str = "", elapsed_s: float = 0.0, advice: str = "",
        held_by: Mapping[str, str] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        self.failures = tuple(failures)
        self.held_by = dict(held_by)
        self.elapsed_s = elapsed_s
        super().__init__(self._text(tenant, advice))

    def _text(self, tenant: str, advice: str) -> str:
        whose = f' for tenant "{tenant}"' if tenant else ""
        count = len(self.failures)
        tries = "1 attempt" if count == 1 else f"{count} attempts"
        told = "; ".join(f"{f.model} {f.detail or f.fault} (after {f.elapsed_s:.1f} s)" for f in self.failures)
        end = f" {advice}" if advice else ""
        return f"no answer{whose} after {tries} in {self.elapsed_s:.1f} s: {told or 'nothing was sent'}.{end}"


class StreamInterrupted(AllCandidatesFailed):
    """The answer broke off after a part of it had reached the caller, and no model continued it.

    `failures`: the attempts that gave a part, and those that failed to continue it, in order.
    """

    partial: str = ""

    def __init__(
        self,
        failures: Sequence[FailedAttempt],
        *,
        parts: Sequence[FailedAttempt] = (),
        text: bool = True,
        advice: str = "",
    ) -> None:
        self._parts = tuple(parts or failures)
        self._given = "text" if text else "content other than text"
        super().__init__(failures, advice=advice)

    def _text(self, tenant: str, advice: str) -> str:
        *before, last = self._parts
        begun = f" (continuing the answer of {', '.join(f.model for f in before)})" if before else ""
        vain = [f for f in self.failures if f not in self._parts]
        why = (
            "another model was not tried, because two models' texts are never mixed in one answer."
            if not before and not vain
            else "no model could continue it" + _told(vain)
        )
        kept = "The partial text is in `.partial`; " if self._given == "text" else "There is no partial text; "
        return (
            f"the stream of {last.model}{begun} broke off after {self._given} had been delivered: "
            f"{last.detail or last.fault}. "
            f"{kept}{why}{f' {advice}' if advice else ''}"
        )


def _told(vain: Sequence[FailedAttempt]) -> str:
    told = "; ".join(f"{f.model} {f.detail or f.fault}" for f in vain)
    return f": {told}." if told else "."
