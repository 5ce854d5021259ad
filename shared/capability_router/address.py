"""Where a candidate's calls go, and on whose account: what health is keyed by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit


class Address(NamedTuple):
    """The failure domain of a candidate.

    `base_url` is a URL or an SDK's own name for its endpoint ("" in a Description: nobody can tell, so the registry
    makes it one of the candidate's own), `credential` a fingerprint (never the key). The breaker is keyed by
    (base_url, model, region), rate gates by (base_url, credential, model), a disabled credential by (base_url,
    credential).
    """

    base_url: str
    model: str
    credential: str = ""
    region: str = ""


def joint(addresses: Iterable[Address]) -> Address:
    """Where a router is that is a model of another one: where its own models are, with their accounts."""
    mark = fingerprint("\n".join(sorted("\t".join(address) for address in addresses)) or "none")
    return Address(f"router:{mark}", "router", mark)


def fingerprint(secret: str | None) -> str:
    """A short one-way mark by which two uses of one key are known to be the same."""
    return hashlib.sha256(secret.encode()).hexdigest()[:12] if secret else ""


def public_url(base_url: str) -> str:
    """The URL without a user, a password or a query."""
    parts = urlsplit(base_url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl().rstrip("/")
