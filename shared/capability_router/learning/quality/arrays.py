"""Arrays as JSON: shape, kind of number, and the little-endian bytes in base64."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS = {"i1": "<i1", "u2": "<u2", "i4": "<i4", "f2": "<f2", "f4": "<f4"}


class UnreadableState(ValueError):
    """A damaged state, or one of another version; the message says what is wrong with it."""


def packed(array: NDArray[Any], kind: str) -> dict[str, Any]:
    """JSON-safe; `kind` is one of KINDS, and numbers lose what it can't hold."""
    data = np.ascontiguousarray(array, KINDS[kind]).tobytes()
    return {"shape": list(array.shape), "kind": kind, "data": b64encode(data).decode("ascii")}


def array(packed: object, *shape: int | None) -> NDArray[Any]:
    """The packed array, checked for this shape (None = any length). Raises UnreadableState."""
    if not isinstance(packed, Mapping) or packed.get("kind") not in KINDS:
        raise UnreadableState("an array is missing, or of an unknown kind")
    try:
        data = b64decode(packed["data"], validate=True)
        found = np.frombuffer(data, KINDS[packed["kind"]]).reshape([int(n) for n in packed["shape"]])
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise UnreadableState("an array can't be read") from error
    if len(found.shape) != len(shape) or any(n not in (None, m) for n, m in zip(shape, found.shape, strict=True)):
        raise UnreadableState(f"an array has the shape {found.shape}, expected {shape}")
    return found


def finite(packed: object, *shape: int | None) -> NDArray[np.float32]:
    """The same, for finite numbers only."""
    found = array(packed, *shape).astype(np.float32)
    if not np.isfinite(found).all():
        raise UnreadableState("an array holds what is no number")
    return found
