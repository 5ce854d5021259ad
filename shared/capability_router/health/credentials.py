"""Which credentials and models are switched off, why, and until when.

A rejected key or an empty account fails for every model behind it at that base URL, so the pair
(base_url, credential) is switched off; a model its provider doesn't know is switched off as
(base_url, model). Both stay so until `allow`, unless the provider named a time.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from capability_router.address import Address


class Ban(NamedTuple):
    """Why something is off, and until when (monotonic seconds; infinity = until someone resets it)."""

    reason: str
    until: float


class Bans:
    """What is switched off. Pure; the board locks."""

    __slots__ = ("_credentials", "_models")

    def __init__(self) -> None:
        self._credentials: dict[tuple[str, str], Ban] = {}
        self._models: dict[tuple[str, str], Ban] = {}

    def ban_credential(self, address: Address, detail: str, until: float = math.inf) -> None:
        """Switch the credential off for every model at this base URL."""
        ban = Ban(f"credential disabled: {detail or 'rejected by the provider'}", until)
        self._credentials[address.base_url, address.credential] = ban

    def ban_model(self, address: Address, detail: str, until: float = math.inf) -> None:
        """Switch the model off at this base URL, whatever the credential."""
        ban = Ban(f"model disabled: {detail or 'unknown to the provider'}", until)
        self._models[address.base_url, address.model] = ban

    def allow(self, address: Address) -> None:
        """Switch credential and model on again."""
        self._credentials.pop((address.base_url, address.credential), None)
        self._models.pop((address.base_url, address.model), None)

    def of(self, address: Address, now: float) -> Ban | None:
        """What keeps this address off now; None = nothing."""
        if not self._credentials and not self._models:
            return None
        return self.of_credential(address, now) or self.of_model(address, now)

    def of_credential(self, address: Address, now: float) -> Ban | None:
        """What keeps its credential off now."""
        found = self._credentials.get((address.base_url, address.credential))
        return None if found is None or found.until <= now else found

    def of_model(self, address: Address, now: float) -> Ban | None:
        """What keeps its model off now."""
        found = self._models.get((address.base_url, address.model))
        return None if found is None or found.until <= now else found
