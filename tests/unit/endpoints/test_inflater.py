"""Compressed bodies that come in pieces of any size."""

from __future__ import annotations

import gzip
import zlib

import pytest

from capability_router.endpoints.inflater import Inflater

TEXT = b'{"choices": []}' * 9
BARE = zlib.compressobj(wbits=-15)
BODIES = {
    "two pieces of gzip": (b"gzip", gzip.compress(TEXT[:40]) + gzip.compress(TEXT[40:])),
    "deflate": (b"deflate", zlib.compress(TEXT)),
    "bare deflate": (b"deflate", BARE.compress(TEXT) + BARE.flush()),
}


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("size", [1, 2, 1000])
def test_a_body_may_come_a_byte_at_a_time(kind: str, size: int) -> None:
    coding, body = BODIES[kind]
    inflater = Inflater(coding)
    assert b"".join(inflater.feed(body[at : at + size]) for at in range(0, len(body), size)) == TEXT
