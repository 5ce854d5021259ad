"""A simulated call, and the Endpoint that makes such calls for one request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from math import inf

from capability_router.clock import Clock
from capability_router.execution.effects import Launch
from capability_router.faults.kinds import Fault
from capability_router.rehearsal.client_errors import meant
from capability_router.rehearsal.simulated_fleet import SimulatedFleet, SimulatedResponse
from capability_router.rehearsal.traffic.shape import RequestShape
from capability_router.rehearsal.virtual_time import Standstill
from capability_router.request import Finish, Need, Reply, Usage

TEXT = "made up "
"""What simulated models say, piece by piece."""


class SimulatedCall:
    """Yields its pieces at their virtual times: three for a stream, one for a unary call."""

    keeps_time = True

    def __init__(
        self, part: SimulatedResponse, shape: RequestShape, tokens: int, clock: Clock, headers: Mapping[str, str]
    ) -> None:
        self._part, self._shape, self._tokens, self._clock, self._headers = part, shape, tokens, clock, headers
        self._seen = ""
        self._whole = False

    def chunks(self) -> Iterator[str]:
        """Not supported, because virtual time needs an event loop."""
        raise Standstill("a rehearsal is driven asynchronously")

    async def achunks(self) -> AsyncIterator[str]:
        """The pieces, then the end."""
        part, began = self._part, self._clock.now()
        for at, text in self._pieces(part):
            await self._until(began + at)
            yield text
        await self._until(began + part.end_s)
        if part.error is not None:
            raise part.error
        self._whole = True
        if not self._shape.stream or part.empty:
            yield "" if part.empty else TEXT * 3

    def _pieces(self, part: SimulatedResponse) -> Iterator[tuple[float, str]]:
        if self._shape.stream:
            for n in range(part.pieces):
                yield part.first_s + (part.end_s - part.first_s) * (n / 3 if part.pieces == 3 else 0.0), TEXT

    async def _until(self, at: float) -> None:
        left = at - self._clock.now()
        if left == inf:
            raise Standstill("a simulated call would never end")
        if left > 0:
            await self._clock.asleep(left)

    def commits(self, chunk: str) -> bool:
        """Whether the chunk is text."""
        self._seen += chunk
        return bool(chunk)

    def abort(self) -> None:
        """Nothing to do."""

    def reply(self) -> Reply:
        """The reply so far; usage and the terminal reason come with a complete answer."""
        part, shape = self._part, self._shape
        if not self._whole or not part.has_finish_reason:
            return Reply(None, None, self._seen)
        tools = Need.TOOL_CALLING in shape.needs and not part.empty
        usage = Usage(shape.input_tokens, 0 if part.empty else self._tokens)
        finish, sound = Finish.TOOL_CALLS if tools else Finish.STOP, tools and not part.malformed
        return Reply(
            usage, finish, self._seen, tool_calls=int(sound), malformed_tool_calls=int(part.malformed),
            headers=self._headers,
        )  # fmt: skip


class SimulatedEndpoint:
    """Begins the calls of one request."""

    def __init__(self, cast: SimulatedFleet, shape: RequestShape, request: str, clock: Clock) -> None:
        self._cast, self._shape, self._request, self._clock = cast, shape, request, clock

    def start(self, launch: Launch) -> SimulatedCall:
        """A call of the launch's model."""
        return self.call(launch.candidate.id, launch.attempt)

    def call(self, model: str, attempt: int) -> SimulatedCall:
        """A call of this model."""
        cast, shape = self._cast, self._shape
        part = cast.part(model, shape, self._request, attempt)
        return SimulatedCall(part, shape, cast.out(model, shape), self._clock, cast.headers(model))

    def fault(self, error: BaseException) -> Fault | None:
        """The provider's error as a fault."""
        return meant(error, self._clock.unix())
