"""One call to a Chat Completions server: send, check, read, in blocking and in asyncio code.

Everything but the socket reads is shared: `chunks` and `achunks` only carry bytes to `_feed`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import httpcore

from capability_router.endpoints import error_answers
from capability_router.endpoints.call_headers import NOTHING, CallHeaders
from capability_router.endpoints.connection_pool import ServerAddress, async_pool, sync_pool
from capability_router.endpoints.errors import EndpointConnectionError, EndpointError, EndpointTimeout
from capability_router.endpoints.inflater import InflateError, Inflater, packed
from capability_router.endpoints.reply_assembler import ReplyAssembler
from capability_router.endpoints.sse import DONE, SseParser
from capability_router.endpoints.timeouts import CallDeadline
from capability_router.endpoints.wire import BROKEN_FINISHES, UNSTATED, Delta, delta_from, number_of
from capability_router.faults.offered_tools import Offered, tool_names_in
from capability_router.json_text import parsed
from capability_router.request import Reply, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

TRANSPORT_ERRORS = (
    httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError,
    httpcore.ConnectionNotAvailable,
)  # fmt: skip
LINGER_S = 0.25
ERROR_BODY_MAX = 256 * 1024
ERROR_BODY_S = 1.0


class ExchangeClient(Protocol):
    """What an exchange needs of its endpoint."""

    model: str
    server: ServerAddress
    url: httpcore.URL
    sends_usage_option: bool
    gives_reason: bool

    def headers(
        self, size: int, *, stream: bool, brought: CallHeaders
    ) -> tuple[list[tuple[bytes, bytes]], tuple[str, ...]]:
        """The headers, and the keys that are in them and in the URL."""
        ...

    def encode(self, body: Mapping[str, Any], *, stream: bool) -> bytes:
        """The body's bytes."""
        ...


class Exchange:
    """One call in flight: a stream's deltas as they come, or a unary reply as one Delta.

    Use one of `chunks` and `achunks`, once. Nothing is sent before the first chunk is asked for.
    Both raise EndpointError; leaving them early closes the connection. A stream that ends without
    a finish reason raises nothing: `reply().finish` is then None.
    """

    keeps_time = True  # every clock is a time-out of its socket

    def abort(self) -> None:
        """Send nothing from now on. Closing its chunks closes the connection."""
        self._patience.stop()

    def __init__(
        self,
        caller: ExchangeClient,
        body: Mapping[str, Any],
        *,
        stream: bool,
        patience: CallDeadline,
        brought: CallHeaders = NOTHING,
    ) -> None:
        self._caller, self._body, self._stream, self._brought = caller, body, stream, brought
        self._patience = patience
        self._sent, self._keys = b"", tuple[str, ...]()
        self._tries, self._again = 0, False
        self._start_reading()
        self.headers: dict[str, str] = {}
        self.request_id = ""

    def _start_reading(self) -> None:
        self.status: int | None = None
        self.assembly = ReplyAssembler()
        self._events = SseParser()
        self._whole: list[bytes] | None = None
        self._size = 0
        self._choice = 0 if self._body.get("n") not in (None, 1) else None
        self._inflater: Inflater | None = None
        self._done = False

    def __repr__(self) -> str:
        return f"<Exchange with {self._caller.model!r}, status {self.status}>"

    # The two readers: alike but for the awaits

    def chunks(self) -> Iterator[Delta]:
        """Make the call, blocking; gives its deltas."""
        while self._may_send():
            stack = sync_pool(self._caller.server)
            link, response = stack.take(), None
            try:
                response = link.handle_request(self._request())
                self._opened(response)
                for data in response.iter_stream():
                    yield from self._feed(data)
                    self._patience.waiting()
                yield from self._finished()
            except TRANSPORT_ERRORS as error:
                self._broken(error)
            finally:
                if response is not None:
                    response.close()
                stack.give(link)

    async def achunks(self) -> AsyncIterator[Delta]:
        """The same in asyncio."""
        while self._may_send():
            stack = await async_pool(self._caller.server)
            link, response = await stack.take(), None
            try:
                response = await link.handle_async_request(self._request())
                self._opened(response)
                async for data in response.aiter_stream():
                    for delta in self._feed(data):
                        yield delta
                    self._patience.waiting()
                for delta in self._finished():
                    yield delta
            except TRANSPORT_ERRORS as error:
                self._broken(error)
            finally:
                if response is not None:
                    await response.aclose()
                await stack.give(link)

    # What they share

    def _may_send(self) -> bool:
        self._tries += 1
        first, self._again = self._tries == 1 or self._again, False
        return first

    def _request(self) -> httpcore.Request:
        self._sent = self._caller.encode(self._body, stream=self._stream)
        headers, self._keys = self._caller.headers(len(self._sent), stream=self._stream, brought=self._brought)
        connect = self._patience.connect()
        limits = {"connect": connect, "read": self._patience, "write": self._patience}
        return httpcore.Request(
            b"POST", self._caller.url, headers=headers, content=self._sent, extensions={"timeout": limits}
        )

    def _opened(self, response: httpcore.Response) -> None:
        self.status = response.status
        told = {name.lower(): value for name, value in response.headers}
        self.headers, self.request_id = (
            error_answers.hints(told, self._keys),
            error_answers.request_id(told, self._keys),
        )
        kind = told.get(b"content-type", b"").lower()
        if self._is_refused or not self._stream or b"json" in kind or b"html" in kind:
            self._whole = []  # read to its end, then judged; some servers answer a stream request in one piece
        if self._is_refused:  # the status tells most: no model that could answer waits for the rest
            self._patience.linger(ERROR_BODY_S)
        coding = told.get(b"content-encoding", b"").strip().lower()
        if coding in Inflater.CODINGS:
            self._inflater = Inflater(coding)
        elif packed(coding):
            raise self._tell(error_answers.packed(response.status))

    @property
    def _is_refused(self) -> bool:
        return self.status is not None and not 200 <= self.status < 300

    def _feed(self, data: bytes) -> Iterable[Delta]:
        if self._inflater is not None:
            data = self._inflated(self._inflater, data)
        if self._whole is None and (self._events.seen or not data.startswith(b"{")):
            return () if self._done else self._deltas(self._events.feed(data))
        self._whole = self._whole or []  # JSON in one piece, whatever its content type says: no event begins so
        self._whole.append(data)
        self._size += len(data)
        if self._is_refused and self._size > ERROR_BODY_MAX:
            raise self._refusal()
        return ()

    def _inflated(self, inflater: Inflater, data: bytes) -> bytes:
        try:
            return inflater.feed(data)
        except InflateError:
            raise self._tell(error_answers.not_a_reply("a body whose compression is broken")) from None

    def _deltas(self, payloads: list[bytes]) -> Iterable[Delta]:
        """Deltas that were read together with an error are given before it, because `reply` contains them.

        But not if the answer had not begun before: nobody sees them then, so that another model can answer.
        """
        begun = self._patience.step != "first_token"
        deltas = self._each(payloads)
        return deltas if begun else list(deltas)

    def _each(self, payloads: list[bytes]) -> Iterator[Delta]:
        for payload in map(bytes.strip, payloads):
            if payload == DONE:
                self._done = True
                self._patience.linger(LINGER_S)
                yield from self._unstated_end()
                break
            if payload:
                yield self._delta(self._parsed(payload))

    def _unstated_end(self) -> Iterable[Delta]:
        """The end of an answer whose server has never given a reason: some never do, and `[DONE]` is all they say."""
        said = self.assembly.text or self.assembly.calls
        if self._caller.gives_reason or self.assembly.finish is not None or not said:
            return ()
        self.assembly.add(UNSTATED)
        return (UNSTATED,)

    def _parsed(self, payload: bytes) -> dict[str, Any]:
        try:
            body = parsed(payload)
        except ValueError:
            raise self._tell(error_answers.not_a_reply(error_answers.kind_of(payload))) from None
        if not isinstance(body, dict):
            raise self._tell(error_answers.not_a_reply("JSON that is no object"))
        if error := body.get("error") or error_answers.bare_error(body):
            raise self._tell(error_answers.error_event(error))
        return body

    def _delta(self, body: dict[str, Any]) -> Delta:
        try:
            delta = delta_from(body, self._choice)
            if not self._caller.gives_reason:  # of another choice counts, too
                self._caller.gives_reason = any(choice.get("finish_reason") for choice in body.get("choices") or ())
            if self._choice is None:  # a stream that begins with one goes on with that one
                self._choice = number_of(body)
        except (AttributeError, TypeError, KeyError, IndexError):
            raise self._tell(error_answers.not_a_reply("JSON of another shape")) from None
        if delta.finish in BROKEN_FINISHES:
            raise self._tell(error_answers.error_event({"type": BROKEN_FINISHES[delta.finish]}))
        self.assembly.add(delta)
        self._patience.event(self._patience.step == "first_token" and self.commits(delta))  # later on none of it counts
        return delta

    def _finished(self) -> Iterable[Delta]:
        if self._whole is None:
            left = () if self._done else self._deltas(self._last_event())
            if not self._events.events and self._events.seen:
                raise self._tell(error_answers.not_a_reply("a stream without a single event"))
            return left
        body = b"".join(self._whole)
        if self._is_refused:
            return self._refused(body)
        reply = self._parsed(body)
        if not reply.get("choices"):
            if reply.get("usage"):
                self._delta(reply)
            raise self._tell(error_answers.not_a_reply("JSON without choices"))
        return [self._delta(reply)]

    def _last_event(self) -> list[bytes]:
        """An event whose blank line never came. One that is cut off within its JSON is none: the stream has no end."""
        return [payload for payload in self._events.close() if not _breaks_off(payload.strip())]

    def _refused(self, body: bytes) -> Sequence[Delta]:
        # The one thing sent again: a stream whose usage option, which we added, the server does not
        # know. The model was not reached, so this is no retry; the endpoint remembers it.
        ours = self._stream and self._caller.sends_usage_option and "stream_options" not in self._body
        if ours and self.status in (400, 422) and (b"stream_options" in body or b"include_usage" in body):
            self._caller.sends_usage_option = False
            self._again = True
            self._patience.anew()
            self._start_reading()
            return ()
        raise self._refusal()

    def _refusal(self) -> EndpointError:
        """A status other than 2xx, with as much of its body as has come."""
        return self._tell(error_answers.refusal(self.status or 0, b"".join(self._whole or ())[:ERROR_BODY_MAX]))

    def _broken(self, error: Exception) -> None:
        if self._done:
            return  # all had come but the end of the response
        if self._is_refused:
            raise self._refusal() from None
        if isinstance(error, httpcore.TimeoutException):
            connecting = isinstance(error, (httpcore.ConnectTimeout, httpcore.PoolTimeout))
            clock, limit = self._patience.expired_timeout(connecting=connecting)
            setting, told = self._patience.setting(clock), "its limit" if limit is None else f"{round(limit, 3):g} s"
            raise EndpointTimeout(
                f"{self._caller.model} did not answer in time: {clock} took longer than {told}; "
                f"raise {setting} if the model is that slow",
                clock=clock, limit_s=limit, **self._known(),
            ) from None  # fmt: skip
        sent = not isinstance(error, httpcore.ConnectError)
        told = error_answers.connection(self._caller.model, error)
        raise EndpointConnectionError(told, sent=sent, **self._known()) from None

    def _known(self) -> dict[str, Any]:
        return {"model": self._caller.model, "headers": self.headers, "request_id": self.request_id}

    def _tell(self, answer: error_answers.ErrorContent) -> EndpointError:
        known = self._caller.model, self._sent, self._keys, self.status, self.headers, self.request_id
        error = answer.error(*known)
        error.usage = self.assembly.usage
        return error

    # What the drivers ask

    def commits(self, delta: Delta) -> bool:
        """Whether this delta carries text, reasoning, a refusal or a tool call.

        White space is held, and so is a call of a tool that was not offered: another model may still answer.
        """
        if delta.text and delta.text.isspace() and not delta.carries_beside_text:
            return False
        if delta.tool_calls and self.assembly.only_calls_of_others(self._offered):
            return False
        return delta.carries

    def reply(self) -> Reply:
        """The reply so far; whole once the chunks have ended. Nothing is used before anything was sent."""
        if not self.sent:
            return Reply(usage=Usage())
        return self.assembly.reply(self.headers, stream=self._stream, tools=self._offered)

    @property
    def sent(self) -> bool:
        """Whether any of the request has gone out, or may have."""
        return self._patience.wrote or self.status is not None

    @cached_property
    def _offered(self) -> Offered:
        return tool_names_in(self._body.get("tools"))


def _breaks_off(payload: bytes) -> bool:
    """Whether it is the beginning of a JSON object, or of the last word of a stream."""
    if not payload.startswith(b"{"):
        return bool(payload) and payload != DONE and DONE.startswith(payload)
    try:
        parsed(payload)
    except ValueError:
        return True
    return False
