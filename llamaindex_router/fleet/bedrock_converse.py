"""What BedrockConverse leaves out of its streams: why they ended.

Bedrock tells it in an event of its own (`messageStop`), which the integration passes over, and the counts in the next
and last one (`metadata`), which it hands on as it came. So the client below writes the reason into that: there it is
seen in whichever thread the integration reads the stream. If the stream ends or breaks before the counts, the reason
comes with an event without text.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

REASON = "stopReason"


class StopReasonClient:
    """A client of Bedrock's runtime that does what it did; its streams tell at their end why they ended."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def converse_stream(self, **request: Any) -> Any:
        """The response, with its events in `stream`."""
        response = self._client.converse_stream(**request)
        return {**response, "stream": _told(response["stream"])}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def _told(stream: Any) -> Iterator[dict[str, Any]]:
    reason, due = None, False
    with closing(stream):
        try:
            for event in stream:
                if "messageStop" in event:
                    reason = event["messageStop"].get(REASON)
                    due = reason is not None
                elif reason is not None and "metadata" in event:
                    event["metadata"][REASON] = reason
                    due = due and not event["metadata"].get("usage")  # without these the integration passes it over
                yield event
        except Exception:  # botocore, urllib3 and sockets have classes of their own for a connection that breaks
            if reason is None:
                raise  # else the answer is whole: only counts were to come
    if due:
        yield {"contentBlockDelta": {"delta": {"text": ""}}, "messageStop": {REASON: reason}}
