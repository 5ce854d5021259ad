"""The fleet: several simulated providers, a port each, in a background thread of this process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from capability_router.clock import Clock, SystemClock
from capability_router.errors import ConfigError
from capability_router.nearest import nearest
from capability_router.simulator.books import Bill, LogRow, ProviderLog
from capability_router.simulator.fault import ScriptedFault
from capability_router.simulator.http.background import Background
from capability_router.simulator.http.listener import HOST, Listener
from capability_router.simulator.http.server import provider_app
from capability_router.simulator.profile import SimulatedModel, SimulatedProvider
from capability_router.simulator.provider import ServedProvider
from capability_router.simulator.script import FaultScript
from capability_router.simulator.settings import FleetSettings, Source, load_settings

_PATIENCE_S = 1.0


class Fleet:
    """Simulated OpenAI-compatible providers over real HTTP on 127.0.0.1.

    Use it as a context manager, or `start()` and `stop()` (which may be called again). Scripted
    faults count from the start. Raises ConfigError for settings that make no sense and OSError for
    a port that is taken.
    """

    def __init__(self, settings: FleetSettings | None = None) -> None:
        self.settings = settings or load_settings()
        self.script = FaultScript(self.settings.faults, seed=self.settings.seed)
        self._books = ProviderLog()
        self._clock: Clock = SystemClock()
        self._background: Background | None = None
        self._listeners: dict[str, Listener] = {}
        self._edge: asyncio.TimerHandle | None = None
        self.script.bind(self._names(), self._script_changed)

    @classmethod
    def from_config(cls, source: Source = None, **overrides: Any) -> Fleet:
        """A fleet from a YAML path or a mapping of FleetSettings' fields; keywords win.

        Without a source, or without `providers`, it is the built-in fleet of five. Raises ConfigError.
        """
        return cls(load_settings(source, **overrides))

    def _names(self) -> dict[str, tuple[str, ...]]:
        return {p.name: tuple(m.name for m in p.models) for p in self.settings.providers}

    def start(self) -> Fleet:
        """Opens the ports; nothing when they are open."""
        if self._background is not None:
            return self
        base = self.settings.port_base
        try:
            for number, profile in enumerate(self.settings.providers):
                self._listeners[profile.name] = Listener(self._app(profile), base + number if base else 0)
            self._background = Background("capability-router-simulator")
            self.script.begin()
            self._background.call(self._tend())
        except BaseException:  # whatever went wrong, no port and no thread may stay behind
            self.stop()
            raise
        return self

    def _app(self, profile: SimulatedProvider) -> Any:
        clock, seed, scale = self._clock, self.settings.seed, self.settings.time_scale
        return provider_app(ServedProvider(profile, self.script, self._books, clock, seed=seed, time_scale=scale))

    def stop(self) -> None:
        """Cuts all connections, closes the ports and ends the thread; the log and the bills stay readable."""
        background, self._background = self._background, None
        listeners, self._listeners = tuple(self._listeners.values()), {}
        if background is None:
            for listener in listeners:
                listener.shut()
                listener.drop()
            return
        try:
            background.call(self._close(listeners))
        finally:
            background.stop()

    async def _close(self, listeners: tuple[Listener, ...]) -> None:
        if self._edge is not None:
            self._edge.cancel()
        await asyncio.gather(*(listener.close(_PATIENCE_S) for listener in listeners))

    def __enter__(self) -> Fleet:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "running" if self._background else "stopped"
        return f"<Fleet of {len(self.settings.providers)} providers, {state}>"

    async def _tend(self) -> None:
        """Opens and closes ports as the script says, now and at its next edge."""
        for name, listener in self._listeners.items():
            if self.script.refuses(name):
                listener.shut()
            else:
                await listener.open()
        if self._edge is not None:
            self._edge.cancel()
        wait = self.script.next_edge_s()
        loop = asyncio.get_running_loop()
        self._edge = None if wait is None else loop.call_later(wait, self._at_edge)

    def _at_edge(self) -> None:
        task = asyncio.ensure_future(self._tend())
        task.add_done_callback(lambda done: done.exception())

    def _script_changed(self) -> None:
        if self._background is not None and not self._background.is_here:
            self._background.call(self._tend())

    @property
    def providers(self) -> tuple[str, ...]:
        """The providers' names."""
        return tuple(self._names())

    def port(self, provider: str) -> int:
        """The provider's port."""
        if provider not in self.providers:
            raise ConfigError(f"simulator: no provider {provider!r}{nearest(provider, self.providers)}")
        if provider not in self._listeners:
            raise ConfigError("simulator: the fleet is not running; use `with fleet:` or call start() first")
        return self._listeners[provider].port

    def base_url(self, provider: str) -> str:
        """Such as "http://127.0.0.1:40123/v1"."""
        return f"http://{HOST}:{self.port(provider)}/v1"

    def fault(self, *faults: ScriptedFault | str | Mapping[str, Any]) -> None:
        """Starts faults now, such as "outage:cedar" or "429:birch@0s+10s"; in force when this returns."""
        self.script.start(*faults)

    def heal(self, provider: str | None = None) -> None:
        """Ends the faults of one provider, or all, scripted ones included."""
        self.script.clear(provider)

    def log(self) -> list[LogRow]:
        """A row for each request that reached a provider, in the order in which they ended."""
        return self._books.rows()

    def bills(self) -> list[Bill]:
        """A bill for each request that generated anything, in whole picodollars."""
        return self._books.bills()

    def forget(self) -> None:
        """Empties the log and the bills."""
        self._books.clear()

    def environment(self) -> dict[str, str]:
        """The variables that `router_config` names as `api_key_env`, with their keys (for `os.environ.update`)."""
        return {p.key_variable: p.api_key for p in self.settings.providers if p.api_key is not None}

    def router_config(self, **more: Any) -> dict[str, Any]:
        """The fleet as a router.yaml: one entry per model with its endpoint and card; keywords are further top keys."""
        models = [self._entry(p, m) for p in self.settings.providers for m in p.models]
        return {"models": models, **more}

    def _entry(self, provider: SimulatedProvider, model: SimulatedModel) -> dict[str, Any]:
        endpoint = {"base_url": self.base_url(provider.name), "model": model.name}
        if provider.api_key is not None:
            endpoint["api_key_env"] = provider.key_variable
        card = model.card(self.settings.time_scale)
        optional = {"data": dict(provider.data), "tags": list(provider.tags)}
        return {
            "id": f"{provider.name}/{model.name}", "provider": provider.name, "endpoint": endpoint, **card,
            **{name: value for name, value in optional.items() if value},
        }  # fmt: skip
