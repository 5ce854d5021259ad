"""Answers that are unusual but sound, and answers that break off where nobody expects it."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest
from loopback.chat_server import ChatServer, Step, Wire, completion, piece, reply, sse
from loopback.endpoint_client import BODY, Read, client, failure

from capability_router.endpoints.errors import EndpointReplyError, EndpointStatusError
from capability_router.faults import classify
from capability_router.request import Finish, Reply

WHOLE = json.dumps(completion("whole")).encode()


def answered(read: Read, step: Step, *, stream: bool) -> Reply:
    with ChatServer(step) as server:
        exchange = client(server).start(BODY, stream=stream)
        read(exchange)
        return exchange.reply()


@pytest.mark.parametrize("last", [b"data: [DONE] \n\n", b"data:  \n\ndata:  [DONE]\n\n", b"data: [DONE]\r\r"])
def test_blanks_around_the_last_word_of_a_stream_cost_no_answer(read: Read, last: bytes) -> None:
    told = answered(read, sse(piece("all"), piece(finish="stop"), last, end="clean"), stream=True)
    assert (told.text, told.finish) == ("all", Finish.STOP)


@pytest.mark.parametrize("begun", [b'data: {"id": "c1", "cho', b"data: [DO", b'data: {"id":\ndata: 1,\ndata: '])
def test_a_stream_that_is_cut_within_an_event_has_what_came_before_and_no_end(read: Read, begun: bytes) -> None:
    told = answered(read, sse(piece("so far"), begun, end="clean"), stream=True)
    assert (told.text, told.finish) == ("so far", None)


def test_a_stream_that_is_cut_within_its_first_event_has_no_end_either(read: Read) -> None:
    told = answered(read, sse(b'data: {"id": "c1", "cho', end="clean"), stream=True)
    assert (told.text, told.finish) == ("", None)


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", ""])
def test_a_stream_that_is_answered_in_one_piece_is_known_by_its_beginning(read: Read, kind: str) -> None:
    assert answered(read, reply(completion("whole"), kind=kind), stream=True).text == "whole"


def test_a_last_event_without_its_blank_line_counts(read: Read) -> None:
    last = json.dumps(piece("end", "stop")).encode()
    told = answered(read, sse(piece("the "), b"data: " + last, end="clean"), stream=True)
    assert (told.text, told.finish) == ("the end", Finish.STOP)


def _bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(WHOLE[:50]) + gzip.compress(WHOLE[50:])), ("gzip", gzip.compress(WHOLE) + b"\0\0\0"),
        ("deflate", _bare(WHOLE)), ("deflate", zlib.compress(WHOLE)), ("", WHOLE), ("utf-8", WHOLE), ("none", WHOLE),
    ],
)  # fmt: skip
def test_what_a_server_says_of_its_coding_is_taken_as_it_is_meant(read: Read, coding: str, body: bytes) -> None:
    assert answered(read, reply(body, headers=[f"content-encoding: {coding}"]), stream=False).text == "whole"


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br"])
def test_an_unreadable_coding_is_told_but_hides_no_status(read: Read, coding: str) -> None:
    headers = [f"content-encoding: {coding}"]
    assert type(failure(read, reply(b"\x8b\x02", headers=headers))) is EndpointReplyError
    refused = failure(read, reply(b"\x8b\x02", 429, headers=[*headers, "retry-after: 7"]))
    assert type(refused) is EndpointStatusError
    assert "answered 429 with a compressed body" in str(refused)
    assert (classify(refused).kind, classify(refused).retry_after_s) == ("rate_limited", 7.0)


def test_an_event_that_ends_in_carriage_returns_is_given_at_once(read: Read) -> None:
    def waits(wire: Wire) -> bool:
        part = b"data: " + json.dumps(piece("now")).encode() + b"\r\r"
        return sse(part, None)(wire)

    told = failure(read, waits, stream=True, first_token=2.0, between_tokens=0.2)
    assert told.clock == "between_tokens"
