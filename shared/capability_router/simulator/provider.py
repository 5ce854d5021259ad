"""One running provider: its models with their limits and caches, its scripted faults, its records."""

from __future__ import annotations

from capability_router.clock import Clock, seeded
from capability_router.simulator.books import ProviderLog
from capability_router.simulator.http.delivery import GenerationSpeed
from capability_router.simulator.meter import ConcurrencySlots, PromptCache, RateMeter
from capability_router.simulator.profile import SimulatedModel, SimulatedProvider
from capability_router.simulator.script import FaultScript
from capability_router.simulator.seeded_random import digest


class ServedModel:
    """One model being served."""

    def __init__(self, profile: SimulatedModel, clock: Clock) -> None:
        self.profile = profile
        self.meter, self.seats, self.cache = RateMeter(profile, clock), ConcurrencySlots(profile), PromptCache(profile)


class ServedProvider:
    """What the requests to one provider share."""

    def __init__(
        self,
        profile: SimulatedProvider,
        script: FaultScript,
        books: ProviderLog,
        clock: Clock,
        *,
        seed: int,
        time_scale: float,
    ) -> None:
        self.profile, self.script, self.books, self.clock, self.seed = profile, script, books, clock, seed
        self.served = {model.name: ServedModel(model, clock) for model in profile.models}
        self._time_scale, self._served = time_scale, 0

    def new_id(self) -> str:
        """An id that no other completion of this fleet's seed has."""
        self._served += 1
        return f"chatcmpl-{digest(self.seed, self.profile.name, self._served)[:20]}"

    def pace(self, model: SimulatedModel, prompt: str, request: str) -> GenerationSpeed:
        """How fast this request is answered; the same fleet and order of requests give the same paces."""
        chance = seeded(int(digest(self.seed, prompt, request)[:16], 16))
        first = model.ttft_s * chance.lognormvariate(0.0, model.ttft_sigma)
        return GenerationSpeed(first * self._time_scale, self._time_scale / model.tokens_per_s)
