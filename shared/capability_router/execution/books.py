"""What the machine asks of money, and how an ended attempt reads to the health board."""

from __future__ import annotations

from typing import Protocol

from capability_router.faults.kinds import Fault
from capability_router.health.board import Verdict
from capability_router.money.budget import Denial, Short
from capability_router.plan import Candidate
from capability_router.request import Reply, Usage


class Books(Protocol):
    """The money side of one request. Every `open` that returned None is followed by exactly one `close`."""

    tenant: str

    def open(self, attempt: int, candidate: Candidate) -> Denial | Short | None:
        """Open a line, reserving what the call may cost; else the budget that forbids it, or what is lacking."""
        ...

    def borrow(self, attempt: int, short: Short) -> None:
        """Have a store lend what is lacking; the next `open` of the attempt uses it. Waits for the store."""
        ...

    def forgo(self) -> None:
        """Give back what was lent, or still will be, and not used."""
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
        """Settle the line; the tokens booked and their cost in picodollars (None = price unknown)."""
        ...


def verdict(fault: Fault | None, reply: Reply, cancelled: bool, ttft: float | None, elapsed: float) -> Verdict:
    """An ended attempt in the board's terms."""
    usage = reply.usage
    if cancelled:
        return Verdict(ok=False, neutral=True, blame="none")
    return Verdict(
        ok=fault is None,
        blame="none" if fault is None else fault.row.blame,
        retry_after_s=fault.retry_after_s if fault else None,
        ttft_s=ttft,
        elapsed_s=elapsed,
        output_tokens=usage.output_tokens if usage else 0,
        tokens=usage.input_tokens + usage.output_tokens if usage else 0,
        detail=fault.told if fault else "",
        slow=fault is not None and fault.kind == "timeout",
        overloaded=fault is not None and fault.kind in ("overloaded", "rate_limited"),
    )
