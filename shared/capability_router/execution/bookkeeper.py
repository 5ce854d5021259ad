"""The state machine's interface to money, and the conversion of an ended attempt for the health board."""

from __future__ import annotations

from typing import Protocol

from capability_router.faults.kinds import Fault
from capability_router.health.board import Verdict
from capability_router.money.budget.budgets import FundsShortfall
from capability_router.money.budget.denial import Denial
from capability_router.plan import Candidate
from capability_router.request import Reply, Usage


class Bookkeeper(Protocol):
    """Books the attempts of one request. Every `open` that returned None is followed by exactly one `close`."""

    tenant: str

    def open(self, attempt: int, candidate: Candidate) -> Denial | FundsShortfall | None:
        """Open a line and reserve what the call may cost (None).

        Else a Denial by the budget that forbids it, or the FundsShortfall sum that a store must lend first.
        """
        ...

    def borrow(self, attempt: int, short: FundsShortfall) -> None:
        """Borrow the missing sum from a store, for the next `open` of this attempt. Blocks while the store answers."""
        ...

    def release_loans(self) -> None:
        """Give back borrowed money that was not used, also what a store is still about to lend."""
        ...

    def close(
        self,
        attempt: int,
        candidate: Candidate,
        fault: Fault | None,
        reply: Reply,
        *,
        had_content: bool,
        cancelled: bool,
    ) -> tuple[Usage, int | None]:
        """Settle the line; returns the booked tokens and their cost in picodollars (None = price unknown)."""
        ...


def verdict(
    fault: Fault | None, told: Usage | None, booked: Usage, ttft: float | None, elapsed: float, whole: bool
) -> Verdict:  # fmt: skip
    """An ended attempt as a Verdict. `told`: the usage that the provider reported; `whole`: it was no stream."""
    output_tokens = tokens = 0
    if told is not None and (told is booked or told.credible):  # an incredible usage was not booked as reported
        output_tokens, tokens = told.output_tokens, told.input_tokens + told.output_tokens
    if fault is None:
        return Verdict(
            True, False, "none", None, ttft, elapsed, output_tokens, tokens, "", False, False, False, whole
        )  # fmt: skip
    return Verdict(
        ok=False,
        neutral=fault.by_reader or (fault.own and fault.kind == "rate_limited"),  # of an account that is not ours
        blame=fault.row.blame,
        retry_after_s=fault.retry_after_s,
        ttft_s=ttft,
        elapsed_s=elapsed,
        output_tokens=output_tokens,
        tokens=tokens,
        detail=fault.told,
        slow=fault.kind == "timeout",
        late=fault.late_s > 0.0,
        overloaded=fault.kind in ("overloaded", "rate_limited") and not fault.too_large,
        whole=whole,
        sent=fault.sent,
    )
