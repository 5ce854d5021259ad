"""Calls whose fate was drawn before they are made: nothing is sent, nothing is timed."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator

from capability_router.faults.kinds import Fault
from capability_router.request import Reply


class DrawnFault(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.kind)
        self.fault = fault


class DrawnAttempt(ABC):
    """Gives texts at once, or raises DrawnFault."""

    keeps_time = True

    def abort(self) -> None:  # noqa: B027 - the same for all
        """It holds nothing."""

    @abstractmethod
    def chunks(self) -> Iterator[str]: ...

    async def achunks(self) -> AsyncIterator[str]:
        await asyncio.sleep(0)
        for chunk in self.chunks():
            yield chunk

    def commits(self, chunk: str) -> bool:
        return True

    @abstractmethod
    def reply(self) -> Reply: ...
