"""A request's bucket between 0 and 1, the same in every process, for taking shares of the traffic."""

from __future__ import annotations

from hashlib import blake2b

from capability_router.request import Request

_BITS = 53  # as many as a float holds; with more, the highest values would round to 1


def bucket_of(request: Request, name: str, seed: int | None, *, sticky: bool) -> float:
    """In [0, 1): by session if `sticky` and the request has one, else by the request's id.

    `name` and `seed` make buckets independent: being in one share says nothing about another share.
    """
    session = request.routing.session if sticky else ""
    return bucket(f"session\x1f{session}" if session else f"request\x1f{request.id}", name, seed)


def bucket(who: str, name: str, seed: int | None) -> float:
    """The same for any text `who`."""
    told = f"{name}\x1f{seed or 0}\x1f{who}"
    digest = blake2b(told.encode("utf-8", "replace"), digest_size=8).digest()
    return fraction(int.from_bytes(digest, "big"))


def fraction(hashed: int) -> float:
    """64 bits as a number in [0, 1)."""
    return (hashed >> (64 - _BITS)) / (1 << _BITS)
