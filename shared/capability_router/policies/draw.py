"""A request's place between 0 and 1, the same in every process: by it shares of the traffic are taken."""

from __future__ import annotations

from hashlib import blake2b

from capability_router.request import Request

_RANGE = 2.0**64


def drawn(request: Request, name: str, seed: int | None, *, sticky: bool) -> float:
    """From 0 up to, and without, 1: by the session where `sticky` and there is one, else by the request's id.

    `name` and `seed` set draws apart: who is in one share is not thereby in another.
    """
    session = request.routing.session if sticky else ""
    told = f"{name}\x1f{seed or 0}\x1f{'session' if session else 'request'}\x1f{session or request.id}"
    return int.from_bytes(blake2b(told.encode("utf-8", "replace"), digest_size=8).digest(), "big") / _RANGE
